/** A problem, with what to do about it. */
import { Refused } from "./api.js";
import { type Child, make } from "./dom.js";
import { icon } from "./icons.js";

/** Shows an error as a notice, which a screen reader announces. */
export function problem(error: unknown): HTMLElement {
  if (!(error instanceof Refused)) return notice("That did not work.", String(error));
  const rows = Object.entries(error.details).filter(([name]) => !HIDDEN.has(name));
  return notice(
    error.message,
    error.remedy,
    rows.length > 0 &&
      make(
        "dl",
        { class: "facts" },
        ...rows.map(([name, value]) => make("div", {}, make("dt", {}, words(name)), make("dd", {}, value))),
      ),
    error.reason !== "" && make("p", { class: "code" }, error.reason),
  );
}

/** Turns `eye_distance_px` and `minEyeDistancePx` into words. */
export function words(name: string): string {
  const parts = name.replace(/([a-z])([A-Z])/g, "$1 $2").replaceAll("_", " ").toLowerCase();
  return parts.charAt(0).toUpperCase() + parts.slice(1);
}

const HIDDEN = new Set(["faceBoxes", "face_boxes"]);

function notice(title: string, text: string, ...more: Child[]): HTMLElement {
  return make(
    "div",
    { class: "notice bad", role: "alert" },
    icon("cross"),
    make("div", {}, make("p", { class: "notice-title" }, title), text !== "" && make("p", {}, text), ...more),
  );
}
