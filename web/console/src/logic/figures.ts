/** Sums of the figures of days. */
import type { FiguresDay } from "../types.js";

export interface DaySum {
  day: string;
  successes: number;
  failures: number;
  undecided: number;
}

export interface Figures {
  days: DaySum[];
  total: DaySum;
  /** Reasons with their checks, the most frequent first. */
  reasons: [reason: string, checks: number][];
  policies: string[];
}

const DAY_MS = 86_400_000;

/** Reads the figures of a time; of one that the server refuses as too large, those of its halves, parted at a midnight of UTC. */
export async function inParts(
  since: string,
  before: string,
  read: (since: string, before: string) => Promise<FiguresDay[]>,
  isTooLarge: (error: unknown) => boolean,
): Promise<FiguresDay[]> {
  try {
    return await read(since, before);
  } catch (error) {
    const middle = Math.round((Date.parse(since) + Date.parse(before)) / 2 / DAY_MS) * DAY_MS;
    if (!isTooLarge(error) || middle <= Date.parse(since) || middle >= Date.parse(before)) throw error;
    const between = new Date(middle).toISOString();
    return [...(await inParts(since, between, read, isTooLarge)), ...(await inParts(between, before, read, isTooLarge))];
  }
}

export function checksOf({ successes, failures, undecided }: Omit<DaySum, "day">): number {
  return successes + failures + undecided;
}

/** The share of decided checks that succeeded; `null` without one. Checks that were not decided do not count. */
export function passRate({ successes, failures }: Omit<DaySum, "day">): number | null {
  return successes + failures === 0 ? null : successes / (successes + failures);
}

/** Sums the figures of all policies by day, in order, with every day between the first and the last. */
export function summed(found: readonly FiguresDay[]): Figures {
  const byDay = new Map<string, DaySum>();
  const reasons = new Map<string, number>();
  const policies = new Set<string>();
  const total: DaySum = { day: "", successes: 0, failures: 0, undecided: 0 };
  const sorted = [...found].sort((one, other) => one.day.localeCompare(other.day));
  const [first, last] = [sorted[0]?.day, sorted.at(-1)?.day];
  for (let day = first; day !== undefined && last !== undefined && day <= last; day = dayAfter(day)) {
    byDay.set(day, { day, successes: 0, failures: 0, undecided: 0 });
  }
  for (const one of sorted) {
    const sum = byDay.get(one.day);
    for (const name of ["successes", "failures", "undecided"] as const) {
      if (sum !== undefined) sum[name] += one[name] ?? 0;
      total[name] += one[name] ?? 0;
    }
    if (one.policy) policies.add(one.policy);
    for (const { reason, checks } of one.reasons ?? []) {
      reasons.set(reason ?? "", (reasons.get(reason ?? "") ?? 0) + (checks ?? 0));
    }
  }
  return {
    days: [...byDay.values()],
    total,
    reasons: [...reasons].sort(([, one], [, other]) => other - one),
    policies: [...policies].sort(),
  };
}

/** Checks of one status whose review is decided. */
export interface Reviewed {
  status: "SUCCESS" | "FAILURE";
  /** Whether these are only those that the sample sent to review. */
  sampled: boolean;
  decided: number;
  /** Those that people decided the other way: denied after SUCCESS, allowed after FAILURE. */
  contradicted: number;
  /** Those that people asked again or escalated. */
  unclear: number;
}

/** The machine against reviewers. Only checks with SUCCESS are sampled. */
export function reviewedOf(found: readonly FiguresDay[]): { rows: Reviewed[]; open: number; expired: number } {
  const rows = [
    { status: "SUCCESS", sampled: true, decided: 0, contradicted: 0, unclear: 0 },
    { status: "SUCCESS", sampled: false, decided: 0, contradicted: 0, unclear: 0 },
    { status: "FAILURE", sampled: false, decided: 0, contradicted: 0, unclear: 0 },
  ] satisfies Reviewed[];
  let [open, expired] = [0, 0];
  for (const day of found) {
    open += day.reviewsOpen ?? 0;
    expired += day.reviewsExpired ?? 0;
    for (const one of day.reviews ?? []) {
      for (const row of rows.filter(({ status }) => one.status === `CHECK_STATUS_${status}`)) {
        const checks = (row.sampled ? one.sampled : one.checks) ?? 0;
        row.decided += checks;
        if (one.outcome === (row.status === "SUCCESS" ? "REVIEW_OUTCOME_DENY" : "REVIEW_OUTCOME_ALLOW")) row.contradicted += checks;
        if (one.outcome === "REVIEW_OUTCOME_ASK_AGAIN" || one.outcome === "REVIEW_OUTCOME_ESCALATE") row.unclear += checks;
      }
    }
  }
  return { rows, open, expired };
}

/** The 95 % interval of a share by Wilson; `null` of none. */
export function interval(hits: number, of: number): { low: number; high: number } | null {
  if (of === 0) return null;
  const z = 1.959964;
  const [share, grown] = [hits / of, 1 + z ** 2 / of];
  const [middle, reach] = [share + z ** 2 / (2 * of), z * Math.sqrt((share * (1 - share)) / of + z ** 2 / (4 * of ** 2))];
  return { low: Math.max(0, (middle - reach) / grown), high: Math.min(1, (middle + reach) / grown) };
}

/** The times to a verdict of a day's checks, in seconds; a time of 0 is omitted in JSON. */
export function timesOfDay({ secondsToVerdictMedian: median = 0, secondsToVerdictP90: p90 = 0 }: FiguresDay): { median: number; p90: number } {
  return { median, p90 };
}

/** The times to a verdict of one policy by day; `null` where it has no check. */
export function timesOf(found: readonly FiguresDay[], days: readonly DaySum[], policy: string): { median: (number | null)[]; p90: (number | null)[] } {
  const own = new Map(found.filter((one) => (one.policy ?? "") === policy).map((one) => [one.day, timesOfDay(one)]));
  return {
    median: days.map(({ day }) => own.get(day)?.median ?? null),
    p90: days.map(({ day }) => own.get(day)?.p90 ?? null),
  };
}

function dayAfter(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10);
}
