import { node, paragraphs } from "./nodes.js";
import { drawn } from "./picture.js";

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
