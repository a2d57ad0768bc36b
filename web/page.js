// Loads the program, shows how far that is, and does for the window what JavaScript does better: the worker, file dialogues,
// dropped files, downloads. src/platform/web/page.rs calls what stands in `globalThis.thalweg`. What keeps this file itself from
// running is told by guard.js.
import { nextTurn } from "./turns.js";

const start = document.getElementById("start");
const bar = document.getElementById("bar");
const said = document.getElementById("said");
const amount = document.getElementById("amount");
const asked = new URLSearchParams(location.search);

/** A screen reader reads each sentence aloud; the numbers beside it change too often for that. */
function say(text, numbers = "") {
  if (said.textContent !== text) said.textContent = text;
  amount.textContent = numbers;
}

// ------------------------------------------------------------------------------------------------ notices

// One after another, the oldest first.
const notices = [];
const notice = document.getElementById("notice");
const [sentence, numbers] = notice.querySelectorAll("p");
const [act, close] = notice.querySelectorAll("button");

/** `action`: the name of a button beside "Close" and what it does. What comes back changes the numbers, or takes the notice away. */
function tell(text, { quiet = false, action } = {}) {
  const mine = { text, quiet, action, numbers: "" };
  notices.push(mine);
  showNotice();
  return {
    count(text) {
      mine.numbers = text;
      if (notices[0] === mine) numbers.textContent = text;
    },
    close() {
      if (notices.includes(mine)) notices.splice(notices.indexOf(mine), 1);
      showNotice();
    },
  };
}

const warn = (text) => void tell(text);

function showNotice() {
  const first = notices[0];
  notice.hidden = !first;
  if (!first) return;
  notice.className = first.quiet ? "quiet" : "";
  sentence.setAttribute("role", first.quiet ? "status" : "alert");
  if (sentence.textContent !== first.text) sentence.textContent = first.text;
  numbers.textContent = first.numbers;
  act.hidden = !first.action;
  [act.textContent, act.onclick] = first.action ?? ["", null];
}
close.onclick = () => {
  notices.shift();
  sentence.textContent = "";
  showNotice();
};

// ------------------------------------------------------------------------------------------------ the worker

let module; // compiled once, for both
let worker;
let workers = 0;
// What another worker is given again: all that was chosen, since what is kept by now it leaves aside.
const mounted = new Map();
let promised; // by the browser: not to delete what is kept

function spawn(heard) {
  worker?.terminate();
  workers += 1;
  const name = `thalweg engine ${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}-${workers}`;
  worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name });
  const mine = worker;
  readOnly = false;
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
    else if (data.kind === "forgotten") mounted.delete(data.path);
    // No worker can ask for it, and some browsers ask the person: once, and only when there is something to lose.
    else if (data.kind === "keeps") promised ??= navigator.storage?.persist?.().catch(() => false);
    // The worker holds this lock until it ends, however it ends.
    else if (data.kind === "alive") navigator.locks.request(name, () => died("the browser ended it"));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    died(event.message || "its program cannot be loaded");
  };
  worker.postMessage({ kind: "start", module });
  for (const [path, file] of mounted) worker.postMessage({ kind: "mount", path, file, again: true });
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
let wake;

// Another link in the open page: the window takes it over when it is drawn next.
addEventListener("hashchange", () => wake?.());

/** The window takes these in when it is drawn next, which is now. */
function takeIn(found) {
  dropped.push(...found);
  wake?.();
}

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
      if (found.length > 0) takeIn(found);
      else warn("There is no file in what was dropped. Drop a model's folder, task files, a capsule or a run's folder, or choose them by the dialogue.");
    } catch (error) {
      warn(`What was dropped cannot be read (${error.message}): choose it by the dialogue instead.`);
    }
  },
  true,
);

// A capsule in the address: as if somebody had dropped it.
const LARGEST_BYTES = 1e9;
const mega = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

async function fetchCapsule(address) {
  const from = addressOf(address);
  if (!from) {
    warn(`"${address}" behind "run=" in this page's address is no address of a capsule. Write it as https://…, or relative to this page.`);
    return;
  }
  if (from.protocol !== "https:" && from.origin !== location.origin) {
    warn(`${from} cannot be opened: only https: addresses and those of this site can. Download the capsule and drop it here.`);
    return;
  }
  const progress = tell(`Fetching ${from}`, { quiet: true });
  try {
    const file = await fetchFile(from, progress.count);
    progress.close();
    takeIn([[file.name, file]]);
    // Done: a reload of the page does not open it once more.
    const rest = new URL(location.href);
    rest.searchParams.delete("run");
    history.replaceState(history.state, "", rest);
  } catch (error) {
    progress.close();
    warn(`${from} cannot be opened: ${error.message}. Look at the address, or download the capsule and drop it here.`);
  }
}

