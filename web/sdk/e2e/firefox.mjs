/**
 * Makes one scan through the element in Firefox, with the camera that Firefox draws, and prints how it ended as JSON. The
 * job on standard input: `port` of the pages, and `options` of the element.
 *
 * Playwright drives only a Firefox of its own, so this speaks WebDriver BiDi, which every Firefox does.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { jobFromInput, served } from "./drive.mjs";

const PREFERENCES = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "app.update.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
};
const LISTENING = /WebDriver BiDi listening on (ws:\S+)/;
const SCAN_MS = 60_000;

/** Starts Firefox; returns the address of its BiDi server, and `close`. */
async function started() {
  const profile = await mkdtemp(join(tmpdir(), "facegate-firefox-"));
  const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${value});`);
  await writeFile(join(profile, "user.js"), lines.join("\n"));
  const args = ["--headless", "--no-remote", "--remote-debugging-port=0", "--profile", profile, "about:blank"];
  const firefox = spawn(process.env.FIREFOX ?? "/usr/bin/firefox-esr", args, { stdio: ["ignore", "ignore", "pipe"] });
  const gone = new Promise((resolve) => firefox.once("exit", resolve));
  const close = async () => {
    firefox.kill();
    await gone;
    await rm(profile, { recursive: true, force: true, maxRetries: 3 });
  };
  const address = new Promise((resolve) => {
    createInterface({ input: firefox.stderr }).on("line", (line) => {
      const [, found] = LISTENING.exec(line) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  const ended = gone.then((code) => Promise.reject(new Error(`Firefox ended with ${code}`)));
  ended.catch(() => undefined);
  return { address: await Promise.race([address, ended]), close };
}

/** Opens a session; returns `send`, which sends a command of BiDi and resolves with its result. */
async function connected(address) {
  const socket = new WebSocket(`${address}/session`);
  const waiting = new Map();
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  socket.onmessage = ({ data }) => {
    const { id, result, error, message } = JSON.parse(data);
    const { resolve, reject } = waiting.get(id) ?? {};
    if (error === undefined) resolve?.(result);
    else reject?.(new Error(`${error}: ${message}`));
  };
  let last = 0;
  return (method, params = {}) =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve, reject });
      socket.send(JSON.stringify({ id: last, method, params }));
    });
}

/** In the page: makes the scan as a person does who agrees to everything; returns how it ended, as JSON. */
async function scan(given) {
  window.prepare(JSON.parse(given));
  const { shadowRoot } = document.querySelector("facegate-scan");
  const hints = new Set();
  const press = setInterval(() => {
    const { open } = shadowRoot.querySelector("dialog");
    shadowRoot.querySelector(open ? ".panel:not([hidden]) button" : ".card button")?.click();
    hints.add(shadowRoot.querySelector(".hint").textContent);
  }, 100);
  const { width, height } = await new Promise((resolve) => {
    const video = shadowRoot.querySelector("video");
    video.addEventListener("resize", () => resolve({ width: video.videoWidth, height: video.videoHeight }));
  });
  const ended = await window.ended;
  clearInterval(press);
  return JSON.stringify({ ...ended, width, height, hints: [...hints], agent: navigator.userAgent });
}

const job = await jobFromInput();
const pages = await served(job.port);
const { address, close } = await started();
const late = setTimeout(close, SCAN_MS);
try {
  const send = await connected(address);
  await send("session.new", { capabilities: {} });
  const { contexts } = await send("browsingContext.getTree");
  const { context } = contexts[0];
  const url = `http://localhost:${job.port}/element.html`;
  await send("browsingContext.navigate", { context, url, wait: "complete" });
  const { result, exceptionDetails } = await send("script.callFunction", {
    functionDeclaration: String(scan),
    arguments: [{ type: "string", value: JSON.stringify(job.options) }],
    target: { context },
    awaitPromise: true,
    userActivation: true,
  });
  if (exceptionDetails !== undefined) throw new Error(exceptionDetails.text);
  console.log(result.value);
} finally {
  clearTimeout(late);
  await close();
  pages.close();
}
