/** Who looked at a face: every entry about a check or a person that shows data to somebody. */
import { useState } from "preact/hooks";
import { LOOKS } from "../logic/actions.js";
import { addressOf } from "../logic/router.js";
import { AuditEntries } from "../parts/audit_table.js";
import { useConsole } from "../parts/hooks.js";
import { Field, Form, Notice, Section, Time, Title } from "../parts/ui.js";
import { t } from "../texts/index.js";
import type { AuditEvent } from "../types.js";

const isLook = (event: AuditEvent) => LOOKS.has(event.action);
const PAGE = 200;

/** The part of a check's page: everything that was done with it. */
export function WhoLookedPart({ checkId, round }: { checkId: string; round: number }) {
  return (
    <Section title={t("who")}>
      <p>{t("who.means")}</p>
      <AuditEntries key={round} request={{ checkId, pageSize: PAGE }} caption={t("who")} />
      <p>
        <a href={addressOf("who", checkId)}>{t("who.print")}</a>
      </p>
    </Section>
  );
}

export function WhoPage({ checkId }: { checkId: string }) {
  const { session, can } = useConsole();
  const [check, setCheck] = useState(checkId);
  const [subject, setSubject] = useState("");
  const [asked, setAsked] = useState<{ check: string; subject: string } | null>(checkId === "" ? null : { check: checkId, subject: "" });
  const [time] = useState(() => new Date().toISOString());
  const request = asked && {
    ...(asked.check && { checkId: asked.check }),
    ...(asked.subject && { subjectReference: asked.subject }),
    pageSize: PAGE,
  };
  if (!can("audit.read")) return <NotAllowed title={t("page.who")} />;
  return (
    <>
      <Title>{t("page.who")}</Title>
      <p class="lead">{t("who.lead")}</p>
      <Form class="sheet inline no-print" submit={() => setAsked(check.trim() || subject.trim() ? { check: check.trim(), subject: subject.trim() } : null)}>
        <Field label={t("who.check")} value={check} change={setCheck} maxLength={36} required={subject === ""} />
        <Field label={t("who.subject")} value={subject} change={setSubject} maxLength={256} help={t("filter.exact")} required={check === ""} />
        <button type="submit" class="primary">
          {t("find")}
        </button>
      </Form>
      {request !== null && (
        <section class="sheet report" aria-label={t("page.who")}>
          <p>
            {asked?.check && (
              <>
                {t("who.ofCheck")} <code>{asked.check}</code>.{" "}
              </>
            )}
            {asked?.subject && t("who.ofSubject", { subject: asked.subject })} {t("who.made", { name: session.name, tenant: session.tenant })} <Time of={time} />.
          </p>
          <AuditEntries request={request} caption={t("page.who")} keep={isLook} all printed />
          <p class="help">{t("who.limits")}</p>
          {asked?.subject && <p class="help">{t("who.subject.limits")}</p>}
          <button type="button" class="no-print" onClick={() => window.print()}>
            {t("print")}
          </button>
        </section>
      )}
    </>
  );
}

/** A page that the roles of the session do not allow. */
export function NotAllowed({ title }: { title: string }) {
  return (
    <>
      <Title>{title}</Title>
      <Notice>{t("notAllowed")}</Notice>
    </>
  );
}