/** The same bytes; `told` hears how many came so far, and what it throws ends them. */
function counted(body, told) {
  let loaded = 0;
  const count = (piece, out) => {
    loaded += piece.length;
    told(loaded);
    out.enqueue(piece);
  };
  return body.pipeThrough(new TransformStream({ transform: count }));
}

function addressOf(text) {
  try {
    return new URL(text, location.href);
  } catch {
    return undefined;
  }
}

async function fetchFile(from, count) {
  const answer = await fetch(from, { credentials: "omit", referrerPolicy: "no-referrer" }).catch(() => {
    const refused = from.origin === location.origin ? "" : ", or does not allow other pages to read it (CORS), which its owner must switch on";
    throw new Error(`the server does not answer${refused}`);
  });
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  // The length of a compressed answer is not that of the file.
  const total = answer.headers.has("Content-Encoding") ? 0 : Number(answer.headers.get("Content-Length") ?? 0);
  const fits = (bytes) => {
    if (bytes > LARGEST_BYTES) throw new Error(`it is larger than ${mega(LARGEST_BYTES)}, the most that is opened from an address`);
  };
  fits(total);
  const arriving = counted(answer.body, (loaded) => {
    fits(loaded);
    count(total >= loaded ? `${mega(loaded)} of ${mega(total)}` : mega(loaded));
  });
  const content = await new Response(arriving).blob();
  const name = decodeURIComponent(from.pathname.split("/").pop() || "run");
  // Not the time of this visit: the same file must be the same again, or the storage fills with copies of it.
  const lastModified = Date.parse(answer.headers.get("Last-Modified") ?? "") || 0;
  return new File([content], name.endsWith(".thalweg") ? name : `${name}.thalweg`, { lastModified });
}

// ------------------------------------------------------------------------------------------------ the program

let webgpu = false;
let readOnly = false;
let memory;
let stopped = false;
let shown = false;

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
  setWake: (callback) => (wake = callback),
  download: (name, bytes) => download(name, bytes.slice()),
  hasWebGpu: () => webgpu,
  isReadOnly: () => readOnly,
  memoryBytes: () => memory.buffer.byteLength,
  address: () => location.origin + location.pathname,
  // A link is followed once: a reload goes on with what was made of it.
  takeFragment() {
    const fragment = location.hash.slice(1);
    if (fragment) history.replaceState(history.state, "", location.pathname + location.search);
    return fragment;
  },
  wantsTree: () => asked.has("tree"),
  showTree: (json) => (globalThis.thalwegTree = json),
  drawn() {
    if (shown || stopped) return;
    shown = true;
    start.hidden = true;
    performance.mark("thalweg-first-frame");
    if (!webgpu) document.title = "Thalweg (no WebGPU: trains on the CPU)";
    keepOffline();
  },
  windowLost,
  died(why) {
    stop(`The window stopped by a fault of its own: ${why}. What was kept is safe: reload the page.`);
  },
};

/** Shows why nothing goes on. The first reason counts: what fails after it fails by it. */
function stop(text) {
  if (stopped) return;
  stopped = true;
  start.hidden = false;
  bar.hidden = true;
  say(text);
}

/** The engine has a device of its own: it goes on until the page is reloaded. */
function windowLost(why) {
  const reason = why ? ` (${why})` : "";
  stop(`The browser took the window's graphics device away${reason}. Reload the page: what was kept is safe, and a run goes on from its last checkpoint.`);
}
// Where WebGL draws; of WebGPU's device the program tells.
document.getElementById("thalweg").addEventListener("webglcontextlost", () => windowLost());

/** A failure whose sentence is for the person at the page as it is. */
class Told extends Error {}

const cannot = (why) => new Told(`This browser cannot run Thalweg: ${why}. Use a recent Chrome, Edge, Firefox or Safari, or the desktop program.`);
const missing = (file, why) =>
  new Told(
    `Thalweg could not be loaded: ${file} did not come as it should (${why}). Reload the page. If that does not help, look at the network, or tell who runs this site which file it is.`,
  );
const misfit = () =>
  new Told(
    "The parts of this page are of different versions: the browser has an old copy of one. Reload the page without its cache (Ctrl+Shift+R; on a Mac Cmd+Shift+R, in Safari Cmd+Option+R). What was kept stays.",
  );

