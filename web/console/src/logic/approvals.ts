/** What waits for a second person, from the entries of the audit log. */
import type { AuditEvent } from "../types.js";

export interface Waiting {
  /** The action that is confirmed, such as "hold.released". */
  of: string;
  requestedBy: string;
  /** That of the person; empty for a request about a check. */
  pseudonym: string;
  time: string;
  purpose: string;
  checkId: string;
  /** The reference of the hold, or the reason of the erasure, that the request is about; empty without. */
  reference: string;
  reason: string;
}

/** A request, and the actions after which it waits no more. */
export const STEPS = ["approval.requested", "approval.given", "approval.withdrawn", "subject.erased"];

/**
 * The requests without a confirmation or a withdrawal after them, the newest first. The log does not say when a request lapses: it may
 * have lapsed.
 *
 * @param events Entries of the actions of `STEPS`, in any order.
 */
export function waiting(events: readonly AuditEvent[]): Waiting[] {
  const open = new Map<string, Waiting>();
  for (const event of [...events].sort((one, other) => Number(one.sequence) - Number(other.sequence))) {
    const of = event.detail?.["of"] ?? "";
    const requestedBy = event.detail?.["requested_by"] ?? event.actor?.name ?? "";
    const pseudonym = event.pseudonym ?? "";
    const { reference = "", reason = "" } = event.detail ?? {};
    const key = JSON.stringify([of, requestedBy, event.checkId ?? "", pseudonym, reference, reason]);
    if (event.action === "approval.given" || event.action === "approval.withdrawn") open.delete(key);
    if (event.action === "subject.erased" && pseudonym !== "") for (const [kept, one] of open) if (one.pseudonym === pseudonym) open.delete(kept);
    if (event.action === "approval.requested") {
      open.set(key, { of, requestedBy, pseudonym, time: event.time ?? "", purpose: event.purpose ?? "", checkId: event.checkId ?? "", reference, reason });
    }
  }
  return [...open.values()].reverse();
}

/** The request of somebody else that the same action of a person performs: for an erasure of a person, with the same reason. */
export function toConfirm(requests: readonly Waiting[], of: string, name: string, reference = ""): Waiting | undefined {
  return requests.find((one) => one.of === of && one.requestedBy !== name && one.reference === reference);
}
