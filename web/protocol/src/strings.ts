import { LANGUAGES } from "./generated/languages.js";

export { LANGUAGES };

/** The texts of the capture screen. `hints` has a text for every code of the protocol; any other code is shown as `UNSPECIFIED`. */
export interface Strings {
  title: string;
  intro: string;
  start: string;
  cancel: string;
  connecting: string;
  camera: string;
  flashNotice: string;
  flashDecline: string;
  flashNeeded: string;
  brightness: string;
  ready: string;
  tryAgain: string;
  deciding: string;
  reconnecting: string;
  unreachable: string;
  success: string;
  completed: string;
  failure: string;
  cancelled: string;
  denied: string;
  missing: string;
  busy: string;
  unsupported: string;
  network: string;
  untrusted: string;
  expired: string;
  closed: string;
  later: string;
  problem: string;
  otherCamera: string;
  hidden: string;
  cameraLost: string;
  how: string;
  hints: Record<string, string>;
}

/** The first of the wanted languages (BCP 47) that the package has, else English. */
export function languageFor(wanted: readonly string[]): string {
  for (const tag of wanted) {
    const primary = tag.toLowerCase().split("-")[0] ?? "";
    if (Object.hasOwn(LANGUAGES, primary)) return primary;
  }
  return "en";
}

/** The text of a code. */
export function textFor({ hints }: Strings, code: string): string {
  return hints[code] ?? hints.UNSPECIFIED ?? "";
}
