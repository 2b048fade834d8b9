/**
 * Opens the page of the README, which its backend serves at `port`, and prints the verdicts that it shows: of a start that the
 * person leaves before the page has its ticket, and of the scan that follows.
 */
import { jobFromInput, launched } from "./drive.mjs";

const job = await jobFromInput();
const { page, close } = await launched(job, `http://localhost:${job.port}/`);
const start = page.locator("facegate-scan .card button");
const output = page.locator("output");

await page.route("**/checks", async (route) => {
  await page.keyboard.press("Escape");
  await start.waitFor();
  await route.continue();
});
await start.click();
await output.filter({ hasText: "verified" }).waitFor({ timeout: 60_000 });
const left = JSON.parse(await output.innerText());

await page.unroute("**/checks");
const asked = page.waitForRequest("**/checks");
await start.click();
await asked;
await output.filter({ hasText: "verified" }).waitFor({ timeout: 60_000 });
const scanned = JSON.parse(await output.innerText());
await close();
console.log(JSON.stringify({ left, scanned }));
