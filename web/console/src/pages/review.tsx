/** The queue of checks that wait for a person, decided by keyboard or mouse. */
import { useEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import { call } from "../api.js";
import { bare, written } from "../logic/format.js";
import { after, agrees, EMPTY, isClaimedBy, lacks, NO_DRAFT, type Outcome, OUTCOMES, type Queue, REVIEW_REASONS } from "../logic/queue.js";
import { addressOf } from "../logic/router.js";
import { signedResult } from "../logic/signatures.js";
import { useConsole, useKeys, useLoad, useTask } from "../parts/hooks.js";
import { Picture } from "../parts/picture.js";
import { Busy, Choice, Facts, Field, Form, Notice, Problem, Tag, Time, Title } from "../parts/ui.js";
import { failure, t, tn, word } from "../texts/index.js";
import type { Review } from "../types.js";
import { toneOf } from "./checks.js";
import { Compared, SignalsPart, VerdictPart } from "./check_verdict.js";
import { NotAllowed } from "./who.js";

export function ReviewPage() {
  const { can, session } = useConsole();
  const [sandbox, setSandbox] = useState(session.sandbox);
  const [queue, send] = useReducer(after, EMPTY);
  const [opened, setOpened] = useState("");
  const [asked, setAsked] = useState("");
  const panel = useRef<HTMLDivElement>(null);
  const list = useLoad(async () => {
    const answer = await call("ListReviews", { pageSize: 200, ...(sandbox && { sandbox }) });
    send({ type: "loaded", reviews: answer.reviews ?? [] });
  }, [sandbox]);
  const selected = queue.reviews[queue.at];
  const seen = selected !== undefined && opened === selected.checkId;
  const mine = can("reviews.decide") && selected !== undefined && isClaimedBy(selected, session.name, Date.now());
  const claim = useTask(async () => {
    if (selected === undefined) return;
    const { review } = await call("ClaimReview", { checkId: selected.checkId });
    if (review !== undefined) send({ type: "changed", review });
  });
  const release = useTask(async () => {
    if (selected === undefined) return;
    const { review } = await call("ReleaseReview", { checkId: selected.checkId });
    if (review !== undefined) send({ type: "changed", review });
  });
  const decide = useTask(async () => {
    if (selected === undefined || lacks(queue.draft, seen) !== null) return;
    const { outcome, reason, comment } = queue.draft;
    const { review } = await call("DecideReview", {
      checkId: selected.checkId,
      outcome: `REVIEW_OUTCOME_${outcome}`,
      reason: `REVIEW_REASON_${reason}`,
      ...(comment.trim() && { comment: comment.trim() }),
    });
    send({ type: "decided", review: review ?? selected });
    panel.current?.focus();
  });
  const forget = () => {
    claim.clear();
    release.clear();
    decide.clear();
  };
  const move = (by: number) => {
    forget();
    send({ type: "moved", by });
  };
  const choose = (outcome: Outcome) => {
    if (!mine) return;
    send({ type: "drafted", draft: { outcome } });
    // The next thing to choose is the reason, unless the images have to be opened first.
    if (lacks({ ...queue.draft, outcome }, seen) !== "images") panel.current?.querySelector<HTMLElement>(".decision select")?.focus();
  };
  const clear = () => {
    send({ type: "drafted", draft: NO_DRAFT });
    panel.current?.focus();
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    c: () => void claim.run(),
    // While the claim or the record still loads, too.
    i: () => selected !== undefined && (mine || claim.busy) && setAsked(selected.checkId),
    Escape: clear,
    ...Object.fromEntries(OUTCOMES.map((outcome, index) => [String(index + 1), () => choose(outcome)])),
  });
  if (!can("reviews.read")) return <NotAllowed title={t("page.review")} />;
  return (
    <>
      <Title>{t("page.review")}</Title>
      <p class="lead">
        {t("review.lead")} {can("reviews.decide") && t("review.keys")}
      </p>
      <div class="actions">
        <p role="status" class="count">
          {tn("review.count", queue.reviews.length)} {queue.decided > 0 && tn("review.decided", queue.decided)}
        </p>
        <label class="tick">
          <input type="checkbox" checked={sandbox} onChange={(event) => setSandbox(event.currentTarget.checked)} />
          {t("review.sandbox")}
        </label>
        <button type="button" onClick={list.reload}>
          {t("review.reload")}
        </button>
      </div>
      {list.busy && queue.reviews.length === 0 && <Busy />}
      <Problem error={list.error} retry={list.reload} />
      {!list.busy && list.error === null && queue.reviews.length === 0 && <Notice tone="good">{t("review.empty")}</Notice>}
      {queue.reviews.length > 0 && (
        <div class="review">
          <QueueList
            queue={queue}
            select={(at) => {
              forget();
              send({ type: "selected", at });
            }}
          />
          <div ref={panel} tabIndex={-1} class="panel" role="region" aria-label={t("review.selected")}>
            {selected !== undefined && (
              <>
                <ReviewHead review={selected} />
                {can("reviews.decide") && (
                  <div class="actions">
                    {!mine && (
                      <button type="button" class="primary" disabled={claim.busy} onClick={() => void claim.run()}>
                        {t("review.claim")} <kbd>c</kbd>
                      </button>
                    )}
                    {mine && (
                      <button type="button" disabled={release.busy} onClick={() => void release.run()}>
                        {t("review.release")}
                      </button>
                    )}
                  </div>
                )}
                <Problem error={claim.error ?? release.error} />
                {mine && (
                  <>
                    <DecisionForm queue={queue} seen={seen} busy={decide.busy} draft={(draft) => send({ type: "drafted", draft })} clear={clear} decide={() => void decide.run()} />
                    <Problem error={decide.error} />
                  </>
                )}
                {mine ? (
                  <Material key={selected.checkId} checkId={selected.checkId} asked={asked === selected.checkId} ask={() => setAsked(selected.checkId)} opened={() => setOpened(selected.checkId)} />
                ) : (
                  <p class="help">{t(can("reviews.decide") ? "review.closed" : "review.others")}</p>
                )}
              </>
            )}
          </div>
        </div>
      )}
    </>
  );
}

