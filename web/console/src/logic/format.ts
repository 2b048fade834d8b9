/** Values as people read them. Every time is UTC, as in archives and in the audit log. */

export type Language = "en" | "de";

/** A bound on false matches above this says nothing about a person. */
const NO_STATEMENT = 0.5;

const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * A text of a person or a device, which can neither hide characters nor turn the text around it: control and bidi
 * characters are written out, and a text with letters from right to left is isolated.
 */
export function written(text: string): string {
  const seen = text.replaceAll(UNSEEN, (one) => `⟨U+${one.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}⟩`);
  return RIGHT_TO_LEFT.test(seen) ? `\u2068${seen}\u2069` : seen;
}

/** The name of an enumeration's value without its prefix; `fallback` for a value that is absent. */
export function bare(value: string | undefined, prefix: string, fallback = "UNSPECIFIED"): string {
  return value === undefined ? fallback : value.startsWith(prefix) ? value.slice(prefix.length) : value;
}

/** The detail of a sign of manipulation without what the server does not know of it. */
export function knownOnly(detail: string): string {
  return detail.replace(/ Method unknown, instrument unknown\./, "").replace(/Method unknown, instrument/, "Instrument").replace(/, instrument unknown\./, ".");
}

/** A name such as `hold.placed` or `NOT_EVALUATED` as words. */
export function asWords(name: string): string {
  const words = name.replaceAll(/[._]+/g, " ").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function timeText(iso: string | undefined, language: Language): string {
  if (iso === undefined || Number.isNaN(Date.parse(iso))) return "–";
  const format = new Intl.DateTimeFormat(language === "de" ? "de-DE" : "en-GB", {
    dateStyle: "medium",
    timeStyle: "medium",
    timeZone: "UTC",
  });
  return `${format.format(new Date(iso))} UTC`;
}

/** A day (YYYY-MM-DD) as `timeText` writes it. */
export function dayText(day: string, language: Language): string {
  return timeText(`${day}T00:00:00Z`, language).split(",")[0]!;
}

export function numberText(value: number, language: Language, digits = 0): string {
  return value.toLocaleString(language === "de" ? "de-DE" : "en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A share from 0 to 1 in per cent. */
export function percentText(share: number, language: Language): string {
  return `${numberText(100 * share, language, 1)}\u00a0%`;
}

/** Shares as whole per cents that add up to what the shares do: the largest remainders are rounded up. */
export function wholePercents(shares: readonly number[]): number[] {
  const whole = shares.map((share) => Math.floor(100 * share));
  const missing = Math.round(100 * shares.reduce((sum, share) => sum + share, 0)) - whole.reduce((sum, one) => sum + one, 0);
  const rest = shares.map((share, index) => [100 * share - whole[index]!, index] as const).sort(([one], [other]) => other - one);
  for (const [, index] of rest.slice(0, missing)) whole[index]! += 1;
  return whole;
}

export function secondsText(seconds: number, language: Language): string {
  if (seconds < 120) return `${numberText(seconds, language, 1)} s`;
  return `${numberText(seconds / 60, language, 1)} min`;
}

/** What a similarity says about other people, as `matcher.similarity_in_words` states it. */
export function othersInWords(scanBound: number | undefined): { kind: "unmeasured" | "reached" } | { kind: "bound"; people: number } {
  if (scanBound === undefined) return { kind: "unmeasured" };
  if (scanBound > NO_STATEMENT) return { kind: "reached" };
  return { kind: "bound", people: oneIn(scanBound) };
}

/** The largest whole number N for which a rate is at most 1 in N. */
export function oneIn(rate: number): number {
  // 1 / 1e-5 is 99999.99999999999.
  return Math.floor(Math.round((1000 * 1) / rate) / 1000);
}

/** The hexadecimal digits of a base64 text. */
export function hexOf(base64: string | undefined): string {
  if (base64 === undefined || base64 === "") return "";
  return Array.from(atob(base64), (character) => character.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}

/** The clockwise degrees of a rotation. */
export function degreesOf(rotation: string | undefined): 0 | 90 | 180 | 270 {
  const found = { ROTATION_90: 90, ROTATION_180: 180, ROTATION_270: 270 } as const;
  return found[rotation as keyof typeof found] ?? 0;
}

/** The length of a text in bytes of UTF-8, in which the server measures purposes and references. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The first instant of a day (YYYY-MM-DD), UTC, or of the day after it; `undefined` for no day. */
export function startOfDay(day: string, after = 0): string | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) return undefined;
  const time = Date.parse(`${day}T00:00:00Z`);
  return Number.isNaN(time) ? undefined : new Date(time + after * 86_400_000).toISOString();
}

/** The day (YYYY-MM-DD), UTC, that lies some days before a time. */
export function dayBefore(now: number, days: number): string {
  return new Date(now - days * 86_400_000).toISOString().slice(0, 10);
}
