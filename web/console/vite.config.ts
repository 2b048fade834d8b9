import { defineConfig } from "vite";

/** The page of the console: built into the Python package of the server, which serves it. */
export default defineConfig({
  base: "/",
  build: {
    target: "es2022",
    outDir: "../../server/edge/console_page",
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
});
