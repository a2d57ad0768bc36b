// `just page-figures`: what goes over the wire, how soon the page is there, how fast it trains beside the native program in the
// same minutes, how long the window's frames take meanwhile, and whether memory grows. Prints tables for the README.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DIST, NATIVE, SHORT, Stage, draft, noNative, pause } from "./driver.mjs";
import { column } from "./zip.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "thalweg-figures-"));
const shape = SHORT.replace(/methods = .*/, 'methods = ["i_lora"]').replace("batch_size = 4", "batch_size = 8");
const CPU = shape.replace("steps_per_task = 20", "steps_per_task = 150");
const GPU = shape.replace('device = "cpu"', 'device = "webgpu"').replace("steps_per_task = 20", "steps_per_task = 8").replace("max_examples = 8", "max_examples = 1");
const LONG = CPU.replace("steps_per_task = 150", "steps_per_task = 1100").replace("batch_size = 8", "batch_size = 4");

const quantile = (numbers, share) => [...numbers].sort((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))];
const median = (numbers) => quantile(numbers, 0.5);
const row = (name, ...cells) => console.log(`${name.padEnd(58)}${cells.map((cell) => String(cell).padStart(14)).join("")}`);
/** Steps per second, by the median of what the program itself measured, without the first steps. */
const speed = (csv) => 1 / median(column(csv, "secs_per_step").slice(3));

function native(toml, name, threads) {
  const output = join(folder, name);
  writeFileSync(`${output}.toml`, `output = "${output}"\n${toml}`);
  const env = threads ? { ...process.env, RAYON_NUM_THREADS: String(threads) } : process.env;
  execFileSync(NATIVE, ["run", `${output}.toml`, "--quiet"], { env, stdio: ["ignore", "ignore", "inherit"] });
  return speed(readFileSync(join(output, "i_lora-seed0", "metrics.csv")));
}

/** Trains in a tab and notes how long the callbacks of its frames take on the main thread. */
async function tab(toml, webgpu, secs) {
  const stage = await Stage.open({ webgpu, fragment: `${draft(toml)}&panel=Training` });
  try {
    await stage.wait("Start", (tree) => stage.find(tree, "Start"), 90);
    await pause(1500);
    const marks = await stage.page.evaluate(() => Object.fromEntries(performance.getEntriesByType("mark").map((mark) => [mark.name, mark.startTime])));
    await stage.page.evaluate(() => {
      globalThis.frames = [];
      const request = globalThis.requestAnimationFrame;
      globalThis.requestAnimationFrame = (callback) =>
        request((time) => {
          const before = performance.now();
          callback(time);
          frames.push(performance.now() - before);
        });
    });
    await stage.click("Start");
    const begun = Date.now();
    await stage.shows(/Step\s*[1-9]\d* of/, 300);
    const first = Date.now() - begun;
    await stage.page.evaluate(() => void frames.splice(0));
    await stage.wait("the end", (tree) => stage.find(tree, /2 of 2 tasks learnt/), secs);
    const frames = await stage.page.evaluate(() => frames);
    await stage.idle();
    const files = await stage.capsule(join(folder, `tab-${webgpu}.thalweg`));
    return { marks, first, frames, speed: speed(files.get("metrics.csv")) };
  } finally {
    await stage.close();
  }
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
try {
  if (noNative) throw new Error(noNative);
  const cpu = [native(CPU, "before"), native(CPU, "one", 1), await tab(CPU, false, 300), native(CPU, "after"), native(CPU, "one-after", 1)];
  const [two, one] = [(cpu[0] + cpu[3]) / 2, (cpu[1] + cpu[4]) / 2];
  const there = cpu[2];
  const gpu = [native(GPU, "lavapipe"), await tab(GPU, true, 600)];
  row("", "CPU engine", "WebGPU");
  const since = (from, to) => [there, gpu[1]].map(({ marks }) => `${(marks[to] - (from ? marks[from] : 0)).toFixed(0)} ms`);
  row("from the navigation to the first frame", ...since(null, "thalweg-first-frame"));
  row("from compiled to the first frame", ...since("thalweg-compiled", "thalweg-first-frame"));
  row("from Start to the first step shown", `${there.first} ms`, `${gpu[1].first} ms`);
  row("steps per second in the tab", there.speed.toFixed(1), gpu[1].speed.toFixed(2));
  row("steps per second of the native program (all threads)", two.toFixed(1), gpu[0].toFixed(2));
  row("  ratio", (there.speed / two).toFixed(2), (gpu[1].speed / gpu[0]).toFixed(2));
  row("steps per second of the native program (one thread)", one.toFixed(1), "");
  row("  ratio", (there.speed / one).toFixed(2), "");
  for (const share of [0.5, 0.95, 1]) {
    const name = share === 1 ? "longest" : `p${share * 100}`;
    row(`main thread in a frame while training, ${name}`, ...[there, gpu[1]].map(({ frames }) => `${quantile(frames, share).toFixed(1)} ms`));
  }
  row("frames looked at", there.frames.length, gpu[1].frames.length);
  const [early, late] = await memory();
  const mega = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  console.log();
  row("memory", "engine", "window");
  row("after 100 steps", ...early.map(mega));
  row("after 2,000 steps", ...late.map(mega));
  row("  growth", ...late.map((bytes, place) => `${((bytes / early[place] - 1) * 100).toFixed(1)} %`));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
