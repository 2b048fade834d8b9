/** Holds, export and erasure of one check. */
import { useState } from "preact/hooks";
import { call, callForBytes, save } from "../api.js";
import { toConfirm, type Waiting } from "../logic/approvals.js";
import { written } from "../logic/format.js";
import { ApprovalNotice, readWaiting, RequestedNotice, Residues } from "../parts/approval.js";
import { useConsole, useLoad, useTask } from "../parts/hooks.js";
import { Busy, Dialog, Field, Form, Notice, Problem, Purpose, Section, Time } from "../parts/ui.js";
import { t } from "../texts/index.js";
import type { Approval, Evidence, Hold, Residue } from "../types.js";

/** What was done with the check. */
export interface Change {
  /** Its holds, if they are others than before. */
  holds?: Hold[];
  erased?: boolean;
}

interface Props {
  evidence: Evidence;
  checkId: string;
  changed: (change: Change) => void;
}

interface WithRequests extends Props {
  /** What waits for a second person, as far as the person may read the log. */
  requests: readonly Waiting[];
}

export function CheckActions({ evidence, checkId, changed }: Props) {
  const { can } = useConsole();
  const acts = can("evidence.hold") || can("evidence.delete");
  const found = useLoad(async () => (acts && can("audit.read") ? readWaiting({ checkId }) : []), [checkId]);
  const requests = found.value ?? [];
  if (found.busy && found.value === null) return <Busy />;
  return (
    <>
      <Problem error={found.error} retry={found.reload} />
      <HoldsPart
        evidence={evidence}
        checkId={checkId}
        requests={requests}
        changed={(change) => {
          found.reload();
          changed(change);
        }}
      />
      {can("evidence.export") && <ExportPart checkId={checkId} changed={changed} />}
      {can("evidence.delete") && <ErasePart evidence={evidence} checkId={checkId} requests={requests} changed={changed} />}
    </>
  );
}

function HoldsPart({ evidence, checkId, requests, changed }: WithRequests) {
  const { can, session } = useConsole();
  const [reference, setReference] = useState("");
  const [reason, setReason] = useState("");
  const [releasing, setReleasing] = useState<Hold | null>(null);
  const [said, setSaid] = useState("");
  const holds = evidence.holds ?? [];
  const place = useTask(async () => {
    const own = { reference: reference.trim(), reason: reason.trim() };
    const { hold } = await call("PlaceHold", { checkId, ...own });
    setSaid(t("hold.placed", { reference: reference.trim() }));
    setReference("");
    setReason("");
    const placed = hold ?? { ...own, placedBy: session.name };
    changed({ holds: [...holds.filter((one) => one.reference !== placed.reference), placed] });
  });
  return (
    <Section title={t("holds")}>
      <p>{t(holds.length === 0 ? "holds.none" : "holds.keep")}</p>
      {holds.map(({ reference }) => requests.some((one) => one.reference === reference) && <RequestedNotice key={reference} requests={requests} of="hold.released" reference={reference} />)}
      {holds.length > 0 && <ul class="plain holds">
        {holds.map((hold) => (
          <li key={hold.reference}>
            <span>
              <strong>{written(hold.reference)}</strong>: {written(hold.reason ?? "")}. {t("hold.by", { name: hold.placedBy ?? "?" })} <Time of={hold.placeTime} />
            </span>
            {can("evidence.hold") && (
              <button type="button" onClick={() => setReleasing(hold)}>
                {t("hold.release", { reference: hold.reference })}
              </button>
            )}
          </li>
        ))}
      </ul>}
      {said !== "" && <Notice tone="good">{said}</Notice>}
      {can("evidence.hold") && (
        <Form class="inline" submit={() => void place.run()}>
          <Field label={t("hold.reference")} value={reference} change={setReference} required maxLength={128} help={t("noPersonal")} />
          <Field label={t("hold.reason")} value={reason} change={setReason} required maxLength={256} help={t("noPersonal")} />
          <button type="submit" disabled={place.busy}>
            {t("hold.place")}
          </button>
        </Form>
      )}
      <Problem error={place.error} />
      {releasing !== null && (
        <ReleaseDialog
          checkId={checkId}
          hold={releasing}
          requests={requests}
          close={() => setReleasing(null)}
          changed={(released) => changed(released ? { holds: holds.filter((one) => one.reference !== releasing.reference) } : {})}
        />
      )}
    </Section>
  );
}

