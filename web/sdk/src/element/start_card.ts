import { node, paragraphs, svg } from "./nodes.js";

/** Colours as a scan may show them; the picture holds them still. */
const COLOURS = ["red", "green", "blue"];

/** What comes, and what to see to before. */
export interface Preview {
  how: string;
  advice: string;
}

/** The card from which a scan starts. */
export interface Start {
  title: string;
  text: string;
  /** The words of its button. */
  label: string;
  act(): void;
  /** On the card before the first scan, where a page may put a purpose of its own. */
  preview?: Preview;
  /** If the screen may show colours: the notice, and the choice to go without them. */
  colours?: { notice: string; label: string; declined: boolean; decline(declined: boolean): void };
}

/** What stands above the button. `words` are title and text. */
export function startContent({ preview, colours }: Start, words: HTMLElement[]): HTMLElement[] {
  const picture = drawn();
  const content =
    preview === undefined
      ? words
      : [
          node("slot", { name: "purpose" }, ...words),
          node("div", { class: "preview" }, picture.root, ...paragraphs(preview.how)),
          ...paragraphs(preview.advice),
        ];
  picture.showColours(colours?.declined === false);
  if (colours === undefined) return content;
  const box = node("input", { type: "checkbox", "aria-describedby": "notice" });
  box.checked = colours.declined;
  box.addEventListener("change", () => {
    colours.decline(box.checked);
    picture.showColours(!box.checked);
  });
  const notice = node("p", { part: "text", id: "notice" }, colours.notice);
  return [...content, node("div", { class: "notice" }, notice, node("label", {}, box, colours.label))];
}

/** What comes, as three screens in a row: a face comes into the oval, colours light it up, the ring is full. */
interface Picture {
  /** It says nothing that the text beside it does not say, so screen readers pass it over. */
  root: HTMLElement;
  showColours(shown: boolean): void;
}

/** Draws what comes. Its style, and its movement, which plays once, are in the sheet of the element. */
function drawn(): Picture {
  const colours = screen(
    svg("g", { class: "colours" }, ...COLOURS.map((name, at) => band(name, at))),
    ring("oval"),
    face(),
  );
  const tick = svg("path", { class: "tick", d: "M24 78l6 6 11-12" });
  const root = node("div", { class: "picture", "aria-hidden": "true" });
  root.append(
    screen(ring("oval"), svg("g", { class: "coming" }, face())),
    colours,
    screen(ring("oval"), face(), ring("full"), tick),
  );
  return { root, showColours: (shown) => colours.toggleAttribute("hidden", !shown) };
}

function screen(...content: SVGElement[]): SVGSVGElement {
  const frame = svg("rect", { class: "frame", x: "2", y: "2", width: "60", height: "92", rx: "9" });
  return svg("svg", { viewBox: "0 0 64 96" }, ...content, frame);
}

function band(name: string, at: number): SVGRectElement {
  return svg("rect", { class: name, x: "3", y: `${3 + 30 * at}`, width: "58", height: "30" });
}

function ring(name: string): SVGElement {
  return svg("ellipse", { class: name, cx: "32", cy: "42", rx: "20", ry: "26", pathLength: "1" });
}

function face(): SVGGElement {
  return svg(
    "g",
    { class: "face" },
    svg("ellipse", { cx: "32", cy: "42", rx: "14", ry: "19" }),
    svg("path", { d: "M27 38v2M37 38v2M27 50q5 4 10 0" }),
  );
}
