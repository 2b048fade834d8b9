/** Makes nodes. Texts are never parsed as HTML; only what the templates of `server/pages` filled is. */

const SVG = "http://www.w3.org/2000/svg";

export type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | undefined>;

/** Makes an element. An attribute that is `true` is empty, one that is `false` or `undefined` is left out. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  setAttributes(made, attributes);
  made.append(...present(children));
  return made;
}

/** Makes an element of SVG. */
export function draw(name: string, attributes: Attributes = {}, ...children: Child[]): SVGElement {
  const made = document.createElementNS(SVG, name);
  setAttributes(made, attributes);
  made.append(...present(children));
  return made;
}

/** The nodes of what a template filled. Scripts in it would not run. */
export function filled(html: string): ChildNode[] {
  return [...new DOMParser().parseFromString(html, "text/html").body.childNodes];
}

/** Makes a button. */
export function button(label: string, act: () => void, kind = "", ...children: Child[]): HTMLButtonElement {
  const made = make("button", { type: "button", class: kind }, ...children, label);
  made.addEventListener("click", act);
  return made;
}

/** The element of the page with an id. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found;
}

function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
}

function present(children: Child[]): (Node | string)[] {
  return children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false);
}
