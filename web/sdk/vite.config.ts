import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2022",
    minify: true,
    lib: {
      entry: { index: "src/index.ts", element: "src/element.ts", react: "src/react.ts" },
      formats: ["es"],
    },
    rollupOptions: { external: ["react"] },
  },
  worker: { format: "es" },
});
