// `just page-figures`: what goes over the wire, how soon the page is there, how fast it trains beside the native program in the
// same minutes, how long the window's frames take meanwhile, and whether memory grows. Prints tables for the README.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DIST, NATIVE, SHORT, Stage, draft, noNative, pause } from "./driver.mjs";
import { tinyModel } from "./tiny.mjs";
import { column } from "./zip.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "thalweg-figures-"));
const shape = SHORT.replace(/methods = .*/, 'methods = ["i_lora"]').replace("batch_size = 4", "batch_size = 8");
const CPU = shape.replace("steps_per_task = 20", "steps_per_task = 150");
// The embedded model is too much for a GPU that is a program: a tiny one, chosen by the dialogue.
const GPU = shape.replace('device = "cpu"', 'device = "webgpu"').replace("steps_per_task = 20", "steps_per_task = 8")
  .replace("max_examples = 8", "max_examples = 1")
  .replace("batch_size = 8", "batch_size = 2");
const TINY = join(folder, "tiny");
tinyModel(TINY);
// One task: with the second one the replay begins, which needs its own memory.
const LONG = CPU.replace("steps_per_task = 150", "steps_per_task = 2200").replace("batch_size = 8", "batch_size = 4").replace(/tasks = .*/, 'tasks = ["builtin:stance"]');

const quantile = (numbers, share) => [...numbers].sort((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))];
const median = (numbers) => quantile(numbers, 0.5);
const row = (name, ...cells) => console.log(`${name.padEnd(58)}${cells.map((cell) => String(cell).padStart(14)).join("")}`);
/** Steps per second, by the median of what the program itself measured, without the first steps. */
const speed = (csv) => 1 / median(column(csv, "secs_per_step").slice(3));

function native(toml, name, threads) {
  const output = join(folder, name);
  writeFileSync(`${output}.toml`, `output = "${output}"\n${toml.includes("webgpu") ? `model = "${TINY}"\n` : ""}${toml}`);
  const env = threads ? { ...process.env, RAYON_NUM_THREADS: String(threads) } : process.env;
  execFileSync(NATIVE, ["run", `${output}.toml`, "--quiet"], { env, stdio: ["ignore", "ignore", "inherit"] });
  return speed(readFileSync(join(output, "i_lora-seed0", "metrics.csv")));
}

/** Trains in a tab and notes how long the callbacks of its frames take on the main thread, and how much of it they have a processor. */
async function tab(toml, webgpu, secs, hidden = false) {
  const stage = await Stage.open({ webgpu, fragment: `${draft(toml)}&panel=Training` });
  try {
    await stage.wait("Start", (tree) => stage.find(tree, "Start"), 90);
    if (webgpu) await stage.openModel(TINY, /\btiny\b/);
    await pause(1500);
    const marks = await stage.page.evaluate(() => Object.fromEntries(performance.getEntriesByType("mark").map((mark) => [mark.name, mark.startTime])));
    await stage.click("Start");
    const begun = Date.now();
    await stage.shows(/Step\s*[1-9]\d* of/, 300);
    const first = Date.now() - begun;
    const frames = await traced(stage);
    // Without a GPU the window is drawn by the same cores that train: this is what the engine does by itself.
    if (hidden) await stage.lookAway(hidden);
    await stage.wait("the end", (tree) => stage.find(tree, /2 of 2 tasks learnt/), secs);
    const drawn = await frames();
    await stage.idle();
    const files = await stage.capsule(join(folder, `tab-${webgpu}.thalweg`));
    return { marks, first, frames: drawn, speed: speed(files.get("metrics.csv")) };
  } finally {
    await stage.close();
  }
}

