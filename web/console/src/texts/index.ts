/** The texts of the console in the language of the person. */
import { LANGUAGES } from "@facegate/protocol/strings.js";
import { FAILURES, REFUSALS } from "../generated/texts.js";
import { type Language, written } from "../logic/format.js";
import type { EvidenceRecord } from "../logic/record.js";
import type { Result } from "../types.js";
import { de, failures as germanFailures, signals as germanSignals, verdicts as germanVerdicts } from "./de.js";
import { en } from "./en.js";

export type Key = keyof typeof en;
/** A text with a form for one and a form for other numbers. */
export type CountedKey = Key extends infer K ? (K extends `${infer Name}.one` ? Name : never) : never;
export type FailureName = keyof typeof FAILURES;

const KEY = "facegate-console.language";
const TEXTS: Record<Language, Record<Key, string>> = { en, de };
let current: Language = "en";

/** The language that the person chose, or that the browser prefers. */
export function chosenLanguage(storage: Storage, preferred: readonly string[]): Language {
  const chosen = storage.getItem(KEY);
  if (chosen === "en" || chosen === "de") return chosen;
  return preferred.find((tag) => /^(en|de)\b/i.test(tag))?.toLowerCase().startsWith("de") ? "de" : "en";
}

export function setLanguage(language: Language, storage?: Storage): void {
  current = language;
  storage?.setItem(KEY, language);
}

export function language(): Language {
  return current;
}

/** The text of a key, with its values in place. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return TEXTS[current][key].replaceAll(/\{(\w+)\}/g, (whole, name: string) => (name in values ? written(String(values[name])) : whole));
}

/** The text of a key for a number, `{n}` in the text. */
export function tn(key: CountedKey, n: number, values: Record<string, string | number> = {}): string {
  const form = n === 1 ? "one" : "other";
  return t(`${key}.${form}` as Key, { n: n.toLocaleString(current === "de" ? "de-DE" : "en-GB"), ...values });
}

/** Whether there is a text of this key, such as one made from a value of the server. */
export function isKey(key: string): key is Key {
  return key in en;
}

/** The text for a value of the server, such as `status.SUCCESS`; the value itself if a newer server sent it. */
export function word(group: string, value: string): string {
  const key = `${group}.${value}`;
  return isKey(key) ? t(key) : value;
}

/** What a reason of a check means, and what to do about it. */
export function failure(name: string): { means: string; action: string } {
  const own: Record<string, { means: string; action: string }> = current === "de" ? germanFailures : FAILURES;
  return own[name] ?? { means: name, action: "" };
}

/** The reasons of a verdict on liveness. Results state them in English, and records as codes; one that is not known here stays English. */
export function explanations({ explanations: english = [], verdict }: NonNullable<Result["liveness"]>, outcome: EvidenceRecord["outcome"]): string[] {
  const reasons = outcome?.liveness?.reasons;
  if (current === "en" || reasons === undefined) return english;
  const german = (reason: string) => germanVerdicts[reason as keyof typeof germanVerdicts] as string | undefined;
  const earlier = (doubt: string) => german(doubt) && t("verdict.earlier", { reason: german(doubt)! });
  // In the order of the result.
  const own = [...reasons.map(german), ...(verdict === "LIVENESS_VERDICT_LIVE" ? [t("verdict.unattested")] : (outcome?.doubts ?? []).map(earlier))];
  return english.map((text, index) => own[index] ?? text);
}

/** The name of a signal of liveness. */
export function signalName(name: string, label: string): string {
  return current === "de" ? (germanSignals[name] ?? label) : label;
}

/** The hint that a person got during a scan. */
export function hint(code: string): string {
  const hints: Record<string, string> = LANGUAGES[current]!.hints;
  return hints[code] ?? code;
}

/** What to do about a refusal that has no text of its own here. */
export function refusalAdvice(reason: string): string {
  return (REFUSALS as Record<string, string>)[reason] ?? "";
}
