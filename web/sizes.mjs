// `node web/sizes.mjs dist`: what each file weighs on the disk and over the wire, and how much of the module is code and how much
// data (the embedded model, fonts, texts). Where the build wrote a compressed copy, that one is what is weighed.
import { readFileSync, readdirSync, statSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { join } from "node:path";

const folder = process.argv[2] ?? "dist";
const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 } };
const weigh = (name, bytes) => [name, bytes.length, gzipSync(bytes).length, brotliCompressSync(bytes, quality).length];
const sizeOf = (name) => statSync(join(folder, name), { throwIfNoEntry: false })?.size;

function weighFile(name) {
  const [plain, gzip, brotli] = ["", ".gz", ".br"].map((ending) => sizeOf(name + ending));
  return gzip && brotli ? [name, plain, gzip, brotli] : weigh(name, readFileSync(join(folder, name)));
}

/** The parts of a WebAssembly module by the number of their section. */
function sections(bytes) {
  const found = new Map();
  for (let place = 8; place < bytes.length; ) {
    const kind = bytes[place];
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      place += 1;
      length += (bytes[place] & 127) * 2 ** shift;
      if (bytes[place] < 128) break;
    }
    found.set(kind, bytes.subarray(place + 1, place + 1 + length));
    place += 1 + length;
  }
  return found;
}

// `_headers` is for the server, and a compressed copy stands in the row of its file.
const rows = readdirSync(folder)
  .filter((name) => name !== "_headers" && !/\.(br|gz)$/.test(name))
  .sort()
  .map(weighFile);
rows.push(["all of it", 1, 2, 3].map((column, index) => (index === 0 ? column : rows.reduce((sum, row) => sum + row[column], 0))));
console.log(`${"file".padEnd(24)}${"bytes".padStart(12)}${"gzip".padStart(12)}${"brotli".padStart(12)}`);
const print = ([name, ...sizes]) => console.log(name.padEnd(24) + sizes.map((size) => String(size).padStart(12)).join(""));
rows.forEach(print);
const module = sections(readFileSync(join(folder, "thalweg_bg.wasm")));
console.log("of thalweg_bg.wasm");
print(weigh("  code", module.get(10)));
print(weigh("  data", module.get(11)));
