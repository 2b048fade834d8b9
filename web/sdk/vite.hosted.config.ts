import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const source = fileURLToPath(new URL("../hosted", import.meta.url));
const installed = (name: string) => fileURLToPath(new URL(`node_modules/${name}`, import.meta.url));

/** The page of the hosted scan: built into the Python package of the server, which serves it. */
export default defineConfig({
  root: source,
  base: "/scan/",
  // The sources lie outside the folder that has node_modules.
  resolve: {
    alias: [
      { find: /^preact(?=\/|$)/, replacement: installed("preact") },
      // The build that the SDK's own files import.
      { find: /^@bufbuild\/protobuf$/, replacement: installed("@bufbuild/protobuf/dist/esm/index.js") },
    ],
  },
  build: {
    target: "es2022",
    outDir: process.env["HOSTED_OUT"] ?? fileURLToPath(new URL("../../server/edge/hosted_page", import.meta.url)),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        // The server lets browsers keep them: another content has another name.
        entryFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
      },
    },
  },
  worker: { format: "es" },
});
