// A model and a task of one's own, through the file dialogue: trained, interrupted, gone on with exactly, exported, and read by
// the native program.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { DATA, NATIVE, SHORT, Stage, draft, losses, noData, noNative, pause } from "./driver.mjs";
import { unzip } from "./zip.mjs";

const STEPS = 200;
const TOML = SHORT.replace("steps_per_task = 20", `steps_per_task = ${STEPS}`)
  .replace(/methods = .*/, 'methods = ["i_lora"]')
  .replace('tasks = ["builtin:stance", "builtin:finance"]', 'tasks = ["builtin:stance"]')
  .replace("max_length = 64", "max_length = 96");

const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

/** Starts the form's run and waits for its end; `during` is done in the middle. */
async function train(stage, during = async () => {}) {
  await stage.click("Training");
  await stage.click("Start", undefined, 90);
  await stage.shows("Pause", 120);
  await during();
  await stage.wait("the end", (tree) => stage.find(tree, /2 of 2 tasks learnt/) && tree.some((node) => (node.value ?? node.label) === "idle"), 150);
}

test("stories260K and a JSONL are trained, interrupted and gone on with exactly", { skip: noData, timeout: 900_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "thalweg-own-"));
  const stage = await Stage.open({ fragment: `${draft(TOML)}&panel=Training` });
  try {
    await stage.shows("Start", 90);
    await stage.choose("Open a model folder", join(DATA, "models", "stories260K"));
    await stage.shows(/260,?032|260\.0 ?k|Llama/i, 30);
    await stage.choose("Add task files", join(DATA, "tasks", "snips", "train.jsonl"));
    await stage.shows(/train/, 30);

    await train(stage);
    const whole = await stage.capsule(join(folder, "whole.thalweg"));
    const expected = losses(whole);
    assert.equal(expected.length, 2 * STEPS);
    for (const [task, start] of [["the built-in task", 0], ["the JSONL", STEPS]]) {
      const [first, last] = [mean(expected.slice(start, start + 5)), mean(expected.slice(start + 15, start + 20))];
      t.diagnostic(`${task}: mean loss ${first.toFixed(3)} of steps 1 to 5, ${last.toFixed(3)} of steps 16 to 20`);
      assert.ok(last < first, `${task}: the loss does not fall in 20 steps: ${expected.slice(start, start + 20)}`);
    }
    const adapter = unzip(await stage.save("Export the last adapter of the selected run (PEFT)", join(folder, "adapter.zip")));
    assert.deepEqual([...adapter.keys()].sort(), ["adapter_config.json", "adapter_model.safetensors"]);

    await stage.click("Training");
    await stage.click("Start");
    await stage.shows("Pause", 120);
    await pause(4000);
    await stage.click("Pause");
    await stage.shows(/^paused/i, 60);
    await stage.shot("paused");
    // What is written is carried into the browser's storage a moment later; the window remembers the run every few seconds.
    await pause(7000);
    const step = await stage.wait("the step", (tree) => tree.map((node) => node.value ?? node.label ?? "").map((text) => /Step\s*(\d+) of (\d+)/.exec(text)).find(Boolean));
    assert.ok(Number(step[1]) > 0 && Number(step[1]) < Number(step[2]), `the run was not in its middle: ${step[0]}`);
    t.diagnostic(`interrupted: ${step[0]}`);

    await stage.resumeLast();
    await stage.wait("the end", (tree) => stage.find(tree, /2 of 2 tasks learnt/) && tree.some((node) => (node.value ?? node.label) === "idle"), 150);
    const found = losses(await stage.capsule(join(folder, "interrupted.thalweg")));
    assert.deepEqual(found, expected, "the interrupted run differs from the one that was not");
    assert.deepEqual(stage.faults, []);

    for (const [name, content] of adapter) {
      mkdirSync(join(folder, "adapter"), { recursive: true });
      writeFileSync(join(folder, "adapter", name), content);
    }
    if (noNative) return t.diagnostic(noNative);
    const native = (...args) => execFileSync(NATIVE, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
    const model = join(DATA, "models", "stories260K");
    assert.match(native("adapter", "info", join(folder, "adapter"), "--model", model), /was trained on exactly its weights/);
    const opened = native("capsule", join(folder, "interrupted.thalweg"), "--unpack", join(folder, "run"));
    assert.match(opened, /unpacked \d+ files/);
    const inside = [...whole.keys()].find((name) => name.endsWith("adapter_config.json"));
    native("adapter", "info", join(folder, "run", dirname(inside)), "--model", model);
    const scored = native("eval", "--model", model, "--adapter", join(folder, "run", dirname(inside)), "--task", "builtin:stance", "--max-examples", "8", "--device", "cpu");
    assert.match(scored, /stance/);
  } finally {
    await stage.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