async function fetchModule() {
  const expected = Number(document.querySelector("meta[name=thalweg-bytes]").content);
  const answer = await fetch(new URL("./thalweg_bg.wasm", import.meta.url));
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  // So do some servers with what they do not have.
  if (/html/.test(answer.headers.get("Content-Type"))) throw new Error("the server answers with a page instead");
  const type = "application/wasm";
  // Out of the service worker's cache it comes at once; untouched, so that a browser may find what it compiled the last time.
  if (navigator.serviceWorker?.controller && answer.headers.get("Content-Type") === type) {
    bar.removeAttribute("value");
    return WebAssembly.compileStreaming(answer);
  }
  const arriving = counted(answer.body, (loaded) => {
    bar.value = expected ? loaded / expected : 0;
    // Another part may have failed meanwhile, which is what counts.
    if (!stopped) say("Loading…", expected ? `${mega(loaded)} of ${mega(expected)}` : mega(loaded));
  });
  return WebAssembly.compileStreaming(new Response(arriving, { headers: { "Content-Type": type } }));
}

/** The glue between the module and this page. */
async function importGlue() {
  try {
    return (await import("./thalweg.js")).default;
  } catch (error) {
    if (error instanceof SyntaxError) throw cannot(`it does not understand thalweg.js (${error.message})`);
    throw missing("thalweg.js", error.message);
  }
}

// A tiny module with a vector instruction: what the program is compiled for.
const VECTORS = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

const FIRST_FRAME_MILLIS = 20_000;

/** Is there WebGPU? Some browsers name an adapter and then give no device, and a canvas that was asked for WebGPU cannot go back. */
async function hasDevice() {
  try {
    const adapter = await navigator.gpu.requestAdapter();
    const device = await adapter.requestDevice();
    device.destroy();
    return true;
  } catch {
    return false;
  }
}

async function run() {
  if (typeof WebAssembly !== "object") throw cannot("it has no WebAssembly, or it is switched off");
  if (!WebAssembly.validate(VECTORS)) throw cannot("its WebAssembly has no vectors (SIMD)");
  performance.mark("thalweg-begin");
  const gpu = hasDevice();
  const fetched = fetchModule().catch((error) => {
    throw error instanceof WebAssembly.CompileError
      ? cannot(`it does not understand thalweg_bg.wasm (${error.message})`)
      : missing("thalweg_bg.wasm", error.message);
  });
  const [compiled, init] = await Promise.all([fetched, importGlue()]);
  module = compiled;
  performance.mark("thalweg-compiled");
  bar.removeAttribute("value");
  say("Starting…");
  webgpu = await gpu;
  if (asked.has("run")) fetchCapsule(asked.get("run"));
  try {
    ({ memory } = await init({ module_or_path: module }));
  } catch (error) {
    const lacks = error instanceof WebAssembly.LinkError || (error instanceof TypeError && /import/i.test(error.message));
    throw lacks ? misfit() : error;
  }
  performance.mark("thalweg-started");
  // The program tells of its first frame. A page that nobody looks at draws none, and one that is stuck may draw one yet.
  setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(globalThis.thalweg.drawn)), FIRST_FRAME_MILLIS);
}

// ------------------------------------------------------------------------------------------------ offline

/** Keeps the page for later visits: after the first frame, since all its files are fetched once more for that. */
function keepOffline() {
  // A page without a secure context has no service worker, and does without.
  navigator.serviceWorker?.register("./sw.js", { scope: "./" }).then(watchVersions, (error) => console.warn("not available offline:", error));
}

/** An open page keeps its version (sw.js); this one says that there is another. */
function watchVersions(registration) {
  const workers = navigator.serviceWorker;
  let controlled = Boolean(workers.controller);
  let offered = false;
  let pressed = false;
  const reload = () => {
    pressed = true;
    registration.waiting?.postMessage("take over");
    // Where it took over already, nothing changes any more.
    setTimeout(() => location.reload(), 5000);
  };
  const offer = () => {
    if (offered || !registration.waiting || !registration.active) return;
    offered = true;
    const text = "A new version of this page is there. It comes when all its tabs are closed, or with Reload: a run goes on from its last checkpoint.";
    tell(text, { quiet: true, action: ["Reload", reload] });
  };
  offer();
  registration.installing?.addEventListener("statechange", offer);
  registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", offer));
  workers.addEventListener("controllerchange", () => {
    if (pressed) {
      location.reload();
    } else if (controlled) {
      const text = "Another tab brought a new version of this page. Reload this one, too: what it loads from now on may not fit.";
      tell(text, { action: ["Reload", () => location.reload()] });
    }
    controlled = true;
  });
}

// ------------------------------------------------------------------------------------------------ the beginning

// From here on this file tells what goes wrong, and not guard.js.
globalThis.thalwegLives = true;
document.getElementById("remedy").hidden = true;

run().catch((error) => {
  console.warn(error);
  stop(
    error instanceof Told
      ? error.message
      : `Thalweg could not start (${error.message}). Reload the page; if that does not help, update the browser or use the desktop program.`,
  );
});
