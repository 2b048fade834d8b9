import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2022",
    minify: true,
    lib: {
      entry: { index: "src/index.ts", element: "src/element.ts", react: "src/react.ts" },
      formats: ["es"],
    },
    rollupOptions: {
      external: ["react"],
      onwarn: (warning, warn) => {
        // "use client" stays, as tests/web/test_package.py shows.
        if (warning.code !== "MODULE_LEVEL_DIRECTIVE") warn(warning);
      },
    },
  },
  worker: { format: "es" },
});