function QueueList({ queue, select }: { queue: Queue; select: (at: number) => void }) {
  const current = useRef<HTMLButtonElement>(null);
  useEffect(() => current.current?.scrollIntoView({ block: "nearest" }), [queue.at]);
  return (
    <ol class="queue plain" aria-label={t("review.queue")}>
      {queue.reviews.map((review, index) => {
        const status = bare(review.status, "CHECK_STATUS_");
        return (
          <li key={review.checkId}>
            <button type="button" ref={index === queue.at ? current : null} aria-current={index === queue.at ? "true" : undefined} onClick={() => select(index)}>
              <span>
                <code>{review.checkId.slice(0, 8)}</code> <Tag tone={toneOf(status)}>{word("status", status)}</Tag>
              </span>
              <span class="soft">{causes(review)}</span>
              <span class="soft">{word("review.state", bare(review.state, "REVIEW_STATE_"))}</span>
            </button>
          </li>
        );
      })}
    </ol>
  );
}

function causes(review: Review): string {
  return (review.causes ?? []).map((cause) => word("review.cause", bare(cause, "REVIEW_CAUSE_"))).join(" ");
}

function ReviewHead({ review }: { review: Review }) {
  return (
    <>
      <h2>
        {t("check.title")} <a href={addressOf("checks", review.checkId)}>{review.checkId.slice(0, 8)}</a>
      </h2>
      <ReviewFacts review={review} />
    </>
  );
}

/** What sent a check to review, who holds it, and what was decided. */
export function ReviewFacts({ review }: { review: Review }) {
  return (
    <>
      <Facts
        rows={[
          [t("review.why"), causes(review)],
          review.outcome === undefined ? [t("review.until"), <Time of={review.expireTime} />] : null,
          review.claimedBy ? [t("review.claimedBy"), <>{written(review.claimedBy)}, {t("until")} <Time of={review.claimExpireTime} /></>] : null,
          review.fourEyes ? [t("review.fourEyes"), t("review.fourEyes.means")] : null,
        ]}
      />
      {(review.decisions?.length ?? 0) > 0 && <ul class="plain">
        {(review.decisions ?? []).map((one) => (
          <li key={one.decideTime}>
            {one.outcome === undefined
              ? t("review.hidden", { name: one.reviewer ?? "?" })
              : `${written(one.reviewer ?? "?")}: ${word("outcome", bare(one.outcome, "REVIEW_OUTCOME_"))}. ${word("review.reason", bare(one.reason, "REVIEW_REASON_"))}. ${written(one.comment ?? "")}`}{" "}
            <span class="soft">
              <Time of={one.decideTime} />
            </span>
          </li>
        ))}
      </ul>}
    </>
  );
}

