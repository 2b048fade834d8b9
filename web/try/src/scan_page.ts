/** The page of the person's own scan: portrait, mode, scan, verdict. */
import type { About, Mode, Verdict } from "./api.js";
import { button, byId, make } from "./dom.js";
import { openPage } from "./frame.js";
import { showModeStep } from "./mode_step.js";
import { type Chosen, showPortraitStep } from "./portrait_step.js";
import { showScanStep } from "./scan_step.js";
import { showVerdictStep } from "./verdict_step.js";

const STEPS = ["Portrait", "Mode", "Scan", "Verdict"] as const;

/** The four steps, one on the page at a time. */
class Steps {
  private portrait: Chosen | undefined;
  private mode: Mode | undefined;
  private leave: (() => void) | undefined;
  private readonly sheet = byId("step");
  private readonly list = byId("steps");

  constructor(private readonly about: About) {}

  /** Shows a step. */
  show(number: number, focus = true, verdict?: Verdict): void {
    this.leave?.();
    this.leave = undefined;
    this.listSteps(number);
    document.body.dataset.step = String(number);
    const { sheet, about, portrait, mode } = this;
    if (number === 1 || portrait === undefined) {
      this.leave = showPortraitStep(sheet, portrait, (chosen) => {
        this.portrait = chosen;
        this.show(2);
      });
    } else if (number === 2 || mode === undefined) {
      showModeStep(sheet, about, mode, (chosen) => {
        this.mode = chosen;
        this.show(3);
      });
    } else if (verdict === undefined) {
      this.leave = showScanStep(sheet, about, portrait, mode, (found) => this.show(4, true, found));
    } else {
      showVerdictStep(sheet, verdict, portrait.picture, [
        button("Scan again", () => this.show(3), "primary"),
        button("Another mode", () => this.show(2)),
        button("Another portrait", () => {
          this.portrait = undefined;
          this.show(1);
        }),
      ]);
    }
    if (focus) {
      sheet.querySelector<HTMLElement>("h2")?.focus({ preventScroll: true });
      if (this.list.getBoundingClientRect().top < 0) this.list.scrollIntoView();
    }
  }

  private listSteps(current: number): void {
    this.list.replaceChildren(
      ...STEPS.map((name, index) => {
        const number = index + 1;
        const back = number < current && number < 4;
        const label = [make("span", { class: "number", "aria-hidden": "true" }, String(number)), name];
        return make(
          "li",
          { class: number < current ? "done" : "", "aria-current": number === current ? "step" : undefined },
          back ? button("", () => this.show(number), "", ...label) : make("span", {}, ...label),
        );
      }),
    );
  }
}

const about = await openPage();
if (about !== undefined) new Steps(about).show(1, false);
