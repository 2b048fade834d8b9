/**
 * Walks through the server's own scan page as people do, and prints what it saw as JSON. The job is that of drive.mjs,
 * with `address`: the link; `walk`: the name of a walk below; `python`: an interpreter with OpenCV, which reads the QR
 * code from the screen; `folder`: for its picture; `pictures`: a folder for screenshots; `leaves`: whether the person with
 * the phone cancels while its number is shown; another walk looks at the same screens.
 */
import { execFileSync } from "node:child_process";
import { ended, setVisibility, start, starting } from "./acts.mjs";
import { lookedAt } from "./axe.mjs";
import { jobFromInput, launched } from "./drive.mjs";

const DESKTOP = { width: 1280, height: 850 };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const NARROW = { width: 320, height: 640 };
const READ = "import cv2, sys; print(cv2.QRCodeDetectorAruco().detectAndDecode(cv2.imread(sys.argv[1]))[0])";
const job = await jobFromInput();
const { page, context, problems, close } = await launched({ viewport: DESKTOP, ...job }, "about:blank");
const violations = [];
const asked = [];
const answer = {};

/** Prepares a context: the pages of the bank, and whether its devices have a camera. */
async function prepared(context, { camera = true } = {}) {
  await context.route("https://bank.example/**", (route) => route.fulfill({ contentType: "text/html", body: "<h1>The bank</h1>" }));
  // The page returns by itself after five seconds, but not before the walk has seen its end.
  await context.addInitScript(() => {
    const later = window.setTimeout.bind(window);
    window.leaving = [];
    window.setTimeout = (work, ms, ...rest) => (ms === 5000 ? void window.leaving.push(work) : later(work, ms, ...rest));
  });
  if (!camera) await context.addInitScript(() => (navigator.mediaDevices.enumerateDevices = async () => []));
  context.setDefaultTimeout(60_000);
  context.on("request", (request) => asked.push(request.url()));
}

/** Opens another browser: a context with cookies of its own. */
async function another(address, options = PHONE) {
  const other = await context.browser().newContext(options);
  await prepared(other);
  const opened = await other.newPage();
  opened.on("pageerror", (error) => problems.push(String(error)));
  await opened.goto(address);
  return opened;
}

/** Looks at a screen in the widths and colours in which people may see it. */
async function look(page, name) {
  if (job.leaves) return;
  const usual = page.viewportSize();
  for (const [size, viewport] of [["usual", usual], ["narrow", NARROW]]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      const seen = lookedAt(page, job);
      await seen.look(`${name}-${size}-${colorScheme}`, { fullPage: true });
      violations.push(...seen.violations);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) violations.push(`${name}-${size}: ${over} pixels too wide`);
    }
  }
  await page.setViewportSize(usual);
  await page.emulateMedia({ colorScheme: "light" });
}

/** Keeps a device that scans from what the server answers, until `window.hear` is called. */
function deafened(context) {
  return context.addInitScript(() => {
    const heard = new Promise((resolve) => (window.hear = resolve));
    window.WebSocket = class extends WebSocket {
      set onmessage(take) {
        super.onmessage = (event) => heard.then(() => take(event));
      }
    };
  });
}

/** Opens the check and leaves it waiting for the start: the code is asked for, and given up. */
async function waitOpened(page) {
  await press(page, "Use a phone instead");
  await press(page, "Scan on this device");
  await starting(page).waitFor();
}

const leave = (page) => page.evaluate(() => window.leaving.forEach((work) => work()));
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const heading = (page, name) => page.getByRole("heading", { level: 1, name }).waitFor();
const shown = (page, text) => page.getByText(text).waitFor();

/** Reads the QR code from the screen, as a phone's camera does. */
async function readCode(page) {
  const path = `${job.folder}/code.png`;
  await page.locator("img.code").screenshot({ path });
  return execFileSync(job.python, ["-c", READ, path]).toString().trim();
}