function DecisionForm({ queue, seen, busy, draft, clear, decide }: { queue: Queue; seen: boolean; busy: boolean; draft: (draft: Partial<Queue["draft"]>) => void; clear: () => void; decide: () => void }) {
  const { outcome, reason, comment } = queue.draft;
  const lacking = lacks(queue.draft, seen);
  return (
    <div
      onKeyDown={(event) => {
        if (event.key === "Enter" && event.ctrlKey && lacking === null) decide();
        if (event.key === "Escape") clear();
      }}
    >
      <Form class="decision" submit={decide}>
        <fieldset>
          <legend>{t("review.outcome")}</legend>
          {OUTCOMES.map((one, index) => (
            <label key={one} class="tick">
              <input type="radio" name="outcome" value={one} checked={outcome === one} onChange={() => draft({ outcome: one })} />
              <kbd>{index + 1}</kbd> {word("outcome", one)}
            </label>
          ))}
        </fieldset>
        <Choice
          label={t("review.reason")}
          value={reason}
          change={(next) => draft({ reason: next })}
          required
          options={[["", t("choose")], ...REVIEW_REASONS.filter((one) => agrees(outcome, one)).map((one) => [one, word("review.reason", one)] as const)]}
        />
        <Field label={t("review.comment")} value={comment} change={(next) => draft({ comment: next })} maxLength={1024} required={reason === "OTHER"} help={t("review.comment.help")} />
        <button type="submit" class="primary" disabled={busy || lacking !== null}>
          {t("review.decide")} <kbd>{t("review.decide.key")}</kbd>
        </button>
        {lacking !== null && <p class="help">{t(`review.lacks.${lacking}`)}</p>}
      </Form>
    </div>
  );
}

/** What a reviewer who has claimed the check looks at: the images, for the purpose of this review, and the machine's verdict. */
function Material({ checkId, asked, ask, opened }: { checkId: string; asked: boolean; ask: () => void; opened: () => void }) {
  const { can } = useConsole();
  const found = useLoad(() => call("GetEvidence", { checkId, purpose: "review" }), [checkId]);
  const pictures = useRef<HTMLDivElement>(null);
  const evidence = found.value;
  const result = useMemo(() => evidence && signedResult(evidence), [evidence]);
  const images = (evidence?.images ?? []).filter((facts) => !facts.erased);
  const visible = images.length > 0 && can("evidence.images");
  const shown = visible && asked;
  useEffect(() => {
    // The button that had the focus is gone.
    if (shown && document.activeElement === document.body) pictures.current?.focus();
    if (evidence !== null && (shown || !visible)) opened();
  }, [evidence, shown]);
  if (found.busy && evidence === null) return <Busy />;
  if (evidence === null || result === null) return <Problem error={found.error} retry={found.reload} />;
  return (
    <>
      <p>
        <Compared evidence={evidence} result={result} />
      </p>
      {images.length === 0 && <p>{t("images.none")}</p>}
      {visible && !shown && (
        <button type="button" onClick={ask}>
          {tn("review.images", images.length)} <kbd>i</kbd>
        </button>
      )}
      {shown && (
        <div ref={pictures} class="pictures" tabIndex={-1} role="group" aria-label={t("detail.images")}>
          {images.map((facts) => (
            <Picture key={facts.sha256} checkId={checkId} facts={facts} purpose="review" />
          ))}
        </div>
      )}
      <ul>
        {(result.reasons ?? []).map((reason) => (
          <li key={reason}>{failure(bare(reason, "FAILURE_REASON_")).means}</li>
        ))}
      </ul>
      <VerdictPart result={result} recordJson={evidence.recordJson} />
      <SignalsPart signals={result.liveness?.signals ?? []} />
    </>
  );
}
