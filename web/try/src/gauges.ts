/** Gauges of the numbers behind a verdict, and the list of signals. */
import type { Signal, Verdict } from "./api.js";
import { make } from "./dom.js";

type Tone = "good" | "bad" | "warn";

interface Measure {
  title: string;
  value: string;
  detail: string;
  /** 0 to 100. */
  at: number;
  tone: Tone;
  /** Where the lines are, 0 to 100. */
  lines: { at: number; label: string }[];
}

const LIVENESS = { LIVE: "good", SPOOF: "bad", INCONCLUSIVE: "warn" } as const;

/** Shows the measures of a verdict. */
export function measures({ liveness, match }: Verdict): HTMLElement {
  const shown: Measure[] = [];
  if (match !== null) {
    shown.push({
      title: "Similarity to the portrait",
      value: match.similarity.toFixed(0),
      at: match.similarity,
      tone: match.same_person ? "good" : "bad",
      lines: [{ at: match.required, label: `needed: ${match.required.toFixed(0)}` }],
      detail: `${match.meaning}. ${match.frames} frames were fused.`,
    });
  }
  if (liveness !== null) {
    const { spoof_threshold, live_threshold, verified_bits, required_bits, attack_type } = liveness;
    shown.push({
      title: "Confidence that the person is alive",
      value: liveness.confidence.toFixed(0),
      at: liveness.confidence,
      tone: LIVENESS[liveness.verdict],
      lines: [
        { at: spoof_threshold, label: `spoof up to ${spoof_threshold}` },
        { at: live_threshold, label: `live from ${live_threshold}` },
      ],
      detail: `${liveness.verdict} in the mode ${liveness.mode}.${attack_type === null ? "" : ` It looks like ${attack_type}.`}`,
    });
    if (required_bits > 0) {
      const full = Math.max(1.5 * required_bits, verified_bits);
      shown.push({
        title: "Bits of the challenge that the face answered",
        value: verified_bits.toFixed(1),
        at: (100 * verified_bits) / full,
        tone: verified_bits >= required_bits ? "good" : "bad",
        lines: [{ at: (100 * required_bits) / full, label: `needed: ${required_bits}` }],
        detail: `A blind guess reaches ${required_bits} bits once in ${(2 ** required_bits).toLocaleString("en")} attempts.`,
      });
    }
  }
  return make("div", { class: "measures" }, ...shown.map(gauge));
}

function gauge({ title, value, detail, at, tone, lines }: Measure): HTMLElement {
  const bar = make("div", { class: `bar ${tone}`, "aria-hidden": "true" });
  const fill = make("span", { class: "fill" });
  fill.style.setProperty("--at", `${Math.min(100, Math.max(0, at))}%`);
  bar.append(
    fill,
    ...lines.map(({ at: place, label }) => {
      const line = make("span", { class: place > 70 ? "line left" : "line" }, make("span", {}, label));
      line.style.setProperty("--at", `${place}%`);
      return line;
    }),
  );
  const spoken = lines.map(({ label }) => label).join(", ");
  return make(
    "div",
    { class: "measure" },
    make("h3", {}, title),
    make("p", { class: `value ${tone}` }, value, make("span", { class: "spoken" }, ` of 100; ${spoken}`)),
    bar,
    make("p", { class: "soft small" }, detail),
  );
}

/** Shows signals: those that decide, and the others folded. */
export function signalList(signals: Signal[]): HTMLElement {
  const deciding = signals.filter((signal) => signal.weight > 0);
  const informing = signals.filter((signal) => signal.weight === 0);
  return make(
    "div",
    {},
    make("ul", { class: "signals" }, ...deciding.map(row)),
    informing.length > 0 &&
      make(
        "details",
        {},
        make("summary", {}, `${informing.length} signals that only inform`),
        make("ul", { class: "signals" }, ...informing.map(row)),
      ),
  );
}

/** The signals that speak most against life, strongest first. */
export function speaking(signals: Signal[]): Signal[] {
  const against = ({ score, weight }: Signal): number => (score === null ? 0 : (0.5 - score) * weight);
  return signals.filter((signal) => against(signal) > 0.01).sort((a, b) => against(b) - against(a));
}

function row({ label, score, weight, detail }: Signal): HTMLElement {
  const scale = make("span", { class: "scale", "aria-hidden": "true" });
  if (score !== null) {
    const share = make("span", { class: score < 0.5 ? "share bad" : "share good" });
    share.style.setProperty("--from", `${Math.min(score, 0.5) * 100}%`);
    share.style.setProperty("--long", `${Math.max(1, Math.abs(score - 0.5) * 100)}%`);
    scale.append(share);
  }
  const words = score === null ? "not assessed" : score.toFixed(2);
  return make(
    "li",
    {},
    make("span", { class: "signal-name" }, label),
    scale,
    make("span", { class: score === null ? "signal-score none" : "signal-score" }, words, score !== null && make("span", { class: "spoken" }, ", 0 is an attack, 1 a live person; ")),
    make("span", { class: "signal-weight" }, weight > 0 ? `weight ${(100 * weight).toFixed(0)} %` : ""),
    make("span", { class: "signal-detail" }, detail),
  );
}
