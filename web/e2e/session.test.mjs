// A session with files of one's own: picked, trained on, paused, the page reloaded, resumed, exported.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SHORT, Stage, draft } from "./driver.mjs";

// One run, so that nothing waits behind it.
const LONG = SHORT.replace("steps_per_task = 20", "steps_per_task = 400").replace(/methods = .*/, 'methods = ["seq"]');

test("a task is picked, a run paused, the page reloaded, the run resumed, a capsule exported", async () => {
  const folder = mkdtempSync(join(tmpdir(), "thalweg-files-"));
  const lines = Array.from({ length: 40 }, (_, n) => JSON.stringify({ prompt: `Rain: ${n} drops Answer:`, answer: n % 2 ? " dry" : " wet" }));
  writeFileSync(join(folder, "rain.jsonl"), lines.join("\n"));
  const stage = await Stage.open({ fragment: `${draft(LONG)}&panel=Training` });
  try {
    await stage.shows("Start", 60);
    await stage.choose("Add task files", join(folder, "rain.jsonl"));
    await stage.click("Tasks");
    await stage.shows(/rain/);
    await stage.click("Training");

    await stage.click("Start");
    await stage.shows("Pause", 120);
    await new Promise((resolve) => setTimeout(resolve, 8000));
    await stage.click("Pause");
    await stage.shows(/[Pp]aused/, 60);
    await stage.shot("paused");
    // The window remembers the run every few seconds.
    await new Promise((resolve) => setTimeout(resolve, 7000));
    await stage.resumeLast();
    await stage.shows("Pause", 120);
    await stage.shot("resumed");
    await stage.click("Stop and keep");
    await stage.shows("Resume run", 60);

    const capsule = await stage.capsule(join(folder, "run.thalweg"));
    assert.ok(capsule.has("config.toml") && capsule.has("metrics.csv"), [...capsule.keys()].join(", "));
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the page opens without a network after the first visit", async () => {
  const stage = await Stage.open({ fragment: draft(SHORT) });
  try {
    await stage.shows("Watch it forget", 60);
    await stage.page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
    stage.server.close();
    await stage.browser.setOffline(true);
    await stage.page.reload();
    await stage.shows("Watch it forget", 60);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});

test("a link brings its settings and its view along", async () => {
  const stage = await Stage.open({ fragment: `${draft(SHORT.replace("batch_size = 4", "batch_size = 7"))}&panel=Training` });
  try {
    await stage.wait("the batch of seven", (tree) => tree.some((node) => node.number === 7 || node.value === "7"), 60);
  } finally {
    await stage.close();
  }
});
