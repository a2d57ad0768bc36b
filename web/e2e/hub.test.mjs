// Models of a hub: a connection that breaks, a tab that is closed in the middle, a cancellation, a damaged file. The hub is a part
// of the page's own site, so that nothing leaves this machine.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { SHORT, Stage, draft, pause } from "./driver.mjs";
import { tinyModel } from "./tiny.mjs";

const folder = mkdtempSync(join(tmpdir(), "thalweg-hub-"));
after(() => rmSync(folder, { recursive: true, force: true }));
tinyModel(folder);

const FILES = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
const WEIGHTS = "model.safetensors";
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
// What breaks on purpose is told on the console, too.
const TOLERATES = [/^request to http:\/\/localhost:\d+\/(api|own)\//, /net::ERR_/];

/** A hub with one model. `trouble` is what happens to the next requests for the weights: they end or hang after so many bytes. */
class Hub {
  seen = [];
  trouble = [];
  given_up = 0;
  sum = sha256(FILES.get(WEIGHTS));

  /** Where the requests for the weights began. */
  starts() {
    return this.seen.filter(({ path }) => path.endsWith(WEIGHTS)).map(({ from }) => from);
  }

  answer = (path, request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    this.seen.push({ path, from });
    if (path === "/api/models/own/tiny/revision/main") {
      const siblings = Array.from(FILES, ([rfilename, { length: size }]) => ({ rfilename, size, ...(rfilename === WEIGHTS && { lfs: { sha256: this.sum, size } }) }));
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ sha: COMMIT, siblings }));
      return;
    }
    const name = path.split("/").pop();
    const bytes = FILES.get(name);
    if (!bytes || path !== `/own/tiny/resolve/${COMMIT}/${name}`) {
      response.writeHead(404).end();
    } else if (name !== WEIGHTS) {
      // As hubs send small files: the length is not that of what arrives.
      const packed = gzipSync(bytes);
      response.writeHead(200, { "Content-Encoding": "gzip", "Content-Length": packed.length }).end(packed);
    } else {
      const rest = bytes.subarray(from);
      const headers = { "Content-Type": "application/octet-stream", "Content-Length": rest.length };
      if (from > 0) headers["Content-Range"] = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
      response.writeHead(from > 0 ? 206 : 200, headers);
      const trouble = this.trouble.shift();
      if (!trouble) {
        response.end(rest);
        return;
      }
      response.on("close", () => (this.given_up += 1));
      response.write(rest.subarray(0, trouble.cut ?? trouble.hang));
      // What has arrived is to be read before the end is seen.
      if (trouble.cut) setTimeout(() => response.destroy(), 700);
    }
  };
}

async function until(what, look, secs = 30) {
  for (const end = Date.now() + secs * 1000; !look(); await pause(50)) {
    if (Date.now() > end) throw new Error(`${what} did not come in ${secs} s`);
  }
}

const FRAGMENT = `${draft(SHORT)}&panel=Model`;

/** Asks for the hub's model by its address. */
async function download(stage) {
  await stage.click("Hub", undefined, 90);
  // The field for the address is the only one, and still empty.
  await stage.click(/^$/, "TextInput", 30);
  await stage.page.keyboard.type(`${new URL(stage.server.address).origin}/own/tiny`, { delay: 5 });
  await stage.click("Download", undefined, 20);
}

/** Takes the model that has come, and waits until it was read. */
async function use(stage, secs = 60) {
  await stage.click("Use this model", undefined, secs);
  await stage.shows(/parameters.*stored as F32/, 30);
}

/** Names of all files in the browser's storage. */
const stored = (stage) =>
  stage.page.evaluate(async () => {
    const names = [];
    const walk = async (folder) => {
      for await (const [name, handle] of folder.entries()) {
        if (handle.kind === "directory") await walk(handle);
        else names.push(name);
      }
    };
    await walk(await navigator.storage.getDirectory());
    return names;
  });

/** Opens a page with a hub on its site, does something there, and sees that nothing else went wrong. */
async function withHub(work) {
  const hub = new Hub();
  const stage = await Stage.open({ fragment: FRAGMENT, tolerates: TOLERATES, other: hub.answer });
  try {
    await work(hub, stage);
    const elsewhere = hub.seen.filter(({ path }) => path.includes("/resolve/") && !path.includes(`/${COMMIT}/`));
    assert.deepEqual(elsewhere, [], "a file was not taken from the commit that the hub named");
    assert.deepEqual(stage.faults, []);
  } finally {
    await stage.close();
  }
}

test("a connection that breaks is mended where it broke, and the model outlives a reload", { timeout: 300_000 }, () =>
  withHub(async (hub, stage) => {
    hub.trouble = [{ cut: 50_000 }, { cut: 40_000 }];
    await download(stage);
    await use(stage);
    assert.deepEqual(hub.starts(), [0, 50_000, 90_000]);
    // The pieces go when the whole is kept; the window remembers the draft every few seconds.
    await pause(7000);
    const names = await stored(stage);
    assert.ok(names.includes(WEIGHTS), names.join(", "));
    assert.deepEqual(names.filter((name) => name.includes(".part")), []);
    const asked = hub.seen.length;
    await stage.reopen();
    await stage.click("Model", undefined, 90);
    await stage.shows(/parameters.*stored as F32/, 60);
    assert.equal(hub.seen.length, asked, "what is kept is not fetched again");
  }));

test("a tab that is closed in the middle goes on where it was", { timeout: 300_000 }, () =>
  withHub(async (hub, stage) => {
    hub.trouble = [{ cut: 50_000 }, { hang: 20_000 }];
    await download(stage);
    await until("the second attempt", () => hub.starts().length === 2);
    await stage.shows(/\d+\.\d kB of \d+/, 20);
    // The first attempt's piece is kept by now.
    await pause(2000);
    assert.ok((await stored(stage)).includes(`${WEIGHTS}.part-0`));
    await stage.page.goto("about:blank");
    await stage.page.goto(`${stage.server.address}?tree#${FRAGMENT}`);
    await download(stage);
    await use(stage);
    assert.deepEqual(hub.starts(), [0, 50_000, 50_000]);
  }));

test("a download that hangs is cancelled at once, and Retry goes on", { timeout: 300_000 }, () =>
  withHub(async (hub, stage) => {
    hub.trouble = [{ hang: 50_000 }];
    await download(stage);
    await until("the request", () => hub.starts().length === 1);
    await pause(1500);
    await stage.click("Cancel", undefined, 20);
    await stage.shows(/^Cancelled; .* are kept\.$/, 10);
    await until("the end of the request", () => hub.given_up === 1, 5);
    await stage.shot("cancelled");
    await stage.click("Retry");
    await use(stage);
    assert.deepEqual(hub.starts(), [0, 50_000]);
  }));

test("a damaged file is told and not kept", { timeout: 300_000 }, () =>
  withHub(async (hub, stage) => {
    const right = hub.sum;
    hub.sum = sha256("something else");
    await download(stage);
    await stage.shows(/model\.safetensors arrived damaged.*SHA-256.*deleted/, 60);
    await stage.shot("damaged");
    hub.sum = right;
    await stage.click("Retry");
    await use(stage);
    assert.deepEqual(hub.starts(), [0, 0]);
    await pause(3000);
    assert.deepEqual((await stored(stage)).filter((name) => name.includes(".part")), []);
  }));
