/** The queue of reviews: which one is selected, and what the reviewer has entered. */
import type { Review } from "../types.js";

export const OUTCOMES = ["ALLOW", "DENY", "ASK_AGAIN", "ESCALATE"] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const REVIEW_REASONS = [
  "SAME_PERSON",
  "DIFFERENT_PERSON",
  "ATTACK_SUSPECTED",
  "DEVICE_NOT_TRUSTED",
  "DURESS_SUSPECTED",
  "IMAGES_INSUFFICIENT",
  "OTHER",
] as const;

/** The reasons that contradict an outcome, as the server refuses them. */
const CONTRADICTIONS: Readonly<Record<string, readonly string[]>> = {
  ALLOW: ["DIFFERENT_PERSON", "ATTACK_SUSPECTED", "DURESS_SUSPECTED"],
  DENY: ["SAME_PERSON"],
};

/** Whether a reason does not contradict an outcome. */
export function agrees(outcome: string, reason: string): boolean {
  return !(CONTRADICTIONS[outcome] ?? []).includes(reason);
}

export interface Draft {
  outcome: Outcome | "";
  reason: string;
  comment: string;
}

export const NO_DRAFT: Draft = { outcome: "", reason: "", comment: "" };

export interface Queue {
  reviews: Review[];
  /** Index of the selected review; -1 in an empty queue. */
  at: number;
  draft: Draft;
  /** How many were decided here. */
  decided: number;
}

export type Action =
  | { type: "loaded"; reviews: Review[] }
  | { type: "moved"; by: number }
  | { type: "selected"; at: number }
  | { type: "changed"; review: Review }
  | { type: "decided"; review: Review }
  | { type: "drafted"; draft: Partial<Draft> };

export const EMPTY: Queue = { reviews: [], at: -1, draft: NO_DRAFT, decided: 0 };

/** The queue after an action. Another selection discards what was entered; a decision goes on to the next review. */
export function after(queue: Queue, action: Action): Queue {
  switch (action.type) {
    case "loaded": {
      const selected = queue.reviews[queue.at]?.checkId;
      const again = action.reviews.findIndex((review) => review.checkId === selected);
      const at = again >= 0 ? again : action.reviews.length > 0 ? 0 : -1;
      return { ...queue, reviews: action.reviews, at, draft: again >= 0 ? queue.draft : NO_DRAFT };
    }
    case "moved":
      return select(queue, queue.at + action.by);
    case "selected":
      return select(queue, action.at);
    case "changed":
      return { ...queue, reviews: queue.reviews.map((review) => (review.checkId === action.review.checkId ? action.review : review)) };
    case "decided": {
      const reviews = queue.reviews.filter((review) => review.checkId !== action.review.checkId);
      return { reviews, at: Math.min(queue.at, reviews.length - 1), draft: NO_DRAFT, decided: queue.decided + 1 };
    }
    case "drafted": {
      const draft = { ...queue.draft, ...action.draft };
      return { ...queue, draft: agrees(draft.outcome, draft.reason) ? draft : { ...draft, reason: "" } };
    }
  }
}

function select(queue: Queue, wanted: number): Queue {
  const at = Math.max(Math.min(wanted, queue.reviews.length - 1), queue.reviews.length > 0 ? 0 : -1);
  return at === queue.at ? queue : { ...queue, at, draft: NO_DRAFT };
}

/** Whether a person holds the claim of a review at a time. */
export function isClaimedBy(review: Review, name: string, now: number): boolean {
  return review.claimedBy === name && (review.claimExpireTime === undefined || Date.parse(review.claimExpireTime) > now);
}

/**
 * What a draft lacks; `null` if it can be sent.
 *
 * @param seen Whether the person opened the images, as far as there are any that the person may see: who has not can
 *   ask for another check or escalate, but neither allow nor deny.
 */
export function lacks({ outcome, reason, comment }: Draft, seen: boolean): "outcome" | "images" | "reason" | "comment" | null {
  if (outcome === "") return "outcome";
  if (!seen && (outcome === "ALLOW" || outcome === "DENY")) return "images";
  if (reason === "") return "reason";
  return reason === "OTHER" && comment.trim() === "" ? "comment" : null;
}
