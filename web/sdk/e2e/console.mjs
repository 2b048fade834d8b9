/**
 * Walks through the console as people of compliance do, and prints what it saw as JSON. The job is that of drive.mjs,
 * with `address`: of the console; `key`: an API key; `walk`: the name of a walk below, with what it needs; `downloads`: a
 * folder for what is saved; `pictures`: a folder for screenshots.
 */
import { lookedAt } from "./axe.mjs";
import { jobFromInput, launched } from "./drive.mjs";

const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 850 };
const job = await jobFromInput();
const { page, context, problems, close } = await launched({ viewport: DESKTOP, ...job }, job.address);
page.setDefaultTimeout(15_000);
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
  await heading("Checks");
}

async function go(name) {
  await page.getByRole("link", { name, exact: true }).first().click();
  await heading(name);
}

/** Clicks, and saves the download that follows. */
async function saved(click) {
  const [download] = await Promise.all([page.waitForEvent("download"), click()]);
  const path = `${job.downloads}/${download.suggestedFilename()}`;
  await download.saveAs(path);
  return path;
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
    answer.focused = await page.evaluate(() => document.activeElement.textContent);

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

    answer.imagesBefore = asked.filter((name) => name === "GetEvidenceImage").length;
    const images = part("Whom the face was compared with, and images");
    await images.getByLabel("Purpose").fill("case 17");
    await images.getByRole("button").click();
    await images.locator("canvas:not(.hidden)").first().waitFor();
    await page.waitForFunction(() => document.querySelectorAll(".pictures figure").length === document.querySelectorAll(".pictures canvas:not(.hidden)").length);
    answer.images = await images.locator("canvas").count();
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

    await go("Holds and approvals");
    await page.locator(".row-link").first().waitFor();
    answer.held = await page.locator(".row-link").count();
    await lookAt("holds");

    await go("Audit log");
    await field("Action").selectOption("hold.placed");
    await button("Find").click();
    await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 2);
    await lookAt("audit");
    answer.log = await saved(() => part("Export the log").getByRole("button").click());

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

  /** Logs in, and hands the session over. */
  async session() {
    await logIn();
    answer.state = await context.storageState();
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
  await walks[job.walk]();
} catch (error) {
  answer.error = String(error);
  if (job.pictures !== undefined) await page.screenshot({ path: `${job.pictures}/${job.name}-error.png`, fullPage: true });
}
await close();
console.log(JSON.stringify({ ...answer, violations, problems }));
