/** Errors as sentences that say what to do. */
import { CallError } from "../api.js";
import { isKey, refusalAdvice, t, word } from "./index.js";

export function errorText(error: unknown): string {
  if (!(error instanceof CallError)) return t("error.unexpected");
  const { reason, status, metadata, message } = error;
  const own = `error.${reason}`;
  if (reason === "INVALID_FIELD") return invalidText(metadata, message);
  if (reason !== "" && isKey(own)) return t(own, metadata);
  if (status === 0) return t("error.unreachable");
  if (status === 429) return t("error.OVERLOADED");
  if (reason !== "") return [t("error.refused", { message: message || reason }), refusalAdvice(reason)].filter(Boolean).join(" ");
  if (status === 401) return t("error.UNAUTHENTICATED");
  if (status === 403) return t("error.PERMISSION_DENIED", { requiredScope: "?" });
  if (status === 404) return t("error.notThere");
  return t("error.status", { status });
}

function invalidText(metadata: CallError["metadata"], message: string): string {
  const { field = "", problem = "", bytes = "", maxBytes = "" } = metadata;
  const name = { field: isKey(`field.${field}`) ? word("field", field) : field };
  if (bytes !== "" && maxBytes !== "") return t("error.INVALID_FIELD.long", { ...name, bytes, maxBytes });
  if (problem === "NOT_PRINTABLE") return t("error.INVALID_FIELD.unseen", name);
  if (isKey(`field.${field}`) || message === "") return t("error.INVALID_FIELD", name);
  return t("error.INVALID_FIELD.why", { message });
}
