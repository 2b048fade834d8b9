/** Step 2: the mode. */
import type { About, Mode } from "./api.js";
import { button, make } from "./dom.js";
import { icon, type IconName } from "./icons.js";

interface Described {
  title: string;
  text: string;
  time: string;
  stops: string;
  icon: IconName;
}

/** The modes in words. */
export const MODES: Record<Mode["key"], Described> = {
  express: {
    title: "Express",
    text: "You only look at the camera. The server measures print, screen, motion and depth. If it is not sure, an oval follows.",
    time: "2 to 4 seconds",
    stops: "Photos, masks of paper, many screens",
    icon: "eye",
  },
  colours: {
    title: "With colours",
    text: "The screen shows colours that only the server knows. Their reflection proves that your face is here now.",
    time: "about 10 seconds",
    stops: "Also recordings and injected videos",
    icon: "colours",
  },
  dynamic: {
    title: "Dynamic",
    text: "Colours, a blink and a slight turn of the head. Nothing less succeeds, so declining the colours fails.",
    time: "about 15 seconds",
    stops: "Also stiff masks and cut-outs",
    icon: "shield",
  },
};

/** Shows the step. Calls `done` with the chosen mode. */
export function showModeStep(sheet: HTMLElement, about: About, before: Mode | undefined, done: (mode: Mode) => void): void {
  const offered = about.modes.filter((mode) => mode.shortfall === "");
  let chosen = before ?? offered[0];
  const cards = about.modes.map((mode) => {
    const { title, text, time, stops, icon: name } = MODES[mode.key];
    const refused = mode.shortfall !== "";
    const input = make("input", { type: "radio", name: "mode", id: `mode-${mode.key}`, value: mode.key, disabled: refused, checked: mode === chosen, class: "spoken" });
    input.addEventListener("change", () => (chosen = mode));
    return make(
      "div",
      { class: "choice" },
      input,
      make(
        "label",
        { for: `mode-${mode.key}` },
        icon(name),
        make("span", { class: "choice-title" }, title),
        make("span", {}, text),
        make("span", { class: "choice-fact" }, make("b", {}, "Stops "), stops),
        make("span", { class: "choice-fact" }, make("b", {}, "Takes "), time),
        make("span", { class: "soft small" }, refused ? `Not with this pack: ${mode.shortfall}` : `Policy ${mode.policy}`),
      ),
    );
  });
  sheet.replaceChildren(
    make("h2", { tabindex: "-1" }, "How sure do you want to be?"),
    make("fieldset", { class: "choices" }, make("legend", { class: "spoken" }, "Mode"), ...cards),
    make("div", { class: "actions" }, button("Continue", () => chosen && done(chosen), "primary")),
  );
}
