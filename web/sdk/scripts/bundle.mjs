/** Fails if a bundler drops the definition of the element, which `sideEffects` in package.json must keep. */
import { fileURLToPath } from "node:url";
import { build } from "vite";

const ENTRY = "virtual:page";
const built = (name) => JSON.stringify(fileURLToPath(new URL(`../dist/${name}`, import.meta.url)));
const PAGES = {
  element: `import ${built("element.js")};`,
  react: `import { FaceScanner } from ${built("react.js")}; globalThis.scanner = FaceScanner;`,
};
let failed = false;
for (const [name, code] of Object.entries(PAGES)) {
  const page = {
    name: "page",
    resolveId: (id) => (id === ENTRY ? id : undefined),
    load: (id) => (id === ENTRY ? code : undefined),
  };
  const { output } = await build({
    configFile: false,
    logLevel: "error",
    plugins: [page],
    build: { write: false, rollupOptions: { input: ENTRY, external: ["react"] } },
  });
  const defines = output.some((chunk) => chunk.code?.includes("customElements.define"));
  console.log(`a page with ${name}.js, bundled: ${defines ? "defines" : "does not define"} the element`);
  failed ||= !defines;
}
process.exit(failed ? 1 : 0);
