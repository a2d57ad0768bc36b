// The same seed gives the same losses as the native program. THALWEG names that program; without it there is nothing to compare.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { NATIVE, SHORT, Stage, draft, losses, noNative } from "./driver.mjs";
import { tinyModel } from "./tiny.mjs";
import { column } from "./zip.mjs";

const TOML = SHORT.replace(/methods = .*/, 'methods = [{ name = "i_lora", settings = { half_life_steps = 5 } }]')
  .replace("steps_per_task = 20", "steps_per_task = 10")
  .replace("max_examples = 8", "max_examples = 2");

/** Losses of a run in the page, by its capsule; the model is chosen as a person would, or it is the embedded one. */
async function trainedInPage(toml, webgpu, model, folder) {
  const stage = await Stage.open({ webgpu, fragment: `${draft(toml)}&panel=Training` });
  try {
    await stage.shows("Start", 90);
    if (model) {
      await stage.choose("Open a model folder", model);
      await stage.shows(/\btiny\b/, 30);
      await stage.click("Training");
    }
    await stage.click("Start", undefined, 90);
    await stage.trained(800);
    assert.deepEqual(stage.faults, []);
    return losses(await stage.capsule(join(folder, "page.thalweg")));
  } finally {
    await stage.close();
  }
}

// A GPU that is a program needs a quarter of a minute for each step of the embedded model; in the tiny one as much happens.
for (const { device, tiny, tolerance } of [
  { device: "cpu", tiny: false, tolerance: 1e-5 },
  { device: "webgpu", tiny: true, tolerance: 1e-3 },
]) {
  test(`${device}: losses of 20 steps as in the native program`, { skip: noNative }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "thalweg-parity-"));
    try {
      const model = tiny && join(folder, "tiny");
      if (tiny) tinyModel(model);
      const toml = TOML.replace('device = "cpu"', `device = "${device}"`);
      const here = join(folder, "native");
      writeFileSync(join(folder, "config.toml"), `output = "${here}"\n${model ? `model = "${model}"\n` : ""}${TOML}`);
      execFileSync(NATIVE, ["run", join(folder, "config.toml")], { stdio: ["ignore", "ignore", "inherit"] });
      const expected = column(readFileSync(join(here, "i_lora-seed0", "metrics.csv")), "loss_total");
      const found = await trainedInPage(toml, device === "webgpu", model, folder);
      assert.equal(found.length, expected.length);
      const apart = found.map((loss, step) => Math.abs(loss - expected[step]));
      console.log(`${device}: ${found.length} losses, at most ${Math.max(...apart)} apart`);
      assert.ok(Math.max(...apart) <= tolerance, `${found} is not ${expected}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
