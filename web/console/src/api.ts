/** The calls of the console's interface. */
import type { LoginMethods, Methods, Session } from "./types.js";

/** A call that the server refused, or that did not reach it. */
export class CallError extends Error {
  constructor(
    /** The HTTP status; 0 if no answer came. */
    readonly status: number,
    /** The reason of its ErrorInfo; empty if it has none. */
    readonly reason: string,
    readonly metadata: Readonly<Record<string, string>>,
    message: string,
  ) {
    super(message);
  }
}

/** What the application does when the server asks for a person. */
export interface Guards {
  /** The session has ended. */
  loggedOut(): void;
  /** Asks the person to log in once more; returns whether that was done. */
  stepUp(): Promise<boolean>;
  /** The session may be another than the page's; returns whether it is the same person's, so that the call may be repeated. */
  changed(): Promise<boolean>;
  /** The server answered within the session, which therefore is not idle. */
  active(): void;
}

let csrf = "";
let guards: Guards = { loggedOut: () => {}, stepUp: async () => false, changed: async () => false, active: () => {} };

export function setGuards(own: Guards): void {
  guards = own;
}

/** Reads the session; `null` without one. `use` says that the person is there, so that the session is not idle. */
export async function readSession(use = false): Promise<Session | null> {
  const response = await sent("/api/session", use ? posted({}) : { method: "GET" });
  if (response.status === 401) return null;
  if (!response.ok) throw await refusal(response);
  const session = (await response.json()) as Session;
  csrf = session.csrf;
  return session;
}

export async function loginMethods(): Promise<LoginMethods> {
  const response = await sent("/api/login", { method: "GET" });
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as LoginMethods;
}

/** Logs in with a secret, which is sent in the body alone. */
export async function logIn(secret: { api_key: string } | { link: string }): Promise<void> {
  const response = await sent("/api/login", posted(secret));
  if (!response.ok) throw await refusal(response);
}

/** Ends the session; returns the address at which the issuer's own session ends, if it has one. */
export async function logOut(): Promise<string | null> {
  const response = await sent("/api/logout", posted({}));
  if (!response.ok) throw await refusal(response);
  return ((await response.json()) as { end_session_url?: string | null }).end_session_url ?? null;
}

/** The public keys of results, as the server states them. */
export function serverKeys(): Promise<unknown> {
  return keysAt("/api/keys");
}

/** The public keys of the checkpoints of the audit log, as the server states them. */
export function auditKeys(): Promise<unknown> {
  return keysAt("/api/audit-keys");
}

async function keysAt(path: string): Promise<unknown> {
  const response = await sent(path, { method: "GET" });
  if (!response.ok) throw await refusal(response);
  return response.json();
}

/** Calls a method whose answer is JSON. */
export async function call<Name extends keyof Methods>(method: Name, request: Methods[Name][0]): Promise<Methods[Name][1]> {
  const response = await answered(method, request);
  return (await response.json()) as Methods[Name][1];
}

/** Calls a method whose answer is bytes. */
export async function callForBytes(
  method: "GetEvidenceImage" | "ExportEvidence" | "ExportSubject" | "ExportAuditLog",
  request: Record<string, unknown>,
): Promise<Blob> {
  return (await answered(method, request)).blob();
}

async function answered(method: string, request: unknown): Promise<Response> {
  const response = await sent(`/api/${method}`, posted(request));
  if (response.ok) {
    guards.active();
    return response;
  }
  const error = await refusal(response);
  if (response.status === 401) guards.loggedOut();
  // A role that lacks a scope is refused with its name: without it, the token is that of another session.
  const otherSession = error.reason === "PERMISSION_DENIED" && error.metadata["requiredScope"] === undefined;
  if ((error.reason === "STEP_UP_REQUIRED" && (await guards.stepUp())) || (otherSession && (await guards.changed()))) {
    const again = await sent(`/api/${method}`, posted(request));
    if (!again.ok) throw await refusal(again);
    guards.active();
    return again;
  }
  throw error;
}

function posted(body: unknown): RequestInit {
  return {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Facegate-CSRF": csrf },
    body: JSON.stringify(body),
  };
}

async function sent(path: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { ...request, cache: "no-store", credentials: "same-origin", redirect: "error" });
  } catch {
    throw new CallError(0, "", {}, "no answer");
  }
}

interface Status {
  message?: string;
  details?: { "@type"?: string; reason?: string; metadata?: Record<string, string> }[];
}

async function refusal(response: Response): Promise<CallError> {
  let status: Status = {};
  try {
    status = (await response.json()) as Status;
  } catch {
    // A proxy may answer with a page of its own: the status alone says what is known.
  }
  const info = status.details?.find((detail) => detail["@type"]?.endsWith("google.rpc.ErrorInfo"));
  return new CallError(response.status, info?.reason ?? "", info?.metadata ?? {}, status.message ?? "");
}

/** Saves bytes as a file of the person's. */
export function save(bytes: Blob, name: string): void {
  const address = URL.createObjectURL(bytes);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The download has begun when the click returns, but some browsers read the address a little later.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Offers JSON as a download. */
export function saveJson(content: unknown, name: string): void {
  save(new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }), name);
}
