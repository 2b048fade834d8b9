import type { Oval } from "../events.js";
import { REST, toOval } from "../oval.js";
import { node, paragraphs, svg, titled } from "./nodes.js";
import { type Start, startContent } from "./start_card.js";
import { STYLES } from "./styles.js";

/** A screen reader speaks no faster than this. */
const SPEAK_MS = 2000;

/** A button of a card or panel. */
export interface Action {
  label: string | HTMLElement;
  primary?: boolean;
  act(): void;
}

/** The nodes of the element, and their changes. It does not depend on a scan. */
export class View {
  readonly video = node("video", { part: "video", "aria-hidden": "true" });
  readonly colours = [node("div", { class: "colour" }), node("div", { class: "colour" })] as const;
  readonly dialog = node("dialog", { part: "screen", tabindex: "-1" });
  private readonly card = node("section", { class: "card", part: "card" });
  private readonly panel = node("section", { class: "panel", part: "panel" });
  private readonly stage = node("div", { class: "stage" });
  private readonly hintText = node("p", { class: "hint", part: "hint", "aria-hidden": "true" });
  private readonly spoken = node("p", { class: "spoken", role: "status" });
  private readonly cancelButton = node("button", { part: "button cancel", type: "button" });
  private readonly cameraButton = node("button", { part: "button camera", type: "button" });
  private readonly rings = ["track", "done"].map((name) => svg("ellipse", { class: name, pathLength: "1" }));
  private speaking: ReturnType<typeof setTimeout> | undefined;
  private toSpeak = "";
  private resting = true;

