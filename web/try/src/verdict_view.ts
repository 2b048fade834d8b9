/** Step 4: the verdict, and everything that it rests on. */
import type { Picture, Verdict } from "./api.js";
import { colourStrip } from "./colours.js";
import { type Child, make } from "./dom.js";
import { measures, signalList } from "./gauges.js";
import { icon, type IconName } from "./icons.js";
import { words } from "./problem.js";

interface Outcome {
  title: string;
  tone: "good" | "bad" | "warn";
  icon: IconName;
}

const OUTCOMES: Record<Verdict["status"], Outcome> = {
  SUCCESS: { title: "It is you.", tone: "good", icon: "check" },
  FAILURE: { title: "Not verified", tone: "bad", icon: "cross" },
  NOT_DECIDED: { title: "Not decided", tone: "warn", icon: "question" },
};

/** Shows a verdict. */
export function showVerdict(sheet: HTMLElement, verdict: Verdict, portrait: string | undefined, actions: Child[]): void {
  const { title, tone, icon: name } = OUTCOMES[verdict.status];
  const [first, ...others] = verdict.reasons;
  sheet.replaceChildren(
    make(
      "div",
      { class: `banner ${tone}` },
      make("span", { class: "seal" }, icon(name)),
      make(
        "div",
        {},
        make("h2", { tabindex: "-1" }, title),
        verdict.sandbox && make("p", { class: "tag" }, "Sandbox result: only a test"),
        make("p", { class: "reason" }, first?.text ?? ""),
        ...others.map(({ text }) => make("p", {}, text)),
        make("p", { class: "code" }, [verdict.status, ...verdict.reasons.map((reason) => reason.name)].filter(Boolean).join(" · ")),
      ),
    ),
    make(
      "div",
      { class: "proof" },
      make(
        "div",
        { class: "faces" },
        portrait !== undefined && picture(portrait, "Portrait", "The portrait"),
        verdict.evidence !== null
          ? picture(verdict.evidence.image, "Evidence frame", "The evidence frame", verdict.evidence)
          : make("p", { class: "soft" }, "No face was captured, so there is no evidence frame."),
        ...verdict.audit_images.map((image, index) => picture(image.image, `Audit image ${index + 1}`, `Audit image ${index + 1}`, image)),
      ),
      make("div", {}, measures(verdict), ...part("Why", verdict.explanations.length > 0 && make("ul", { class: "because" }, ...verdict.explanations.map((text) => make("li", {}, text))))),
    ),
    make("div", { class: "actions" }, ...actions),
    ...part("The colours on your face", colourStrip(verdict.colours)),
    ...part("Signals", verdict.signals.length > 0 && make("div", {}, make("p", { class: "soft" }, "Each score goes from 0, as an attack, to 1, as a live person. The weight is its share of the decision."), signalList(verdict.signals))),
    ...part("The scan and its proof", facts(verdict)),
    tests(verdict),
    downloads(verdict),
  );
}

/** Shows the device tests, folded; decisive failures first. */
export function tests({ device }: Verdict): HTMLElement | string {
  if (device.tests.length === 0) return "";
  const order = ["FAIL", "PASS", "UNAVAILABLE", "NOT_EVALUATED"];
  const sorted = [...device.tests].sort((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome));
  return make(
    "details",
    { class: "tests" },
    make("summary", {}, `${device.tests.length} tests of the device: assurance ${device.assurance}, needed ${device.required}`),
    make(
      "ul",
      { class: "plain" },
      ...sorted.map((test) =>
        make(
          "li",
          {},
          make("span", { class: `tag ${test.outcome.toLowerCase()}` }, words(test.outcome)),
          make("strong", {}, test.name),
          test.decisive && make("span", { class: "tag fail" }, test.tolerated ? "tolerated" : "decides"),
          ` ${test.detail}`,
        ),
      ),
    ),
  );
}

function picture(source: string, caption: string, text: string, turned?: Picture): HTMLElement {
  const image = make("img", { src: source, alt: text });
  if (turned !== undefined && (turned.rotation > 0 || turned.mirrored)) {
    image.style.transform = `${turned.mirrored ? "scaleX(-1) " : ""}rotate(${turned.rotation}deg)`;
  }
  return make("figure", {}, image, make("figcaption", {}, caption));
}

function part(title: string, content: Node | null | false): HTMLElement[] {
  return content ? [make("section", { class: "part" }, make("h3", {}, title), content)] : [];
}

function facts(verdict: Verdict): HTMLElement {
  const { seconds, transcript, policy, pack } = verdict;
  const rows: Record<string, string> = {
    "Upload of the portrait": duration(seconds.upload),
    "From the first frame to the verdict": seconds.scan === null ? "no frame came" : duration(seconds.scan),
    "Result, with signature": duration(seconds.finish),
    Attempts: verdict.attempts.map((one) => `${one.frames} frames${one.seconds === null ? "" : ` in ${duration(one.seconds)}`}`).join("; ") || "none",
    Transcript: transcript.intact ? `intact, ${transcript.frames} frames, ${transcript.dropped} dropped before they were sent` : "not intact",
    Signature: verdict.signature_verified ? "verified with the server's published key" : "NOT VERIFIED",
    Policy: `${policy.name}, version ${policy.version}`,
    Pack: `${pack.name} ${pack.version}${pack.evaluation ? ", for evaluation only" : ""}${pack.missing.length > 0 ? `, without ${pack.missing.join(", ")}` : ""}`,
    ...(verdict.sandbox ? { Sandbox: "made for tests; it proves nothing about a person" } : {}),
    Check: verdict.check,
  };
  return make("dl", { class: "facts wide" }, ...Object.entries(rows).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function downloads(verdict: Verdict): HTMLElement {
  return make(
    "p",
    { class: "downloads" },
    link("Result (JSON)", "result.json", verdict.result_json, "application/json"),
    link("Signed result (JWS)", "result.jws", verdict.result_jws, "application/jose"),
  );
}

function link(text: string, name: string, content: string, type: string): HTMLElement {
  return make("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name }, icon("document"), text);
}

function duration(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}
