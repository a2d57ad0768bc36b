// The files of a zip, as far as the program's capsules need it.
import { inflateRawSync } from "node:zlib";

/** Name and content of every file. */
export function unzip(bytes) {
  const files = new Map();
  const end = bytes.lastIndexOf(Buffer.from("PK\x05\x06"));
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left -= 1) {
    const method = bytes.readUInt16LE(at + 10);
    const packed = bytes.readUInt32LE(at + 20);
    const nameLength = bytes.readUInt16LE(at + 28);
    const name = bytes.toString("utf8", at + 46, at + 46 + nameLength);
    const local = bytes.readUInt32LE(at + 42);
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const content = bytes.subarray(start, start + packed);
    files.set(name, method === 0 ? content : inflateRawSync(content));
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return files;
}

/** One column of a CSV without quoted commas, as numbers. */
export function column(csv, name) {
  const [head, ...lines] = csv.toString().trim().split(/\r?\n/);
  const place = head.split(",").indexOf(name);
  if (place < 0) throw new Error(`there is no column ${name} in ${head}`);
  return lines.map((line) => Number(line.split(",")[place]));
}
