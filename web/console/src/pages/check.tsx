/** One check: what was decided, why, and what is kept of it. */
import { useMemo, useRef, useState } from "preact/hooks";
import { call, CallError } from "../api.js";
import { bare, hexOf, written } from "../logic/format.js";
import { addressOf } from "../logic/router.js";
import { signedResult } from "../logic/signatures.js";
import { useConsole, useLoad } from "../parts/hooks.js";
import { Picture } from "../parts/picture.js";
import { Busy, Facts, Form, Notice, Problem, Purpose, Section, Tag, Time, Title } from "../parts/ui.js";
import { failure, t, tn, word } from "../texts/index.js";
import type { Evidence, Hold, Methods, Result, Review } from "../types.js";
import { type Change, CheckActions } from "./check_actions.js";
import { AttemptsPart, Compared, DevicePart, SignalsPart, VerdictPart } from "./check_verdict.js";
import { SignaturesPart } from "./check_signatures.js";
import { toneOf } from "./checks.js";
import { ReviewFacts } from "./review.js";
import { WhoLookedPart } from "./who.js";

export function CheckPage({ checkId }: { checkId: string }) {
  const { can } = useConsole();
  const found = useLoad(() => call("GetEvidence", { checkId }), [checkId]);
  const reviewed = useLoad(() => reviewOf(checkId, can("reviews.read")), [checkId]);
  const [changes, setChanges] = useState(0);
  // What was done here changes what is shown: to read the record again would be another look in the audit log.
  const [holds, setHolds] = useState<Hold[] | null>(null);
  const read = found.value;
  const evidence = useMemo(() => read && (holds === null ? read : { ...read, holds }), [read, holds]);
  const result = useMemo(() => read && signedResult(read), [read]);
  const changed = (change: Change) => {
    if (change.holds !== undefined) setHolds(change.holds);
    if (change.erased) found.reload();
    setChanges((before) => before + 1);
  };
  return (
    <>
      <p class="back">
        <a href={addressOf("checks")}>{t("check.back")}</a>
      </p>
      <Title>
        {t("check.title")} <code>{checkId}</code>
      </Title>
      {found.busy && evidence === null && <Busy />}
      <Problem error={found.error} retry={found.reload} />
      {evidence !== null && result !== null && (
        <>
          <Banner evidence={evidence} result={result} />
          <SummaryPart evidence={evidence} result={result} />
          <ImagesPart evidence={evidence} result={result} checkId={checkId} seen={() => changed({})} />
          <VerdictPart result={result} recordJson={evidence.recordJson} />
          <AttemptsPart result={result} />
          <SignalsPart signals={result.liveness?.signals ?? []} />
          <DevicePart result={result} />
          {reviewed.value?.review && <ReviewPart review={reviewed.value.review} />}
          <Problem error={reviewed.error} />
          <SignaturesPart evidence={evidence} checkId={checkId} reviewJws={reviewed.value?.reviewJws ?? ""} />
          <CheckActions evidence={evidence} checkId={checkId} changed={changed} />
        </>
      )}
      {can("audit.read") && (evidence !== null || found.error !== null) && <WhoLookedPart checkId={checkId} round={changes} />}
    </>
  );
}

/** The review of a check; `null` if it has none, or the server has no reviews. */
async function reviewOf(checkId: string, may: boolean): Promise<Methods["GetReview"][1] | null> {
  if (!may) return null;
  try {
    return await call("GetReview", { checkId });
  } catch (error) {
    if (error instanceof CallError && error.status === 404) return null;
    throw error;
  }
}

function ReviewPart({ review }: { review: Review }) {
  const outcome = bare(review.outcome, "REVIEW_OUTCOME_", "");
  return (
    <Section title={t("page.review")}>
      <p>
        <Tag>{word("review.state", bare(review.state, "REVIEW_STATE_"))}</Tag> {outcome !== "" && <strong>{word("outcome", outcome)}</strong>}
      </p>
      <ReviewFacts review={review} />
      {outcome === "" && (
        <p>
          <a href={addressOf("review")}>{t("review.open")}</a>
        </p>
      )}
    </Section>
  );
}

function Banner({ evidence, result }: { evidence: Evidence; result: Result }) {
  const status = bare(result.status, "CHECK_STATUS_");
  return (
    <section class={`banner ${toneOf(status)}`} aria-label={t("check.outcome")}>
      <p class="outcome">
        {word("status", status)}
        {result.sandbox && <Tag tone="warn">{t("sandbox.proves")}</Tag>}
        {result.requestedOutcome && <Tag tone="warn">{t("sandbox.requested")}</Tag>}
        {(evidence.holds?.length ?? 0) > 0 && <Tag tone="warn">{t("tag.onHold")}</Tag>}
      </p>
      <p>{word("status.means", status)}</p>
      <ul>
        {(result.reasons ?? []).map((reason) => {
          const name = bare(reason, "FAILURE_REASON_");
          return (
            <li key={reason}>
              <strong>{failure(name).means}</strong> <span class="soft">{failure(name).action}</span>
            </li>
          );
        })}
      </ul>
      {(evidence.alteredFacts?.length ?? 0) > 0 && (
        <Notice tone="bad">
          <p>{t("check.altered", { facts: evidence.alteredFacts!.join(", ") })}</p>
        </Notice>
      )}
    </section>
  );
}

