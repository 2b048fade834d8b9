import { defaultClientConditions, defineConfig } from "vite";

/** The pages of `facegate try`: built into the Python package, whose wheel contains them. */
export default defineConfig({
  base: "./",
  // @facegate/web of the workspace is built from its sources.
  resolve: { conditions: ["@facegate/source", ...defaultClientConditions] },
  publicDir: "../public",
  build: {
    target: "es2022",
    outDir: "../../cli/try_/page",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { index: "index.html", attacks: "attacks.html" },
      output: {
        entryFileNames: "[name].js",
        chunkFileNames: "shared.js",
        assetFileNames: "style[extname]",
      },
    },
  },
  worker: { format: "es" },
});
