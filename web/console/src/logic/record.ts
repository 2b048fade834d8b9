/** The evidence record, as it was sealed. */
import { fromBase64 } from "@facegate/protocol/bytes.js";

export interface EvidenceRecord {
  tenant?: unknown;
  result?: unknown;
  outcome?: {
    check_id?: unknown;
    liveness?: { policy?: Record<string, unknown> } | null;
  };
}

/** Parses the bytes of a record. Throws a SyntaxError or a TypeError for something else. */
export function parseRecord(bytes: Uint8Array): EvidenceRecord {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const { record } = JSON.parse(text) as { record?: EvidenceRecord };
  if (typeof record !== "object" || record === null) throw new TypeError("there is no record");
  return record;
}

/** The thresholds of liveness, which the result does not state. */
export interface LivenessLines {
  live: number;
  spoof: number;
}

/** Reads the thresholds of liveness from a record in base64; `null` if it has none. */
export function livenessLines(recordJson: string | undefined): LivenessLines | null {
  try {
    const policy = parseRecord(fromBase64(recordJson ?? "")).outcome?.liveness?.policy;
    const { live_threshold: live, spoof_threshold: spoof } = policy ?? {};
    return typeof live === "number" && typeof spoof === "number" ? { live, spoof } : null;
  } catch {
    return null;
  }
}
