/**
 * Scans several times in one page with a passkey, and prints the outcomes as JSON, with the number of passkeys after each. The
 * job is that of drive.mjs, with `scans`: the options of each scan, and `late`: the person answers the browser's first
 * question only after the first scan.
 */
import { jobFromInput, opened } from "./drive.mjs";

const KEPT_MS = 2000;
const job = await jobFromInput();
const { page, context, close } = await opened({ ...job, page: "scan.html" });
const session = await context.newCDPSession(page);
await session.send("WebAuthn.enable");
const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", {
  options: { protocol: "ctap2", transport: "internal", hasUserVerification: true, isUserVerified: true },
});
if (job.late) {
  await page.evaluate(() => {
    const create = navigator.credentials.create.bind(navigator.credentials);
    const answered = new Promise((resolve) => (window.answer = resolve));
    navigator.credentials.create = async (options) => {
      const made = await create(options);
      await answered;
      return made;
    };
  });
}
const outcomes = [];
const passkeys = [];
for (const options of job.scans) {
  outcomes.push(await page.evaluate((one) => window.scan({ ...one, passkey: "Example Bank" }), options));
  passkeys.push((await session.send("WebAuthn.getCredentials", { authenticatorId })).credentials.length);
  await page.evaluate(() => window.answer?.());
  await page.waitForTimeout(KEPT_MS);
}
await close();
console.log(JSON.stringify({ outcomes, passkeys }));
