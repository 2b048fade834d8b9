/** The evidence record, as it was sealed. */
import { fromBase64 } from "@facegate/protocol/bytes.js";

export interface EvidenceRecord {
  tenant?: unknown;
  result?: unknown;
  outcome?: {
    check_id?: unknown;
    liveness?: { policy?: Record<string, unknown>; reasons?: string[] } | null;
    doubts?: string[];
  };
}

/** Parses the bytes of a record. Throws a SyntaxError or a TypeError for something else. */
export function parseRecord(bytes: Uint8Array): EvidenceRecord {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const { record } = JSON.parse(text) as { record?: EvidenceRecord };
  if (typeof record !== "object" || record === null) throw new TypeError("there is no record");
  return record;
}

/** The decision in a record in base64; `undefined` without a record, or of one that cannot be read. */
export function outcomeOf(recordJson: string | undefined): EvidenceRecord["outcome"] {
  try {
    return parseRecord(fromBase64(recordJson ?? "")).outcome;
  } catch {
    return undefined;
  }
}

/** The thresholds of liveness, which the result does not state. */
export interface LivenessLines {
  live: number;
  spoof: number;
}

export function livenessLines(outcome: EvidenceRecord["outcome"]): LivenessLines | null {
  const { live_threshold: live, spoof_threshold: spoof } = outcome?.liveness?.policy ?? {};
  return typeof live === "number" && typeof spoof === "number" ? { live, spoof } : null;
}
