// The same seed gives the same losses as the native program. THALWEG names that program; without it there is nothing to compare.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DIST, SHORT, Stage, draft } from "./driver.mjs";
import { column, unzip } from "./zip.mjs";

const native = process.env.THALWEG ?? join(DIST, "..", "target", "release", "thalweg");

/** Losses of the last run of the page, by its capsule. */
async function trainedInPage(toml, webgpu, folder) {
  const stage = await Stage.open({ webgpu, fragment: `${draft(toml)}&panel=Training` });
  try {
    await stage.click("Start", undefined, 90);
    await stage.trained(800);
    const download = stage.page.waitForEvent("download");
    await stage.command("Export the selected run as a capsule");
    const path = join(folder, "page.thalweg");
    await (await download).saveAs(path);
    return { path, files: unzip(readFileSync(path)) };
  } finally {
    await stage.close();
  }
}

for (const [device, tolerance] of [["cpu", 1e-5], ["webgpu", 1e-3]]) {
  test(`${device}: losses of 20 steps as in the native program`, { skip: !existsSync(native) && `${native} is not there` }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "thalweg-parity-"));
    try {
      const toml = SHORT.replace('methods = ["seq", { name = "i_lora", settings = { half_life_steps = 30 } }]', 'methods = ["i_lora"]')
        .replace('device = "cpu"', `device = "${device}"`)
        .replace("steps_per_task = 20", "steps_per_task = 10")
        .replace("max_examples = 8", "max_examples = 2");
      const here = join(folder, "native");
      writeFileSync(join(folder, "config.toml"), `output = "${here}"\n${toml}`);
      execFileSync(native, ["run", join(folder, "config.toml")], { stdio: ["ignore", "ignore", "inherit"] });
      const of = (csv) => column(csv, "loss_total");
      const expected = of(readFileSync(join(here, "i_lora-seed0", "metrics.csv")));
      const { path, files } = await trainedInPage(toml, device === "webgpu", folder);
      const found = of(files.get("metrics.csv"));
      assert.equal(found.length, expected.length);
      const apart = found.map((loss, step) => Math.abs(loss - expected[step]));
      console.log(`${device}: ${found.length} losses, at most ${Math.max(...apart)} apart`);
      assert.ok(Math.max(...apart) <= tolerance, `${found} is not ${expected}`);
      assert.ok(existsSync(path));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
