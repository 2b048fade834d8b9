/** Fails if a committed page is not what its source builds: `node scripts/compare_page.mjs console hosted try`. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { build, resolveConfig } from "vite";

const files = (folder) =>
  readdirSync(folder, { recursive: true }).filter((path) => !path.includes("__pycache__") && statSync(join(folder, path)).isFile());

/** The files of the page of a package that differ between the folder that serves it and a fresh build. */
async function differing(root, committed) {
  const fresh = mkdtempSync(join(tmpdir(), "facegate-page-"));
  try {
    await build({ root, logLevel: "error", build: { outDir: fresh } });
    return [...new Set([...files(committed), ...files(fresh)])].filter((path) => {
      try {
        return !readFileSync(join(committed, path)).equals(readFileSync(join(fresh, path)));
      } catch {
        return true;
      }
    });
  } finally {
    rmSync(fresh, { recursive: true });
  }
}

for (const name of process.argv.slice(2)) {
  const root = resolve(name);
  const committed = resolve(root, (await resolveConfig({ root }, "build", "production", "production")).build.outDir);
  const served = relative(resolve(".."), committed);
  const stale = await differing(root, committed);
  if (stale.length > 0) {
    console.error(`${served} is stale (${stale.join(", ")}): run 'npm --prefix web run pages', and commit it`);
    process.exitCode = 1;
  } else console.log(`${served} is what web/${name} builds`);
}
