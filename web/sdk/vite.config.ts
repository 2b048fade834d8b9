import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const installed = (name: string) => fileURLToPath(new URL(`node_modules/${name}`, import.meta.url));

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
  // The sources of the pages lie outside the folder that has node_modules.
  test: {
    include: ["test/**/*.test.ts", "../console/test/**/*.test.ts", "../hosted/test/**/*.test.ts"],
    alias: [
      { find: /^vitest$/, replacement: installed("vitest") },
      { find: /^@bufbuild\/protobuf$/, replacement: installed("@bufbuild/protobuf/dist/esm/index.js") },
    ],
  },
});
