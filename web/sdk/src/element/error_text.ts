import {
  CameraError,
  CancelledError,
  ConnectionFailedError,
  ScanEndedError,
  ServerNotTrustedError,
  ServerRefusedError,
  UnsupportedBrowserError,
} from "../errors.js";
import type { Ending, Interruption } from "../events.js";
import { type Strings, textFor } from "./strings.js";

const TOO_LATE = new Set(["TOKEN_EXPIRED", "CHECK_CLOSED"]);

/** The first sentence of a text, and the rest, which may be empty. */
export function firstSentence(text: string): [string, string] {
  const [, first = text, rest = ""] = /^(.+?[.।])\s+(.+)$/s.exec(text) ?? [];
  return [first, rest];
}

/** What the person reads after an error: what went wrong, and what to do. */
export function errorText(strings: Strings, error: unknown): string {
  if (error instanceof CancelledError) return strings.cancelled;
  if (error instanceof CameraError) return error.problem === "failed" ? strings.problem : strings[error.problem];
  if (error instanceof UnsupportedBrowserError) return strings.unsupported;
  if (error instanceof ServerNotTrustedError) return strings.untrusted;
  if (error instanceof ConnectionFailedError) return strings.network;
  if (error instanceof ScanEndedError) return error.reason === "DEADLINE" ? strings.expired : strings.problem;
  if (!(error instanceof ServerRefusedError)) return strings.problem;
  const { reason, retryAfterMs } = error.refusal;
  // The server waited for messages that the connection did not carry in time.
  if (reason === "STREAM_IDLE") return textFor(strings, "NETWORK_TOO_SLOW");
  if (TOO_LATE.has(reason)) return strings.expired;
  return retryAfterMs > 0 ? strings.later : strings.problem;
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
  const codes = feedback.filter((code) => code !== "FAILED");
  return codes.map((code) => textFor(strings, code)).join(" ");
}
