// `npm test`: every test file, one after another, since each takes the whole machine; all are run even if one fails.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith(".test.mjs"));
const failed = files.filter((name) => spawnSync(process.execPath, ["--test", name], { cwd: folder, stdio: "inherit" }).status !== 0);
if (failed.length > 0) {
  console.error(`failed: ${failed.join(", ")}`);
  process.exit(1);
}
