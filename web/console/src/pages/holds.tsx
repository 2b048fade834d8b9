/** The checks on hold, and what waits for a second person. */
import { useState } from "preact/hooks";
import { call } from "../api.js";
import { written } from "../logic/format.js";
import { addressOf } from "../logic/router.js";
import { confirmNext, waiting } from "../logic/approvals.js";
import { useConsole, useLoad, useTask } from "../parts/hooks.js";
import { Busy, Problem, Section, Table, Time, Title } from "../parts/ui.js";
import { t, tn, word } from "../texts/index.js";
import type { AuditEvent, CheckSummary } from "../types.js";
import { CheckTable } from "./checks.js";

/** Requests lapse after hours or a few days: older ones are not looked for. */
const LOOKED_BACK_MS = 14 * 86_400_000;

export function HoldsPage() {
  const { can } = useConsole();
  return (
    <>
      <Title>{t("page.holds")}</Title>
      <p class="lead">{t("holds.lead")}</p>
      {can("audit.read") && <WaitingPart />}
      <HeldPart />
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
  const { session } = useConsole();
  const found = useLoad(async () => {
    const startTime = new Date(Date.now() - LOOKED_BACK_MS).toISOString();
    const lists = await Promise.all(["approval.requested", "approval.given", "subject.erased"].map((action) => everyEntry({ action, startTime, pageSize: 1000 })));
    return waiting(lists.flat());
  }, []);
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
            key: `${one.time} ${one.of} ${one.checkId}`,
            cells: [
              <Time of={one.time} />,
              word("action", one.of),
              written(one.requestedBy),
              written(one.purpose),
              one.requestedBy === session.name ? (
                t("waiting.own")
              ) : one.checkId !== "" ? (
                <a href={addressOf("checks", one.checkId)} onClick={() => confirmNext(one.checkId, one.purpose)}>
                  {t("waiting.open")}
                </a>
              ) : (
                <a href={addressOf("subject")} onClick={() => confirmNext("", one.purpose)}>
                  {t("waiting.enter")}
                </a>
              ),
            ],
          }))}
        />
      )}
    </Section>
  );
}

async function everyEntry(request: Record<string, unknown>): Promise<AuditEvent[]> {
  const events: AuditEvent[] = [];
  let pageToken = "";
  do {
    const answer = await call("ListAuditEvents", { ...request, ...(pageToken && { pageToken }) });
    events.push(...(answer.events ?? []));
    pageToken = answer.nextPageToken ?? "";
  } while (pageToken !== "");
  return events;
}