const walks = {
  /** The scan on the device that opened the link, and the way back. */
  async here() {
    await page.goto(job.address);
    await heading(page, "Confirm that it is you");
    answer.address = page.url();
    await look(page, "start");
    answer.links = await page.locator(".choices").getByRole("link").allInnerTexts();
    // Who declines has opened nothing.
    await press(page, "I do not agree");
    await heading(page, "No scan was made");
    await look(page, "declined");
    await press(page, "Back to the scan");
    await starting(page).waitFor();
    answer.early = asked.filter((url) => url.includes("/scan/api/"));
    // The card of the capture screen fills its frame.
    answer.strip = await page.locator("facegate-scan").evaluate((frame) => frame.clientWidth - frame.shadowRoot.querySelector(".card").offsetWidth);
    await press(page, "Use a phone instead");
    await shown(page, "Waiting for your phone");
    answer.opened = page.url();
    await look(page, "code-or-here");
    await press(page, "Scan on this device");
    await starting(page).waitFor();
    await page.reload();
    // The code is not shown again.
    await press(page, "Scan on this device");
    // In the dark, too, the screen of the scan lights up the face.
    await page.emulateMedia({ colorScheme: "dark" });
    answer.surface = await page.locator("facegate-scan dialog").evaluate((node) => getComputedStyle(node).backgroundColor);
    await start(page);
    answer.ended = await ended(page);
    await shown(page, "You will be taken back to Example Bank in a moment.");
    await look(page, "end");
    await leave(page);
    await page.waitForURL("https://bank.example/**");
    answer.returned = page.url();
  },

  /** A scan that fails: the page stays until the person returns. */
  async failed() {
    await page.goto(job.address);
    await start(page);
    answer.ended = await ended(page);
    await look(page, "failed");
    await leave(page);
    answer.stayed = new URL(page.url()).pathname;
    await page.getByRole("link", { name: "Back to Example Bank" }).click();
    await page.waitForURL("https://bank.example/**");
    answer.returned = page.url();
  },

  /** A desktop without a camera, a phone, and a thief who photographed the code. */
  async phone() {
    await prepared(context, { camera: false });
    await page.goto(job.address);
    await shown(page, "No camera was found on this device.");
    await look(page, "no-camera");
    await press(page, "Agree and continue");
    await heading(page, "Scan this code with your phone");
    await shown(page, "Waiting for your phone");
    await look(page, "code");
    const first = await readCode(page);
    answer.cookies = (await context.cookies()).map(({ name }) => name);
    answer.code = first.replace(/code=[^&]+/, "code=");
    const phone = await another(first);
    await heading(phone, "Scan with this phone");
    answer.handOverOnPhone = await phone.getByRole("button", { name: "Use a phone instead" }).count();
    await look(phone, "phone-start");
    await start(phone);
    await heading(phone, "Enter this number on your other device");
    await look(phone, "phone-number");
    await phone.getByRole("dialog", { name: "Enter this number" }).getByRole("button").click();
    await shown(phone, "The scan was cancelled.");
    answer.kept = await phone.getByRole("checkbox").isChecked();
    await look(phone, "phone-cancelled");
    await press(phone, "Start the scan");
    await heading(phone, "Enter this number on your other device");
    await heading(page, "Which number does your phone show?");

    const thief = await another(first);
    await start(thief);
    await shown(thief, "Another device has already opened this code.");
    await look(thief, "thief");
    await shown(page, "A second device tried to open this code.");
    await look(page, "ask");

    // A mistyped number sends the phone away.
    const number = Number(await phone.locator(".number").innerText());
    await page.getByLabel("Number on the phone").fill(String(10 + ((number - 9) % 90)));
    await press(page, "Confirm");
    await shown(page, "The phone showed another number");
    await look(page, "wrong-number");
    await shown(phone, "This code is no longer valid.");
    await look(phone, "phone-sent-away");

    await press(page, "Show a new code");
    await shown(page, "Waiting for your phone");
    await deafened(phone.context());
    await phone.goto(await readCode(page));
    await start(phone);
    await heading(page, "Which number does your phone show?");
    await page.getByLabel("Number on the phone").fill(await phone.locator(".number").innerText());
    const cancel = phone.getByRole("dialog", { name: "Enter this number" }).getByRole("button");
    if (job.leaves) await cancel.click();
    await page.keyboard.press("Enter");
    await shown(page, "Your phone is connected.");
    if (job.leaves) {
      // The phone has heard of it, twice, and waits for the person.
      for (const _ of [1, 2]) await phone.waitForResponse("**/scan/api/state");
      answer.tickets = asked.filter((url) => url.endsWith("/scan/api/ticket")).length;
      await press(phone, "Start the scan");
    }
    // Otherwise nobody presses anything on the phone. It cannot be done before the computer has shown that it scans.
    await shown(page, "Your phone is scanning");
    await look(page, "scanning");
    await phone.evaluate(() => window.hear());
    answer.ended = await ended(phone);
    await shown(phone, "Continue on your other device. You can close this page.");
    await look(phone, "phone-end");
    await heading(page, "The scan is complete");
    await look(page, "done");
    await leave(page);
    await page.waitForURL("https://bank.example/**");
    answer.returned = page.url();
    answer.phoneUrl = phone.url().replace(/#.*/, "");
  },

  /** A stolen link, and links that lead nowhere. */
  async refused() {
    await page.goto(job.address);
    await waitOpened(page);
    const thief = await another(job.address, { viewport: DESKTOP });
    await start(thief);
    await shown(thief, "This link was opened before in another browser.");
    await look(thief, "used");
    const check = new URL(page.url()).hash;
    await thief.goto(`${job.address.split("#")[0]}${check}`);
    await shown(thief, "This link is not valid.");
    await look(thief, "unknown");
    await thief.goto(job.address.split("#")[0]);
    await shown(thief, "This link is not valid.");
    // A check that was cancelled meanwhile.
    await context.route("**/scan/api/ticket", (route) => route.fulfill({ status: 410, json: { problem: "closed" } }));
    await start(page);
    await shown(page, "This check is closed.");
    await page.getByRole("link", { name: "Back to Example Bank" }).waitFor();
    await look(page, "cancelled");
    // A server that is away.
    await context.route("**/scan/api/**", (route) => route.abort());
    await page.reload();
    await shown(page, "The server cannot be reached.");
    await look(page, "offline");
    await context.unroute("**/scan/api/**");
    await press(page, "Try again");
    await press(page, "Scan on this device");
    await starting(page).waitFor();
    answer.refused = true;
  },

  /** The check ends while the page waits for the person to start again: `job.says`, and the way back. */
  async ends() {
    // The person starts, and the scan cannot begin.
    await context.route("**/scan/api/ticket", (route) => route.abort());
    await page.goto(job.address);
    await start(page);
    await shown(page, job.says);
    await look(page, job.name);
    if (job.returns) await leave(page);
    else await page.getByRole("link", { name: "Back to Example Bank" }).click();
    await page.waitForURL("https://bank.example/**");
    answer.returned = page.url();
  },

  /** How often a page asks that waits, is hidden, is shown again, and has nothing to wait for any more. */
  async asks() {
    const asks = async (ms) => {
      const before = asked.length;
      await page.waitForTimeout(ms);
      return asked.slice(before).filter((url) => url.endsWith("/scan/api/state")).length;
    };
    await page.goto(job.address);
    await waitOpened(page);
    answer.waiting = await asks(7000);
    await setVisibility(page, "hidden");
    answer.hidden = await asks(5000);
    const again = page.waitForRequest("**/scan/api/state", { timeout: 1000 });
    await setVisibility(page, "visible");
    await again;
    await context.route("**/scan/api/state", (route) => route.fulfill({ status: 410, json: { problem: "expired" } }));
    await shown(page, "The time for this scan is over.");
    answer.over = await asks(5000);
  },

  /** What a link that is over shows: `job.says`, and the way back. */
  async over() {
    await page.goto(job.address);
    await start(page);
    await shown(page, job.says);
    await look(page, job.name);
    await page.getByRole("link", { name: "Back to Example Bank" }).click();
    await page.waitForURL("https://bank.example/**");
    answer.returned = page.url();
  },

  /** Every language, on a phone. */
  async languages() {
    answer.headings = [];
    const phone = await another(job.address);
    for (const name of ["en", "de", "fr", "es", "pt", "hi", "ar"]) {
      await phone.locator("select").selectOption(name);
      answer.headings.push(await phone.locator("h1").innerText());
      await look(phone, `language-${name}`);
    }
    answer.direction = await phone.evaluate(() => document.documentElement.dir);
  },
};

await prepared(context);
try {
  await walks[job.walk]();
} catch (error) {
  answer.error = String(error);
  await page.screenshot({ path: `${job.folder}/error.png` }).catch(() => undefined);
}
await close();
// The secrets of links and codes stay in fragments, which browsers do not send.
const sent = asked.filter((url) => url.startsWith("http") && (/[?]/.test(url) || url.includes("code=") || url.includes("link=")));
console.log(JSON.stringify({ ...answer, problems, violations, sent: sent.map((url) => url.replace(/#.*/, "#")) }));
