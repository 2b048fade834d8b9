/** The filters of the list of checks, and the views that a person saves in this browser. */
import type { Methods } from "../types.js";
import { startOfDay } from "./format.js";

export interface Filters {
  since: string;
  until: string;
  subject: string;
  consent: string;
  status: string;
  reason: string;
  policy: string;
  attack: string;
  sign: string;
  sandbox: "" | "yes" | "no";
  onHold: boolean;
}

export const NO_FILTERS: Filters = {
  since: "",
  until: "",
  subject: "",
  consent: "",
  status: "",
  reason: "",
  policy: "",
  attack: "",
  sign: "",
  sandbox: "",
  onHold: false,
};

/** Whether the first day is later than the last one, so that nothing can match. */
export function reversed({ since, until }: Pick<Filters, "since" | "until">): boolean {
  return since !== "" && until !== "" && since > until;
}

/** The request of ListChecks for filters; the last day is included. */
export function listRequest(filters: Filters, pageToken = ""): Methods["ListChecks"][0] {
  const request: Record<string, unknown> = {
    decidedSince: startOfDay(filters.since),
    decidedBefore: startOfDay(filters.until, 1),
    subjectReference: filters.subject.trim(),
    consentReference: filters.consent.trim(),
    status: filters.status && `CHECK_STATUS_${filters.status}`,
    reason: filters.reason && `FAILURE_REASON_${filters.reason}`,
    attackType: filters.attack && `ATTACK_TYPE_${filters.attack}`,
    policy: filters.policy.trim(),
    deviceSign: filters.sign.trim(),
    sandbox: filters.sandbox === "" ? undefined : filters.sandbox === "yes",
    onHold: filters.onHold || undefined,
    pageSize: 50,
    pageToken,
  };
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined && value !== ""));
}

export interface SavedView {
  name: string;
  filters: Filters;
}

const KEY = "facegate-console.views";
const MOST = 20;

/** Filters without what names a person: neither reference is ever stored. */
export function impersonal(filters: Filters): Filters {
  return { ...filters, subject: "", consent: "" };
}

/** The saved views; those that cannot be read are left out. */
export function savedViews(storage: Storage): SavedView[] {
  try {
    const stored = JSON.parse(storage.getItem(KEY) ?? "[]") as unknown;
    if (!Array.isArray(stored)) return [];
    return stored.filter(isView).map(({ name, filters }) => ({ name, filters: impersonal({ ...NO_FILTERS, ...filters }) }));
  } catch {
    return [];
  }
}

/** Saves a view under its name in place of an earlier one; returns all. */
export function saveView(storage: Storage, name: string, filters: Filters): SavedView[] {
  const views = [...savedViews(storage).filter((view) => view.name !== name), { name, filters: impersonal(filters) }].slice(-MOST);
  storage.setItem(KEY, JSON.stringify(views));
  return views;
}

export function removeView(storage: Storage, name: string): SavedView[] {
  const views = savedViews(storage).filter((view) => view.name !== name);
  storage.setItem(KEY, JSON.stringify(views));
  return views;
}

function isView(value: unknown): value is SavedView {
  if (typeof value !== "object" || value === null) return false;
  const { name, filters } = value as Partial<SavedView>;
  return (
    typeof name === "string" &&
    typeof filters === "object" &&
    filters !== null &&
    Object.entries(filters).every(([key, one]) => key in NO_FILTERS && typeof one === typeof NO_FILTERS[key as keyof Filters])
  );
}
