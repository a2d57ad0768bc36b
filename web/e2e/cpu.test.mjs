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

// The whole demonstration takes minutes in a tab: THALWEG_SLOW=1 waits for its end, otherwise a first row of the matrix will do.
test("Watch it forget is pressed, and the matrix fills", { timeout: 1_800_000 }, async (t) => {
  const stage = await Stage.open();
  try {
    const begun = Date.now();
    await stage.clickCard("Watch it forget", 60);
    await stage.shows(/Accuracy matrix.*: [1-8] of 8 tasks learnt/, 240);
    t.diagnostic(`first task learnt after ${Math.round((Date.now() - begun) / 1000)} s`);
    if (process.env.THALWEG_SLOW === "1") {
      await stage.wait(
        "the end of I-LoRA",
        (tree) => stage.find(tree, /slow learner.*: 8 of 8 tasks learnt/) && tree.some((node) => (node.value ?? node.label) === "idle"),
        1500,
      );
      t.diagnostic(`all of it after ${Math.round((Date.now() - begun) / 1000)} s`);
      await stage.shot("watched");
    }
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});
