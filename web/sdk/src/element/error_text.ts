import { type Strings, textFor } from "@facegate/protocol/strings.js";
import {
  CameraError,
  type CameraProblem,
  CancelledError,
  ConnectionFailedError,
  ScanEndedError,
  ServerNotTrustedError,
  ServerRefusedError,
  UnsupportedBrowserError,
} from "../errors.js";
import type { Ending, Interruption } from "../events.js";

/** What the page measured or was told as the cause of a failure. Other codes are hints from the scan, which need not be the cause. */
const CAUSES = new Set(["NETWORK_TOO_SLOW", "CAPTURE_TOO_SLOW", "SERVER_BUSY"]);

const CAMERA_TEXTS: Record<CameraProblem, keyof Omit<Strings, "hints">> = {
  denied: "denied",
  missing: "missing",
  busy: "busy",
  noPicture: "cameraLost",
  failed: "problem",
};

/** The first sentence of a text, and the rest, which may be empty. */
export function firstSentence(text: string): [string, string] {
  const [, first = text, rest = ""] = /^(.+?[.।])\s+(.+)$/s.exec(text) ?? [];
  return [first, rest];
}

/** What the person reads after an error: what went wrong, and what to do. */
export function errorText(strings: Strings, error: unknown): string {
  if (error instanceof CancelledError) return strings.cancelled;
  if (error instanceof CameraError) return strings[CAMERA_TEXTS[error.problem]];
  if (error instanceof UnsupportedBrowserError) return strings.unsupported;
  if (error instanceof ServerNotTrustedError) return strings.untrusted;
  if (error instanceof ConnectionFailedError) return strings.network;
  if (error instanceof ServerRefusedError && error.refusal.metadata.capability === "FLASH") return strings.flashNeeded;
  const reason = reasonOf(error);
  // The server waited for messages that the connection did not carry in time.
  if (reason === "STREAM_IDLE") return textFor(strings, "NETWORK_TOO_SLOW");
  if (reason === "DEADLINE" || reason === "TOKEN_EXPIRED") return strings.expired;
  if (reason === "CHECK_CLOSED") return strings.closed;
  return retryAfterMs(error) > 0 ? strings.later : strings.problem;
}

function reasonOf(error: unknown): string {
  if (error instanceof ScanEndedError) return error.reason;
  return error instanceof ServerRefusedError ? error.refusal.reason : "";
}

/** The wait that the server asks for, or an error that `getTicket` threw, milliseconds. */
function retryAfterMs(error: unknown): number {
  const stated = error instanceof ServerRefusedError ? error.refusal : error;
  const { retryAfterMs: wait } = Object(stated) as { retryAfterMs?: unknown };
  return typeof wait === "number" ? wait : 0;
}

/** Why the page ended an attempt early, and what to do. */
export function interruptionText(strings: Strings, interruption: Interruption): string {
  if (interruption === "hidden") return strings.hidden;
  return interruption === "turned" ? textFor(strings, "WRONG_ROTATION") : strings.cameraLost;
}

/** What the person reads below the status of a scan: the cause as far as the page knows it, and what to do. */
export function outcomeText(strings: Strings, { status, feedback, interruption }: Ending): string {
  if (status === "success" || status === "completed") return "";
  if (interruption !== undefined) return interruptionText(strings, interruption);
  const codes = feedback.filter((code) => (status === "failure" ? CAUSES.has(code) : code !== "FAILED"));
  return codes.map((code) => textFor(strings, code)).join(" ");
}
