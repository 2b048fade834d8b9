/**
 * Makes one scan through the element for each line of standard input, a JSON object of options with an `id`, and prints
 * how it ended, with that `id`, as a line of JSON. The first line is the job of drive.mjs. Scans may run at once: each
 * has a browser profile of its own.
 */
import { createInterface } from "node:readline";
import { opened } from "./drive.mjs";

async function scan(browser, port, options) {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  const page = await context.newPage();
  await page.goto(`http://localhost:${port}/element.html`);
  await page.evaluate((given) => window.prepare(given), options);
  await page.locator("facegate-scan .card button").click();
  let over;
  const ended = page.evaluate(() => window.ended).then((answer) => (over = answer));
  const ready = page.locator("facegate-scan .panel button");
  while (over === undefined) {
    if (await ready.isVisible()) await ready.click();
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 50))]);
  }
  await context.close();
  return over;
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const job = JSON.parse((await lines.next()).value);
const { context, close } = await opened({ ...job, page: "element.html" });
const scans = [];
for await (const line of lines) {
  const { id, ...options } = JSON.parse(line);
  const report = (answer) => console.log(JSON.stringify({ id, ...answer }));
  scans.push(scan(context.browser(), job.port, options).then(report));
}
await Promise.all(scans);
await close();
