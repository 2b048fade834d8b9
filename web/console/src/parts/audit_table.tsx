/** Entries of the audit log as a table. */
import { useState } from "preact/hooks";
import { call } from "../api.js";
import { written } from "../logic/format.js";
import { addressOf } from "../logic/router.js";
import { detailName, detailValue } from "../texts/details.js";
import { t, tn, word } from "../texts/index.js";
import type { AuditEvent, Methods } from "../types.js";
import { useLoad, useTask } from "./hooks.js";
import { Busy, Notice, Problem, Table, Time } from "./ui.js";

/** Lists the entries that match a request, page by page. */
export function AuditEntries({
  request,
  caption,
  keep = () => true,
  all = false,
  printed = false,
}: {
  request: Methods["ListAuditEvents"][0];
  caption: string;
  /** Which entries are shown. */
  keep?: (event: AuditEvent) => boolean;
  /** Whether every page is read at once, up to 20 pages. */
  all?: boolean;
  /** Whether the table is to be printed: without the hashes of what was seen. */
  printed?: boolean;
}) {
  const key = JSON.stringify(request);
  const [events, setEvents] = useState<AuditEvent[]>([]);
  const [token, setToken] = useState("");
  const first = useLoad(async () => {
    let answer = await call("ListAuditEvents", request);
    const found = answer.events ?? [];
    for (let pages = 1; all && answer.nextPageToken && pages < 20; pages += 1) {
      answer = await call("ListAuditEvents", { ...request, pageToken: answer.nextPageToken });
      found.push(...(answer.events ?? []));
    }
    setEvents(found);
    setToken(answer.nextPageToken ?? "");
  }, [key]);
  const next = useTask(async () => {
    const answer = await call("ListAuditEvents", { ...request, pageToken: token });
    setEvents((before) => [...before, ...(answer.events ?? [])]);
    setToken(answer.nextPageToken ?? "");
  });
  const shown = events.filter(keep);
  // The entries of one check need no column for it.
  const ofMany = request.checkId === undefined;
  if (first.busy && events.length === 0) return <Busy />;
  if (first.error !== null) return <Problem error={first.error} retry={first.reload} />;
  return (
    <div class="list">
      {shown.length === 0 ? (
        <Notice>{t(request["subjectReference"] === undefined ? "audit.none" : "audit.none.subject")}</Notice>
      ) : (
        <>
          <p role="status" class="count">
            {tn("audit.count", shown.length)}
            {token !== "" && `. ${t("checks.more")}`}
          </p>
          <Table
            caption={caption}
            columns={[t("column.time"), t("column.action"), t("column.actor"), t("column.purpose"), ...(ofMany ? [t("column.check")] : []), t("column.detail")]}
            rows={shown.map((event) => ({
              key: event.sequence,
              cells: [
                <Time of={event.time} />,
                word("action", event.action),
                <>
                  {written(event.actor?.name ?? "–")} <span class="soft">{written([event.actor?.role, event.actor?.address].filter(Boolean).join(", "))}</span>
                </>,
                written(event.purpose || "–"),
                ...(ofMany ? [event.checkId ? <CheckLink checkId={event.checkId} whole={printed} /> : "–"] : []),
                <DetailOf event={event} printed={printed} />,
              ],
            }))}
          />
        </>
      )}
      {token !== "" && (
        <button type="button" class="no-print" disabled={next.busy} onClick={() => void next.run()}>
          {t("next")}
        </button>
      )}
      <Problem error={next.error} />
    </div>
  );
}

function CheckLink({ checkId, whole }: { checkId: string; whole: boolean }) {
  return (
    <a class={whole ? "" : "row-link"} href={addressOf("checks", checkId)}>
      <code>{whole ? checkId : checkId.slice(0, 8)}</code>
    </a>
  );
}

function DetailOf({ event, printed }: { event: AuditEvent; printed: boolean }) {
  const facts = Object.entries(event.detail ?? {}).filter(([name]) => !printed || name !== "sha256");
  if (facts.length === 0) return <>–</>;
  const text = facts.map(([name, value]) => `${detailName(name)}: ${detailValue(event.action, name, value)}`).join(", ");
  return <span class="detail-text">{written(text.length > 160 ? `${text.slice(0, 160)}…` : text)}</span>;
}
