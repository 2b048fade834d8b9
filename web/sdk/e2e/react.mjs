/** Starts the React component's scan of a server that nobody runs, ends it in the way of the job's `leaves`, and prints what the page got as JSON. */
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { jobFromInput, opened } from "./drive.mjs";

const job = await jobFromInput();
const entry = fileURLToPath(new URL("pages/react_page.js", import.meta.url));
const [{ output }] = await build({
  configFile: false,
  logLevel: "error",
  define: { "process.env.NODE_ENV": '"development"' },
  build: { write: false, minify: false, lib: { entry, formats: ["es"] } },
});
const { page, close } = await opened({ ...job, page: "scan.html", context: { bypassCSP: true } });
await page.addScriptTag({ type: "module", content: output[0].code });
await page.waitForFunction(() => window.scanAndLeave !== undefined);
const answer = await page.evaluate((leaves) => window.scanAndLeave(leaves), job.leaves);
await close();
console.log(JSON.stringify(answer));
