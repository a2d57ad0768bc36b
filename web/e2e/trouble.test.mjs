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

/** What is kept below a folder of the program's, as the browser has it: files, or the folders in it. */
const kept = (stage, folder, kind) =>
  stage.page.evaluate(
    async ([below, kind]) => {
      const found = [];
      const walk = async (folder, path) => {
        for await (const [name, handle] of folder.entries()) {
          if (handle.kind === kind && path.includes(`/thalweg/${below}/`)) found.push(`${path}${name}`);
          if (handle.kind === "directory") await walk(handle, `${path}${name}/`);
        }
      };
      await walk(await navigator.storage.getDirectory(), "/");
      return found;
    },
    [folder, kind],
  );
const below = (stage, folder) => kept(stage, folder, "file");
const folders = (stage, folder) => kept(stage, folder, "directory");

async function until(look, what, secs = 30) {
  const end = Date.now() + secs * 1000;
  while (!(await look())) {
    if (Date.now() > end) throw new Error(`${what}: not in ${secs} s`);
    await pause(200);
  }
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
    // Each is seen when it comes: the latter is gone after some seconds.
    await Promise.all([stage.shows(/too large.*3000 MB/, 60), stage.shows(/not kept/, 60)]);

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

test("a full storage is told each time, the run goes on, and is kept as soon as there is room", { timeout: 300_000 }, async () => {
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
    // It is tried again every five seconds.
    await stage.shows(/browser keeps again/, 30);
    await stage.wait("the end of the message", (tree) => !tree.some((node) => /browser does not keep/.test(node.label ?? node.value)), 30);
    await cdp.send("Storage.overrideQuotaForOrigin", { origin: origin(stage), quotaSize: 1000 });
    await stage.click("Pause");
    await stage.shows(/browser does not keep/, 60);
    await cdp.send("Storage.overrideQuotaForOrigin", { origin: origin(stage) });
    // The window remembers the run every few seconds, too.
    await pause(12_000);
    await stage.resumeLast();
    await stage.shows("Pause", 120);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});

test("a chosen file that does not fit is told once, can be used, and is kept when there is room", { timeout: 300_000 }, async () => {
  const stage = await Stage.open({ fragment: `${draft(SHORT)}&panel=Training` });
  try {
    await stage.shows("Start", 90);
    await stage.idle();
    await pause(1000);
    // What DevTools set as quota is not what the browser then tells of its room.
    await stage.worker().evaluate(() => (navigator.storage.estimate = async () => ({ usage: 50_000, quota: 100_000 })));
    const line = `${JSON.stringify({ prompt: "Rain: many drops Answer:", answer: " wet" })}\n`;
    await stage.choose("Add task files", at("large.jsonl", line.repeat(4000)));
    await stage.shows(/large\.jsonl does not fit into the browser's storage/, 60);
    assert.deepEqual(await below(stage, "files"), [], "nothing was begun");
    await stage.worker().evaluate(() => delete navigator.storage.estimate);
    await stage.shows(/room for .*large\.jsonl again/, 30);
    assert.equal((await below(stage, "files")).length, 1);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});

test("a chosen file that was deleted stays deleted when the engine is started again", { timeout: 300_000 }, async () => {
  const stage = await Stage.open({ fragment: `${draft(SHORT)}&panel=Training`, tolerates: OWN_FAULTS });
  try {
    await stage.shows("Start", 90);
    await stage.idle();
    const lines = Array.from({ length: 40 }, (_, n) => JSON.stringify({ prompt: `Rain: ${n} drops Answer:`, answer: n % 2 ? " dry" : " wet" }));
    await stage.choose("Add task files", [at("rain.jsonl", lines.join("\n")), at("snow.jsonl", lines.join("\n").replaceAll("Rain", "Snow"))]);
    await until(async () => (await below(stage, "files")).length === 2, "both files are kept");
    // Another choice, so that one is deleted and the other stays.
    await stage.choose("Add task files", at("hail.jsonl", lines.join("\n").replaceAll("Rain", "Hail")));
    await until(async () => (await below(stage, "files")).length === 3, "all files are kept");
    await stage.click("Storage");
    await stage.click("Delete hail.jsonl");
    await stage.click("Delete it");
    await until(async () => (await below(stage, "files")).length === 2, "the file is gone");
    assert.equal((await folders(stage, "files")).length, 1, "its folder went with it");
    await stage.click("Close");
    const first = stage.worker();
    await first.evaluate(() => void setTimeout(() => Promise.reject(new Error("ended on purpose"))));
    await stage.shows(/stopped by a fault of its own/, 60);
    await until(() => stage.worker() && stage.worker() !== first, "another engine is there");
    await stage.idle();
    await pause(5000);
    assert.ok(!(await below(stage, "files")).some((path) => path.endsWith("hail.jsonl")), "it came back");
    assert.equal((await below(stage, "files")).length, 2);
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
    await stage.clickAway("Pause", 60);
    await pause(8000);
    const before = await steps(stage);
    await stage.resumeLast();
    await stage.shows("Pause", 120);
    await stage.shows(/Step\s*[1-9]\d* of/, 60);
    const after = await steps(stage);
    assert.ok(after >= before, `it goes on from step ${after}, not from the checkpoint after the loss, ${before}`);
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
    await other.click("Storage");
    await other.click(/^Delete .*i_lora/);
    await other.click("Delete it");
    await other.shows(/was not deleted: another tab keeps the files/, 30);
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

for (const webgpu of [false, true]) {
  test(`a window that loses its ${webgpu ? "WebGPU device" : "WebGL context"} says so, and a reload brings it back`, { timeout: 300_000 }, async () => {
    const stage = await Stage.open({ webgpu, fragment: "panel=Training", tolerates: [/lost|destroyed|Device|Context|panicked|unreachable/i] });
    try {
      await stage.page.addInitScript(() => {
        const request = globalThis.GPUAdapter?.prototype.requestDevice;
        if (!request) return;
        GPUAdapter.prototype.requestDevice = async function (...wanted) {
          return (globalThis.lent = await request.apply(this, wanted));
        };
      });
      await stage.reopen();
      await stage.shows("Start", 90);
      // The last device is the window's: the first one only showed that there is one.
      await stage.page.evaluate((webgpu) => {
        if (webgpu) globalThis.lent.destroy();
        else document.getElementById("thalweg").getContext("webgl2").getExtension("WEBGL_lose_context").loseContext();
      }, webgpu);
      await stage.page.getByText("The browser took the window's graphics device away").waitFor({ timeout: 20_000 });
      await stage.shot(`window-lost-${webgpu}`);
      await stage.reopen();
      await stage.shows("Start", 90);
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
