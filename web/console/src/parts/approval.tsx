/** What an erasure or a release left to do: a second person, and the places that may still have the data. */
import { call } from "../api.js";
import { STEPS, type Waiting, waiting } from "../logic/approvals.js";
import { bare } from "../logic/format.js";
import { isKey, t, word } from "../texts/index.js";
import type { Approval, AuditEvent, Residue } from "../types.js";
import { useConsole } from "./hooks.js";
import { Notice, Time } from "./ui.js";

/** Requests lapse after hours or a few days: older ones are not looked for. */
const LOOKED_BACK_MS = 14 * 86_400_000;

/** Reads the requests that wait, in one call because each is an entry of the log: of the tenant, or about one check or one person. */
export async function readWaiting(about: { checkId?: string; subjectReference?: string } = {}): Promise<Waiting[]> {
  const request = { ...about, actions: STEPS, startTime: new Date(Date.now() - LOOKED_BACK_MS).toISOString(), pageSize: 1000 };
  const events: AuditEvent[] = [];
  let pageToken = "";
  do {
    const answer = await call("ListAuditEvents", { ...request, ...(pageToken && { pageToken }) });
    events.push(...(answer.events ?? []));
    pageToken = answer.nextPageToken ?? "";
  } while (pageToken !== "");
  return waiting(events);
}

/** Says before an action that it is the confirmation of a request, or a request that the person has made already. */
export function RequestedNotice({ requests, of, reference = "" }: { requests: readonly Waiting[]; of: string; reference?: string }) {
  const { session, can } = useConsole();
  if (!can("audit.read")) return <p class="help">{t("requested.unseen")}</p>;
  return (
    <>
      {requests
        .filter((one) => one.of === of && one.reference === reference)
        .map((one) => (
          <Notice key={`${one.time} ${one.requestedBy}`} tone="warn">
            <p>
              {t("requested.by", { name: one.requestedBy, purpose: one.purpose })} <Time of={one.time} />
            </p>
            {one.reason !== "" && <p>{t("requested.reason", { reason: word("subject.reason", one.reason.toUpperCase()) })}</p>}
            <p>{t(one.requestedBy === session.name ? "waiting.own" : one.reason === "" ? "requested.performs" : "requested.performs.reason")}</p>
          </Notice>
        ))}
    </>
  );
}

export function ApprovalNotice({ approval }: { approval: Approval }) {
  return (
    <Notice tone="warn">
      <p>{t("approval.waits", { name: approval.requestedBy ?? "" })}</p>
      <p>
        {t("approval.until")} <Time of={approval.expireTime} />
      </p>
    </Notice>
  );
}

export function Residues({ residues }: { residues: readonly Residue[] | undefined }) {
  if (residues === undefined || residues.length === 0) return null;
  return (
    <>
      <p>{t("residues")}</p>
      <ul>
        {residues.map(({ kind, description }) => {
          const key = `residue.${bare(kind, "KIND_")}`;
          return <li key={kind}>{isKey(key) ? t(key) : description}</li>;
        })}
      </ul>
    </>
  );
}
