/** The actions of the audit log. */

/** The actions that are offered as a filter, as docs/evidence.md lists them. */
export const ACTIONS = [
  "result.delivered",
  "result.repeated",
  "access.refused",
  "checks.listed",
  "evidence.read",
  "evidence.image_read",
  "evidence.exported",
  "subject.exported",
  "audit.read",
  "evidence.deleted",
  "evidence.expired",
  "hold.placed",
  "hold.released",
  "subject.erased",
  "devices.forgotten",
  "approval.requested",
  "approval.given",
  "approval.withdrawn",
  "review.opened",
  "reviews.listed",
  "review.read",
  "review.claimed",
  "review.released",
  "review.decided",
  "review.expired",
  "session.begun",
  "session.ended",
  "settings.changed",
  "policies.changed",
  "callers.changed",
  "keys.changed",
] as const;

/** The actions by which somebody gets data of a check or a person. */
export const LOOKS: ReadonlySet<string> = new Set([
  "result.delivered",
  "result.repeated",
  "evidence.read",
  "evidence.image_read",
  "evidence.exported",
  "subject.exported",
]);
