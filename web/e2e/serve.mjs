// `node web/e2e/serve.mjs dist 8080`: hands out a folder as a web server does that sends the headers of the folder's `_headers`,
// so that the worker lives under the page's policy in all tests. Nothing more is needed of one, no headers for shared memory.
import { createServer } from "node:http";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

/** The lines `  Name: value` of the folder's `_headers`, which has one set for all files. */
function headersOf(folder) {
  const path = join(folder, "_headers");
  if (!statSync(path, { throwIfNoEntry: false })) return {};
  return Object.fromEntries(Array.from(readFileSync(path, "utf8").matchAll(/^\s+([\w-]+): (.*)$/gm), ([, name, value]) => [name, value]));
}

/**
 * Serves a folder below a path, as a page in a sub-folder of a site; returns its address and how to end it. What lies elsewhere on
 * the site `other(path, request, response)` answers.
 */
export function serve(folder, port = 0, below = "/class/", other = (path, request, response) => response.writeHead(404).end()) {
  const headers = headersOf(folder);
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    if (!path.startsWith(below)) {
      other(path, request, response);
      return;
    }
    const inside = path.slice(below.length) || "index.html";
    const file = join(folder, normalize(`/${inside}`));
    const found = statSync(file, { throwIfNoEntry: false });
    if (!found || !found.isFile()) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { ...headers, "Content-Type": type, "Content-Length": found.size });
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => {
      const address = `http://localhost:${server.address().port}${below}`;
      resolve({ address, close: () => (server.closeAllConnections(), server.close()) });
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { address } = await serve(process.argv[2] ?? "dist", Number(process.argv[3] ?? 8080), "/");
  console.log(address);
}
