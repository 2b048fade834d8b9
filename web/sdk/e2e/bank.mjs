/**
 * Walks through the sample bank as a customer does, and prints what it saw as JSON. The job is that of drive.mjs, with
 * `address`: of the bank; `portrait`: a file; `outcome`: the label of the outcome to choose.
 */
import { ended, start } from "./acts.mjs";
import { lookedAt } from "./axe.mjs";
import { jobFromInput, launched } from "./drive.mjs";

const job = await jobFromInput();
const { page, problems, close } = await launched(job, job.address);
const { look, violations } = lookedAt(page, job);
const answer = {};
page.setDefaultTimeout(60_000);
try {
  await look("apply");
  await page.getByLabel("Portrait").setInputFiles(job.portrait);
  await page.getByLabel("Outcome").selectOption({ label: job.outcome });
  await page.getByRole("button", { name: "Open an account" }).click();
  await start(page);
  await ended(page);
  await page.getByRole("link", { name: "Back to Example Bank" }).click();
  await page.waitForURL(`${job.address}done**`);
  answer.returned = page.url();
  const status = page.getByRole("status");
  await status.filter({ hasNotText: /^$|We wait/ }).waitFor();
  answer.said = await status.innerText();
  await look("done");
  // Another customer knows the address, but not whose it is.
  await page.context().clearCookies();
  await page.reload();
  await status.filter({ hasNotText: /^$/ }).waitFor();
  answer.others = await status.innerText();
} catch (error) {
  answer.error = `${error} at ${page.url()}: ${await page.locator("main").innerText()}`;
}
await close();
console.log(JSON.stringify({ ...answer, problems, violations }));
