/** The checks on hold, and what waits for a second person. */
import { useState } from "preact/hooks";
import { call } from "../api.js";
import { written } from "../logic/format.js";
import { addressOf } from "../logic/router.js";
import type { Waiting } from "../logic/approvals.js";
import { readWaiting } from "../parts/approval.js";
import { useConsole, useLoad, useTask } from "../parts/hooks.js";
import { Busy, Dialog, Field, Form, Notice, Problem, Purpose, Section, Table, Time, Title } from "../parts/ui.js";
import { t, tn, word } from "../texts/index.js";
import type { CheckSummary } from "../types.js";
import { CheckTable } from "./checks.js";

export function HoldsPage() {
  const { can } = useConsole();
  const [round, setRound] = useState(0);
  return (
    <>
      <Title>{t("page.holds")}</Title>
      <p class="lead">{t("holds.lead")}</p>
      <button type="button" onClick={() => setRound(round + 1)}>
        {t("review.reload")}
      </button>
      {can("audit.read") && <WaitingPart key={`waiting ${round}`} />}
      <HeldPart key={`held ${round}`} />
    </>
  );
}

function HeldPart() {
  const [token, setToken] = useState("");
  const [checks, setChecks] = useState<CheckSummary[]>([]);
  const first = useLoad(async () => {
    const answer = await call("ListChecks", { onHold: true, pageSize: 100 });
    setChecks(answer.checks ?? []);
    setToken(answer.nextPageToken ?? "");
  }, []);
  const next = useTask(async () => {
    const answer = await call("ListChecks", { onHold: true, pageSize: 100, pageToken: token });
    setChecks((before) => [...before, ...(answer.checks ?? [])]);
    setToken(answer.nextPageToken ?? "");
  });
  return (
    <Section title={t("holds.list")}>
      {first.busy && <Busy />}
      <Problem error={first.error} retry={first.reload} />
      {!first.busy && first.error === null && (
        <p class="count">
          {checks.length === 0 ? t("holds.list.none") : tn("checks.count", checks.length)}
          {token !== "" && `. ${t("checks.more")}`}
        </p>
      )}
      {checks.length > 0 && <CheckTable caption={t("holds.list")} checks={checks} />}
      {token !== "" && (
        <button type="button" disabled={next.busy} onClick={() => void next.run()}>
          {t("next")}
        </button>
      )}
      <Problem error={next.error} />
    </Section>
  );
}

function WaitingPart() {
  const { session, can } = useConsole();
  const [withdrawing, setWithdrawing] = useState<Waiting | null>(null);
  const found = useLoad(() => readWaiting(), []);
  return (
    <Section title={t("waiting")}>
      <p>{t("waiting.means")}</p>
      {found.busy && <Busy />}
      <Problem error={found.error} retry={found.reload} />
      {found.value?.length === 0 && <p>{t("waiting.none")}</p>}
      {found.value !== null && found.value.length > 0 && (
        <Table
          caption={t("waiting")}
          columns={[t("column.time"), t("column.action"), t("waiting.by"), t("column.purpose"), t("waiting.confirm")]}
          rows={found.value.map((one) => ({
            key: `${one.time} ${one.of} ${one.checkId} ${one.reference} ${one.reason}`,
            cells: [
              <Time of={one.time} />,
              [word("waiting.of", one.of), written(one.reference), one.reason && word("subject.reason", one.reason.toUpperCase())].filter(Boolean).join(": "),
              written(one.requestedBy),
              written(one.purpose),
              <>
                <p>
                  {one.requestedBy === session.name ? (
                    t("waiting.own")
                  ) : (
                    <a href={one.checkId === "" ? addressOf("subject") : addressOf("checks", one.checkId)}>
                      {t(one.checkId === "" ? "waiting.enter" : "waiting.open")}
                    </a>
                  )}
                </p>
                {can("evidence.hold") && (
                  <button type="button" class="quiet" onClick={() => setWithdrawing(one)}>
                    {t("waiting.withdraw")}
                  </button>
                )}
              </>,
            ],
          }))}
        />
      )}
      {withdrawing !== null && <WithdrawDialog request={withdrawing} close={() => setWithdrawing(null)} done={found.reload} />}
    </Section>
  );
}

function WithdrawDialog({ request, close, done }: { request: Waiting; close: () => void; done: () => void }) {
  const { checkId, reference, reason } = request;
  const [subject, setSubject] = useState("");
  const [purpose, setPurpose] = useState("");
  const [none, setNone] = useState(false);
  const withdraw = useTask(async () => {
    const of = checkId === "" ? { subjectReference: subject.trim(), reason: `ERASURE_REASON_${reason.toUpperCase()}` } : { checkId, holdReference: reference };
    const { approval } = await call("WithdrawApproval", { ...of, purpose: purpose.trim() });
    setNone(approval === undefined);
    done();
    if (approval !== undefined) close();
  });
  return (
    <Dialog title={t("waiting.withdraw.title")} close={close}>
      <Form submit={() => void withdraw.run()}>
        <p>{t("waiting.withdraw.means")}</p>
        {checkId === "" && <Field label={t("filter.subject")} value={subject} change={setSubject} required maxLength={256} help={t("filter.exact")} />}
        <Purpose value={purpose} change={setPurpose} />
        <Problem error={withdraw.error} />
        {none && <Notice tone="warn">{t("waiting.withdraw.none")}</Notice>}
        <div class="actions">
          <button type="submit" class="primary" disabled={withdraw.busy}>
            {t("waiting.withdraw.do")}
          </button>
          <button type="button" onClick={close}>
            {t("cancel")}
          </button>
        </div>
      </Form>
    </Dialog>
  );
}
