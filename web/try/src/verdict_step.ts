/** Step 4: the verdict, and the explanation that the server's templates made of it. */
import type { Verdict } from "./api.js";
import { type Child, filled, make } from "./dom.js";
import { icon, type IconName } from "./icons.js";

const OUTCOMES: Record<Verdict["status"], [title: string, tone: "good" | "bad" | "warn", icon: IconName]> = {
  SUCCESS: ["It is you.", "good", "check"],
  FAILURE: ["Not verified", "bad", "cross"],
  NOT_DECIDED: ["Not decided", "warn", "question"],
};

/** Shows a verdict. */
export function showVerdictStep(sheet: HTMLElement, verdict: Verdict, portrait: string | undefined, actions: Child[]): void {
  const [title, tone, name] = OUTCOMES[verdict.status];
  const [first, ...others] = verdict.sentences;
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
        make("p", { class: "reason" }, first ?? ""),
        ...others.map((text) => make("p", {}, text)),
        make("p", { class: "code" }, [verdict.status, ...verdict.reasons].join(" · ")),
      ),
    ),
    make("div", { class: "actions" }, ...actions),
    ...filled(verdict.explained),
    make(
      "p",
      { class: "downloads" },
      link("Result (JSON)", "result.json", verdict.result_json, "application/json"),
      link("Signed result (JWS)", "result.jws", verdict.result_jws, "application/jose"),
    ),
  );
  if (portrait !== undefined) {
    // The server has it as a record, which browsers cannot show.
    sheet.querySelector(".faces")?.prepend(make("figure", {}, make("img", { src: portrait, alt: "The portrait" }), make("figcaption", {}, "Portrait")));
  }
}

function link(text: string, name: string, content: string, type: string): HTMLElement {
  return make("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name }, icon("document"), text);
}
