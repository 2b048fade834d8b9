/**
 * Makes one scan through the element for each line of standard input, a JSON object of options, and prints how it
 * ended as a line of JSON. The first line is the job of drive.mjs. Each scan has a browser profile of its own.
 */
import { createInterface } from "node:readline";
import { opened } from "./drive.mjs";

async function scan(browser, port, options) {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  const page = await context.newPage();
  await page.goto(`http://localhost:${port}/element.html`);
  await page.evaluate((given) => window.prepare(given), options);
  // The start, and the notice of the flash.
  await page.locator("facegate-scan .card button >> nth=0").click();
  await page.locator("facegate-scan .card button >> nth=0").click();
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
for await (const line of lines) {
  console.log(JSON.stringify(await scan(context.browser(), job.port, JSON.parse(line))));
}
await close();
