// Drives the page as a person does: by the names that the window itself gives its parts, with a real mouse and keys.
import { existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { serve } from "./serve.mjs";
import { column, unzip } from "./zip.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const DIST = process.env.THALWEG_DIST ?? join(root, "dist");
export const SHOTS = process.env.THALWEG_SHOTS;
/** The program on the desktop, for comparison; see `just page-tests`. */
export const NATIVE = process.env.THALWEG ?? join(root, "target", "release", "thalweg");
/** Real models and tasks, which lie beside the checkout on some machines only. */
export const DATA = process.env.THALWEG_DATA ?? join(root, "..", "shared", "data");
export const noNative = !existsSync(NATIVE) && `SKIPPED: the native program is not at ${NATIVE} (build it, or set THALWEG)`;
export const noData = !existsSync(DATA) && `SKIPPED: there are no shared data at ${DATA} (set THALWEG_DATA)`;

const QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
// WebGPU on SwiftShader with a canvas that is really drawn; other sets give a black canvas.
const WITH_WEBGPU = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--use-vulkan=swiftshader",
  "--use-angle=swiftshader",
];
const WITHOUT_WEBGPU = ["--disable-features=WebGPU", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"];

export const pause = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

/** A browser with a profile of its own and a page on the built site. */
export class Stage {
  static async open({ webgpu = false, fragment = "", query = "", size = { width: 1400, height: 900 }, folder = DIST, tolerates = [], other } = {}) {
    const stage = new Stage();
    stage.profile = mkdtempSync(join(tmpdir(), "thalweg-e2e-"));
    stage.server = await serve(folder, 0, "/class/", other);
    stage.faults = [];
    stage.tolerates = tolerates;
    stage.browser = await chromium.launchPersistentContext(stage.profile, {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      args: [...QUIET, ...(webgpu ? WITH_WEBGPU : WITHOUT_WEBGPU)],
      viewport: size,
      acceptDownloads: true,
    });
    await stage.browser.grantPermissions(["clipboard-read", "clipboard-write"]).catch(() => {});
    stage.page = stage.browser.pages()[0] ?? (await stage.browser.newPage());
    stage.watch(stage.page);
    await stage.page.goto(`${stage.server.address}?tree${query}${fragment ? `#${fragment}` : ""}`);
    return stage;
  }

  /** Notes what must not happen: an error on the console, a request to another host. */
  watch(page) {
    const fault = (text) => this.tolerates.some((known) => known.test(text)) || this.faults.push(text);
    page.on("console", (message) => {
      if (message.type() === "error") fault(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => fault(`page: ${error.message}`));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(this.server.address) && !/^(blob|data):/.test(url)) fault(`request to ${url}`);
    });
  }

  /** Another tab of the same browser, driven in the same way. */
  async tab(fragment = "") {
    const other = Object.assign(new Stage(), this);
    other.page = await this.browser.newPage();
    other.watch(other.page);
    await other.page.goto(`${this.server.address}?tree${fragment ? `#${fragment}` : ""}`);
    return other;
  }

  /** Reloads the page: what its link brought along was taken over the first time. */
  async reopen() {
    await this.page.reload();
  }

  /** Comes back to the page as after a crash, and goes on with what was interrupted. */
  async resumeLast() {
    await this.reopen();
    await this.clickAway("Resume last session", 60);
  }

  /** The engine's worker. */
  worker() {
    const workers = this.page.workers().filter((worker) => worker.url().endsWith("/worker.js"));
    return workers[workers.length - 1];
  }

  async close() {
    await this.browser.close();
    this.server.close();
    rmSync(this.profile, { recursive: true, force: true });
  }

  /** All named parts of the window. */
  async tree() {
    // While the page still says "Starting" over the window, nobody can press anything in it.
    const seen = () => (document.getElementById("start")?.hidden ? globalThis.thalwegTree : undefined);
    return JSON.parse((await this.page.evaluate(seen)) ?? "[]");
  }

  /** Waits until `look(tree)` gives something. */
  async wait(what, look, secs = 60) {
    const until = Date.now() + secs * 1000;
    let tree = [];
    for (;;) {
      tree = await this.tree();
      const found = look(tree);
      if (found) return found;
      if (this.faults.length > 0) throw new Error(`while waiting for ${what}: ${this.faults.join("; ")}`);
      if (Date.now() > until) {
        const texts = tree.map((node) => node.label ?? node.value).filter(Boolean);
        throw new Error(`${what} did not come in ${secs} s. Shown: ${[...new Set(texts)].join(" | ").slice(0, 3000)}`);
      }
      await pause(100);
    }
  }

  find(tree, name, role) {
    const fits = (text) => (name instanceof RegExp ? name.test(text ?? "") : text === name);
    return tree.find((node) => (fits(node.label) || fits(node.value)) && node.bounds && !node.disabled && (!role || node.role === role));
  }

  shows(name, secs) {
    return this.wait(String(name), (tree) => tree.find((node) => [node.label, node.value].some((text) => (name instanceof RegExp ? name.test(text ?? "") : text === name))), secs);
  }

  click(name, role, secs) {
    return this.press(String(name), (tree) => this.find(tree, name, role), secs);
  }

  /** The same on a card over the window, which comes last: what lies behind it may have a button of the same name. */
  clickCard(name, secs) {
    return this.press(name, (tree) => this.find(tree.toReversed(), name, "Button"), secs);
  }

  async press(what, look, secs) {
    // Once more, at rest: a part may still be on its way to its place.
    let { bounds } = await this.wait(what, look, secs);
    for (let looks = 0; looks < 20; looks += 1) {
      await pause(200);
      const again = look(await this.tree())?.bounds;
      const rests = again && again.every((edge, place) => Math.abs(edge - bounds[place]) < 0.5);
      bounds = again ?? bounds;
      if (rests) break;
    }
    await this.page.mouse.move((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2);
    await pause(80);
    await this.page.mouse.down();
    await pause(80);
    await this.page.mouse.up();
    await pause(80);
  }

  /** Presses a button that goes when it was heard; again, since a press that outlasts a slow frame is none to egui. */
  async clickAway(name, secs) {
    for (let tries = 0; tries < 4; tries += 1) {
      await this.click(name, undefined, secs);
      const gone = (tree) => tree.length > 0 && !this.find(tree, name);
      if (await this.wait(`${name} to go`, gone, 8).catch(() => false)) return;
    }
    throw new Error(`${name} was pressed four times and is still there`);
  }

  /** Asks for something by name, as the command palette offers it. */
  async command(title) {
    await this.page.mouse.move(5, 300);
    await this.page.keyboard.press("Control+P");
    // A busy machine draws the list later than it hears the keys, which would be shortcuts without it.
    await this.wait("the palette", (tree) => tree.some((node) => node.label === "Command" && node.role === "TextInput"), 20);
    await pause(150);
    await this.page.keyboard.type(title, { delay: 5 });
    await this.wait(`"${title}" in the palette`, (tree) => tree.some((node) => (node.label ?? node.value ?? "").startsWith(title)), 20);
    await pause(200);
    await this.page.keyboard.press("Enter");
    await pause(200);
  }

  /** Turns to another tab, or back. Chromium without a screen shows every tab; what the page asks is whether it is hidden. */
  hide(on) {
    return this.page.evaluate((on) => {
      if (!("away" in globalThis)) {
        Object.defineProperty(document, "hidden", { get: () => globalThis.away });
        Object.defineProperty(document, "visibilityState", { get: () => (globalThis.away ? "hidden" : "visible") });
      }
      globalThis.away = on;
      document.dispatchEvent(new Event("visibilitychange"));
    }, on);
  }

  /** Looks at another tab for so long. */
  async lookAway(secs) {
    await this.hide(true);
    await pause(secs * 1000);
    await this.hide(false);
  }

  /** Waits until I-LoRA's last row is there and nothing goes on any more. */
  trained(secs) {
    return this.wait(
      "the end of the training",
      (tree) => this.find(tree, /^Accuracy matrix, slow learner.*: 2 of 2 tasks learnt/) && tree.some((node) => (node.value ?? node.label) === "idle"),
      secs,
    );
  }

  /** Waits until nothing goes on; `secs` are given to it. */
  idle(secs = 60) {
    return this.wait("the end of the work", (tree) => tree.some((node) => (node.value ?? node.label) === "idle"), secs);
  }

  /** Answers the file dialogue that a command opens. */
  async choose(title, files) {
    const chooser = this.page.waitForEvent("filechooser");
    await this.command(title);
    await (await chooser).setFiles(files);
  }

  /** Opens a model's folder by the dialogue, waits for its name, and goes back to the training. */
  async openModel(folder, name) {
    await this.choose("Open a model folder", folder);
    await this.shows(name, 30);
    await this.click("Training");
  }

  /** What a command gives to be downloaded, saved under this path. */
  async save(title, path) {
    const download = this.page.waitForEvent("download");
    await this.command(title);
    await (await download).saveAs(path);
    return readFileSync(path);
  }

  /** The selected run's files, by its capsule. */
  async capsule(path) {
    return unzip(await this.save("Export the selected run as a capsule", path));
  }

  async shot(name) {
    if (!SHOTS) return;
    mkdirSync(SHOTS, { recursive: true });
    await this.page.screenshot({ path: join(SHOTS, `${name}.png`) });
  }
}

/** An experiment as the part of a link. */
export const draft = (toml) => `draft=${encodeURIComponent(toml)}`;

export const SHORT = `
title = "Two short tasks"
device = "cpu"
methods = ["seq", { name = "i_lora", settings = { half_life_steps = 30 } }]
tasks = ["builtin:stance", "builtin:finance"]
[training]
steps_per_task = 20
batch_size = 4
max_length = 64
pad_multiple = 8
max_train_examples = 60
report_every = 1
[evaluation]
max_examples = 8
`;

/** The losses of a run's files. */
export const losses = (files) => column(files.get("metrics.csv"), "loss_total");
