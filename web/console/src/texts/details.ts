/** The details of an entry of the audit log, as the other pages name them. */
import { asWords } from "../logic/format.js";
import { failure, isKey, t, word } from "./index.js";

export function detailName(name: string): string {
  const key = `detail.${name}`;
  return isKey(key) ? t(key) : asWords(name);
}

/** The groups of texts that name the values of a detail. */
const GROUPS: Readonly<Record<string, string>> = {
  purpose_of_image: "image",
  of: "action",
  causes: "review.cause",
  state: "review.state",
  outcome: "outcome",
  status: "status",
  attack_type: "attack",
  by: "detail.by",
  login: "detail.login",
  part: "detail.part",
};

export function detailValue(action: string, name: string, value: string): string {
  if (name === "sha256") return `${value.slice(0, 12)}…`;
  if (name === "reason" && action === "checks.listed") return failure(value).means;
  if (name === "reason" && action === "review.decided") return word("review.reason", value);
  if (name === "reason" && (action.startsWith("subject.") || action.startsWith("approval."))) return word("subject.reason", value.toUpperCase());
  if (value === "true") return t("yes");
  const group = GROUPS[name];
  if (group === undefined) return value;
  const known = (one: string) => {
    const upper = isKey(`${group}.${one.toUpperCase()}`) ? one.toUpperCase() : one;
    return word(group, upper).replace(/\.$/, "");
  };
  return value.split(/, ?/).map(known).join("; ");
}
