/** The audit log of the tenant. */
import { useState } from "preact/hooks";
import { auditKeys, callForBytes, save, saveJson } from "../api.js";
import { ACTIONS } from "../logic/actions.js";
import { type LogFinding, verifyLog } from "../logic/audit_log.js";
import { reversed } from "../logic/filters.js";
import { startOfDay } from "../logic/format.js";
import { readKeys } from "../logic/signatures.js";
import { AuditEntries } from "../parts/audit_table.js";
import { useConsole, useTask } from "../parts/hooks.js";
import { Choice, Field, Form, Notice, Problem, Section, Title } from "../parts/ui.js";
import { t, word } from "../texts/index.js";
import { NotAllowed } from "./who.js";

const NO_FILTERS = { since: "", until: "", action: "", actor: "", check: "", subject: "" };

export function AuditPage() {
  const { can } = useConsole();
  const [draft, setDraft] = useState(NO_FILTERS);
  const [filters, setFilters] = useState(NO_FILTERS);
  const set = (part: Partial<typeof NO_FILTERS>) => setDraft((before) => ({ ...before, ...part }));
  if (!can("audit.read")) return <NotAllowed title={t("page.audit")} />;
  const request = Object.fromEntries(
    Object.entries({
      startTime: startOfDay(filters.since),
      endTime: startOfDay(filters.until, 1),
      action: filters.action,
      actor: filters.actor.trim(),
      checkId: filters.check.trim(),
      subjectReference: filters.subject.trim(),
      pageSize: 100,
    }).filter(([, value]) => value !== undefined && value !== ""),
  );
  return (
    <>
      <Title>{t("page.audit")}</Title>
      <p class="lead">{t("audit.lead")}</p>
      <Form class="sheet filters" submit={() => setFilters(draft)}>
        {reversed(draft) && <Notice tone="warn">{t("filter.reversed")}</Notice>}
        <Field label={t("filter.since")} type="date" value={draft.since} change={(since) => set({ since })} />
        <Field label={t("filter.until")} type="date" value={draft.until} change={(until) => set({ until })} />
        <Choice label={t("column.action")} value={draft.action} change={(action) => set({ action })} options={[["", t("any")], ...ACTIONS.map((one) => [one, word("action", one)] as const)]} />
        <Field label={t("audit.actor")} value={draft.actor} change={(actor) => set({ actor })} maxLength={64} />
        <Field label={t("who.check")} value={draft.check} change={(check) => set({ check })} maxLength={36} />
        <Field label={t("filter.subject")} value={draft.subject} change={(subject) => set({ subject })} maxLength={256} />
        <div class="actions">
          <button type="submit" class="primary" disabled={reversed(draft)}>
            {t("find")}
          </button>
          <button
            type="button"
            onClick={() => {
              setDraft(NO_FILTERS);
              setFilters(NO_FILTERS);
            }}
          >
            {t("filters.clear")}
          </button>
        </div>
      </Form>
      <AuditEntries request={request} caption={t("page.audit")} />
      <ExportPart />
    </>
  );
}

function ExportPart() {
  const { session } = useConsole();
  const [since, setSince] = useState("");
  const [purpose, setPurpose] = useState("");
  const [finding, setFinding] = useState<LogFinding | null>(null);
  const task = useTask(async () => {
    setFinding(null);
    const startTime = startOfDay(since);
    const bytes = await callForBytes("ExportAuditLog", { ...(startTime && { startTime }), purpose: purpose.trim() });
    save(bytes, "audit.jsonl");
    setFinding(await verifyLog(await bytes.text(), await readKeys(await auditKeys()), session.tenant));
  });
  const saving = useTask(async () => saveJson(await auditKeys(), "audit-keys.json"));
  return (
    <Section title={t("audit.export")}>
      <p>{t("audit.export.means")}</p>
      <Form class="inline" submit={() => void task.run()}>
        <Field label={t("audit.export.since")} type="date" value={since} change={setSince} />
        <Field label={t("audit.export.purpose")} value={purpose} change={setPurpose} maxLength={256} help={t("noPersonal")} />
        <button type="submit" disabled={task.busy}>
          {t(task.busy ? "export.busy" : "export.do")}
        </button>
      </Form>
      <button type="button" disabled={saving.busy} onClick={() => void saving.run()}>
        {t("audit.saveKeys")}
      </button>
      <Problem error={task.error ?? saving.error} />
      {finding !== null && (
        <Notice tone={finding.problem === null ? "good" : "bad"}>
          <p>{t("audit.export.done")}</p>
          <p>
            {finding.problem === null
              ? t("log.whole", { entries: finding.entries, checkpoints: finding.checkpoints, signed: finding.signedTo })
              : t(`log.${finding.problem.kind}`, { at: finding.problem.at })}
          </p>
        </Notice>
      )}
    </Section>
  );
}
