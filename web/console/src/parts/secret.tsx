/** The field for an API key. */
import { t } from "../texts/index.js";
import { Field } from "./ui.js";

export function SecretField({ value, change }: { value: string; change: (value: string) => void }) {
  return <Field label={t("login.key.field")} type="password" value={value} change={change} required maxLength={512} autocomplete="current-password" help={t("login.key.help")} />;
}
