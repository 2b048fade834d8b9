/** The JSON interface of `facegate try`. lab/try_/site.py serves it. */

export interface Mode {
  key: "express" | "colours" | "dynamic";
  policy: string;
  flashes: boolean;
  /** Why the pack cannot serve it; empty if it can. */
  shortfall: string;
}

export interface About {
  version: string;
  /** Address of the server's web listener. */
  scans: string;
  sandbox: boolean;
  /** Whether the data stay after the end. */
  kept: boolean;
  pack: { name: string; version: string; evaluation: boolean; why: string };
  modes: Mode[];
}

export interface Finding {
  code: string;
  measured: string;
  required: string;
  remedy: string;
}

export interface Portrait {
  portrait: string;
  container: string;
  width: number;
  height: number;
  eye_distance: number;
  met: number;
  assessed: number;
  findings: Finding[];
  notes: string[];
}

export interface Created {
  check: string;
  ticket: { token: string; challengeKeySha256: string };
}

export interface Verdict {
  status: "SUCCESS" | "FAILURE" | "NOT_DECIDED";
  /** Names of the reasons, the most important first. */
  reasons: string[];
  /** What they mean. */
  sentences: string[];
  sandbox: boolean;
  /** HTML that explains it. */
  explained: string;
  result_json: string;
  result_jws: string;
}

export interface Film {
  image: string;
  frames: number;
  width: number;
  height: number;
}

export interface Attack {
  key: string;
  title: string;
  shown: string;
  mode: string;
  /** What its mode means. */
  about: string;
  genuine: boolean;
  state: "waiting" | "rendering" | "scanning" | "deciding" | "done" | "failed";
  progress: number;
  error: string;
}

export interface AttackDetail extends Attack {
  tone: "good" | "bad" | "warn";
  /** HTML that explains the verdict. */
  explained: string;
  film: Film | null;
}

/** The server's answer with an HTTP status other than 200. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly remedy: string,
    readonly details: Record<string, string>,
  ) {
    super(message);
  }
}

const SECRET = "facegate-try";

/** The secret of the page's address; empty if the page was opened without it. */
export const secret = keptSecret();

/** Adds the secret to the links to the other page, which may be opened in a new tab. */
export function carrySecret(): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>('a[href$=".html"]')) {
    link.href = `${link.getAttribute("href")}#${secret}`;
  }
}

export const api = {
  about: () => call<About>("GET", "about"),
  examine: (photo: Blob) => call<Portrait>("POST", "portraits", photo),
  create: (portrait: string, mode: string) =>
    call<Created>("POST", `checks?${new URLSearchParams({ portrait, mode }).toString()}`),
  finish: (check: string) => call<Verdict>("POST", `checks/${encodeURIComponent(check)}/finish`),
  startAttacks: () => call<Attack[]>("POST", "attacks"),
  attacks: () => call<Attack[]>("GET", "attacks"),
  attack: (key: string) => call<AttackDetail>("GET", `attacks/${encodeURIComponent(key)}`),
};

function keptSecret(): string {
  const given = location.hash.slice(1);
  // The target of the skip link is no secret.
  if (given.length > 20) sessionStorage.setItem(SECRET, given);
  return sessionStorage.getItem(SECRET) ?? "";
}

async function call<T>(method: string, path: string, body?: Blob): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(`/api/${path}`, {
      method,
      headers: { "X-Facegate-Try": secret },
      ...(body === undefined ? {} : { body }),
    });
  } catch {
    throw new Refused(0, "STOPPED", "The server does not answer.", "Start `facegate try` again and open its address.", {});
  }
  const content = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  if (answer.ok) return content as T;
  const { reason = "", message = "", remedy = "", details = {} } = content as Partial<Refused>;
  throw new Refused(answer.status, reason, message, remedy, details);
}
