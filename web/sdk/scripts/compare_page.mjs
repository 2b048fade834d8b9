/** Fails if a committed page is not what its source builds: `node scripts/compare_page.mjs try | console | hosted`. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const PAGES = { try: "lab/try_/page", console: "server/edge/console_page", hosted: "server/edge/hosted_page" };
const name = process.argv[2];
const committed = fileURLToPath(new URL(`../../../${PAGES[name]}`, import.meta.url));
const fresh = mkdtempSync(join(tmpdir(), `facegate-${name}-`));
process.env[`${name.toUpperCase()}_OUT`] = fresh;
const files = (folder) =>
  readdirSync(folder, { recursive: true }).filter((path) => !path.includes("__pycache__") && statSync(join(folder, path)).isFile());
let differing;
try {
  await build({ configFile: fileURLToPath(new URL(`../vite.${name}.config.ts`, import.meta.url)), logLevel: "error" });
  differing = [...new Set([...files(committed), ...files(fresh)])].filter((path) => {
    try {
      return !readFileSync(join(committed, path)).equals(readFileSync(join(fresh, path)));
    } catch {
      return true;
    }
  });
} finally {
  rmSync(fresh, { recursive: true });
}
if (differing.length > 0) {
  console.error(`${PAGES[name]} is stale (${differing.join(", ")}): run 'npm --prefix web/sdk run build:${name}', and commit it`);
  process.exit(1);
}
console.log(`${PAGES[name]} is what web/${name} builds`);
