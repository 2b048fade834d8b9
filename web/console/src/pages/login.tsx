/** Log-in: by the issuer, by an API key, or by a one-time link. */
import { useEffect, useRef, useState } from "preact/hooks";
import { logIn, loginMethods } from "../api.js";
import { useLoad, useTask } from "../parts/hooks.js";
import { Busy, Form, Notice, Problem, Section, Title } from "../parts/ui.js";
import { t } from "../texts/index.js";
import { SecretField } from "../parts/secret.js";

export function LoginPage({ notice, loggedIn }: { notice: string; loggedIn: () => Promise<void> }) {
  const offered = useLoad(loginMethods, []);
  const [key, setKey] = useState("");
  const task = useTask(async () => {
    await logIn({ api_key: key.trim() });
    setKey("");
    await loggedIn();
  });
  const field = useRef<HTMLDivElement>(null);
  useEffect(() => field.current?.querySelector("input")?.focus(), [offered.value]);
  const methods = offered.value?.methods ?? [];
  return (
    <div class="login">
      <Title>{t("login.title")}</Title>
      <p class="lead">{t("login.lead")}</p>
      {notice !== "" && <Notice tone="warn">{notice}</Notice>}
      {offered.busy && <Busy />}
      <Problem error={offered.error} retry={offered.reload} />
      {methods.includes("oidc") && (
        <Section title={t("login.oidc")}>
          <a class="button primary" href="/login/oidc">
            {t("login.oidc.do", { issuer: offered.value?.issuer ?? "" })}
          </a>
        </Section>
      )}
      {methods.includes("api_key") && (
        <Section title={t("login.key")}>
          <Form submit={() => void task.run()}>
            <div ref={field}>
              <SecretField value={key} change={setKey} />
            </div>
            <button type="submit" class="primary" disabled={task.busy}>
              {t("login.do")}
            </button>
          </Form>
          <Problem error={task.error} />
        </Section>
      )}
      {methods.includes("link") && !methods.includes("oidc") && (
        <Section title={t("login.link")}>
          <p>{t("login.link.means")}</p>
        </Section>
      )}
    </div>
  );
}
