import type { FlashStep } from "@facegate/protocol/generated/facegate/v1/scan_pb.js";
import { ProtocolViolatedError } from "../errors.js";
import { milliseconds } from "../time.js";

/** The shortest time of a colour, whatever the server demands: never more than 3 changes a second. */
export const SHORTEST_HOLD_MS = 350;
const LONGEST_TRANSITION_MS = 1000;
const MOST_WAITING = 2;

/** The colour that a screen is to show. */
export interface Colour {
  /** Number of the step. */
  step: number;
  /** The colour in CSS. */
  css: string;
  /** Time in which it slides in from the top, milliseconds; 0 if it appears at once. */
  scrollMs: number;
}

/** A screen that can be filled with a colour. */
export interface FlashScreen {
  /** Shows a colour; calls `appeared` with the time at which it began to appear, microseconds of the capture clock. */
  show(colour: Colour, appeared: (sinceUs: number) => void): void;
  /** Returns the screen to normal. */
  restore(): void;
}

/** The step on the screen at one moment; zeros for none. */
export interface ShownStep {
  step: number;
  sinceUs: number;
}

/** One attempt's colours, each shown for as long as the protocol demands. @internal */
export class FlashShow {
  private readonly waiting: FlashStep[] = [];
  private readonly shown: ShownStep[] = [];
  private freeAt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  /**
   * @param last - Number of the last step of the stream before this attempt.
   */
  constructor(
    private readonly screen: FlashScreen,
    private last: number,
  ) {}

  /** Number of the last step that came. */
  get lastStep(): number {
    return this.last;
  }

  /** Whether a colour other than the first grey was on the screen. */
  get coloured(): boolean {
    return this.shown.length > 1;
  }

  /** Shows a step now, or once the one before it was held for long enough. */
  add(step: FlashStep): void {
    if (step.step <= this.last) throw new ProtocolViolatedError("flash steps are out of order");
    if (this.waiting.length >= MOST_WAITING) throw new ProtocolViolatedError("flash steps come too fast");
    this.last = step.step;
    this.waiting.push(step);
    if (this.timer === undefined) this.showDue();
  }

  /** The step that was on the screen when a frame was captured. */
  at(captureTimeUs: number): ShownStep {
    return this.shown.findLast(({ sinceUs }) => sinceUs <= captureTimeUs) ?? { step: 0, sinceUs: 0 };
  }

  /** Ends the attempt: the screen returns to normal. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.waiting.length = 0;
    this.screen.restore();
  }

  private readonly showDue = (): void => {
    this.timer = undefined;
    const [step] = this.waiting;
    if (step === undefined) return;
    const now = performance.now();
    if (now < this.freeAt) {
      this.timer = setTimeout(this.showDue, this.freeAt - now);
      return;
    }
    this.waiting.shift();
    const scrollMs = Math.min(milliseconds(step.transitionDuration), LONGEST_TRANSITION_MS);
    const holdMs = scrollMs + Math.max(SHORTEST_HOLD_MS, milliseconds(step.minimumHold));
    this.freeAt = now + holdMs;
    const { red = 0, green = 0, blue = 0 } = step.color ?? {};
    const colour = { step: step.step, css: `rgb(${red} ${green} ${blue})`, scrollMs };
    this.screen.show(colour, (sinceUs) => {
      if (this.closed) return;
      this.shown.push({ step: step.step, sinceUs });
      this.freeAt = Math.max(this.freeAt, sinceUs / 1000 + holdMs);
    });
    this.timer = setTimeout(this.showDue, holdMs);
  };
}
