/**
 * Puts what a compiled package uses of `@facegate/protocol` into it: `node ../scripts/inline_protocol.mjs OUT INSIDE`, in the
 * package's folder. OUT is what tsc emitted, and INSIDE a folder of it, for the protocol, of which imports become relative.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

const IMPORT = /(?<=["'])(@facegate\/protocol|\.{1,2})\/([\w/.]+)\.js(?=["'])/g;
const [out, inside] = process.argv.slice(2);
const protocol = mkdtempSync(join(tmpdir(), "facegate-protocol-"));

/** Makes a module's imports of the protocol relative, and copies what it imports and lacks. */
function complete(file) {
  const inlined = readFileSync(file, "utf8").replaceAll(IMPORT, (whole, from, name) => {
    const module = from.startsWith(".") ? join(dirname(file), from, name) : join(out, inside, name);
    const path = relative(dirname(file), module);
    for (const ending of [".js", ".d.ts"]) {
      const compiled = join(protocol, relative(join(out, inside), module)) + ending;
      if (existsSync(module + ending) || !existsSync(compiled) || (ending === ".js" && !file.endsWith(ending))) continue;
      cpSync(compiled, module + ending);
      complete(module + ending);
    }
    return from.startsWith(".") ? whole : `${path.startsWith(".") ? "" : "./"}${path}.js`;
  });
  writeFileSync(file, inlined);
}

try {
  execFileSync("tsc", ["-p", "../protocol", "--noEmit", "false", "--outDir", protocol], { stdio: "inherit" });
  for (const path of readdirSync(out, { recursive: true })) if (/\.(js|d\.ts)$/.test(path)) complete(join(out, path));
} finally {
  rmSync(protocol, { recursive: true });
}
