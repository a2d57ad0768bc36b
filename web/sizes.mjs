// `node web/sizes.mjs dist`: what each file weighs on the disk and over the wire.
import { readFileSync, readdirSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { join } from "node:path";

const folder = process.argv[2] ?? "dist";
const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 } };
const rows = readdirSync(folder)
  .sort()
  .map((name) => {
    const bytes = readFileSync(join(folder, name));
    return [name, bytes.length, gzipSync(bytes).length, brotliCompressSync(bytes, quality).length];
  });
rows.push(["all of it", 1, 2, 3].map((column, index) => (index === 0 ? column : rows.reduce((sum, row) => sum + row[column], 0))));
console.log(`${"file".padEnd(24)}${"bytes".padStart(12)}${"gzip".padStart(12)}${"brotli".padStart(12)}`);
for (const [name, ...sizes] of rows) console.log(name.padEnd(24) + sizes.map((size) => String(size).padStart(12)).join(""));
