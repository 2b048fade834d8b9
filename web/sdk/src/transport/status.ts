import { RECONNECT } from "@facegate/protocol/generated/texts.js";
import { type FacegateError, type Refusal, ServerRefusedError, StreamLostError } from "../errors.js";

const DOMAIN = "facegate.org";
/** The close code of a refusal is this number plus its gRPC status. */
const CLOSE_CODE_BASE = 4000;

/** Reads a `google.rpc.Status` in JSON. Undefined if it is not a refusal by a Facegate server. */
export function toRefusal(text: string): Refusal | undefined {
  let status: unknown;
  try {
    status = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(status) || !Array.isArray(status.details)) return undefined;
  const details = status.details.filter(isRecord);
  const info = details.find((detail) => detail["@type"] === "type.googleapis.com/google.rpc.ErrorInfo");
  const retry = details.find((detail) => detail["@type"] === "type.googleapis.com/google.rpc.RetryInfo");
  if (info?.domain !== DOMAIN) return undefined;
  return {
    code: Number(status.code),
    reason: String(info.reason),
    message: String(status.message ?? ""),
    metadata: isRecord(info.metadata)
      ? Object.fromEntries(Object.entries(info.metadata).map(([name, value]) => [name, String(value)]))
      : {},
    retryAfterMs: Number.parseFloat(String(retry?.retryDelay ?? "0")) * 1000 || 0,
  };
}

/** The error of a connection that was closed with a code other than 1000. */
export function closeError(code: number, refusal: Refusal | undefined): FacegateError {
  if (refusal === undefined || code !== CLOSE_CODE_BASE + refusal.code) {
    return new StreamLostError(`the connection was lost (${code})`);
  }
  const error = new ServerRefusedError(refusal);
  return RECONNECT.has(refusal.reason) ? new StreamLostError(error.message, refusal.retryAfterMs, error) : error;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
