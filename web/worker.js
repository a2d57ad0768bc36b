// The engine's worker: the same program as the page's, with the browser's storage (storage.js) for its files.
// src/platform/web/{worker,storage}.rs call what stands in `globalThis.thalweg`.
import init from "./thalweg.js";
import { forever, forget, keep, openStorage, wasCleared } from "./storage.js";
import { nextTurn } from "./turns.js";

// Messages come in before the program is there.
const early = [];
let heard;
let begin;
const module = new Promise((resolve) => (begin = resolve));
onmessage = ({ data }) => {
  if (data.kind === "start") begin(data.module);
  else if (heard) tell(data);
  else early.push(data);
};
const tell = (data) => {
  // The page knows what an earlier worker was given, and not what that one kept.
  if (data.kind === "mount" && data.again && kept.has(data.path)) return;
  heard(data.kind, data.kind === "mount" ? data.path : data.letter, data.file);
};

// ------------------------------------------------------------------------------------------------ life and death

// Held as long as this worker lives. The page waits for it, and so hears even of an end that nobody tells.
navigator.locks?.request(self.name, () => {
  postMessage({ kind: "alive" });
  return forever();
});

// A graphics device that is lost (a driver's restart, a laptop that changes its card) stays lost: only a new worker gets
// another one, and the run goes on there from its checkpoint.
if (globalThis.GPUAdapter) {
  const request = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (...wanted) {
    const device = await request.apply(this, wanted);
    device.lost.then(({ message, reason }) => postMessage({ kind: "lost", why: message || reason }));
    return device;
  };
}

let memory;
let files = [];
let why;
let readOnly = false;
let keeps = false;
const kept = new Set();

// ------------------------------------------------------------------------------------------------ the program

globalThis.thalweg = {
  isWorker: () => true,
  nextTurn,
  post(letter) {
    const bytes = letter.slice();
    postMessage({ kind: "letter", letter: bytes }, [bytes.buffer]);
  },
  listen(callback) {
    heard = callback;
    early.splice(0).forEach(tell);
  },
  keptFiles: () => files.splice(0),
  whyNotKept: () => why,
  wasCleared,
  isReadOnly: () => readOnly,
  async keep(path, content) {
    const file = await keep(path, content);
    // Only the page can ask the browser not to delete it.
    if (!keeps) postMessage({ kind: "keeps" });
    keeps = true;
    return file;
  },
  async forget(path) {
    await forget(path);
    postMessage({ kind: "forgotten", path });
  },
  memoryBytes: () => memory.buffer.byteLength,
  download(name, letter) {
    const bytes = letter.slice();
    postMessage({ kind: "download", name, bytes }, [bytes.buffer]);
  },
  // A request whose answer is taken piece by piece (src/platform/web/http.rs). What lies in this program's storage need not lie
  // in the browser's cache, too.
  request(url, headers) {
    const stop = new AbortController();
    const sent = fetch(url, { headers, signal: stop.signal, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer" });
    let body;
    return {
      async head() {
        const answer = await sent;
        body = answer.body?.getReader();
        return [answer.status, answer.url, answer.type === "cors", ...answer.headers];
      },
      next: async () => (await body?.read())?.value,
      stop: () => stop.abort(),
    };
  },
  died: (why) => postMessage({ kind: "died", why }),
};
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  globalThis.thalweg.died(String(event.reason?.message ?? event.reason));
});

({ files, why, readOnly } = await openStorage());
for (const [path] of files) kept.add(path);
if (readOnly) postMessage({ kind: "read-only" });
({ memory } = await init({ module_or_path: await module }));
