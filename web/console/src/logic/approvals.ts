/** What waits for a second person, from the entries of the audit log. */
import type { AuditEvent } from "../types.js";

export interface Waiting {
  /** The action that is confirmed, such as "hold.released". */
  of: string;
  requestedBy: string;
  time: string;
  purpose: string;
  checkId: string;
}

/**
 * The requests without a confirmation after them, the newest first. The log does not say when a request lapses: it may
 * have lapsed.
 *
 * @param events Entries of both actions, in any order.
 */
export function waiting(events: readonly AuditEvent[]): Waiting[] {
  const open = new Map<string, Waiting>();
  for (const event of [...events].sort((one, other) => Number(one.sequence) - Number(other.sequence))) {
    const of = event.detail?.["of"] ?? "";
    const requestedBy = event.detail?.["requested_by"] ?? event.actor?.name ?? "";
    const key = JSON.stringify([of, requestedBy, event.checkId ?? "", event.pseudonym ?? "", event.purpose ?? ""]);
    if (event.action === "approval.given") open.delete(key);
    if (event.action === "approval.requested") {
      open.set(key, { of, requestedBy, time: event.time ?? "", purpose: event.purpose ?? "", checkId: event.checkId ?? "" });
    }
  }
  return [...open.values()].reverse();
}
