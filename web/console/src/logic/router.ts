/** The pages and their addresses. Only identifiers of checks are in an address: never a reference or a secret. */
import type { Scope, Session } from "../types.js";

export const PAGES = ["checks", "subject", "holds", "audit", "who", "figures", "review"] as const;
export type Page = (typeof PAGES)[number];

/** The scopes of which a person needs one for a page. */
const SCOPES: Record<Page, readonly Scope[]> = {
  checks: ["evidence.read"],
  subject: ["evidence.export", "evidence.erase"],
  holds: ["evidence.read"],
  audit: ["audit.read"],
  who: ["audit.read"],
  figures: ["evidence.read"],
  review: ["reviews.read"],
};

/** The pages that a session offers. */
export function pagesOf({ scopes, reviews }: Pick<Session, "scopes" | "reviews">): Page[] {
  return PAGES.filter((page) => SCOPES[page].some((scope) => scopes.includes(scope)) && (page !== "review" || reviews));
}

/** The page after a log-in: the queue for a person who only reviews. */
export function homeOf(session: Pick<Session, "scopes" | "reviews">): Page {
  const pages = pagesOf(session);
  return pages.includes("review") && session.scopes.includes("reviews.decide") && !pages.includes("subject") ? "review" : "checks";
}

export interface Route {
  /** "home" without an address; "unknown" for one that names no page, or no check. */
  page: Page | "home" | "unknown";
  /** The identifier of a check. */
  checkId: string;
}

const IDENTIFIER = /^[0-9a-f-]{8,64}$/i;

export function routeFrom(hash: string): Route {
  const [page = "", id = "", ...rest] = hash.replace(/^#\/?/, "").split("/");
  if (page === "" && id === "") return { page: "home", checkId: "" };
  const known = (PAGES as readonly string[]).includes(page) && (id === "" || IDENTIFIER.test(id)) && rest.length === 0;
  return known ? { page: page as Page, checkId: id } : { page: "unknown", checkId: "" };
}

export function addressOf(page: Page, checkId = ""): string {
  return `#/${page}${checkId === "" ? "" : `/${checkId}`}`;
}

/** The one-time secret of an address's fragment; empty without one. */
export function linkIn(hash: string): string {
  return hash.startsWith("#link=") ? hash.slice("#link=".length) : "";
}
