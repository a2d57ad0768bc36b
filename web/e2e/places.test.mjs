// Where the page may find itself: a browser without a file system for pages or without locks, beside a copy of itself, in a tab
// that nobody sees, on a phone.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DIST, SHORT, Stage, draft, pause } from "./driver.mjs";

const LONG = SHORT.replace("steps_per_task = 20", "steps_per_task = 3000").replace(/methods = .*/, 'methods = ["i_lora"]');
const stepOf = (tree) => {
  const found = tree.map((node) => /Step\s*(\d+) of/.exec(node.value ?? node.label ?? "")).find(Boolean);
  return found ? Number(found[1]) : 0;
};

/** The built page with lines before its worker's, since no test reaches a worker before its first line. */
function siteWith(lines) {
  const folder = mkdtempSync(join(tmpdir(), "thalweg-site-"));
  cpSync(DIST, folder, { recursive: true });
  const worker = join(folder, "worker.js");
  writeFileSync(worker, `${lines}\n${readFileSync(worker)}`);
  return folder;
}

/** All files of the browser's file system for pages. */
const stored = (stage) =>
  stage.page.evaluate(async () => {
    const walk = async (folder, path) => {
      const found = [];
      for await (const [name, handle] of folder.entries()) {
        found.push(...(handle.kind === "directory" ? await walk(handle, `${path}/${name}`) : [`${path}/${name}`]));
      }
      return found;
    };
    return walk(await navigator.storage.getDirectory(), "");
  });

const databases = (stage) => stage.page.evaluate(async () => (await indexedDB.databases()).map((database) => database.name));

