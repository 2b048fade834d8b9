/** What the address says of the scan. */

/** What opens a check: the secret of a link or of a code. */
export type Secret = { link: string } | { code: string };

export interface Arrival {
  /** Not used yet. */
  secret: Secret | null;
  /** The check that this browser has opened. */
  check: string | null;
  language: string | null;
}

/** Reads the fragment of the address. */
export function readArrival(fragment: string): Arrival {
  const said = new URLSearchParams(fragment.replace(/^#/, ""));
  const link = said.get("link");
  const code = said.get("code");
  return {
    secret: link ? { link } : code ? { code } : null,
    check: said.get("check"),
    language: said.get("lang"),
  };
}

/** Takes the secret out of the address and the history. The check stays, so that the page can be loaded again. */
export function writeArrival(check: string | null, language: string): void {
  const said = new URLSearchParams({ ...(check === null ? {} : { check }), lang: language });
  history.replaceState(null, "", `${location.pathname}#${said}`);
}
