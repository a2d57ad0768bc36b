// The same seed gives the same losses as the native program. THALWEG names that program; without it there is nothing to compare.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { NATIVE, SHORT, SHORT_WEBGPU, Stage, draft, losses, noNative } from "./driver.mjs";
import { column } from "./zip.mjs";

const tooSlow = process.env.THALWEG_SLOW !== "1" && "SKIPPED: a GPU that is a program needs ten minutes and more for this; THALWEG_SLOW=1 runs it";

/** Losses of the last run of the page, by its capsule. */
async function trainedInPage(toml, webgpu, folder) {
  const stage = await Stage.open({ webgpu, fragment: `${draft(toml)}&panel=Training` });
  try {
    await stage.click("Start", undefined, 90);
    await stage.trained(800);
    return await stage.capsule(join(folder, "page.thalweg"));
  } finally {
    await stage.close();
  }
}

for (const [device, tolerance] of [["cpu", 1e-5], ["webgpu", 1e-3]]) {
  test(`${device}: losses of 20 steps as in the native program`, { skip: noNative || (device === "webgpu" && tooSlow) }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "thalweg-parity-"));
    try {
      const toml = (device === "cpu" ? SHORT : SHORT_WEBGPU)
        .replace('methods = ["seq", { name = "i_lora", settings = { half_life_steps = 30 } }]', 'methods = ["i_lora"]')
        .replace("steps_per_task = 20", "steps_per_task = 10")
        .replace("max_examples = 8", "max_examples = 2");
      const here = join(folder, "native");
      writeFileSync(join(folder, "config.toml"), `output = "${here}"\n${toml}`);
      execFileSync(NATIVE, ["run", join(folder, "config.toml")], { stdio: ["ignore", "ignore", "inherit"] });
      const expected = column(readFileSync(join(here, "i_lora-seed0", "metrics.csv")), "loss_total");
      const found = losses(await trainedInPage(toml, device === "webgpu", folder));
      assert.equal(found.length, expected.length);
      const apart = found.map((loss, step) => Math.abs(loss - expected[step]));
      console.log(`${device}: ${found.length} losses, at most ${Math.max(...apart)} apart`);
      assert.ok(Math.max(...apart) <= tolerance, `${found} is not ${expected}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
