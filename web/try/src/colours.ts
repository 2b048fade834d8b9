/** The strip of the screen's colours: the face under each, the colour, and whether the face answered. */
import type { Colour } from "./api.js";
import { make } from "./dom.js";
import { icon } from "./icons.js";

const ANSWERS = { true: "answered", false: "contradicted", null: "undecided" } as const;
const ICONS = { true: "check", false: "cross", null: "question" } as const;

/** Shows the strip, with a short or a whole explanation; null without colours. */
export function colourStrip(colours: Colour[], short = false): HTMLElement | null {
  if (colours.length === 0) return null;
  const drawn = colours.filter((colour) => colour.drawn);
  const answered = drawn.filter((colour) => colour.agrees === true).length;
  return make(
    "figure",
    { class: "strip" },
    make("ol", { class: "colours" }, ...colours.map(swatch)),
    make(
      "figcaption",
      {},
      short
        ? `${answered} of ${drawn.length} random colours were answered.`
        : `The server drew ${drawn.length} colours at random and revealed them one at a time; the face answered ${answered} of them. The others are public knowledge and prove nothing.`,
    ),
  );
}

function swatch(one: Colour): HTMLElement {
  const key = String(one.agrees) as keyof typeof ANSWERS;
  const [red, green, blue] = one.colour;
  const noise = one.signal_to_noise === null ? "" : `, signal to noise ${one.signal_to_noise.toFixed(1)}`;
  const words = one.drawn ? `${ANSWERS[key]}${noise}` : "public knowledge";
  const patch = make("span", { class: "patch" });
  patch.style.backgroundColor = `rgb(${red} ${green} ${blue})`;
  return make(
    "li",
    { class: one.drawn ? ANSWERS[key] : "known", title: words },
    one.face ? make("img", { src: one.face, alt: "" }) : null,
    patch,
    make("span", { class: "answered-by" }, one.drawn ? icon(ICONS[key]) : "·"),
    make("span", { class: "spoken" }, `Colour ${one.step}, red ${red}, green ${green}, blue ${blue}: ${words}`),
  );
}
