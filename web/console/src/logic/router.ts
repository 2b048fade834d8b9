/** The pages and their addresses. Only identifiers of checks are in an address: never a reference or a secret. */

export const PAGES = ["checks", "subject", "holds", "audit", "who", "figures", "review"] as const;
export type Page = (typeof PAGES)[number];

export interface Route {
  page: Page;
  /** The identifier of a check. */
  checkId: string;
}

const IDENTIFIER = /^[0-9a-f-]{8,64}$/i;

export function routeFrom(hash: string): Route {
  const [page = "", id = ""] = hash.replace(/^#\/?/, "").split("/");
  const known = (PAGES as readonly string[]).includes(page) ? (page as Page) : "checks";
  return { page: known, checkId: IDENTIFIER.test(id) ? id : "" };
}

export function addressOf(page: Page, checkId = ""): string {
  return `#/${page}${checkId === "" ? "" : `/${checkId}`}`;
}

/** The one-time secret of an address's fragment; empty without one. */
export function linkIn(hash: string): string {
  return hash.startsWith("#link=") ? hash.slice("#link=".length) : "";
}
