/** Makes one scan in the page of the README, which its backend serves at `port`, and prints the verdict that it shows. */
import { jobFromInput, launched } from "./drive.mjs";

const job = await jobFromInput();
const { page, close } = await launched(job, `http://localhost:${job.port}/`);
await page.locator("facegate-scan .card button").click();
const output = page.locator("output");
await output.filter({ hasText: /./ }).waitFor({ timeout: 60_000 });
console.log(await output.innerText());
await close();
