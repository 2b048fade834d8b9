/** The calls of the page's interface. The browser's secret is in a cookie that no script can read. */
import type { ScanTicket } from "@facegate/web";
import type { Secret } from "./arrival.js";

export type Stage = "waiting" | "scanning" | "interrupted" | "done" | "expired" | "cancelled";
export type HandOver = "none" | "shown" | "lapsed" | "asking" | "confirmed";

/** What this browser may know of the check. */
export interface View {
  check: string;
  /** Whether it is the phone of a hand-over. */
  phone: boolean;
  stage: Stage;
  /** Where the person returns; empty for nowhere. */
  returnUrl: string;
  handOver: HandOver;
  /** The number that the phone shows until it is confirmed. */
  number: number | null;
  codeReopened: boolean;
}

/** How the page looks, by the server's settings. */
export interface Look {
  name: string;
  color: string;
  logo: string;
  links: Partial<Record<"privacy" | "imprint" | "help", string>>;
  texts: Partial<Record<string, { title?: string; consent?: string; end?: string }>>;
}

/** Why the page cannot go on: a problem that the server names, `busy`, or `offline`. */
export class Problem extends Error {}

async function call<Answer>(name: string, body: object): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(`/scan/api/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Problem("offline");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(typeof answer.problem === "string" ? answer.problem : "busy");
  return answer as Answer;
}

export const open = (secret: Secret) => call<View>("open", secret);
export const readState = (check: string) => call<View>("state", { check });
export const showCode = (check: string, language: string) => call<{ svg: string }>("code", { check, language });
export const answer = (check: string, number: number | null) => call<View>("answer", { check, number });

export async function getTicket(check: string): Promise<ScanTicket> {
  const { token, challengeKey } = await call<{ token: string; challengeKey: string }>("ticket", { check });
  return { token, challengeKeySha256: challengeKey };
}

export async function readLook(): Promise<Look> {
  const response = await fetch("/scan/look.json");
  if (!response.ok) throw new Problem("offline");
  return (await response.json()) as Look;
}
