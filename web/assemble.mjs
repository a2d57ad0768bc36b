// `node web/assemble.mjs dist`: lays the page around the built module, which is in the folder already (scripts/web-build.sh): copies
// the page's files, tells the service worker their names and digests, and writes for servers that can use them the headers of
// `_headers` and compressed copies. THALWEG_WEB_PACK=0 leaves the copies out; THALWEG_BROTLI=11 makes smaller ones in minutes.
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { argv, env } from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const web = dirname(fileURLToPath(import.meta.url));
const PAGE = ["guard.js", "icon.svg", "index.html", "manifest.webmanifest", "page.css", "page.js", "storage.js", "turns.js", "worker.js"];
const PACKED = /\.(br|gz)$/;

const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

/** Writes the service worker for the files that lie in the folder. */
export function stamp(folder) {
  const version = /^version = "(.*)"/m.exec(readFileSync(join(web, "..", "Cargo.toml"), "utf8"))[1];
  const names = readdirSync(folder).filter((name) => name !== "sw.js" && name !== "_headers" && !PACKED.test(name));
  const all = createHash("sha256");
  const files = [];
  for (const name of names.sort()) {
    const digest = sha256(readFileSync(join(folder, name)));
    all.update(name).update(digest);
    // Kept as `./`, without its digest: some hosts write a line of their own into every page.
    files.push(name === "index.html" ? ["./", ""] : [`./${name}`, `sha256-${digest.toString("base64")}`]);
  }
  const worker = readFileSync(join(web, "sw.js"), "utf8")
    .replace("__VERSION__", `${version}-${all.digest("hex").slice(0, 12)}`)
    .replace('["__FILES__"]', JSON.stringify(files));
  writeFileSync(join(folder, "sw.js"), worker);
}

/** The page's policy and what keeps browsers from mixing two versions, as Netlify and Cloudflare Pages read it. */
function headers(index) {
  const policy = /http-equiv="Content-Security-Policy"\s+content="([^"]*)"/.exec(index)[1];
  return `/*\n  Content-Security-Policy: ${policy}\n  Cache-Control: no-cache\n`;
}

async function pack(folder) {
  const params = { [constants.BROTLI_PARAM_QUALITY]: Number(env.THALWEG_BROTLI ?? 9), [constants.BROTLI_PARAM_LGWIN]: 24 };
  const large = readdirSync(folder).filter((name) => /\.(js|wasm)$/.test(name));
  const write = async (name, ending, bytes) => writeFileSync(join(folder, name + ending), await bytes);
  await Promise.all(
    large.flatMap((name) => {
      const bytes = readFileSync(join(folder, name));
      return [write(name, ".br", promisify(brotliCompress)(bytes, { params })), write(name, ".gz", promisify(gzip)(bytes, { level: 9 }))];
    }),
  );
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const folder = argv[2] ?? "dist";
  for (const name of readdirSync(folder).filter((name) => PACKED.test(name))) rmSync(join(folder, name));
  for (const name of PAGE) copyFileSync(join(web, name), join(folder, name));
  const bytes = statSync(join(folder, "thalweg_bg.wasm")).size;
  const index = readFileSync(join(folder, "index.html"), "utf8").replace('name="thalweg-bytes" content="0"', `name="thalweg-bytes" content="${bytes}"`);
  writeFileSync(join(folder, "index.html"), index);
  writeFileSync(join(folder, "_headers"), headers(index));
  stamp(folder);
  if (env.THALWEG_WEB_PACK !== "0") await pack(folder);
}
