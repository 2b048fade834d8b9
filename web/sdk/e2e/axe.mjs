/** Looks at screens: takes a screenshot of each, if the job wants `pictures`, and tests it with axe. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Waits for the page's running animations that end; the element's own are in its shadow tree, which is not asked. */
function atRest(page) {
  return page.evaluate(() => {
    const ending = document
      .getAnimations()
      .filter(({ playState, effect }) => playState === "running" && Number.isFinite(effect.getComputedTiming().endTime));
    return Promise.allSettled(ending.map(({ finished }) => finished)).then(() => undefined);
  });
}

/** Returns `look`, to be called with the name of each screen, and the `violations` that it finds. */
export function lookedAt(page, job) {
  const violations = [];
  const look = async (name, options = {}) => {
    await atRest(page);
    if (job.pictures !== undefined) {
      await page.screenshot({ path: `${job.pictures}/${job.name}-${name}.png`, ...options });
    }
    if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(source);
    const found = await page.evaluate(async () => {
      const { violations } = await axe.run();
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
    });
    violations.push(...found.map((text) => `${name}: ${text}`));
  };
  return { look, violations };
}
