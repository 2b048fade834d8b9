/** Step 3: the scan, by the element of `@facegate/web`. */
import "@facegate/web/element";
import type { FacegateScan } from "@facegate/web/element";
import { api, type About, type Mode, type Verdict } from "./api.js";
import { make } from "./dom.js";
import { icon } from "./icons.js";
import { MODES } from "./mode_step.js";
import type { Chosen } from "./portrait_step.js";
import { problem } from "./problem.js";

/** Shows the step. Calls `done` with the verdict. */
export function showScanStep(
  sheet: HTMLElement,
  about: About,
  chosen: Chosen,
  mode: Mode,
  done: (verdict: Verdict) => void,
): () => void {
  const answer = make("div", { class: "answer", "aria-live": "polite" });
  const element = make("facegate-scan", { server: about.scans, lang: "en", flash: mode.flashes }) as FacegateScan;
  element.appVersion = about.version;
  let check = "";
  element.getTicket = async () => {
    answer.replaceChildren();
    try {
      const created = await api.create(chosen.report.portrait, mode.key);
      check = created.check;
      return created.ticket;
    } catch (error) {
      answer.replaceChildren(problem(error));
      throw error;
    }
  };
  const finish = async (): Promise<void> => {
    // Its last hint would stand beside the verdict that is about to come.
    element.hidden = true;
    answer.replaceChildren(make("p", { class: "working" }, "The server signs the result…"));
    try {
      done(await api.finish(check));
    } catch (error) {
      element.hidden = false;
      answer.replaceChildren(problem(error));
    }
  };
  element.addEventListener("facegate-finished", () => void finish());
  const calm = mode.flashes && matchMedia("(prefers-reduced-motion: reduce)").matches;
  sheet.replaceChildren(
    make(
      "div",
      { class: "split" },
      make(
        "figure",
        { class: "stage" },
        chosen.picture === undefined ? make("div", { class: "empty" }, icon("document")) : make("img", { src: chosen.picture, alt: "The portrait" }),
        make("figcaption", {}, `${MODES[mode.key].title}, policy ${mode.policy}`),
      ),
      make(
        "div",
        { class: "scanner" },
        element,
        answer,
        calm && make("p", { class: "note" }, "Your system asks for reduced motion, so no colours are shown."),
        make("p", { class: "soft small" }, "Each frame goes to the server on this machine while you look at the camera, in a chain of MACs that nobody can reorder or replace."),
      ),
    ),
  );
  return () => element.cancel();
}
