// Loads the program, shows how far that is, and does for the window what JavaScript does better: the worker, file dialogues,
// dropped files, downloads. src/platform/web/page.rs calls what stands in `globalThis.thalweg`.
import init from "./thalweg.js";
import { nextTurn } from "./turns.js";

const start = document.getElementById("start");
const bar = document.getElementById("bar");
const said = document.getElementById("said");
const notice = document.getElementById("notice");
const asked = new URLSearchParams(location.search);

function say(text) {
  said.textContent = text;
}

function warn(text) {
  notice.querySelector("p").textContent = text;
  notice.hidden = false;
}
notice.querySelector("button").onclick = () => (notice.hidden = true);

// ------------------------------------------------------------------------------------------------ the worker

let module; // compiled once, for both
let worker;
let workers = 0;
const mounted = new Map();

function spawn(heard) {
  worker?.terminate();
  workers += 1;
  const name = `thalweg engine ${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}-${workers}`;
  worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name });
  const mine = worker;
  let dead = false;
  const ended = (kind, why) => {
    if (!dead && mine === worker) {
      dead = true;
      heard(kind, why);
    }
  };
  // A fault may be that of a graphics device, which is told a moment later and can be helped.
  const died = (why) => setTimeout(() => ended("died", why), 500);
  worker.onmessage = ({ data }) => {
    if (dead || mine !== worker) return;
    if (data.kind === "letter") heard("letter", data.letter);
    else if (data.kind === "download") download(data.name, data.bytes);
    else if (data.kind === "died") died(data.why);
    else if (data.kind === "lost") ended("lost", data.why);
    else if (data.kind === "read-only") readOnly = true;
    // The worker holds this lock until it ends, however it ends.
    else if (data.kind === "alive") navigator.locks.request(name, () => died("the browser ended it"));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    died(event.message || "its program cannot be loaded");
  };
  worker.postMessage({ kind: "start", module });
  for (const [path, file] of mounted) worker.postMessage({ kind: "mount", path, file });
}

// ------------------------------------------------------------------------------------------------ files

function download(name, bytes) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function pick(folder, endings, several, answer) {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = endings;
  input.multiple = several;
  input.webkitdirectory = folder;
  input.onchange = () => answer([...input.files].map((file) => [file.webkitRelativePath || file.name, file]));
  input.oncancel = () => answer([]);
  input.click();
}

let dropped = [];

async function filesOf(entry, path) {
  if (entry.isFile) {
    return [[path, await new Promise((resolve, reject) => entry.file(resolve, reject))]];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const inside of some) found.push(...(await filesOf(inside, `${path}/${inside.name}`)));
  }
}

// Before egui sees it, which would want the whole file in memory and knows no folders.
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener(
  "drop",
  async (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    document.getElementById("thalweg").dispatchEvent(new DragEvent("dragleave"));
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    try {
      const found = [];
      for (const entry of entries) found.push(...(await filesOf(entry, entry.name)));
      dropped.push(...found);
    } catch (error) {
      warn(`What was dropped cannot be read (${error.message}): choose it by the dialogue instead.`);
    }
  },
  true,
);

// A capsule in the address: as if somebody had dropped it.
async function fetchCapsule(address) {
  const from = new URL(address, location.href);
  try {
    const answer = await fetch(from, { credentials: "omit", referrerPolicy: "no-referrer" });
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    const name = decodeURIComponent(from.pathname.split("/").pop() || "run");
    dropped.push([name.endsWith(".thalweg") ? name : `${name}.thalweg`, new File([await answer.blob()], name)]);
  } catch (error) {
    warn(`${from} cannot be opened (${error.message}). Look at the address, or download the capsule and drop it here.`);
  }
}

// ------------------------------------------------------------------------------------------------ the program

let webgpu = false;
let readOnly = false;
let memory;

globalThis.thalweg = {
  isWorker: () => false,
  nextTurn,
  spawn,
  post(letter) {
    const bytes = letter.slice();
    worker.postMessage({ kind: "letter", letter: bytes }, [bytes.buffer]);
  },
  mount(path, file) {
    mounted.set(path, file);
    worker.postMessage({ kind: "mount", path, file });
  },
  pick,
  takeDropped: () => dropped.splice(0),
  download: (name, bytes) => download(name, bytes.slice()),
  hasWebGpu: () => webgpu,
  isReadOnly: () => readOnly,
  memoryBytes: () => memory.buffer.byteLength,
  address: () => location.href.split("#")[0],
  fragment: () => location.hash.slice(1),
  query: (name) => asked.get(name) ?? undefined,
  wantsTree: () => asked.has("tree"),
  showTree: (json) => (globalThis.thalwegTree = json),
  died(why) {
    start.hidden = false;
    bar.hidden = true;
    say(`The window stopped by a fault of its own: ${why}. What was kept is safe: reload the page.`);
  },
};

async function fetchModule() {
  const expected = Number(document.querySelector("meta[name=thalweg-bytes]").content);
  const answer = await fetch(new URL("./thalweg_bg.wasm", import.meta.url));
  if (!answer.ok) throw new Error(`the server answers ${answer.status} for thalweg_bg.wasm`);
  let loaded = 0;
  const mega = (bytes) => (bytes / 1e6).toFixed(1);
  const counted = answer.body.pipeThrough(
    new TransformStream({
      transform(piece, out) {
        loaded += piece.length;
        bar.value = expected ? loaded / expected : 0;
        say(expected ? `Loading ${mega(loaded)} of ${mega(expected)} MB` : `Loading ${mega(loaded)} MB`);
        out.enqueue(piece);
      },
    }),
  );
  return WebAssembly.compileStreaming(new Response(counted, { headers: { "Content-Type": "application/wasm" } }));
}

// A tiny module with a vector instruction: what the program is compiled for.
const VECTORS = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

async function run() {
  if (typeof WebAssembly !== "object") {
    throw new Error("it has no WebAssembly. Use a recent Chrome, Edge, Firefox or Safari, or the desktop program");
  }
  if (!WebAssembly.validate(VECTORS)) {
    throw new Error("its WebAssembly has no vectors (SIMD). Update the browser, or use the desktop program");
  }
  performance.mark("thalweg-begin");
  const adapter = navigator.gpu?.requestAdapter().catch(() => null);
  module = await fetchModule();
  performance.mark("thalweg-compiled");
  bar.removeAttribute("value");
  say("Starting…");
  webgpu = Boolean(await adapter);
  if (asked.has("run")) fetchCapsule(asked.get("run"));
  ({ memory } = await init({ module_or_path: module }));
  performance.mark("thalweg-started");
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      start.hidden = true;
      performance.mark("thalweg-first-frame");
      if (!webgpu) document.title = "Thalweg (no WebGPU: trains on the CPU)";
    }),
  );
}

run().catch((error) => {
  start.hidden = false;
  bar.hidden = true;
  const why = location.protocol === "file:" ? "pages opened from a file may not load programs. Put the folder on a web server" : error.message;
  say(`This browser cannot run Thalweg: ${why}.`);
  console.warn(error);
});

// Offline after the first visit. A page without a secure context has no service worker, and does without.
navigator.serviceWorker?.register("./sw.js", { scope: "./" }).catch((error) => console.warn("not available offline:", error));
