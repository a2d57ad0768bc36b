// `node web/e2e/serve.mjs dist 8080`: hands out a folder as any web server would. Nothing special is needed of one: no headers
// for shared memory, only the right type for .wasm.
import { createServer } from "node:http";
import { createReadStream, statSync } from "node:fs";
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

/** Serves a folder below a path, as a page in a sub-folder of a site; returns its address and how to end it. */
export function serve(folder, port = 0, below = "/class/") {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    const inside = path.startsWith(below) ? path.slice(below.length) || "index.html" : "";
    const file = join(folder, normalize(`/${inside}`));
    const found = inside && statSync(file, { throwIfNoEntry: false });
    if (!found || !found.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", "Content-Length": found.size });
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
