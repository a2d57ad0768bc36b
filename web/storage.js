// The browser's storage for the worker's files: its private file system (OPFS), or IndexedDB where there is none, as in
// some private windows and on plain http. web/worker.js hands out what stands here; src/platform/web/storage.rs calls it.

// Copies of this page in other folders of one server share the storage, and are other programs: the folder in the names keeps
// them apart. Only signs that every disk takes, and no capitals, which some disks do not tell apart.
const OWN =
  "thalweg" +
  new URL("./", location.href).pathname.replace(/[^a-z0-9-]/g, (sign) => `_${sign.charCodeAt(0).toString(16).padStart(2, "0")}`);
// This worker among all; of two, the smaller one began earlier.
const ME = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
// A page that was just closed lets go of the storage within this time.
const PATIENCE_MILLIS = 2000;
// Whether somebody emptied the storage is seen by what should lie there.
const MARK = ".thalweg";
// Ends the name of a file that is being written, and of the one that it replaces.
const NEW = ".thalweg-new";
const OLD = ".thalweg-old";
// A file of somebody's choice need not fit into memory.
const PIECE_BYTES = 8 << 20;

let place;
let cleared = false;

/** A promise that is never kept. What could keep it stays within reach: a lock on a promise that nobody can keep is collected. */
export function forever() {
  return new Promise((resolve) => (globalThis.thalwegHolds ??= []).push(resolve));
}

/** What was kept, a sentence where nothing can be kept from now on, and whether that is another tab's doing. */
export async function openStorage() {
  // Before anything is read: who has the storage may replace a file at any moment.
  // A browser that lets nobody ask may still keep files.
  const alone = await isAlone().catch(() => true);
  const refusals = [];
  for (const open of [openFolders, openDatabase]) {
    try {
      const opened = await open();
      if (alone) await opened.mark();
      const files = await opened.files(alone);
      if (!alone) {
        const why =
          "Thalweg is open in another tab, which keeps the files. This tab only looks at them: what you train or change here is lost when it is closed. Close the other tab and reload this one to work here.";
        return { files, why, readOnly: true };
      }
      place = opened;
      return { files, readOnly: false };
    } catch (error) {
      refusals.push(error.message);
    }
  }
  const why = `This browser keeps no files for this page (${refusals.join("; ")}): what you do here is lost when the tab is closed. Export what you want to keep, or open the page in an ordinary window.`;
  return { files: [], why, readOnly: false };
}

// ------------------------------------------------------------------------------------------------ one tab of several

// One tab has the storage and lets go of it when it is closed: two would write over each other.
async function isAlone() {
  if (navigator.locks) {
    const signal = AbortSignal.timeout(PATIENCE_MILLIS);
    const alone = await new Promise((resolve) => {
      navigator.locks
        .request(OWN, { signal }, () => {
          resolve(true);
          return forever();
        })
        // Only who waits in vain waits for another tab. A browser that refuses says nothing about tabs.
        .catch(() => resolve(signal.aborted ? false : undefined));
    });
    if (alone !== undefined) return alone;
  }
  return isAloneByAsking();
}

// A page of plain http has no locks, so the tabs ask each other: who has the storage answers, and of two that ask at the same
// time the earlier one does. Who hears nothing has it. A tab that is busy or frozen may fail to answer: then it loses the
// storage, which it sees by the mark (look() below), and says so instead of writing over the other one's files.
async function isAloneByAsking() {
  if (!globalThis.BroadcastChannel) return true;
  const others = new BroadcastChannel(OWN);
  let state = "asking";
  let taken;
  others.onmessage = ({ data }) => {
    if (data.answers === ME) taken = true;
    else if (!data.asks) return;
    else if (state === "has" || ME < data.asks) others.postMessage({ answers: data.asks });
    else taken = true;
  };
  // Twice, since a tab that was just closed may have answered.
  for (let round = 0; round < 2; round += 1) {
    taken = false;
    others.postMessage({ asks: ME });
    await new Promise((resolve) => setTimeout(resolve, PATIENCE_MILLIS / 2));
    if (!taken) {
      state = "has";
      // Kept within reach, as a lock is.
      (globalThis.thalwegHolds ??= []).push(others);
      return true;
    }
  }
  others.close();
  return false;
}

// ------------------------------------------------------------------------------------------------ keeping

/** Writes a file whole or not at all and gives it as it lies there; nothing if its content cannot be read any more. */
export async function keep(path, content) {
  await look();
  if (content instanceof Blob && !(await isReadable(content))) return null;
  return place.keep(path, content);
}

/** Removes a file; one that is gone already is no fault, and where nothing is kept there is nothing to remove. */
export async function forget(path) {
  if (!place) return;
  await look();
  await place.forget(path);
}

/** Was the storage emptied behind the program's back since the last question? */
export function wasCleared() {
  const was = cleared;
  cleared = false;
  return was;
}

