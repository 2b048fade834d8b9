/** The verdict in words, with each measurement beside its line. */
import { asWords, bare, knownOnly, numberText, othersInWords, wholePercents, written } from "../logic/format.js";
import { type EvidenceRecord, livenessLines, outcomeOf } from "../logic/record.js";
import { Facts, Gauge, Section, Table, Tag, Time, type Tone } from "../parts/ui.js";
import { explanations, hint, language, signalName, t, tn, word } from "../texts/index.js";
import type { Attempt, Evidence, Result, Signal } from "../types.js";

const number = (value: number, digits = 1) => numberText(value, language(), digits);

function Measure({ name, value, tone, spoken, highest, lines, children }: { name: string; value: number; tone: Tone; spoken: string; highest: number; lines: number[]; children: preact.ComponentChildren }) {
  return (
    <div class="measure">
      <h3>{name}</h3>
      <Gauge value={value} highest={highest} tone={tone} spoken={spoken} lines={lines} />
      {children}
    </div>
  );
}

/** Whom the face was compared with, and what was kept of that image. */
export function Compared({ evidence, result }: { evidence: Evidence; result: Result }) {
  const compared = result.match?.similarity !== undefined;
  return (
    <>
      {t(compared ? "compared.yes" : "compared.no")} {word("kept", bare(evidence.trustedImage?.kept, "KEPT_"))}
    </>
  );
}

export function VerdictPart({ result, recordJson }: { result: Result; recordJson: string | undefined }) {
  const outcome = outcomeOf(recordJson);
  const why = result.liveness === undefined ? [] : explanations(result.liveness, outcome);
  return (
    <Section title={t("verdict")}>
      {language() === "de" && <p class="help">{t("verdict.english")}</p>}
      <div class="measures">
        <Liveness result={result} outcome={outcome} />
        <Match result={result} />
        <Bits result={result} />
      </div>
      {why.length > 0 && (
        <>
          <h3>{t("verdict.why")}</h3>
          <ul>
            {why.map((text) => (
              <li key={text}>{written(text)}</li>
            ))}
          </ul>
        </>
      )}
    </Section>
  );
}

function Liveness({ result, outcome }: { result: Result; outcome: EvidenceRecord["outcome"] }) {
  const { liveness } = result;
  if (liveness === undefined) return <p>{t("liveness.none")}</p>;
  const verdict = bare(liveness.verdict, "LIVENESS_VERDICT_");
  const confidence = liveness.confidence ?? 0;
  const lines = livenessLines(outcome);
  const tone: Tone = verdict === "LIVE" ? "good" : verdict === "SPOOF" ? "bad" : "warn";
  const spoken = t("liveness.confidence", { value: number(confidence) });
  const attack = bare(liveness.attackType, "ATTACK_TYPE_");
  return (
    <Measure name={t("liveness")} value={confidence} highest={100} tone={tone} spoken={spoken} lines={lines === null ? [] : [lines.spoof, lines.live]}>
      <p>
        <Tag tone={tone}>{word("verdict", verdict)}</Tag> {spoken}
      </p>
      {lines !== null && <p class="help">{t("liveness.lines", { live: number(lines.live, 0), spoof: number(lines.spoof, 0) })} {word("liveness.lines", bare(liveness.usedMode, "MODE_"))}</p>}
      {verdict === "SPOOF" && <p>{t("liveness.attack", { kind: word("attack", attack) })}</p>}
    </Measure>
  );
}

function Match({ result }: { result: Result }) {
  const { match, pack } = result;
  if (match?.similarity === undefined) {
    return (
      <div class="measure">
        <h3>{t("match")}</h3>
        <p>{t("match.none")}</p>
      </div>
    );
  }
  const calibration = pack?.calibration;
  const lowest = calibration?.lowestFmrBound ?? 0;
  const saturated = (match.fmrBound ?? 1) <= lowest;
  const others = othersInWords(match.scanFmrBound);
  const said =
    others.kind === "bound"
      ? t("match.bound", { people: number(others.people, 0) })
      : t(others.kind === "unmeasured" ? "match.unmeasured" : "match.reached");
  const spoken = t("match.similarity", { value: number(match.similarity) });
  const same = match.samePerson === true;
  return (
    <Measure name={t("match")} value={match.similarity} highest={100} tone={same ? "good" : "bad"} spoken={spoken} lines={[match.requiredSimilarity ?? 0]}>
      <p>
        <Tag tone={same ? "good" : "bad"}>{t(same ? "match.same" : "match.other")}</Tag> {spoken}
        {saturated && `, ${t("match.saturated")}`}: {said}
      </p>
      <p class="help">
        {t("match.lines", {
          similarity: number(match.requiredSimilarity ?? 0),
          frames: match.framesUsed ?? 0,
        })}
      </p>
      <p class="help">
        {word("calibration", bare(calibration?.provenance, "PROVENANCE_"))}
        {others.kind === "bound" && !saturated && ` ${t("match.most")}`}
      </p>
    </Measure>
  );
}

