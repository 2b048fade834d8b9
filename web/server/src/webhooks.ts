/** Webhooks by the convention Standard Webhooks: https://www.standardwebhooks.com. */
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { ServerNotTrustedError } from "./errors.js";

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
 * @throws ServerNotTrustedError It is not signed with the secret, or is older than 5 minutes. Answer 400.
 */
export function verifyWebhook(body: string | Uint8Array, headers: WebhookHeaders, secret: string): WebhookEvent {
  if (typeof body !== "string" && !(body instanceof Uint8Array)) {
    throw new TypeError("give the body as it arrived, not parsed: express.raw() instead of express.json()");
  }
  const text = typeof body === "string" ? body : Buffer.from(body).toString("utf8");
  const given = headers instanceof Headers ? headers : Object.entries(headers);
  const signed = Object.fromEntries([...given].map(([name, value]) => [name.toLowerCase(), String(value)]));
  try {
    const sent = new Webhook(secret).verify(text, signed) as Partial<Record<keyof WebhookEvent, unknown>> | null;
    const { type, timestamp, data } = sent ?? {};
    if (typeof type !== "string" || typeof timestamp !== "string" || typeof data !== "object" || data === null) {
      throw new SyntaxError("the body is not that of an event");
    }
    return { id: signed["webhook-id"] as string, type, timestamp: new Date(timestamp), data: data as EventData };
  } catch (error) {
    if (!(error instanceof WebhookVerificationError || error instanceof SyntaxError)) throw error;
    throw new ServerNotTrustedError(`the webhook is not the server's: ${error.message}`, { cause: error });
  }
}