  constructor(root: ShadowRoot, onCancel: () => void, onOtherCamera: () => void) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
    root.adoptedStyleSheets = [sheet];
    const drawing = svg("svg", { "aria-hidden": "true" });
    drawing.append(...this.rings);
    this.stage.append(this.video, drawing);
    const top = node("div", { class: "top" });
    top.append(this.hintText);
    const bottom = node("div", { class: "bottom" });
    bottom.append(this.cancelButton, this.cameraButton);
    for (const layer of this.colours) layer.hidden = true;
    this.dialog.append(...this.colours, this.stage, top, this.spoken, this.panel, bottom);
    root.append(this.card, this.dialog);
    this.cancelButton.addEventListener("click", onCancel);
    this.cameraButton.addEventListener("click", onOtherCamera);
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      onCancel();
    });
    this.video.addEventListener("resize", () => this.fit());
  }

  /** Fills the card in the page. `focus` moves the focus to its title; otherwise it stays. */
  showCard(title: string, text: string, focus: boolean): void {
    const heading = titled(title);
    fill(this.card, [heading, ...paragraphs(text)], []);
    if (focus) heading.focus();
  }

  /** Fills the card with what a person reads, and may choose, before they start. */
  showStart(start: Start, focus: boolean): void {
    const heading = titled(start.title);
    const label = start.preview === undefined ? start.label : node("slot", { name: "agree" }, start.label);
    const content = startContent(start, [heading, ...paragraphs(start.text)]);
    fill(this.card, content, [{ label, primary: true, act: start.act }]);
    if (focus) heading.focus();
  }

  /** Names the screen of the scan and its buttons. */
  label(screen: string, cancel: string, otherCamera: string): void {
    this.dialog.setAttribute("aria-label", screen);
    this.cancelButton.textContent = cancel;
    this.cameraButton.textContent = otherCamera;
  }

  /** Opens the screen of the scan. */
  openScreen(): void {
    this.asked();
    this.offerCamera(false);
    this.rest();
    this.progress(0);
    this.showScreen();
  }

  /** Opens the screen again after the element was moved in the document, which hides it and stops the picture. */
  reopenScreen(): void {
    if (!this.dialog.open) return;
    this.dialog.close();
    this.showScreen();
    // Rejects if the camera closes meanwhile.
    this.video.play().catch(() => undefined);
  }

  /** The screen has the focus, and no button: a second Enter, or one that is held, would cancel the scan. */
  private showScreen(): void {
    this.dialog.showModal();
    this.dialog.focus();
  }

  /** Sets whether there is a button for another camera. */
  offerCamera(offered: boolean): void {
    this.cameraButton.hidden = !offered;
  }

  /** Closes the screen of the scan. */
  closeScreen(): void {
    clearTimeout(this.speaking);
    this.speaking = undefined;
    if (this.dialog.open) this.dialog.close();
  }

  /** Shows a hint at once, and speaks it once the previous one was spoken. */
  hint(text: string): void {
    this.hintText.textContent = text;
    this.toSpeak = text;
    if (this.speaking !== undefined) return;
    this.speak();
  }

  /** Asks the person something over the picture, which is hidden. */
  ask(title: string, texts: string[], actions: Action[]): void {
    const asked = !this.panel.hidden;
    this.stage.hidden = true;
    this.hintText.hidden = true;
    this.panel.hidden = false;
    fill(this.panel, [titled(title), ...paragraphs(...texts)], actions);
    if (!asked) this.panel.querySelector("button")?.focus();
  }

  /** Removes the question. */
  asked(): void {
    if (!this.panel.hidden) this.dialog.focus();
    this.panel.hidden = true;
    this.stage.hidden = false;
    this.hintText.hidden = false;
  }

  /** Moves the oval within a time. It is in fractions of the frame. */
  moveOval(oval: Oval, ms: number): void {
    this.resting = false;
    this.draw(oval, ms);
  }

  private rest(): void {
    const { videoWidth, videoHeight } = this.video;
    this.resting = true;
    this.draw(toOval(REST, videoHeight > 0 ? { width: videoWidth, height: videoHeight } : { width: 4, height: 3 }), 0);
  }

  private draw({ centerX, centerY, width, height }: Oval, ms: number): void {
    this.stage.style.setProperty("--move", `${ms / 1000}s`);
    const [cx, cy, rx, ry] = [centerX, centerY, width / 2, height / 2].map((part) => `${part * 100}%`);
    this.video.style.clipPath = `ellipse(${rx} ${ry} at ${cx} ${cy})`;
    for (const ring of this.rings) Object.assign(ring.style, { cx, cy, rx, ry });
  }

  /** Shows the part that is done, 0 to 1. */
  progress(part: number): void {
    this.rings[1]?.setAttribute("stroke-dasharray", `${part} 1`);
    this.rings[1]?.toggleAttribute("hidden", part === 0);
  }

  /** Sets whether colours fill the screen; then the picture is less prominent. */
  flash(on: boolean): void {
    this.stage.classList.toggle("flash", on);
  }

  private fit(): void {
    const { videoWidth, videoHeight } = this.video;
    if (videoHeight > 0) this.stage.style.setProperty("--ratio", `${videoWidth / videoHeight}`);
    if (this.resting) this.rest();
  }

  private speak(): void {
    if (this.spoken.textContent !== this.toSpeak) this.spoken.textContent = this.toSpeak;
    this.speaking = setTimeout(() => {
      this.speaking = undefined;
      if (this.spoken.textContent !== this.toSpeak) this.speak();
    }, SPEAK_MS);
  }
}

/** Puts a title, something below it and buttons into a card or panel; the focus stays where it was. */
function fill(parent: HTMLElement, content: Node[], actions: Action[]): void {
  const buttons = actions.map(({ label, primary = false, act }) => {
    const button = node("button", { type: "button", part: primary ? "button primary" : "button" }, label);
    button.classList.toggle("primary", primary);
    button.addEventListener("click", act);
    return button;
  });
  const focused = focusable(parent).indexOf((parent.getRootNode() as ShadowRoot).activeElement as HTMLElement);
  parent.replaceChildren(...content, ...(buttons.length > 0 ? [node("div", { class: "buttons" }, ...buttons)] : []));
  focusable(parent)[focused]?.focus();
}

function focusable(parent: HTMLElement): HTMLElement[] {
  return [...parent.querySelectorAll<HTMLElement>("h2, input, button")];
}
