/**
 * A bank that opens an account for people whose face is that of their portrait: a sample, in one process, which forgets
 * everything at its end. A bank of yours has its customers' log-in, its register of portraits, and a database.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { CallRefusedError, CheckStatus, Facegate, FailureReason, ServerNotTrustedError, verifyWebhook } from "@facegate/server";

const { BANK_PORT = "3000", BANK_FACEGATE, BANK_KEYS, BANK_SECRET_FILE, BANK_API_KEY_FILE, BANK_CA_FILE } = process.env;
const ORIGIN = `http://localhost:${BANK_PORT}`;
const PAGE = readFileSync(new URL("page.html", import.meta.url));
const MAX_BYTES = 2_000_000;

const facegate = new Facegate({
  address: BANK_FACEGATE,
  ...(BANK_API_KEY_FILE && { apiKey: readFileSync(BANK_API_KEY_FILE, "utf8") }),
  ...(BANK_CA_FILE && { ca: readFileSync(BANK_CA_FILE) }),
  // Results of sandbox checks prove nothing about a person: a bank of yours leaves the last one out.
  results: { keys: BANK_KEYS, issuer: "facegate", tenant: "default", acceptSandbox: true },
});
const secret = readFileSync(BANK_SECRET_FILE, "utf8").trim();

/** Who wants an account, by check: `customer`, `state`, and once it is decided `reasons`. */
const applications = new Map();

/** The `webhook-id` of the latest events, the oldest first: each acts once. A bank of yours has a table. */
const heard = new Set();
const MOST_HEARD = 10_000;

/** What a sandbox server is asked to decide, by the form's choice: after any scan, or without one after this time. */
const DELAY_SECONDS = 20;
const OUTCOMES = {
  success: { status: CheckStatus.SUCCESS },
  spoof: { status: CheckStatus.FAILURE, reason: FailureReason.SPOOF },
  other: { status: CheckStatus.FAILURE, reason: FailureReason.NOT_SAME_PERSON },
  fault: { status: CheckStatus.NOT_DECIDED, reason: FailureReason.SERVER_FAULT },
};

/** The customer sends a portrait: makes a check, and answers the address of its scan. */
async function apply(request, { customer, query }) {
  const outcome = OUTCOMES[query.get("outcome")];
  const check = await facegate.uploadTrustedImage({
    image: await bodyOf(request),
    subjectReference: customer,
    consentReference: `terms-of-2026 ${customer}`,
    hosted: { returnUrl: `${ORIGIN}/done` },
    ...(outcome && { sandboxOutcome: { ...outcome, delaySeconds: DELAY_SECONDS } }),
  });
  applications.set(check.checkId, { customer, state: "open" });
  return [201, { scanUrl: check.scanUrl }];
}

/** Facegate says what happened, and is answered at once. */
async function hear(request) {
  const { id, data } = verifyWebhook(await bodyOf(request), request.headers, secret);
  if (data.status && applications.has(data.check_id) && !heard.has(id)) settle(data.check_id);
  heard.add(id);
  if (heard.size > MOST_HEARD) heard.delete(heard.values().next().value);
  return [204];
}

/** A check is decided by its signed result, never by what a webhook or a browser says. A bank of yours has a job for this. */
async function settle(checkId, tries = 10) {
  try {
    const { result } = await facegate.finishCheck(checkId);
    const application = applications.get(checkId);
    application.state = result.status === CheckStatus.SUCCESS ? "verified" : "refused";
    if (result.status === CheckStatus.NOT_DECIDED) application.state = "fault"; // Ours: the customer may try again.
    application.reasons = result.reasons.map((reason) => FailureReason[reason]);
  } catch (error) {
    console.error(`result of ${checkId}: ${error.name}: ${error.message}`);
    if (tries > 1) setTimeout(settle, 5000, checkId, tries - 1);
  }
}

/** The customer is back and asks for the outcome: of an own check only. */
async function tell(request, { customer, query }) {
  const application = applications.get(query.get("check_id"));
  if (application?.customer !== customer) return [404, { error: "no such application" }];
  const { state, reasons = [] } = application;
  return [200, { state, reasons }];
}

const ROUTES = {
  "GET /": async () => [200, PAGE],
  "GET /done": async () => [200, PAGE],
  "POST /applications": apply,
  "GET /applications": tell,
  "POST /facegate": hear,
};

async function answer(request, customer) {
  if (!URL.canParse(request.url, ORIGIN)) return [400, { error: "no such address" }]; // Such as `//`, from anyone.
  const { pathname, searchParams: query } = new URL(request.url, ORIGIN);
  const route = ROUTES[`${request.method} ${pathname}`] ?? (async () => [404, { error: "no such page" }]);
  return route(request, { customer, query });
}

async function bodyOf(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new RangeError(`more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The status and the answer for an error, in words that help the customer. */
function answerTo(error) {
  if (error instanceof RangeError) return [413, { error: error.message }];
  if (error instanceof ServerNotTrustedError) return [400, { error: "not signed by our server" }];
  if (error instanceof CallRefusedError && error.code === "INVALID_ARGUMENT") return [422, { error: error.message }];
  if (error instanceof CallRefusedError && error.reason === "TOO_MANY_FAILURES") {
    return [429, { error: "Too many attempts: please come to a branch." }];
  }
  return [503, { error: "Please try again later." }];
}

const server = createServer(async (request, response) => {
  const known = /(?:^|; )customer=([0-9a-f-]{36})(?:;|$)/.exec(request.headers.cookie ?? "")?.[1];
  const customer = known ?? randomUUID();
  const [status, content] = await answer(request, customer).catch((error) => {
    console.error(`${request.method} ${request.url.split("?")[0]}: ${error.name}: ${error.message}`);
    return answerTo(error);
  });
  const html = content === PAGE;
  response.writeHead(status, {
    "Content-Type": html ? "text/html; charset=utf-8" : "application/json",
    "Cache-Control": "no-store",
    ...(html && { "Content-Security-Policy": "default-src 'self' 'unsafe-inline'" }),
    ...(html && !known && { "Set-Cookie": `customer=${customer}; HttpOnly; SameSite=Lax; Path=/` }),
  });
  response.end(html ? content : content && JSON.stringify(content));
});
server.listen(Number(BANK_PORT), "127.0.0.1", () => console.log(`The bank is open: ${ORIGIN}`));