function ReleaseDialog({ checkId, hold, requests, close, changed }: { checkId: string; hold: Hold; requests: readonly Waiting[]; close: () => void; changed: (released: boolean) => void }) {
  const { session } = useConsole();
  const [purpose, setPurpose] = useState(() => toConfirm(requests, "hold.released", session.name, hold.reference)?.purpose ?? "");
  const [approval, setApproval] = useState<Approval | null>(null);
  const release = useTask(async () => {
    const answer = await call("ReleaseHold", { checkId, reference: hold.reference, purpose: purpose.trim() });
    changed(answer.approval === undefined);
    if (answer.approval === undefined) close();
    else setApproval(answer.approval);
  });
  return (
    <Dialog title={t("hold.release", { reference: hold.reference })} close={close}>
      {approval !== null ? (
        <ApprovalNotice approval={approval} />
      ) : (
        <Form submit={() => void release.run()}>
          <p>{t("hold.release.means")}</p>
          <RequestedNotice requests={requests} of="hold.released" reference={hold.reference} />
          <Purpose value={purpose} change={setPurpose} help={t("purpose.second")} />
          <Problem error={release.error} />
          <div class="actions">
            <button type="submit" class="primary" disabled={release.busy}>
              {t("hold.release.do")}
            </button>
            <button type="button" onClick={close}>
              {t("cancel")}
            </button>
          </div>
        </Form>
      )}
      {approval !== null && (
        <button type="button" onClick={close}>
          {t("close")}
        </button>
      )}
    </Dialog>
  );
}

function ExportPart({ checkId, changed }: Omit<Props, "evidence">) {
  const [purpose, setPurpose] = useState("");
  const [done, setDone] = useState(false);
  const task = useTask(async () => {
    setDone(false);
    save(await callForBytes("ExportEvidence", { checkId, purpose: purpose.trim() }), `${checkId}.zip`);
    setDone(true);
    changed({});
  });
  return (
    <Section title={t("export")}>
      <p>{t("export.means")}</p>
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

function ErasePart({ evidence, checkId, requests, changed }: WithRequests) {
  const { session } = useConsole();
  const [asked, setAsked] = useState(false);
  const [purpose, setPurpose] = useState(() => toConfirm(requests, "evidence.deleted", session.name)?.purpose ?? "");
  const [typed, setTyped] = useState("");
  const [answer, setAnswer] = useState<{ approval?: Approval; residues?: Residue[] } | null>(null);
  const held = (evidence.holds?.length ?? 0) > 0;
  const word = checkId.slice(0, 8);
  const erase = useTask(async () => {
    setAnswer(await call("DeleteEvidence", { checkId, purpose: purpose.trim() }));
  });
  const close = () => {
    setAsked(false);
    if (answer !== null) changed({ erased: answer.approval === undefined });
    setAnswer(null);
    erase.clear();
  };
  return (
    <Section title={t("erase.check")} class="danger">
      <p>{t(held ? "erase.check.held" : "erase.check.means")}</p>
      <button type="button" class="danger" disabled={held} onClick={() => setAsked(true)}>
        {t("erase.check.ask")}
      </button>
      {asked && (
        <Dialog title={t("erase.check")} close={close}>
          {answer === null ? (
            <Form submit={() => void erase.run()}>
              <p>{t("erase.check.means")}</p>
              <RequestedNotice requests={requests} of="evidence.deleted" />
              <Purpose value={purpose} change={setPurpose} help={t("purpose.second")} />
              <Field label={t("erase.type", { word })} value={typed} change={setTyped} required />
              <Problem error={erase.error} />
              <div class="actions">
                <button type="submit" class="danger" disabled={erase.busy || typed.trim() !== word}>
                  {t("erase.check.do")}
                </button>
                <button type="button" onClick={close}>
                  {t("cancel")}
                </button>
              </div>
            </Form>
          ) : (
            <>
              {answer.approval !== undefined ? <ApprovalNotice approval={answer.approval} /> : <Notice tone="good">{t("erase.check.done")}</Notice>}
              <Residues residues={answer.residues} />
              <button type="button" onClick={close}>
                {t("close")}
              </button>
            </>
          )}
        </Dialog>
      )}
    </Section>
  );
}
