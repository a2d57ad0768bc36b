// How the page begins: in a browser that cannot run it, with files that do not come, without a server; under the server's policy; a
// new version beside an open page; a capsule in the address; a drop of nothing.
import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { stamp } from "../assemble.mjs";
import { DIST, SHORT, Stage, draft, pause } from "./driver.mjs";
import { serve } from "./serve.mjs";

/** A copy of the built page that may be changed. */
function siteOf() {
  const folder = mkdtempSync(join(tmpdir(), "thalweg-site-"));
  cpSync(DIST, folder, { recursive: true, filter: (path) => !/\.(br|gz)$/.test(path) });
  return folder;
}

// ------------------------------------------------------------------------------------------------ what keeps it from beginning

let browser;
let server;
before(async () => {
  server = await serve(DIST);
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: ["--no-sandbox"] });
});
after(async () => {
  await browser.close();
  server.close();
});

/** Opens the page in a browser without a past, and gives what it shows to `look`. */
async function visit(prepare, look, address = server.address) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await prepare(page);
    await page.goto(address, { waitUntil: "commit" });
    await look(page);
  } finally {
    await context.close();
  }
}

const says = async (page, text) => {
  const shown = page.locator("#said", { hasText: text });
  await shown.waitFor({ timeout: 20_000 }).catch(async () => assert.fail(`it says: ${await page.locator("#said").textContent()}`));
  assert.equal(await page.locator("#bar").isVisible(), false, "the bar goes on");
};
const answers = (file, answer) => (page) => page.route(`**/${file}`, (route) => route.fulfill(answer));
const GONE = { status: 404, body: "not here" };
const PAGE = { status: 200, contentType: "text/html", body: "<!doctype html><p>another page" };
// A module that wants `y` of `x`.
const OTHER = Buffer.from([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 2, 7, 1, 1, 120, 1, 121, 0, 0]);

