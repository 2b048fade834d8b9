import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const source = fileURLToPath(new URL("../try", import.meta.url));

/** The pages of `facegate try`: built into the Python package, whose wheel contains them. */
export default defineConfig({
  root: source,
  base: "./",
  build: {
    target: "es2022",
    outDir: process.env["TRY_OUT"] ?? fileURLToPath(new URL("../../lab/try_/page", import.meta.url)),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { index: `${source}/index.html`, attacks: `${source}/attacks.html` },
      output: {
        entryFileNames: "[name].js",
        chunkFileNames: "shared.js",
        assetFileNames: "style[extname]",
      },
    },
  },
  worker: { format: "es" },
});
