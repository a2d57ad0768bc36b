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
const tell = (data) => heard(data.kind, data.kind === "mount" ? data.path : data.letter, data.file);

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
  keep,
  forget,
  memoryBytes: () => memory.buffer.byteLength,
  download(name, letter) {
    const bytes = letter.slice();
    postMessage({ kind: "download", name, bytes }, [bytes.buffer]);
  },
  async fetchFile(url, progress) {
    const answer = await fetch(url, { credentials: "omit", referrerPolicy: "no-referrer" });
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    const total = Number(answer.headers.get("Content-Length") ?? 0);
    let done = 0;
    const counted = answer.body.pipeThrough(
      new TransformStream({
        transform(piece, out) {
          done += piece.length;
          if (!progress(done, total)) throw new Error("cancelled");
          out.enqueue(piece);
        },
      }),
    );
    return new Response(counted).blob();
  },
  died: (why) => postMessage({ kind: "died", why }),
};
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  globalThis.thalweg.died(String(event.reason?.message ?? event.reason));
});

const storage = await openStorage();
({ files, why } = storage);
if (storage.readOnly) postMessage({ kind: "read-only" });
({ memory } = await init({ module_or_path: await module }));
