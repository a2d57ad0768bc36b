// `just page-shots` (or `node shots.mjs page-phone`): pictures of the page in Chromium for the README, desktop and phone, at the end of a real training.
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SHORT, Stage, draft, pause } from "./driver.mjs";

const folder = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "assets", "screenshots");
mkdirSync(folder, { recursive: true });
const toml = SHORT.replace('"builtin:finance"]', '"builtin:finance", "builtin:law"]')
  .replace("steps_per_task = 20", "steps_per_task = 50")
  .replace("max_train_examples = 60", "max_train_examples = 200")
  .replace("max_examples = 8", "max_examples = 20");

for (const [name, size, panel] of [
  ["page-desktop", { width: 1400, height: 900 }, "Training"],
  ["page-phone", { width: 390, height: 844 }, "Training"],
].filter(([name]) => process.argv.length < 3 || process.argv.includes(name))) {
  const stage = await Stage.open({ size, fragment: `${draft(toml)}&panel=${panel}` });
  try {
    await stage.click("Start", undefined, 90);
    if (size.width < 600) await stage.click("Forgetting");
    await stage.wait("the end", (tree) => stage.find(tree, /^Accuracy matrix, slow learner.*: 3 of 3 tasks learnt/), 400);
    await stage.idle();
    // Messages go after some seconds.
    await pause(9000);
    await stage.page.screenshot({ path: join(folder, `${name}.png`) });
    if (stage.faults.length > 0) throw new Error(stage.faults.join("; "));
    console.log(join(folder, `${name}.png`));
  } finally {
    await stage.close();
  }
}
