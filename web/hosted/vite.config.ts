import { defaultClientConditions, defineConfig } from "vite";

/** The page of the hosted scan: built into the Python package of the server, which serves it. */
export default defineConfig({
  base: "/scan/",
  // @facegate/web of the workspace is built from its sources.
  resolve: { conditions: ["@facegate/source", ...defaultClientConditions] },
  build: {
    target: "es2022",
    outDir: "../../server/edge/hosted_page",
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