function Bits({ result }: { result: Result }) {
  const { liveness } = result;
  const required = liveness?.requiredBits ?? 0;
  const verified = liveness?.verifiedBits ?? 0;
  if (liveness === undefined) return null;
  const mode = word("mode", bare(liveness.usedMode, "MODE_"));
  if (required === 0 && verified === 0) {
    return (
      <div class="measure">
        <h3>{t("challenge")}</h3>
        <p>{t("challenge.none", { mode })}</p>
      </div>
    );
  }
  const spoken = t("challenge.bits", { verified: number(verified), required: number(required) });
  return (
    <Measure
      name={t("challenge")}
      value={verified}
      highest={Math.max(verified, required, 1) * 1.2}
      tone={verified >= required ? "good" : "bad"}
      spoken={spoken}
      lines={[required]}
    >
      <p>{spoken}</p>
      <p class="help">{t("challenge.help", { mode })}</p>
    </Measure>
  );
}

export function AttemptsPart({ result }: { result: Result }) {
  const attempts = result.attempts ?? [];
  const began = Date.parse(result.createTime ?? "");
  const ended = Math.max(Date.parse(result.decideTime ?? ""), began + 1);
  const share = (iso: string | undefined, otherwise: number) => {
    const at = (100 * (Date.parse(iso ?? "") - began)) / (ended - began);
    return Math.min(Math.max(Number.isNaN(at) ? otherwise : at, 0), 100);
  };
  return (
    <Section title={t("attempts")}>
      {attempts.length === 0 && <p>{t("attempts.none")}</p>}
      {attempts.length > 0 && (
        <>
          <div class="timeline" aria-hidden="true">
            {attempts.map((one) => {
              const [from, to] = [share(one.startTime, 0), share(one.endTime, 100)];
              return (
                <span key={one.attempt} class={`span ${toneOfAttempt(one)}`} style={{ left: `${from}%`, width: `${Math.max(to - from, 1)}%` }}>
                  {one.attempt}
                </span>
              );
            })}
          </div>
          <p class="ends" aria-hidden="true">
            <span>
              {t("attempts.created")} <Time of={result.createTime} />
            </span>
            <span>
              {t("attempts.decided")} <Time of={result.decideTime} />
            </span>
          </p>
          <ol class="attempts">
            {attempts.map((one) => (
              <AttemptItem key={one.attempt} one={one} />
            ))}
          </ol>
        </>
      )}
      {result.transcript !== undefined && (
        <p class="help">
          {t(result.transcript.intact ? "transcript.intact" : "transcript.notIntact", {
            frames: result.transcript.frames ?? 0,
            examined: result.transcript.framesExamined ?? 0,
            streams: result.transcript.streams ?? 0,
          })}
        </p>
      )}
    </Section>
  );
}

function toneOfAttempt(one: Attempt): Tone {
  const verdict = bare(one.verdict, "LIVENESS_VERDICT_");
  return verdict === "LIVE" ? "good" : verdict === "SPOOF" ? "bad" : "warn";
}

function AttemptItem({ one }: { one: Attempt }) {
  const verdict = bare(one.verdict, "LIVENESS_VERDICT_", "");
  const seconds = (Date.parse(one.endTime ?? "") - Date.parse(one.startTime ?? "")) / 1000;
  return (
    <li value={one.attempt}>
      <p>
        <strong>{word("attempt", bare(one.outcome, "OUTCOME_"))}</strong> {verdict !== "" && <Tag tone={toneOfAttempt(one)}>{word("verdict", verdict)}</Tag>}
      </p>
      <p>
        <Time of={one.startTime} />
        {Number.isNaN(seconds) ? "" : `, ${number(seconds)} s`}, {tn("attempts.frames", one.frames ?? 0)}, {word("mode", bare(one.mode, "MODE_"))}.{" "}
        {word("ended", bare(one.endedBy, "ENDED_BY_"))}
      </p>
      {(one.feedback?.length ?? 0) > 0 && (
        <ul>
          {one.feedback!.map((code) => (
            <li key={code}>{hint(bare(code, "FEEDBACK_CODE_"))}</li>
          ))}
        </ul>
      )}
    </li>
  );
}

