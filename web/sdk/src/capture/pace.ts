/**
 * The frames a second that a page could have sent, if the connection had carried all of them. If these are too few, the
 * device is too busy or its camera too slow, whatever the connection is like.
 */
export class CapturePace {
  private ready = 0;
  private passed = 0;
  private lastUs: number | undefined;

  /** The seconds that were counted. */
  get seconds(): number {
    return this.passed;
  }

  /** Counts the time up to a frame of the camera, captured at `captureTimeUs`. */
  pass(captureTimeUs: number): void {
    if (this.lastUs !== undefined) this.passed += (captureTimeUs - this.lastUs) / 1e6;
    this.lastUs = captureTimeUs;
  }

  /** Counts a frame that the page sends, or would send if the connection had room. */
  count(): void {
    this.ready += 1;
  }

  /** Leaves out the time up to the next frame, in which the server wants none. */
  pause(): void {
    this.lastUs = undefined;
  }

  /** Whether the page was ready for fewer than `least` frames a second. */
  isBelow(least: number): boolean {
    return this.ready < least * this.passed;
  }
}