/** Begins to trace; gives what ends it: the frames' callbacks on the main thread, milliseconds of wall time and of processor time. */
async function traced(stage) {
  const session = await stage.browser.newCDPSession(stage.page);
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value.filter((event) => event.name === "FireAnimationFrame" && event.ph === "X")));
  await session.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories: ["devtools.timeline"] } });
  return async () => {
    const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
    await session.send("Tracing.end");
    await complete;
    return { wall: events.map((event) => event.dur / 1000), processor: events.map((event) => event.tdur / 1000) };
  };
}

async function memory() {
  const stage = await Stage.open({ fragment: `${draft(LONG)}&panel=Training` });
  try {
    await stage.click("Start", undefined, 90);
    const at = async (step) => {
      await stage.wait(`step ${step}`, (tree) => tree.some((node) => Number(/Step\s*(\d+) of/.exec(node.value ?? node.label ?? "")?.[1]) >= step), 400);
      const heap = () => (globalThis.gc?.(), globalThis.thalweg.memoryBytes());
      return [await stage.worker().evaluate(heap), await stage.page.evaluate(heap)];
    };
    return [await at(100), await at(2000)];
  } finally {
    await stage.close();
  }
}

console.log(`${cpus()[0].model}, ${cpus().length} cores, load ${loadavg()[0].toFixed(1)} at the start; Chromium without a GPU\n`);
console.log(execFileSync(process.execPath, [join(here, "..", "sizes.mjs"), DIST], { encoding: "utf8" }));
const mega = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const millis = (time) => `${time.toFixed(0)} ms`;

/** One column of figures: the tab between two runs of the native program, so that both see the same machine. */
async function beside(title, toml, webgpu, threads, secs) {
  const before = threads.map((count) => native(toml, `${title}-${count}`, count));
  // A GPU that is a program draws the window on the training's cores: only a hidden tab says something of the training.
  const there = await tab(toml, webgpu, secs, webgpu ? 45 : 0);
  const after = threads.map((count) => native(toml, `${title}-${count}-after`, count));
  row(title, "");
  row("  from the navigation to the first frame", millis(there.marks["thalweg-first-frame"]));
  row("  from compiled to the first frame", millis(there.marks["thalweg-first-frame"] - there.marks["thalweg-compiled"]));
  row("  from Start to the first step shown", millis(there.first));
  row(`  steps per second in the tab${webgpu ? ", hidden" : ""}`, there.speed.toFixed(2));
  if (!webgpu) {
    const unseen = await tab(toml, webgpu, secs, 15);
    row("  the same while the tab is hidden, ratio to the last row", unseen.speed.toFixed(2), (unseen.speed / before[before.length - 1]).toFixed(2));
  }
  for (const [place, count] of threads.entries()) {
    const speed = (before[place] + after[place]) / 2;
    row(`  of the native program, ${count ? `${count} thread` : "all it has"}; ratio`, speed.toFixed(2), (there.speed / speed).toFixed(2));
  }
  if (webgpu) return;
  const of = (times) => [0.5, 0.95, 1].map((share) => `${quantile(times, share).toFixed(1)} ms`);
  row("  main thread in a frame while training, p50, p95, longest", ...of(there.frames.processor));
  row("  the same with what it waits for a processor", ...of(there.frames.wall));
  row("  frames looked at", there.frames.wall.length);
}

// `node figures.mjs cpu memory webgpu`, or some of these
const wanted = process.argv.length > 2 ? process.argv.slice(2) : ["cpu", "memory", "webgpu"];
try {
  if (noNative) throw new Error(noNative);
  if (wanted.includes("cpu")) await beside("CPU engine", CPU, false, [0, 1], 300);
  if (wanted.includes("memory")) {
    const [early, late] = await memory();
    row("memory", "engine", "window");
    row("  after 100 steps", ...early.map(mega));
    row("  after 2,000 steps", ...late.map(mega));
    row("  growth", ...late.map((bytes, place) => `${((bytes / early[place] - 1) * 100).toFixed(1)} %`));
  }
  if (wanted.includes("webgpu")) await beside("WebGPU (software: SwiftShader in the tab, lavapipe beside)", GPU, true, [0], 900);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