export function SignalsPart({ signals }: { signals: readonly Signal[] }) {
  if (signals.length === 0) return null;
  const sorted = [...signals].sort((one, other) => (other.weight ?? 0) - (one.weight ?? 0));
  const deciding = sorted.filter((one) => (one.weight ?? 0) > 0);
  const informing = sorted.filter((one) => (one.weight ?? 0) <= 0);
  return (
    <Section title={t("signals")}>
      <p class="help">{t("signals.help")}</p>
      <SignalList signals={deciding} />
      {informing.length > 0 && (
        <details>
          <summary>{tn("signals.informing", informing.length)}</summary>
          <SignalList signals={informing} />
        </details>
      )}
    </Section>
  );
}

function SignalList({ signals }: { signals: readonly Signal[] }) {
  const shares = wholePercents(signals.map(({ weight = 0 }) => weight));
  return (
    <ul class="signals">
      {signals.map((one, index) => {
        const { score } = one;
        const said = score === undefined ? t("signals.notAssessed") : Math.abs(score - 0.5) < 0.005 ? t("signals.neutral") : number(score, 2);
        const tone: Tone = score === undefined || Math.abs(score - 0.5) < 0.02 ? "plain" : score > 0.5 ? "good" : "bad";
        return (
          <li key={one.name}>
            <span class="name">{written(signalName(one.name, one.label || asWords(one.name)))}</span>
            {score === undefined ? <span class="gauge" /> : <Gauge value={score} highest={1} tone={tone} spoken={said} lines={[0.5]} />}
            <span class="score">{said}</span>
            <span class="weight">{(one.weight ?? 0) > 0 ? t("signals.weight", { share: number(shares[index]!, 0) }) : t("signals.informs")}</span>
            {one.detail && (
              <span class="detail" lang="en">
                {written(one.detail)}
              </span>
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** Signs of manipulation: the weight of each is its strength. */
function SignList({ signs }: { signs: readonly Signal[] }) {
  return (
    <ul class="signals">
      {signs.map((one) => {
        const strength = one.weight ?? 0;
        const said = t("device.sign.strength", { value: number(strength, 2) });
        const detail = knownOnly(one.detail ?? "");
        return (
          <li key={one.name}>
            <span class="name" lang="en">
              {written(one.label || asWords(one.name))}
            </span>
            <Gauge value={strength} highest={1} tone={one.passed ? "warn" : "bad"} spoken={said} />
            <span class="score">{said}</span>
            <span class="weight">{t(one.passed ? "device.sign.weak" : "device.sign.suspected")}</span>
            {detail !== "" && (
              <span class="detail" lang="en">
                {written(detail)}
              </span>
            )}
          </li>
        );
      })}
    </ul>
  );
}

const FINDINGS = ["FAIL", "PASS", "UNAVAILABLE", "NOT_EVALUATED"];

export function DevicePart({ result }: { result: Result }) {
  const { device } = result;
  if (device === undefined) return null;
  const tests = [...(device.checks ?? [])].sort((one, other) => FINDINGS.indexOf(bare(one.outcome, "OUTCOME_")) - FINDINGS.indexOf(bare(other.outcome, "OUTCOME_")));
  const signs = device.signals ?? [];
  return (
    <Section title={t("device")}>
      <Facts
        rows={[
          [t("device.assurance"), word("assurance", bare(device.assurance, "DEVICE_ASSURANCE_"))],
          [t("device.required"), word("assurance", bare(device.requiredAssurance, "DEVICE_ASSURANCE_"))],
          device.injectionMethod ? [t("device.injection"), written(word("injection", device.injectionMethod.toUpperCase()))] : null,
          device.sdkVersion ? [t("device.sdk"), written(device.sdkVersion)] : null,
          (result.history?.length ?? 0) > 0 ? [t("device.history"), <span lang="en">{written(result.history!.map((one) => one.detail || one.label).join(" "))}</span>] : null,
        ]}
      />
      {signs.length > 0 && (
        <details>
          <summary>{tn("device.signs", signs.length)}</summary>
          <p class="help">{t("device.signs.help")}</p>
          <SignList signs={signs} />
        </details>
      )}
      {tests.length > 0 && (
        <details>
          <summary>{tn("device.tests", tests.length)}</summary>
          <Table
            caption={t("device.tests.caption")}
            columns={[t("device.test"), t("device.finding"), t("device.detail")]}
            rows={tests.map((one) => {
              const finding = bare(one.outcome, "OUTCOME_");
              return {
                key: one.name,
                cells: [
                  <span lang="en">{written(asWords(one.name))}</span>,
                  <>
                    <Tag tone={finding === "PASS" ? "good" : finding === "FAIL" ? "bad" : "plain"}>{word("finding", finding)}</Tag>
                    {one.decisive && <Tag tone={one.tolerated ? "plain" : "bad"}>{t(one.tolerated ? "device.tolerated" : "device.decides")}</Tag>}
                  </>,
                  <span lang="en">{written(one.detail || one.reason || "–")}</span>,
                ],
              };
            })}
          />
        </details>
      )}
    </Section>
  );
}
