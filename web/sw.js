// Keeps the page, so that it opens without a network. The build writes the version and the list of files with their digests
// (assemble.mjs). An open page keeps its version: a new one waits until all its tabs are closed, or until one asks for it.

// The caches of an origin are shared by all that lies on it: ours begin with where we lie.
const OURS = `thalweg ${new URL(registration.scope).pathname} `;
const VERSION = `${OURS}__VERSION__`;
const FILES = ["__FILES__"];
// Not ./index.html, which some servers answer with a redirection: a page may not be opened by one.
const START = registration.scope;
const STARTS = new Set([START, `${START}index.html`]);

// Asked of the server, not of the browser's own cache, where an older file may lie; whole if the server's mark of it is the
// same but its content is not. The digests keep out files of another version, put there in the middle of this.
async function keep(cache, [file, integrity]) {
  const asked = (mode) => new Request(file, { cache: mode, integrity });
  await cache.add(asked("no-cache")).catch(() => cache.add(asked("reload")));
}

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(VERSION).then((cache) => Promise.all(FILES.map((file) => keep(cache, file)))));
});

// The first visit's page is taken over as well, so that it goes on without a network.
self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith(OURS) && name !== VERSION;
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("message", ({ data }) => {
  if (data === "take over") self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  if (method !== "GET" || !url.startsWith(START)) return;
  const starts = mode === "navigate" && STARTS.has(url.split(/[?#]/)[0]);
  const known = caches.match(starts ? START : url, { cacheName: VERSION, ignoreSearch: true, ignoreVary: true });
  event.respondWith(known.then((answer) => answer ?? fetch(event.request)));
});
