// The engine's worker: the same program as the page's, and the browser's storage for its files.
// src/platform/web/{worker,storage}.rs call what stands in `globalThis.thalweg`.
import init from "./thalweg.js";
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

// ------------------------------------------------------------------------------------------------ storage

let root;
let files = [];
let why;

// Two tabs would write over each other: one has the storage, and lets go of it when it is closed.
const LOCK = "thalweg storage";

async function hasLock() {
  if (!navigator.locks) return true;
  return new Promise((resolve) => {
    const options = { signal: AbortSignal.timeout(2000) };
    navigator.locks
      .request(LOCK, options, () => {
        resolve(true);
        return new Promise(() => {});
      })
      .catch(() => resolve(false));
  });
}

async function* walk(folder, path) {
  for await (const [name, handle] of folder.entries()) {
    if (handle.kind === "directory") yield* walk(handle, `${path}/${name}`);
    else if (!name.endsWith(".crswap")) yield [`${path}/${name}`, await handle.getFile()];
  }
}

async function openStorage() {
  try {
    root = await navigator.storage.getDirectory();
    for await (const entry of walk(root, "")) files.push(entry);
  } catch (error) {
    why = `This browser keeps no files for this page (${error.message}): what you do here is lost when the tab is closed. Export what you want to keep.`;
    return;
  }
  if (!(await hasLock())) {
    why = "Thalweg is open in another tab, which keeps the files. What you do in this one is lost when it is closed.";
    return;
  }
  navigator.storage.persist?.().catch(() => {});
}

async function folderOf(path, create) {
  const names = path.split("/").filter(Boolean);
  const name = names.pop();
  let folder = root;
  for (const part of names) folder = await folder.getDirectoryHandle(part, { create });
  return [folder, name];
}

async function keep(path, content) {
  const [folder, name] = await folderOf(path, true);
  const handle = await folder.getFileHandle(name, { create: true });
  if (handle.createWritable) {
    const writable = await handle.createWritable();
    await writable.write(content);
    await writable.close();
  } else {
    const bytes = content instanceof Blob ? new Uint8Array(await content.arrayBuffer()) : content;
    const access = await handle.createSyncAccessHandle();
    access.truncate(0);
    access.write(bytes, { at: 0 });
    access.flush();
    access.close();
  }
  return handle.getFile();
}

async function forget(path) {
  try {
    const [folder, name] = await folderOf(path, false);
    await folder.removeEntry(name);
  } catch (error) {
    if (error.name !== "NotFoundError") throw error;
  }
}

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
  keep,
  forget,
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

await openStorage();
await init({ module_or_path: await module });
