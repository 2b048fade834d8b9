/** Erases or exports everything of one person: first a preview, then a purpose, then a typed confirmation. */
import { useState } from "preact/hooks";
import { call, callForBytes, save } from "../api.js";
import { toConfirm, type Waiting } from "../logic/approvals.js";
import { addressOf } from "../logic/router.js";
import { ApprovalNotice, readWaiting, RequestedNotice, Residues } from "../parts/approval.js";
import { useConsole, useTask } from "../parts/hooks.js";
import { Choice, Field, Form, Notice, Problem, Purpose, Section, Title } from "../parts/ui.js";
import { t, tn } from "../texts/index.js";
import type { CheckSummary, Methods } from "../types.js";
import { CheckTable } from "./checks.js";
import { NotAllowed } from "./who.js";

const MOST_PAGES = 25;
const PAGE = 200;
interface Preview {
  subject: string;
  checks: CheckSummary[];
  /** Whether there are more than were counted. */
  more: boolean;
  /** The erasures that wait, as far as the person may read the log. */
  requests: Waiting[];
}

export function SubjectPage() {
  const { can } = useConsole();
  const [subject, setSubject] = useState("");
  const [preview, setPreview] = useState<Preview | null>(null);
  const [erased, setErased] = useState(false);
  const look = useTask(async () => {
    setPreview(null);
    setErased(false);
    setPreview(await previewOf(subject.trim(), can("evidence.erase") && can("audit.read")));
  });
  if (!can("evidence.export") && !can("evidence.erase")) return <NotAllowed title={t("page.subject")} />;
  return (
    <>
      <Title>{t("page.subject")}</Title>
      <p class="lead">{t("subject.lead")}</p>
      <Form class="sheet inline" submit={() => void look.run()}>
        <Field label={t("filter.subject")} value={subject} change={setSubject} required maxLength={256} help={t("filter.exact")} />
        <button type="submit" class="primary" disabled={look.busy}>
          {t("subject.preview")}
        </button>
      </Form>
      <Problem error={look.error} />
      {preview !== null && (
        <>
          {!erased && <PreviewPart preview={preview} />}
          {!erased && can("evidence.export") && preview.checks.length > 0 && <ExportPart subject={preview.subject} />}
          {can("evidence.erase") && <ErasePart key={preview.subject} subject={preview.subject} requests={preview.requests} done={() => setErased(true)} />}
        </>
      )}
    </>
  );
}

async function previewOf(subject: string, withRequests: boolean): Promise<Preview> {
  const checks: CheckSummary[] = [];
  let pageToken = "";
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await call("ListChecks", { subjectReference: subject, pageSize: PAGE, ...(pageToken && { pageToken }) });
    checks.push(...(answer.checks ?? []));
    pageToken = answer.nextPageToken ?? "";
    if (pageToken === "") break;
  }
  const requests = withRequests ? await readWaiting({ subjectReference: subject }) : [];
  return { subject, checks, more: pageToken !== "", requests };
}

function PreviewPart({ preview }: { preview: Preview }) {
  const { checks, more } = preview;
  const held = checks.filter((check) => check.onHold);
  return (
    <Section title={t("subject.found")}>
      <div role="status" class="list">
        <p>
          {checks.length === 0 ? t("subject.none") : tn("subject.count", checks.length)}
          {more && ` ${t("subject.more")}`}
        </p>
        {held.length > 0 && <Notice tone="warn">{tn("subject.held", held.length)}</Notice>}
        <p class="help">{t("subject.open")}</p>
      </div>
      {held.length > 0 && <CheckTable caption={t("holds.list")} checks={held} />}
      {checks.length > held.length && (
        <details>
          <summary>{tn("subject.others", checks.length - held.length)}</summary>
          <CheckTable caption={t("subject.found")} checks={checks.filter((check) => !check.onHold)} />
        </details>
      )}
    </Section>
  );
}

function ExportPart({ subject }: { subject: string }) {
  const [purpose, setPurpose] = useState("");
  const [done, setDone] = useState(false);
  const task = useTask(async () => {
    setDone(false);
    save(await callForBytes("ExportSubject", { subjectReference: subject, purpose: purpose.trim() }), "person.zip");
    setDone(true);
  });
  return (
    <Section title={t("subject.export")}>
      <p>{t("subject.export.means")}</p>
      <Form class="inline" submit={() => void task.run()}>
        <Purpose value={purpose} change={setPurpose} />
        <button type="submit" disabled={task.busy}>
          {t(task.busy ? "export.busy" : "export.do")}
        </button>
      </Form>
      <Problem error={task.error} />
      {done && <Notice tone="good">{t("export.done")}</Notice>}
    </Section>
  );
}

function ErasePart({ subject, requests, done }: { subject: string; requests: readonly Waiting[]; done: () => void }) {
  const { session } = useConsole();
  const other = toConfirm(requests, "subject.erased", session.name);
  const [reason, setReason] = useState(other?.reason.toUpperCase() ?? "");
  const [purpose, setPurpose] = useState(other?.purpose ?? "");
  const [typed, setTyped] = useState("");
  const [answer, setAnswer] = useState<Methods["EraseSubject"][1] | null>(null);
  const erase = useTask(async () => {
    const result = await call("EraseSubject", { subjectReference: subject, reason: `ERASURE_REASON_${reason}`, purpose: purpose.trim() });
    setAnswer(result);
    if (result.approval === undefined) done();
  });
  return (
    <Section title={t("subject.erase")} class="danger">
      {answer === null ? (
        <Form submit={() => void erase.run()}>
          <p>{t("subject.erase.means")}</p>
          <RequestedNotice requests={requests} of="subject.erased" />
          <Choice
            label={t("subject.reason")}
            value={reason}
            change={setReason}
            required
            options={[
              ["", t("choose")],
              ["REQUEST", t("subject.reason.REQUEST")],
              ["CONSENT_WITHDRAWN", t("subject.reason.CONSENT_WITHDRAWN")],
              ["OTHER", t("subject.reason.OTHER")],
            ]}
          />
          <Purpose value={purpose} change={setPurpose} help={t("purpose.second")} />
          {reason !== "" && purpose.trim() !== "" && <Field label={t("subject.type")} value={typed} change={setTyped} required help={t("subject.type.help")} />}
          <Problem error={erase.error} />
          <button type="submit" class="danger" disabled={erase.busy || reason === "" || purpose.trim() === "" || typed.trim() !== subject}>
            {t(erase.busy ? "erase.busy" : "subject.erase.do")}
          </button>
        </Form>
      ) : answer.approval !== undefined ? (
        <>
          <ApprovalNotice approval={answer.approval} />
          {other !== undefined && other.reason.toUpperCase() !== reason && <Notice tone="warn">{t("requested.differs", { name: other.requestedBy })}</Notice>}
        </>
      ) : (
        <>
          <Notice tone="good">
            <p>{tn("subject.erased", answer.erasedChecks ?? 0)}</p>
          </Notice>
          {(answer.heldCheckIds?.length ?? 0) > 0 && (
            <Notice tone="warn">
              <p>{tn("subject.stay", answer.heldCheckIds!.length)}</p>
              <ul>
                {answer.heldCheckIds!.map((id) => (
                  <li key={id}>
                    <a href={addressOf("checks", id)}>
                      <code>{id}</code>
                    </a>
                  </li>
                ))}
              </ul>
            </Notice>
          )}
          <Residues residues={answer.residues} />
        </>
      )}
    </Section>
  );
}
