import type { Colour, FlashScreen } from "./show.js";

/**
 * Two layers that fill the screen: the colour that is shown, and the next one, which may slide in from the top.
 *
 * A colour that is set in one animation frame is on the display when the browser draws the next one. The time of
 * that frame is the best that a page can measure.
 */
export class FlashLayer implements FlashScreen {
  private front: HTMLElement;
  private back: HTMLElement;
  private running = 0;

  /**
   * @param first - A layer that fills the screen; `second` lies beside it, in any order.
   * @param active - Called with whether colours are shown now.
   */
  constructor(
    first: HTMLElement,
    second: HTMLElement,
    private readonly active: (on: boolean) => void,
  ) {
    this.front = first;
    this.back = second;
  }

  /** Shows a colour. */
  show(colour: Colour, appeared: (sinceUs: number) => void): void {
    const run = (this.running += 1);
    this.active(true);
    requestAnimationFrame(() => {
      if (run !== this.running) return;
      const { front: next, back: previous } = this.swap();
      next.style.backgroundColor = colour.css;
      next.style.zIndex = "1";
      previous.style.zIndex = "0";
      next.hidden = false;
      if (colour.scrollMs > 0) this.slide(next, previous, colour.scrollMs);
      requestAnimationFrame((time) => {
        if (run === this.running) appeared(Math.round(time * 1000));
      });
    });
  }

  /** Hides all colours. */
  restore(): void {
    this.running += 1;
    for (const layer of [this.front, this.back]) {
      for (const animation of layer.getAnimations()) animation.cancel();
      layer.hidden = true;
    }
    this.active(false);
  }

  private swap(): { front: HTMLElement; back: HTMLElement } {
    [this.front, this.back] = [this.back, this.front];
    for (const layer of [this.front, this.back]) for (const animation of layer.getAnimations()) animation.cancel();
    return { front: this.front, back: this.back };
  }

  private slide(next: HTMLElement, previous: HTMLElement, duration: number): void {
    const timing = { duration, easing: "linear", fill: "forwards" } as const;
    next.animate({ transform: ["translateY(-100%)", "none"] }, timing);
    previous.animate({ transform: ["none", "translateY(100%)"] }, timing);
  }
}
