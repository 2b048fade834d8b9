/** Plays the frames of a scan, which lie side by side in one image. */
import type { Film } from "./api.js";
import { make } from "./dom.js";

const FRAMES_A_SECOND = 8;

/** Shows a film, which runs unless the page is paused. */
export function film(shown: Film, caption: string, tone: "good" | "bad" | "warn"): HTMLElement {
  const screen = make("div", { class: `film ${tone}`, role: "img", "aria-label": `${caption}: frames of the scan` });
  screen.style.backgroundImage = `url("${shown.image}")`;
  screen.style.backgroundSize = `${100 * shown.frames}% 100%`;
  screen.style.aspectRatio = `${shown.width} / ${shown.height}`;
  screen.style.setProperty("--duration", `${shown.frames / FRAMES_A_SECOND}s`);
  screen.style.animationTimingFunction = `steps(${shown.frames}, jump-none)`;
  return make("figure", {}, screen, make("figcaption", {}, caption));
}
