// The same seed gives the same losses as the native program: on the CPU engine, and on WebGPU (SwiftShader here), where window and
// engine each have a device of their own. THALWEG names the native program; without it nothing is compared.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { NATIVE, SHORT, Stage, draft, losses, noNative } from "./driver.mjs";
import { tinyModel } from "./tiny.mjs";
import { column } from "./zip.mjs";

const TOML = SHORT.replace("steps_per_task = 20", "steps_per_task = 10")
  .replace("batch_size = 4", "batch_size = 2")
  .replace("max_length = 64", "max_length = 32")
  .replace("max_examples = 8", "max_examples = 1");

/** Losses of I-LoRA, after Seq, both trained to the end in the page; the model is chosen as a person would, or it is the embedded one. */
async function trainedInPage(device, model, folder) {
  const webgpu = device === "webgpu";
  const stage = await Stage.open({ webgpu, fragment: `${draft(TOML.replace('device = "cpu"', `device = "${device}"`))}&panel=Training` });
  try {
    await stage.shows("Start", 90);
    if (model) await stage.openModel(model, /\btiny\b/);
    await stage.click("Start", undefined, 90);
    await stage.shows(/Step\s*[1-9]\d* of/, 300);
    // A GPU that is a program trains ten times as fast while it need not draw the window as well.
    if (webgpu) await stage.lookAway(45);
    await stage.trained(800);
    const badge = (await stage.tree()).some((node) => (node.value ?? node.label) === "CPU engine");
    assert.equal(badge, !webgpu, "the badge that there is no WebGPU");
    await stage.shot(device);
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
  test(`${device}: Seq and I-LoRA are trained to the end, 20 losses as in the native program`, { skip: noNative }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "thalweg-parity-"));
    try {
      const model = tiny && join(folder, "tiny");
      if (tiny) tinyModel(model);
      const here = join(folder, "native");
      writeFileSync(join(folder, "config.toml"), `output = "${here}"\n${model ? `model = "${model}"\n` : ""}${TOML}`);
      execFileSync(NATIVE, ["run", join(folder, "config.toml"), "--quiet"], { stdio: ["ignore", "ignore", "inherit"] });
      const expected = column(readFileSync(join(here, "i_lora-seed0", "metrics.csv")), "loss_total");
      const found = await trainedInPage(device, model, folder);
      assert.equal(found.length, 20);
      const apart = found.map((loss, step) => Math.abs(loss - expected[step]));
      t.diagnostic(`${device}: at most ${Math.max(...apart)} apart`);
      assert.ok(Math.max(...apart) <= tolerance, `${found} is not ${expected}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
