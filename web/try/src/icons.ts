/** Icons, drawn with the colour of the text. */
import { draw } from "./dom.js";

const PATHS = {
  camera: "M4 8h3l1.6-2.4h6.8L17 8h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1ZM12 16.4a3.4 3.4 0 1 0 0-6.8 3.4 3.4 0 0 0 0 6.8Z",
  file: "M12 16V5m0 0-4 4m4-4 4 4M5 15v3a1 1 0 0 0 1 1h12a1 1 0 0 0 1-1v-3",
  check: "m5 12.5 4.5 4.5L19 7.5",
  cross: "M7 7l10 10M17 7 7 17",
  question: "M9.2 9.2a2.9 2.9 0 1 1 4.3 2.6c-.9.5-1.5 1-1.5 2.2M12 17.4v.1",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 14.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6Z",
  colours: "M12 12.5a4.6 4.6 0 1 0 0-9.2 4.6 4.6 0 0 0 0 9.2ZM8.2 20.2a4.6 4.6 0 1 0 0-9.2 4.6 4.6 0 0 0 0 9.2ZM15.8 20.2a4.6 4.6 0 1 0 0-9.2 4.6 4.6 0 0 0 0 9.2Z",
  shield: "M12 3.5 19 6v5.5c0 4.3-2.8 7.4-7 9-4.2-1.6-7-4.7-7-9V6l7-2.5Zm-3.2 8.7 2.3 2.3 4.2-4.6",
  play: "M8 5.5v13l10.5-6.5L8 5.5Z",
  pause: "M8 5.5v13M16 5.5v13",
  document: "M7 3.5h7l4 4v13H7a1 1 0 0 1-1-1v-15a1 1 0 0 1 1-1ZM14 3.5v4h4M9 12h6M9 15.5h6",
} as const;

export type IconName = keyof typeof PATHS;

/** Draws an icon, which a screen reader does not read. */
export function icon(name: IconName): SVGElement {
  return draw(
    "svg",
    { class: `icon ${name}`, viewBox: "0 0 24 24", "aria-hidden": "true" },
    draw("path", { d: PATHS[name] }),
  );
}
