// The same on WebGPU (SwiftShader here): window and engine each with a device of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SHORT_WEBGPU, Stage, draft } from "./driver.mjs";

test("WebGPU trains Seq and I-LoRA to the end", async () => {
  const few = SHORT_WEBGPU.replace("steps_per_task = 20", "steps_per_task = 3");
  const stage = await Stage.open({ webgpu: true, fragment: `${draft(few)}&panel=Training` });
  try {
    await stage.click("Start", undefined, 90);
    await stage.trained(800);
    assert.ok(!(await stage.tree()).some((node) => (node.value ?? node.label) === "CPU engine"), "a badge says that there is no WebGPU");
    await stage.shot("webgpu");
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});