for (const [where, prepare, sentence] of [
  ["has no WebAssembly", (page) => page.addInitScript(() => delete globalThis.WebAssembly), /cannot run Thalweg: it has no WebAssembly.*Use a recent/],
  ["has no vectors", (page) => page.addInitScript(() => (WebAssembly.validate = () => false)), /cannot run Thalweg: .*SIMD.*Use a recent/],
  ["gets no page.js", answers("page.js", GONE), /page\.js, or what it needs, did not come\. Reload/],
  ["gets no turns.js", answers("turns.js", GONE), /page\.js, or what it needs, did not come\. Reload/],
  ["gets a page for page.js", answers("page.js", PAGE), /page\.js, or what it needs, did not come\. Reload/],
  ["does not understand page.js", answers("page.js", { status: 200, contentType: "text/javascript", body: "let let" }), /cannot run Thalweg's page/],
  ["gets no thalweg.js", answers("thalweg.js", GONE), /thalweg\.js did not come as it should.*Reload/],
  ["gets no module", answers("thalweg_bg.wasm", GONE), /thalweg_bg\.wasm did not come as it should \(the server answers 404\)/],
  ["gets a page for the module", answers("thalweg_bg.wasm", PAGE), /thalweg_bg\.wasm did not come as it should \(the server answers with a page instead\)/],
  ["loses the network", (page) => page.route("**/thalweg_bg.wasm", (route) => route.abort()), /thalweg_bg\.wasm did not come as it should/],
  [
    "gets a module of another version",
    answers("thalweg_bg.wasm", { status: 200, contentType: "application/wasm", body: OTHER }),
    /different versions.*without its cache/,
  ],
]) {
  test(`a browser that ${where} is told`, { timeout: 60_000 }, () => visit(prepare, (page) => says(page, sentence)));
}

test("a page opened from a file says what to do", { timeout: 60_000 }, () =>
  visit(
    async () => {},
    (page) => says(page, /opened from a file.*python3 -m http\.server/),
    pathToFileURL(join(DIST, "index.html")).href,
  ));

test("a program that never comes: a way out is shown", { timeout: 60_000 }, () =>
  visit(
    (page) => page.route("**/page.js", () => {}),
    (page) => page.locator("#remedy", { hasText: "Reload the page" }).waitFor({ timeout: 30_000 }),
  ));

test("an adapter that gives no device is no WebGPU: WebGL draws the window", { timeout: 120_000 }, async () => {
  const stage = await Stage.open({ webgpu: true, fragment: "panel=Training" });
  try {
    await stage.page.addInitScript(() => (GPUAdapter.prototype.requestDevice = () => Promise.reject(new DOMException("not today"))));
    await stage.reopen();
    await stage.shows("CPU engine", 60);
    assert.ok(await stage.page.evaluate(() => document.getElementById("thalweg").getContext("webgl2") !== null));
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});

test("the sentence of a fault stays, whatever is drawn", { timeout: 60_000 }, () =>
  visit(
    (page) => page.route("**/thalweg_bg.wasm", () => {}),
    async (page) => {
      await page.waitForLoadState();
      await page.evaluate(() => {
        globalThis.thalweg.died("on purpose");
        globalThis.thalweg.drawn();
        globalThis.thalweg.died("by another");
      });
      await says(page, /fault of its own: on purpose/);
    },
  ));

test("an address of a capsule that cannot be opened is told", { timeout: 120_000 }, async () => {
  for (const [run, sentence] of [
    ["./missing.thalweg", /cannot be opened: the server answers 404/],
    ["http://example.org/x.thalweg", /only https: addresses/],
    ["https://[", /no address of a capsule/],
  ]) {
    await visit(
      async () => {},
      (page) => page.locator("#notice", { hasText: sentence }).waitFor({ timeout: 40_000 }),
      `${server.address}?run=${encodeURIComponent(run)}`,
    );
  }
});

// ------------------------------------------------------------------------------------------------ a page that runs

test("the engine lives under the policy that the server sends; a drop of nothing is told", { timeout: 120_000 }, async () => {
  const stage = await Stage.open({ fragment: draft(SHORT) });
  try {
    await stage.shows("Watch it forget", 60);
    await stage.wait("the engine", () => stage.worker(), 30);
    // In a turn of its own: what a test itself asks of a worker is free of the policy.
    const evaluates = () =>
      new Promise((resolve) => {
        const attempt = () => {
          try {
            return new Function("return 'it may make programs of texts'")();
          } catch (error) {
            return error.name;
          }
        };
        setTimeout(() => resolve(attempt()));
      });
    assert.equal(await stage.worker().evaluate(evaluates), "EvalError");
    await stage.page.evaluate(() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.setData("text/plain", "no file");
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    });
    await stage.page.locator("#notice", { hasText: "There is no file in what was dropped" }).waitFor();
    await stage.page.getByRole("button", { name: "Close" }).click();
    assert.equal(await stage.page.locator("#notice").isVisible(), false);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
});

test("an open page keeps its version; the next one, or Reload, brings the new", { timeout: 240_000 }, async () => {
  const site = siteOf();
  const stage = await Stage.open({ folder: site, fragment: draft(SHORT) });
  const page = stage.page;
  const until = async (what, look) => {
    for (const end = Date.now() + 60_000; !(await look()); await pause(200)) assert.ok(Date.now() < end, `${what} did not come`);
  };
  const number = () => page.evaluate(() => globalThis.thalwegNumber);
  /** Puts another version on the server and lets the browser look. */
  const publish = async (version) => {
    appendFileSync(join(site, "page.js"), `\nglobalThis.thalwegNumber = ${version};\n`);
    stamp(site);
    await page.evaluate(() => navigator.serviceWorker.getRegistration().then((registration) => void registration.update()));
    await page.locator("#notice", { hasText: "A new version of this page is there" }).waitFor({ timeout: 60_000 });
  };
  try {
    await stage.shows("Watch it forget", 60);
    await until("the service worker", () => page.evaluate(() => Boolean(navigator.serviceWorker.controller)));
    await page.evaluate(() => caches.open("of another page").then(() => undefined));

    await publish(2);
    // What the engine would load if it began anew is what the page was loaded with.
    const kept = await page.evaluate(() => fetch("./page.js").then((answer) => answer.text()));
    assert.ok(!kept.includes("thalwegNumber"), "the open page gets files of the new version");
    await page.reload();
    await stage.shows("Watch it forget", 60);
    assert.equal(await number(), undefined, "a reload of the only tab is not its end");

    await until("the new version", async () => {
      await page.goto("about:blank");
      // The old version ends a while after its last page, and later where that page was still loading.
      await pause(3000);
      await page.goto(`${stage.server.address}?tree`);
      return (await number()) === 2;
    });
    await stage.shows("Watch it forget", 60);

    await publish(3);
    await page.getByRole("button", { name: "Reload" }).click();
    await until("the newest version", async () => (await number().catch(() => 0)) === 3);
    await stage.shows("Watch it forget", 60);
    const names = await page.evaluate(() => caches.keys());
    assert.equal(names.length, 2, `caches: ${names}`);
    assert.ok(names.includes("of another page") && names.some((name) => name.startsWith("thalweg /class/ ")), `caches: ${names}`);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
    rmSync(site, { recursive: true, force: true });
  }
});

test("a capsule in the address is opened once, and is the same file at the next visit", { timeout: 240_000 }, async () => {
  const site = siteOf();
  const run = SHORT.replace("steps_per_task = 20", "steps_per_task = 2").replace(/methods = .*/, 'methods = ["seq"]');
  let stage = await Stage.open({ fragment: `${draft(run)}&panel=Training` });
  try {
    await stage.click("Start", undefined, 90);
    await stage.wait("the end", (tree) => stage.find(tree, /2 of 2 tasks learnt/) && tree.some((node) => (node.value ?? node.label) === "idle"), 120);
    await stage.save("Export the selected run as a capsule", join(site, "kept.thalweg"));
    await stage.close();

    stage = await Stage.open({ folder: site, query: "&run=./kept.thalweg" });
    const opened = async () => {
      await stage.wait("the run", (tree) => stage.find(tree, /2 of 2 tasks learnt/), 90);
      assert.ok(!(await stage.page.evaluate(() => location.search)).includes("run"), "a reload would open it again");
    };
    await opened();
    await stage.idle();
    // What was opened is carried into the browser's storage a moment later.
    await pause(3000);
    await stage.page.goto("about:blank");
    await stage.page.goto(`${stage.server.address}?tree&run=./kept.thalweg`);
    await opened();
    await stage.idle();
    await pause(3000);
    const copies = await stage.page.evaluate(async () => {
      let folder = await navigator.storage.getDirectory();
      // The page's own folder in the origin's storage (web/storage.js).
      for (const name of ["thalweg_2fclass_2f", "thalweg", "files"]) folder = await folder.getDirectoryHandle(name);
      const names = [];
      for await (const name of folder.keys()) names.push(name);
      return names;
    });
    assert.equal(copies.length, 1, `kept files: ${copies}`);
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
    rmSync(site, { recursive: true, force: true });
  }
});
