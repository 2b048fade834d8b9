/** Makes the nodes of the element. */
const SVG = "http://www.w3.org/2000/svg";

export function node<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string>,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

export function svg<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Record<string, string>,
  ...children: Node[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

/** The heading of a card or panel. Only scripts focus it. */
export function titled(title: string): HTMLHeadingElement {
  return node("h2", { part: "title", tabindex: "-1" }, title);
}

/** A paragraph for each text that is not empty. */
export function paragraphs(...texts: string[]): HTMLParagraphElement[] {
  return texts.filter(Boolean).map((text) => node("p", { part: "text" }, text));
}
