// The browser's storage for the worker's files: its private file system (OPFS), or IndexedDB where there is none, as in
// some private windows. web/worker.js hands out what stands here; src/platform/web/storage.rs calls it.

// One tab has the storage and lets go of it when it is closed: two would write over each other.
const LOCK = "thalweg storage";
// A page that was just closed lets go of it within this time.
const PATIENCE_MILLIS = 2000;
// Whether somebody emptied the storage is seen by what should lie there.
const MARK = ".thalweg";

let place;
let cleared = false;

/** A promise that is never kept. What could keep it stays within reach: a lock on a promise that nobody can keep is collected. */
export function forever() {
  return new Promise((resolve) => (globalThis.thalwegHolds ??= []).push(resolve));
}

/** What was kept, a sentence where nothing can be kept from now on, and whether that is another tab's doing. */
export async function openStorage() {
  const refusals = [];
  for (const open of [openFolders, openDatabase]) {
    try {
      const opened = await open();
      const files = await opened.files();
      if (!(await isAlone())) {
        const why =
          "Thalweg is open in another tab, which keeps the files. This tab only looks at them: what you train or change here is lost when it is closed. Close the other tab and reload this one to work here.";
        return { files, why, readOnly: true };
      }
      await opened.mark();
      place = opened;
      navigator.storage?.persist?.().catch(() => {});
      return { files, readOnly: false };
    } catch (error) {
      refusals.push(error.message);
    }
  }
  const why = `This browser keeps no files for this page (${refusals.join("; ")}): what you do here is lost when the tab is closed. Export what you want to keep, or open the page in an ordinary window.`;
  return { files: [], why, readOnly: false };
}

async function isAlone() {
  if (!navigator.locks) return true;
  return new Promise((resolve) => {
    navigator.locks
      .request(LOCK, { signal: AbortSignal.timeout(PATIENCE_MILLIS) }, () => {
        resolve(true);
        return forever();
      })
      .catch(() => resolve(false));
  });
}

/** Writes a file whole or not at all and gives it as it lies there; nothing if its content cannot be read any more. */
export async function keep(path, content) {
  await look();
  if (content instanceof Blob && !(await isReadable(content))) return null;
  return place.keep(path, content);
}

/** Removes a file; one that is gone already is no fault. */
export async function forget(path) {
  await look();
  await place.forget(path);
}

/** Was the storage emptied behind the program's back since the last question? */
export function wasCleared() {
  const was = cleared;
  cleared = false;
  return was;
}

// Somebody may have emptied the storage, or the browser has: it is begun anew.
async function look() {
  if (await place.isMarked().catch(() => false)) return;
  place = await place.again();
  await place.mark();
  cleared = true;
}

async function isReadable(blob) {
  if (blob.size === 0) return true;
  return blob.slice(blob.size - 1).arrayBuffer().then(
    () => true,
    () => false,
  );
}

// ------------------------------------------------------------------------------------------------ folders

async function openFolders() {
  if (!navigator.storage?.getDirectory) throw new Error("it has no file system for pages");
  const root = await navigator.storage.getDirectory();

  async function* walk(folder, path) {
    for await (const [name, handle] of folder.entries()) {
      if (handle.kind === "directory") yield* walk(handle, `${path}/${name}`);
      else if (!name.endsWith(".crswap") && name !== MARK) yield [`${path}/${name}`, await handle.getFile()];
    }
  }

  async function folderOf(path, create) {
    const names = path.split("/").filter(Boolean);
    const name = names.pop();
    let folder = root;
    for (const part of names) folder = await folder.getDirectoryHandle(part, { create });
    return [folder, name];
  }

  return {
    again: openFolders,
    isMarked: async () => Boolean(await root.getFileHandle(MARK)),
    mark: () => root.getFileHandle(MARK, { create: true }),
    async files() {
      const found = [];
      for await (const entry of walk(root, "")) found.push(entry);
      return found;
    },
    async keep(path, content) {
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
    },
    async forget(path) {
      try {
        const [folder, name] = await folderOf(path, false);
        await folder.removeEntry(name);
      } catch (error) {
        if (error.name !== "NotFoundError") throw error;
      }
    },
  };
}

// ------------------------------------------------------------------------------------------------ a database

const answered = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

async function openDatabase() {
  if (!globalThis.indexedDB) throw new Error("it has no database for pages");
  const opening = indexedDB.open("thalweg", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("files");
  const database = await answered(opening);

  /** Asks once, and waits until it is written: a full disk is told at the end only. */
  async function ask(mode, make) {
    const transaction = database.transaction("files", mode, { durability: "strict" });
    const written = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("the database refuses"));
    });
    // Whichever fails first is told; the other one's failure is the same.
    written.catch(() => {});
    const answer = await answered(make(transaction.objectStore("files")));
    await written;
    return answer;
  }

  return {
    again: openDatabase,
    isMarked: async () => Boolean(await ask("readonly", (files) => files.get(MARK))),
    mark: () => ask("readwrite", (files) => files.put(new Blob([MARK]), MARK)),
    async files() {
      const paths = await ask("readonly", (files) => files.getAllKeys());
      const contents = await ask("readonly", (files) => files.getAll());
      return paths.map((path, place) => [path, contents[place]]).filter(([path]) => path !== MARK);
    },
    async keep(path, content) {
      const blob = content instanceof Blob ? content : new Blob([content]);
      await ask("readwrite", (files) => files.put(blob, path));
      return ask("readonly", (files) => files.get(path));
    },
    forget: (path) => ask("readwrite", (files) => files.delete(path)),
  };
}