for (const [where, lines, kept] of [
  ["has no file system for pages", "delete StorageManager.prototype.getDirectory;", true],
  ["refuses its file system", 'StorageManager.prototype.getDirectory = async () => { throw new DOMException("not in a private window", "SecurityError"); };', true],
  ["keeps nothing at all", 'delete StorageManager.prototype.getDirectory; Object.defineProperty(globalThis, "indexedDB", { value: undefined });', false],
]) {
  test(`a browser that ${where}`, { timeout: 300_000 }, async () => {
    const folder = siteWith(lines);
    const stage = await Stage.open({ folder, fragment: `${draft(LONG)}&panel=Training` });
    try {
      await stage.shows("Start", 90);
      if (!kept) await stage.shows(/keeps no files for this page.*Export/, 30);
      await stage.click("Start");
      await stage.shows(/Step\s*[1-9]\d* of/, 120);
      await pause(3000);
      await stage.click("Pause");
      await pause(8000);
      if (!kept) return;
      const before = stepOf(await stage.tree());
      await stage.resumeLast();
      await stage.wait("the step it was at", (tree) => stepOf(tree) >= before, 120);
      const stores = await databases(stage);
      assert.ok(stores.some((name) => name.startsWith("thalweg")), `it was kept elsewhere: ${stores}`);
      assert.deepEqual(stage.faults, []);
    } finally {
      await stage.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

test("a browser that writes files only in place keeps them whole, and what a crash left is put in order", { timeout: 300_000 }, async () => {
  // As Safari before 26.
  const folder = siteWith("delete FileSystemFileHandle.prototype.createWritable;");
  const stage = await Stage.open({ folder, fragment: `${draft(LONG)}&panel=Training` });
  try {
    await stage.click("Start", undefined, 90);
    await stage.shows(/Step\s*[1-9]\d* of/, 120);
    // Twice, so that a checkpoint is replaced.
    for (let times = 0; times < 2; times += 1) {
      await pause(3000);
      await stage.click("Pause");
      await pause(5000);
      if (times === 0) await stage.click("Resume");
    }
    const before = stepOf(await stage.tree());
    const files = await stored(stage);
    assert.ok(files.some((path) => path.endsWith("/config.toml")), `it was kept elsewhere: ${files}`);
    assert.ok(!files.some((path) => /thalweg-(new|old)$/.test(path)), `left over: ${files}`);
    assert.deepEqual(await databases(stage), []);

    // As if it had crashed between the two names, and while it wrote.
    await stage.page.evaluate(async (path) => {
      let folder = await navigator.storage.getDirectory();
      const names = path.split("/").filter(Boolean);
      for (const name of names.slice(0, -1)) folder = await folder.getDirectoryHandle(name);
      await (await folder.getFileHandle("config.toml")).move(folder, "config.toml.thalweg-old");
      for (const name of ["config.toml.thalweg-new", "metrics.csv.thalweg-old"]) await folder.getFileHandle(name, { create: true });
    }, files.find((path) => path.endsWith("/config.toml")));
    await stage.resumeLast();
    await stage.wait("the step it was at", (tree) => stepOf(tree) >= before, 120);
    const after = await stored(stage);
    assert.ok(!after.some((path) => /config\.toml\.thalweg|metrics\.csv\.thalweg/.test(path)), `left over: ${after}`);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("without locks, as on plain http, tabs ask each other, and one keeps the files", { timeout: 300_000 }, async () => {
  const folder = siteWith('Object.defineProperty(navigator, "locks", { value: undefined }); delete StorageManager.prototype.getDirectory;');
  const stage = await Stage.open({ folder, fragment: `${draft(LONG)}&panel=Training` });
  try {
    await stage.click("Start", undefined, 90);
    await stage.shows(/Step\s*[1-9]\d* of/, 120);
    const other = await stage.tab();
    await other.shows(/open in another tab/, 60);
    await stage.page.bringToFront();
    await stage.click("Pause");
    await pause(8000);
    const told = (await stage.tree()).flatMap((node) => [node.label, node.value]);
    assert.ok(!told.some((text) => /browser does not keep/.test(text)), "the first tab still has the storage");
    await stage.page.close();
    await other.page.bringToFront();
    await other.resumeLast();
    await other.shows("Pause", 120);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a tab that did not answer in time loses the storage to another, and says so", { timeout: 300_000 }, async () => {
  const folder = siteWith(
    'Object.defineProperty(navigator, "locks", { value: undefined }); delete StorageManager.prototype.getDirectory; BroadcastChannel.prototype.postMessage = () => {};',
  );
  const stage = await Stage.open({ folder, fragment: `${draft(LONG)}&panel=Training` });
  try {
    await stage.click("Start", undefined, 90);
    await stage.shows(/Step\s*[1-9]\d* of/, 120);
    await pause(3000);
    const other = await stage.tab();
    await other.shows("Start", 90);
    await other.idle();
    await stage.page.bringToFront();
    await stage.click("Pause");
    await stage.shows(/browser does not keep.*another tab with Thalweg/, 60);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("two copies in two folders of one server do not disturb each other", { timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "thalweg-site-"));
  cpSync(DIST, folder, { recursive: true });
  cpSync(DIST, join(folder, "Other"), { recursive: true });
  const stage = await Stage.open({ folder, fragment: `${draft(LONG)}&panel=Training` });
  const other = Object.assign(new Stage(), stage);
  const run = async (copy) => {
    await copy.click("Start", undefined, 90);
    await copy.shows(/Step\s*[1-9]\d* of/, 120);
    await pause(2000);
    await copy.click("Pause");
    await pause(8000);
  };
  try {
    await run(stage);
    const first = await stored(stage);
    other.page = await stage.browser.newPage();
    other.watch(other.page);
    await other.page.goto(`${stage.server.address}Other/index.html?tree#${draft(LONG)}&panel=Training`);
    await run(other);
    const told = (await other.tree()).flatMap((node) => [node.label, node.value]);
    assert.ok(!told.some((text) => /another tab/.test(text)), "it takes the other copy for a tab of its own");

    const both = await stored(other);
    const top = (path) => path.split("/")[1];
    const tops = [...new Set(both.map(top))];
    assert.equal(tops.length, 2, `each has a folder of its own: ${tops}`);
    for (const name of tops) {
      const runs = new Set(both.filter((path) => top(path) === name && path.endsWith("/config.toml")));
      assert.equal(runs.size, 1, `each has its own run: ${both}`);
    }
    assert.deepEqual(both.filter((path) => top(path) === top(first[0])), first, "nothing of the first copy has changed");
    await stage.page.bringToFront();
    await stage.resumeLast();
    await stage.shows("Pause", 120);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a hidden tab goes on training and takes in what is told; a frozen one goes on when it thaws", { timeout: 300_000 }, async (t) => {
  const stage = await Stage.open({ fragment: `${draft(LONG)}&panel=Training` });
  try {
    await stage.click("Start", undefined, 90);
    await stage.shows(/Step\s*[1-9]\d* of/, 120);
    await pause(2000);
    const sizes = () => stage.page.evaluate(() => globalThis.thalweg.memoryBytes());
    await stage.hide(true);
    const [before, memory] = [stepOf(await stage.tree()), await sizes()];
    await pause(20_000);
    assert.equal(stepOf(await stage.tree()), before, "a hidden window draws nothing");
    const grown = (await sizes()) - memory;
    await stage.hide(false);
    await stage.wait("the steps made meanwhile", (tree) => stepOf(tree) > before + 20, 10);
    t.diagnostic(`hidden for 20 s: steps ${before} to ${stepOf(await stage.tree())}, the window's memory grew by ${grown} bytes`);
    assert.ok(grown <= 2 << 20, `what is told piles up: ${grown} bytes more`);

    const cdp = await stage.browser.newCDPSession(stage.page);
    await cdp.send("Page.setWebLifecycleState", { state: "frozen" });
    await pause(4000);
    await cdp.send("Page.setWebLifecycleState", { state: "active" });
    const thawed = stepOf(await stage.tree());
    await stage.wait("more steps", (tree) => stepOf(tree) > thawed, 60);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});

test("a phone shows one panel at a time, and every panel can be reached and trained from", { timeout: 300_000 }, async () => {
  const size = { width: 390, height: 844 };
  const stage = await Stage.open({ size, fragment: `${draft(SHORT)}&panel=Training` });
  try {
    const start = await stage.wait("Start", (tree) => stage.find(tree, "Start"), 90);
    const inside = ({ bounds }) => bounds[0] >= 0 && bounds[2] <= size.width && bounds[1] >= 0 && bounds[3] <= size.height;
    assert.ok(inside(start), `the button is out of sight: ${start.bounds}`);
    await stage.click("Start");
    await stage.shows("Pause", 120);
    await stage.click("Tasks");
    await stage.shows(/stance/i, 30);
    await stage.command("Show panel Forgetting");
    await stage.trained(400);
    await stage.shot("phone");
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});
