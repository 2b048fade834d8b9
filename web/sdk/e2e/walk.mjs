/**
 * Walks through the element as a person does, and prints what it saw as JSON, with the milliseconds until
 * the first answer. The job is that of drive.mjs, with
 * `pictures`: a folder for screenshots; `declines`: whether the person declines the colours; `clicks`: how often the
 * button of the card is pressed, once by default; `keyboard`: the person has no pointer;
 * `acts`: the names of what happens while the scan runs, from acts.mjs; `lookFor`: the hint at which to look, with
 * the colour and the oval on display.
 */
import { ACTS } from "./acts.mjs";
import { lookedAt } from "./axe.mjs";
import { jobFromInput, opened } from "./drive.mjs";

const job = await jobFromInput();
const { page, problems, close } = await opened({ ...job, page: "element.html" });
await page.evaluate((options) => window.prepare(options), job.options);
const { look, violations } = lookedAt(page, job);

const seen = [];
const acts = [...(job.acts ?? [])];
/** Starts on the card. The focus is before it. */
async function start() {
  const box = page.locator("facegate-scan .card input");
  const button = page.locator("facegate-scan .card button");
  if (!job.keyboard) {
    if (job.declines) await box.check();
    await button.click({ clickCount: job.clicks ?? 1 });
    return;
  }
  await page.keyboard.press("Tab");
  if (job.declines) {
    await page.keyboard.press("Space");
    await page.keyboard.press("Tab");
  }
  for (let times = job.clicks ?? 1; times > 0; times -= 1) await page.keyboard.press("Enter");
}
await look("start");
const noticed = (await page.locator("facegate-scan .card input").count()) > 0;
await start();
let over, buttons, oval, answeredMs, hinted;
const began = performance.now();
const acted = {};
const asked = [];
const ended = page.evaluate(() => window.ended).then((answer) => (over = answer));
const ready = page.locator("facegate-scan .panel button");
const hint = page.locator("facegate-scan .hint");
const live = page.locator("facegate-scan dialog [role=status]");
const spoken = [];
const colours = [];
for (let turn = 0; over === undefined; turn += 1) {
  const text = await hint.textContent({ timeout: 500 }).catch(() => "");
  if (text && seen.at(-1) !== text) seen.push(text);
  const said = await live.textContent({ timeout: 500 }).catch(() => "");
  if (said && spoken.at(-1) !== said) spoken.push(said);
  const colour = await page.evaluate(() => {
    const layers = [...document.querySelector("facegate-scan").shadowRoot.querySelectorAll(".colour")];
    const [shown] = layers.filter((layer) => !layer.hidden).sort((a, b) => b.style.zIndex - a.style.zIndex);
    return shown?.style.backgroundColor;
  });
  if (colour !== undefined && colours.at(-1) !== colour) {
    colours.push(colour);
    if (colours.length === 3) await look("flash");
  }
  oval = (await page.locator("facegate-scan .track").boundingBox({ timeout: 500 }).catch(() => undefined)) ?? oval;
  if (text && text === job.lookFor && hinted === undefined) {
    hinted = { colour, oval: oval && [oval.width, oval.height], visible: await hint.isVisible() };
    await look("hinted");
  }
  if (await ready.isVisible()) {
    answeredMs ??= performance.now() - began;
    await look("again");
    asked.push(await page.locator("facegate-scan .panel").innerText());
    // The button has the focus.
    await (job.keyboard ? page.keyboard.press("Enter") : ready.click());
  } else if (acts.length > 0 && seen.length >= 2) {
    // After the request for the camera, the first hint of the scan.
    buttons = await page.locator("facegate-scan .bottom button:visible").allInnerTexts();
    const act = acts.shift();
    acted[act] = await ACTS[act](page);
    await look(act);
  } else if (turn === (job.lookAt ?? 20)) {
    await look("scanning");
  }
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 50))]);
}
answeredMs ??= performance.now() - began;
await page.waitForTimeout(200);
await look("result");
const shown = await page.locator("facegate-scan .card").innerText();
const focused = await page.evaluate(() => document.querySelector("facegate-scan").shadowRoot.activeElement?.textContent);
await close();
console.log(JSON.stringify({ ...over, noticed, seen, hinted, spoken, acted, asked, answeredMs, buttons, oval: oval && [oval.width, oval.height], colours, shown, focused, violations, problems }));
