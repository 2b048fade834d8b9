/**
 * Drives Chromium through one job, which arrives as JSON on standard input, and prints the answer as JSON.
 *
 * The job: `port` of the pages, `video` (MJPEG) for the fake camera, `page` and `call`, a function of that page, with
 * its `options`. Optional: `args` of Chromium, `permissions`, `viewport`, `context` of Playwright, `relight` (the
 * page's colours light up the camera's picture), `heads` (a folder that is served as /heads), `scripts` (names of scripts
 * in pages/ that change the camera), `cover` (what pages/cover.js does from the start), `pictures` (a folder for
 * screenshots), `workers` (false: the page's Content-Security-Policy forbids them), `firefox` (it is driven in place of
 * Chromium, without a camera).
 */
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, firefox } from "playwright-core";

const TYPES = { html: "text/html", js: "text/javascript", css: "text/css" };
const root = new URL("../", import.meta.url);

/** Serves the pages of the tests, and what is built. */
export function served(port, workers = true) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const path = pathname.startsWith("/dist/") ? `.${pathname}` : `./e2e/pages${pathname}`;
    try {
      const body = await readFile(new URL(path, root));
      response.writeHead(200, { "content-type": TYPES[pathname.split(".").at(-1)] ?? "text/plain" });
      response.end(workers || !path.endsWith(".html") ? body : body.toString().replace("; worker-src blob:", ""));
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
}

/** Starts the Firefox that is installed, which Playwright drives by WebDriver BiDi. */
async function startedFirefox(job) {
  const browser = await firefox.launch({
    ...(job.downloads === undefined ? {} : { downloadsPath: job.downloads }),
    channel: "moz-firefox",
    executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
    // A page ends with a fault once Playwright and axe have both asked for the elements that label another.
    firefoxUserPrefs: { "accessibility.ARIAElementReflection.enabled": false },
  });
  // Playwright opens no page without a command that the stable Firefox lacks, and which only says how to look.
  const session = browser._connection.toImpl(browser)._browserSession;
  const send = session.send.bind(session);
  session.send = async (method, ...rest) => (method === "emulation.setMediaFeaturesOverride" ? {} : send(method, ...rest));
  return browser;
}

/** Starts Chromium with the job's camera. */
function startedChromium(job) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
      ...["--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream"],
      ...(job.permission === "ask" ? [] : ["--use-fake-ui-for-media-stream"]),
      ...(job.video === undefined ? [] : [`--use-file-for-fake-video-capture=${job.video}`]),
      ...(job.args ?? []),
    ],
  });
}

/** Opens the job's browser at an address. */
export async function launched(job, address) {
  const browser = await (job.firefox ? startedFirefox(job) : startedChromium(job));
  const context = await browser.newContext({ viewport: job.viewport ?? { width: 1280, height: 800 }, ...job.context });
  for (const script of job.scripts ?? []) {
    await context.addInitScript({ path: fileURLToPath(new URL(`pages/${script}.js`, import.meta.url)) });
  }
  if (job.heads !== undefined) {
    await context.route("**/heads/*", (route) => route.fulfill({ path: join(job.heads, basename(route.request().url())) }));
  }
  if (job.relight) {
    await context.addInitScript({ path: fileURLToPath(new URL("pages/light.js", import.meta.url)) });
    await context.addInitScript(() => window.lightByScreen());
  }
  if (job.cover !== undefined) await context.addInitScript((state) => window.coverCamera(state), job.cover);
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(address);
  return { page, context, problems, close: () => browser.close() };
}

/** Opens Chromium at the job's page, which it serves. */
export async function opened(job) {
  const pages = await served(job.port, job.workers);
  const open = await launched(job, `http://localhost:${job.port}/${job.page}`);
  const close = async () => {
    await open.close();
    pages.close();
  };
  return { ...open, close };
}

export async function jobFromInput() {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  return JSON.parse(text);
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const job = await jobFromInput();
  const { page, problems, close } = await opened(job);
  const answer = await page.evaluate(([name, options]) => window[name](options), [job.call, job.options]);
  await close();
  console.log(JSON.stringify({ ...answer, problems }));
}
