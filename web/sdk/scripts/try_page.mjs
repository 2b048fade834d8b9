/** Fails if the committed pages of `facegate try` are not what their source builds. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const committed = fileURLToPath(new URL("../../../cli/try_/page", import.meta.url));
const fresh = mkdtempSync(join(tmpdir(), "facegate-try-"));
process.env.TRY_OUT = fresh;
let differing;
try {
  await build({ configFile: fileURLToPath(new URL("../vite.try.config.ts", import.meta.url)), logLevel: "error" });
  const names = (folder) => readdirSync(folder).filter((name) => name !== "__pycache__");
  differing = [...new Set([...names(committed), ...names(fresh)])].filter((name) => {
    try {
      return !readFileSync(join(committed, name)).equals(readFileSync(join(fresh, name)));
    } catch {
      return true;
    }
  });
} finally {
  rmSync(fresh, { recursive: true });
}
if (differing.length > 0) {
  console.error(`cli/try_/page is stale (${differing.join(", ")}): run 'npm --prefix web/sdk run build:try', and commit it`);
  process.exit(1);
}
console.log("cli/try_/page is what web/try builds");
