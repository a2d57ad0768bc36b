// What goes wrong: damaged files, a file that is too large, a full or an emptied storage, two tabs, an engine that ends, a
// graphics device that is lost. Each must be told in a sentence, and nothing that was kept may be lost.
import assert from "node:assert/strict";
import { closeSync, copyFileSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { DATA, SHORT, Stage, draft, noData, pause } from "./driver.mjs";

const folder = mkdtempSync(join(tmpdir(), "thalweg-trouble-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const LONG = SHORT.replace("steps_per_task = 20", "steps_per_task = 3000").replace(/methods = .*/, 'methods = ["i_lora"]');
// The program tells its own fault on the console as well.
const OWN_FAULTS = [/on purpose/];

const at = (path, bytes) => (writeFileSync(join(folder, path), bytes), join(folder, path));
const origin = (stage) => new URL(stage.server.address).origin;
const texts = async (stage) => (await stage.tree()).flatMap((node) => [node.label, node.value]).filter(Boolean);

/** A run in its middle, with a checkpoint in the storage. */
async function running(stage, secs = 8) {
  await stage.click("Start", undefined, 90);
  await stage.shows(/Step\s*[1-9]\d* of/, 120);
  await pause(secs * 1000);
}

const steps = async (stage) => {
  const found = (await texts(stage)).map((text) => /Step\s*(\d+) of (\d+)/.exec(text)).find(Boolean);
  return found ? Number(found[1]) : -1;
};

/** The run makes steps. */
async function goesOn(stage, secs = 60) {
  const before = await steps(stage);
  const until = Date.now() + secs * 1000;
  while ((await steps(stage)) <= before) {
    if (Date.now() > until) throw new Error(`the run stands at step ${before}: ${(await texts(stage)).join(" | ").slice(0, 2000)}`);
    await pause(300);
  }
}

test("damaged files and one of three gigabytes are refused in a sentence", { timeout: 300_000 }, async (t) => {
  const stage = await Stage.open({ fragment: `${draft(SHORT)}&panel=Training` });
  try {
    await stage.shows("Start", 90);
    await stage.choose("Open a capsule", at("broken.thalweg", Buffer.from("PK\x03\x04 and then nothing of a zip")));
    t.diagnostic((await stage.shows(/not a capsule|damaged/, 30)).value ?? "");

    const sparse = join(folder, "huge.jsonl");
    const file = openSync(sparse, "w");
    ftruncateSync(file, 3_000_000_000);
    closeSync(file);
    await stage.choose("Add task files", sparse);
    await stage.shows(/too large.*3000 MB/, 60);
    await stage.shows(/not kept/, 30);

    if (noData) return t.diagnostic(noData);
    const model = join(folder, "stories");
    mkdirSync(model);
    for (const name of ["config.json", "tokenizer.json"]) copyFileSync(join(DATA, "models", "stories260K", name), join(model, name));
    const weights = readFileSync(join(DATA, "models", "stories260K", "model.safetensors"));
    writeFileSync(join(model, "model.safetensors"), weights.subarray(0, weights.length / 2));
    await stage.choose("Open a model folder", model);
    await stage.click("Model");
    t.diagnostic((await stage.shows(/model\.safetensors.*(cut off|damaged|ends|bytes)/, 30)).value ?? "");
    await stage.shot("refused");
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});

test("a full storage is told, the run goes on, and is kept as soon as there is room", { timeout: 300_000 }, async () => {
  const stage = await Stage.open({ fragment: `${draft(LONG)}&panel=Training` });
  try {
    await stage.shows("Start", 90);
    // The engine is there, and so is its storage.
    await stage.idle();
    await pause(1000);
    const cdp = await stage.browser.newCDPSession(stage.page);
    await cdp.send("Storage.overrideQuotaForOrigin", { origin: origin(stage), quotaSize: 1000 });
    await stage.click("Start");
    await stage.shows(/browser does not keep/, 60);
    await stage.shot("full");
    await stage.shows(/Step\s*[1-9]\d* of/, 120);
    await stage.click("Pause");
    await pause(3000);
    await cdp.send("Storage.overrideQuotaForOrigin", { origin: origin(stage) });
    await stage.click("Resume");
    await goesOn(stage);
    // It is tried again every five seconds; the window remembers the run as often.
    await pause(12_000);
    await stage.resumeLast();
    await stage.shows("Pause", 120);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});

test("a storage that is emptied under the tab is told, and the run is kept again", { timeout: 300_000 }, async () => {
  const stage = await Stage.open({ fragment: `${draft(LONG)}&panel=Training` });
  try {
    await stage.shows("Start", 90);
    await running(stage, 3);
    const cdp = await stage.browser.newCDPSession(stage.page);
    await cdp.send("Storage.clearDataForOrigin", { origin: origin(stage), storageTypes: "file_systems,indexeddb,cache_storage" });
    // A pause writes a checkpoint, and so the storage is looked at.
    await stage.click("Pause");
    await stage.shows(/storage of this page was emptied/, 60);
    await stage.shot("emptied");
    await stage.click("Resume");
    await goesOn(stage);
    await stage.click("Pause");
    await pause(8000);
    const before = await steps(stage);
    await stage.resumeLast();
    await stage.shows("Pause", 120);
    await stage.shows(/Step\s*[1-9]\d* of/, 60);
    assert.ok((await steps(stage)) >= before, "the checkpoint after the loss is not the one it goes on from");
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});

test("a second tab only looks, and takes nothing from the first", { timeout: 300_000 }, async () => {
  const stage = await Stage.open({ fragment: `${draft(LONG)}&panel=Training` });
  try {
    await stage.shows("Start", 90);
    await running(stage, 3);
    const other = await stage.tab();
    await other.shows(/open in another tab/, 60);
    await other.shot("second");
    await pause(7000);
    await other.page.close();
    await stage.page.bringToFront();
    await goesOn(stage);
    await stage.click("Pause");
    await pause(8000);
    await stage.reopen();
    await stage.shows("Resume last session", 60);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});

for (const [how, end] of [
  ["fails", (stage) => stage.worker().evaluate(() => void setTimeout(() => Promise.reject(new Error("ended on purpose"))))],
  ["is ended by the browser", (stage) => stage.worker().evaluate(() => void setTimeout(() => self.close()))],
]) {
  test(`an engine that ${how} is told, and another goes on from the checkpoint`, { timeout: 300_000 }, async () => {
    const stage = await Stage.open({ fragment: `${draft(LONG)}&panel=Training`, tolerates: OWN_FAULTS });
    try {
      await stage.shows("Start", 90);
      await running(stage, 3);
      await stage.click("Pause");
      await pause(2000);
      const before = await steps(stage);
      await end(stage);
      await stage.shows(/stopped by a fault of its own/, 60);
      await stage.shot("ended");
      await stage.click("Resume run", undefined, 60);
      await stage.shows("Pause", 120);
      await stage.wait("more steps", (tree) => tree.some((node) => Number(/Step\s*(\d+) of/.exec(node.value ?? node.label ?? "")?.[1]) > before), 90);
      assert.deepEqual(stage.faults, []);
    } finally {
      await stage.close();
    }
  });
}

test("a graphics device that is lost is replaced, and the run goes on by itself", { timeout: 600_000 }, async () => {
  const toml = LONG.replace('device = "cpu"', 'device = "webgpu"').replace("max_examples = 8", "max_examples = 1").replace("batch_size = 4", "batch_size = 1").replace("max_length = 64", "max_length = 16");
  // A device that is destroyed complains about what is still asked of it.
  const stage = await Stage.open({ webgpu: true, fragment: `${draft(toml)}&panel=Training`, tolerates: [/destroyed|lost|Device|Buffer|panicked/i] });
  try {
    await stage.shows("Start", 90);
    await stage.worker().evaluate(() => {
      const request = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...wanted) {
        return (globalThis.lent = await request.apply(this, wanted));
      };
    });
    const first = stage.worker();
    await running(stage, 1);
    await first.evaluate(() => globalThis.lent.destroy());
    await stage.shows(/graphics device was lost.*goes on from its last checkpoint/, 60);
    await stage.shot("lost");
    await stage.shows(/Step\s*[1-9]\d* of/, 300);
    assert.notEqual(stage.worker(), first, "the worker is a new one");
    await goesOn(stage, 120);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});