// Somebody may have emptied the storage, or the browser has: it is begun anew. Only a mark that is missing means that.
async function look() {
  const marked = await place.marked().catch(async () => {
    // A browser that empties a database also ends every connection to it: what lies there is seen on a new one.
    place = await place.again();
    return place.marked();
  });
  if (marked === ME) return;
  if (marked) throw new Error("another tab with Thalweg has the storage by now: close one of the two and reload the other");
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

const orNothing = (promise) =>
  promise.catch((error) => {
    if (error.name !== "NotFoundError") throw error;
  });

/** Writes a file that nobody reads yet, or one that the browser replaces as a whole. */
async function write(handle, content) {
  if (handle.createWritable) {
    const writable = await handle.createWritable();
    try {
      await writable.write(content);
      await writable.close();
    } catch (error) {
      await writable.abort().catch(() => {});
      throw error;
    }
    return;
  }
  const bytes = content.size ?? content.byteLength;
  const access = await handle.createSyncAccessHandle();
  try {
    access.truncate(0);
    for (let at = 0; at < bytes; at += PIECE_BYTES) {
      const end = Math.min(at + PIECE_BYTES, bytes);
      const piece = content.size === undefined ? content.subarray(at, end) : new Uint8Array(await content.slice(at, end).arrayBuffer());
      if (access.write(piece, { at }) !== piece.length) throw new DOMException("there is no room for it", "QuotaExceededError");
    }
    access.flush();
  } finally {
    access.close();
  }
}

/** Gives a file its name; an earlier one of that name is gone. */
async function rename(folder, handle, name) {
  try {
    await handle.move(folder, name);
  } catch (error) {
    // Safari before 17 gives no name that is taken: the earlier file goes aside, and tidy() brings it back after a crash.
    const earlier = await orNothing(folder.getFileHandle(name));
    if (!earlier) throw error;
    await orNothing(folder.removeEntry(name + OLD));
    await earlier.move(folder, name + OLD);
    await handle.move(folder, name);
    await orNothing(folder.removeEntry(name + OLD));
  }
}

/** Removes what a worker left that was ended while it wrote. */
async function tidy(folder) {
  const entries = [];
  for await (const entry of folder.entries()) entries.push(entry);
  const names = new Set(entries.map(([name]) => name));
  for (const [name, handle] of entries) {
    if (handle.kind === "directory") {
      await tidy(handle);
      continue;
    }
    const whole = name.endsWith(OLD) && name.slice(0, -OLD.length);
    // What the browser does not let go of yet goes the next time.
    if (whole && !names.has(whole)) await handle.move(folder, whole).catch(() => {});
    else if (isLeftOver(name)) await folder.removeEntry(name).catch(() => {});
  }
}

// Chromium ends its own by `.crswap`.
const isLeftOver = (name) => [NEW, OLD, ".crswap"].some((end) => name.endsWith(end));

async function openFolders() {
  if (!navigator.storage?.getDirectory) throw new Error("it has no file system for pages");
  const { createWritable, move } = FileSystemFileHandle.prototype;
  if (!createWritable && !move) throw new Error("its file system replaces no file as a whole");
  const top = await navigator.storage.getDirectory();
  const root = await top.getDirectoryHandle(OWN, { create: true });

  async function* walk(folder, path) {
    for await (const [name, handle] of folder.entries()) {
      if (handle.kind === "directory") yield* walk(handle, `${path}/${name}`);
      else if (!isLeftOver(name) && name !== MARK) yield [`${path}/${name}`, await handle.getFile()];
    }
  }

  /** The folders down to a file, and its name. */
  async function foldersOf(path, create) {
    const names = path.split("/").filter(Boolean);
    const name = names.pop();
    const folders = [root];
    for (const part of names) folders.unshift(await folders[0].getDirectoryHandle(part, { create }));
    return [folders, name];
  }

  return {
    again: openFolders,
    // Locks guard it wherever there is such a file system: whose mark it is need not be asked.
    marked: async () => (await orNothing(root.getFileHandle(MARK))) && ME,
    mark: () => root.getFileHandle(MARK, { create: true }),
    async files(alone) {
      if (alone) await tidy(root);
      const found = [];
      for await (const entry of walk(root, "")) found.push(entry);
      return found;
    },
    async keep(path, content) {
      const [[folder], name] = await foldersOf(path, true);
      const there = await orNothing(folder.getFileHandle(name));
      if (createWritable && (there || !move)) {
        await write(there ?? (await folder.getFileHandle(name, { create: true })), content);
      } else {
        // Under another name until it is whole: a file that is cut off must not be taken for one that was kept.
        const handle = await folder.getFileHandle(name + NEW, { create: true });
        try {
          await write(handle, content);
          await rename(folder, handle, name);
        } catch (error) {
          await folder.removeEntry(name + NEW).catch(() => {});
          throw error;
        }
      }
      return (await folder.getFileHandle(name)).getFile();
    },
    async forget(path) {
      const found = await orNothing(foldersOf(path, false));
      if (!found) return;
      const [folders, name] = found;
      await orNothing(folders[0].removeEntry(name));
      // Folders that hold nothing any more go with their last file; one that holds something refuses, and so do those above.
      for (let inner = 0; inner + 1 < folders.length; inner += 1) {
        const empty = await folders[inner + 1].removeEntry(folders[inner].name).then(
          () => true,
          () => false,
        );
        if (!empty) return;
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
  const opening = indexedDB.open(OWN, 1);
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
    // Whoever marked it last has it, also where no lock guards it.
    marked: () => ask("readonly", (files) => files.get(MARK)),
    mark: () => ask("readwrite", (files) => files.put(ME, MARK)),
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
