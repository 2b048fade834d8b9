import type { CaptureAdjustment, CaptureBudget } from "@facegate/protocol/generated/facegate/v1/scan_pb.js";

const EARLY_SHARE = 0.25;

/** The limits of an encoded frame. */
export interface FrameLimits {
  /** Longest side, pixels. */
  maxSide: number;
  /** Shorter side from which more pixels do not help. */
  usefulSide: number;
  maxPixels: number;
  maxBytes: number;
  /** Least length of the shorter side, pixels. */
  minSide: number;
  /** How often frames are already scaled down because compressing them was not enough. */
  shrunk: number;
}

/** The limits of one attempt's frames: number, rate and size. */
export class FrameRules {
  /** The limits of the next frame. */
  readonly limits: FrameLimits;
  private rate: number;
  private dueUs = 0;

  constructor(
    private readonly budget: CaptureBudget | undefined,
    usefulSide: number,
  ) {
    this.limits = {
      maxSide: Infinity,
      usefulSide,
      maxPixels: budget?.maxFramePixels || Infinity,
      maxBytes: budget?.maxFrameBytes || 524_288,
      minSide: budget?.minFrameSide ?? 1,
      shrunk: 0,
    };
    this.rate = budget?.maxFramesPerSecond || Infinity;
  }

  /** Applies the server's request for smaller or fewer frames. Limits only fall. */
  adjust(adjustment: CaptureAdjustment): void {
    this.rate = Math.min(this.rate, adjustment.maxFramesPerSecond || Infinity);
    this.limits.maxSide = Math.min(this.limits.maxSide, adjustment.maxSide || Infinity);
    this.limits.maxBytes = Math.min(this.limits.maxBytes, adjustment.maxFrameBytes || Infinity);
  }

  /** Whether a frame exceeds the highest useful rate. Such a frame counts as never captured. */
  tooEarly(captureTimeUs: number): boolean {
    if (this.rate === Infinity) return false;
    const interval = 1_000_000 / this.rate;
    if (captureTimeUs < this.dueUs - interval * EARLY_SHARE) return true;
    this.dueUs = Math.max(this.dueUs, captureTimeUs - interval) + interval;
    return false;
  }

  /**
   * Whether the budget has room for a frame.
   *
   * @param frames - Frames of the attempt so far.
   * @param scanBytes - Bytes of the scan's frames so far.
   */
  hasRoom(size: number, frames: number, scanBytes: number): boolean {
    const mostFrames = this.budget?.maxFramesPerAttempt || Infinity;
    const mostBytes = this.budget?.maxScanBytes || Infinity;
    return frames < mostFrames && scanBytes + size <= mostBytes;
  }
}
