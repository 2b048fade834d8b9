/** Webhooks by the convention Standard Webhooks: https://www.standardwebhooks.com. */
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { ServerNotTrustedError } from "./errors.js";

/** The least of the convention. Those that Facegate makes have 32 bytes. */
const LEAST_SECRET_BYTES = 24;
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;

/** What happened. A newer server may send a type that is not listed: answer 204 and ignore it. */
export type EventType =
  | "check.scan_started"
  | "check.decided"
  | "check.closed"
  | "check.expired"
  | "review.decided"
  | "evidence.erased"
  | "subject.erased";

/** What an event states (`docs/webhooks.md`): nothing refers to the person. */
export interface EventData {
  tenant: string;
  /** Absent in `subject.erased`. */
  check_id?: string;
  sandbox?: boolean;
  policy?: string;
  /** Rises with each event of a check. */
  sequence?: number;
  /** Present once the check is over, for information: fetch the result by `finishCheck`, and believe that. */
  status?: "SUCCESS" | "FAILURE" | "NOT_DECIDED" | (string & {});
  reasons?: string[];
  /** Whether people will review the check. */
  review?: boolean;
  /** True if a sandbox caller asked for this outcome; absent otherwise. */
  requested_outcome?: boolean;
  [name: string]: unknown;
}

/** An event, verified. */
export interface WebhookEvent {
  /** The same in every delivery: act once. */
  id: string;
  type: EventType | (string & {});
  /** When it happened. */
  timestamp: Date;
  data: EventData;
}

/** Headers as Fetch has them, or Node.js and Express. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | string[] | undefined>>;

/**
 * Verifies a webhook's signature and time, and returns its event.
 *
 * @param body The bytes as they arrived: of `express.raw({ type: "*\/*" })`, or `await request.text()`.
 * @param headers Of the same request.
 * @param secret The endpoint's, `whsec_…`.
 * @throws TypeError The secret is not one.
 * @throws ServerNotTrustedError It is not signed with the secret, or is older than 5 minutes. Answer 400.
 */
export function verifyWebhook(body: string | Uint8Array, headers: WebhookHeaders, secret: string): WebhookEvent {
  if (typeof body !== "string" && !(body instanceof Uint8Array)) {
    throw new TypeError("give the body as it arrived, not parsed: express.raw() instead of express.json()");
  }
  const verifier = verifierOf(secret);
  const text = typeof body === "string" ? body : Buffer.from(body).toString("utf8");
  const given = headers instanceof Headers ? headers : Object.entries(headers);
  const signed = Object.fromEntries([...given].map(([name, value]) => [name.toLowerCase(), String(value)]));
  try {
    const sent = verifier.verify(text, signed) as Partial<Record<keyof WebhookEvent, unknown>> | null;
    const { type, timestamp, data } = sent ?? {};
    const time = typeof timestamp === "string" && ISO_TIME.test(timestamp) ? new Date(timestamp) : new Date(NaN);
    if (typeof type !== "string" || Number.isNaN(time.getTime()) || !isData(data)) {
      throw new SyntaxError("the body is signed, but not that of an event: type, timestamp or data is missing or malformed");
    }
    return { id: signed["webhook-id"] as string, type, timestamp: time, data };
  } catch (error) {
    if (!(error instanceof WebhookVerificationError || error instanceof SyntaxError)) throw error;
    throw new ServerNotTrustedError(`the webhook is not the server's: ${error.message}`, { cause: error });
  }
}

function verifierOf(secret: string): Webhook {
  const words = `the secret of a webhook is whsec_ and ${LEAST_SECRET_BYTES} bytes or more in Base64`;
  if (typeof secret !== "string" || !secret.trim().startsWith("whsec_")) throw new TypeError(words);
  const content = secret.trim();
  if (Buffer.from(content.slice("whsec_".length), "base64").length < LEAST_SECRET_BYTES) throw new TypeError(words);
  try {
    return new Webhook(content);
  } catch (error) {
    throw new TypeError(words, { cause: error });
  }
}

function isData(data: unknown): data is EventData {
  if (typeof data !== "object" || data === null) return false;
  const { tenant, check_id = "", status = "" } = data as Record<string, unknown>;
  return [tenant, check_id, status].every((one) => typeof one === "string");
}