function SummaryPart({ evidence, result }: { evidence: Evidence; result: Result }) {
  const { times } = evidence;
  const { session } = useConsole();
  return (
    <Section title={t("check.summary")}>
      <Facts
        rows={[
          [t("check.subject"), written(result.subjectReference ?? "") || t("none.given")],
          [t("check.consent"), written(result.consentReference ?? "") || t("none.given")],
          result.trustedCheck === undefined
            ? null
            : [t("check.trustedCheck"), <a href={addressOf("checks", result.trustedCheck.checkId)}>{result.trustedCheck.checkId}</a>],
          result.enrolledUntil === undefined ? null : [t("check.enrolledUntil"), <Time of={result.enrolledUntil} />],
          [t("check.created"), <Time of={times?.createTime ?? result.createTime} />],
          [t("check.decided"), <Time of={times?.decideTime ?? result.decideTime} />],
          [t("check.delivered"), times?.finishTime === undefined ? t("check.notDelivered") : <Time of={times.finishTime} />],
          [t("check.retained"), <Time of={times?.retainUntil} />],
          times?.imagesRetainUntil === undefined || times.imagesEraseTime !== undefined ? null : [t("check.imagesRetained"), <Time of={times.imagesRetainUntil} />],
          [t("check.policy"), t("check.policyVersion", { name: result.policy?.name ?? "?", version: result.policy?.version ?? 0 })],
          [
            t("check.pack"),
            <>
              {written(`${result.pack?.name ?? "?"} ${result.pack?.version ?? ""}`)} {result.pack?.evaluationOnly && <Tag tone="warn">{t("check.evaluationOnly")}</Tag>}
            </>,
          ],
          [t("check.server"), `${written(result.serverVersion ?? "?")}, ${clockText(times?.source)}`],
          [t("check.tenant"), written(session.tenant)],
        ]}
      />
    </Section>
  );
}

function ImagesPart({ evidence, result, checkId, seen }: { evidence: Evidence; result: Result; checkId: string; seen: () => void }) {
  const { can } = useConsole();
  const [purpose, setPurpose] = useState("");
  const [stated, setStated] = useState("");
  const left = useRef(0);
  const images = (evidence.images ?? []).filter((facts) => !facts.erased);
  const erased = evidence.times?.imagesEraseTime;
  return (
    <Section title={t("check.images")}>
      <p>
        <Compared evidence={evidence} result={result} /> {evidence.trustedImage?.sha256 && <Sha256 of={evidence.trustedImage.sha256} />}
      </p>
      {erased !== undefined && (
        <Notice>
          <p>
            {t(images.length === 0 ? "images.erased" : "images.othersErased")} <Time of={erased} />
          </p>
          {images.length > 0 && (
            <p>
              {t("images.enrolled")} <Time of={result.enrolledUntil} />
            </p>
          )}
        </Notice>
      )}
      {images.length === 0 && <p>{t("images.none")}</p>}
      {images.length > 0 && !can("evidence.images") && <Notice>{t("images.noScope")}</Notice>}
      {images.length > 0 && can("evidence.images") && stated === "" && (
        <Form class="inline" submit={() => {
            left.current = images.length;
            setStated(purpose.trim());
          }}>
          <Purpose value={purpose} change={setPurpose} help={t("images.purpose")} />
          <button type="submit" class="primary">
            {tn("images.show", images.length)}
          </button>
        </Form>
      )}
      {stated !== "" && (
        <>
          <p class="help">{t("images.shownFor", { purpose: stated })}</p>
          <div class="pictures">
            {images.map((facts) => (
              <Picture key={facts.sha256} checkId={checkId} facts={facts} purpose={stated} seen={() => (left.current -= 1) === 0 && seen()} />
            ))}
          </div>
        </>
      )}
    </Section>
  );
}

/** Whose clock gave the times of a check. */
function clockText(source = "?"): string {
  const [whole, host] = /^system clock of (.+)$/s.exec(source) ?? [];
  return whole === undefined ? written(source) : t("check.clock", { host: host! });
}

export function Sha256({ of }: { of: string }) {
  return <code class="hash">SHA-256 {hexOf(of)}</code>;
}
