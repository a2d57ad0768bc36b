// The whole program without WebGPU: drawn by WebGL, trained by the CPU engine in the worker.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SHORT, Stage, draft } from "./driver.mjs";

test("the page opens quietly and trains Seq and I-LoRA to the end", async () => {
  const stage = await Stage.open({ fragment: `${draft(SHORT)}&panel=Training` });
  try {
    await stage.shows("Start", 60);
    await stage.shows("CPU engine");
    await stage.shot("opened");
    await stage.click("Start");
    await stage.trained(400);
    await stage.shot("trained");
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});
