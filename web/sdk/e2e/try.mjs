/**
 * Walks through the pages of `facegate try` as a person does, and prints what it saw as JSON. The job is that of
 * drive.mjs, with `address`: of the page; `portrait`: a file, or none to take it with the camera; `mode`: the key of
 * a mode; `attacks`: the number of checks on the page about attacks to wait for, instead of a scan; `pictures`: a
 * folder for screenshots.
 */
import { lookedAt } from "./axe.mjs";
import { jobFromInput, launched } from "./drive.mjs";

const SCAN_MS = 60_000;
const job = await jobFromInput();
const { page, problems, close } = await launched(job, job.address);
const { look, violations } = lookedAt(page, job);
const whole = { fullPage: true };
const press = (name) => page.getByRole("button", { name }).click();
const answer = {};

/** Takes or uploads the portrait; returns whether the server accepted it. */
async function choosePortrait() {
  if (job.portrait === undefined) {
    await press("Use the camera");
    await page.waitForFunction(() => document.querySelector(".stage video")?.videoWidth > 0);
    await look("camera");
    await press("Take the photo");
  } else {
    await page.setInputFiles("#portrait-file", job.portrait);
  }
  await page.locator(".good-line, .notice").first().waitFor();
  await look("portrait");
  answer.refused = await page.locator(".notice").allInnerTexts();
  return answer.refused.length === 0;
}

/** Makes the scan, and reads the verdict. */
async function scan() {
  await press("Continue");
  await look("mode");
  if (job.mode !== undefined) await page.locator(`label[for=mode-${job.mode}]`).click();
  await press("Continue");
  await look("scan");
  await press("Start the scan");
  const ready = page.locator("facegate-scan .panel button");
  const banner = page.locator(".banner");
  for (const end = Date.now() + SCAN_MS; Date.now() < end && !(await banner.isVisible()); ) {
    if (await ready.isVisible()) await ready.click();
    await page.waitForTimeout(100);
  }
  await page.mouse.move(0, 0);
  await page.waitForTimeout(900);
  await look("verdict", whole);
  answer.verdict = await banner.innerText();
  answer.parts = await page.locator(".explained h3").allInnerTexts();
  answer.pictures = await page.locator(".faces img").count();
  answer.gauges = await page.locator(".measure .gauge").evaluateAll((found) => found.map((one) => getComputedStyle(one).height));
  answer.colours = await page.locator(".colours li").count();
  answer.answered = await page.locator(".colours .good").count();
  answer.focused = await page.evaluate(() => document.activeElement?.textContent);
}

/** Waits for checks of the page about attacks, and reads them. */
async function seeAttacks() {
  await page.getByRole("link", { name: "What an attack looks like" }).click();
  await page.locator("progress").first().waitFor();
  await look("waiting");
  const done = page.locator(".attack:has(.pill)");
  await done.nth(job.attacks - 1).waitFor({ timeout: job.patience ?? SCAN_MS });
  await done.locator("details").evaluateAll((all) => { for (const one of all) one.open = true; });
  await page.waitForTimeout(500);
  await look("attacks", whole);
  answer.attacks = await done.evaluateAll((cards) =>
    cards.map((card) => ({
      title: card.querySelector("h3").textContent,
      outcome: card.querySelector(".pill").textContent,
      reason: card.querySelector(".reason").textContent,
      films: card.querySelectorAll(".film").length,
      colours: card.querySelectorAll(".colours img").length,
      cut: card.scrollWidth > card.clientWidth,
    })),
  );
}

try {
  if (job.attacks === undefined) {
    answer.heading = await page.locator("h1").innerText();
    await look("start");
    const usable = await page.locator("#portrait-file").count();
    if (usable && (await choosePortrait())) await scan();
  } else {
    await seeAttacks();
  }
} catch (error) {
  answer.error = String(error);
  if (job.pictures !== undefined) await page.screenshot({ path: `${job.pictures}/${job.name}-error.png` });
}
await close();
console.log(JSON.stringify({ ...answer, violations, problems }));
