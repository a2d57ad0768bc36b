// `npm test`: every test file, one after another, since each takes the whole machine; all are run even if one fails. What fails is
// run once more: a browser on a busy machine now and then loses a frame or a process. Failing twice is failing.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith(".test.mjs"));
const passes = (name) => spawnSync(process.execPath, ["--test", name], { cwd: folder, stdio: "inherit" }).status === 0;
const once = files.filter((name) => !passes(name));
if (once.length > 0) console.error(`once more: ${once.join(", ")}`);
const failed = once.filter((name) => !passes(name));
if (failed.length > 0) {
  console.error(`failed: ${failed.join(", ")}`);
  process.exit(1);
}
