/** Fails if the built files are larger, compressed, than the README states. */
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const MOST_BYTES = 90_000;
const folder = new URL("../dist/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".js"));
const sizes = files.map((name) => gzipSync(readFileSync(new URL(name, folder)), { level: 9 }).length);
files.forEach((name, index) => console.log(`${name}: ${sizes[index]} bytes, gzip`));
const total = sizes.reduce((sum, size) => sum + size, 0);
console.log(`all: ${total} of ${MOST_BYTES} bytes`);
process.exit(total > MOST_BYTES ? 1 : 0);
