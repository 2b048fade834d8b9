import { create, toBinary } from "@bufbuild/protobuf";
import { FeedbackCode } from "@facegate/protocol/generated/facegate/v1/feedback_pb.js";
import {
  AttemptEndBody_Cause as Cause,
  type AttemptStart,
  FrameHeaderSchema,
  type Goodbye,
  Goodbye_Reason,
  Plan,
  type ScanResult,
} from "@facegate/protocol/generated/facegate/v1/scan_pb.js";
import type { Camera, CapturedFrame } from "./capture/camera.js";
import type { Encoder } from "./capture/encoder.js";
import { CapturePace } from "./capture/pace.js";
import { FrameRules } from "./capture/rules.js";
import { type FacegateError, ProtocolViolatedError, ScanEndedError, StreamLostError } from "./errors.js";
import type { AttemptPlan, Interruption, ScanEvents } from "./events.js";
import type { FlashShow } from "./flash/show.js";
import { toOval, usefulSide } from "./oval.js";
import type { Received, ScanStream } from "./stream.js";
import { milliseconds } from "./time.js";
import { Credit } from "./transport/credit.js";

const NONCE_BYTES = 16;
/** The page ends an attempt a little before the server would. */
const DURATION_SHARE = 0.95;
const RESULT_MS = 60_000;
const SILENT_CAMERA_MS = 3000;
/** Frames a second that the protocol needs. */
const LEAST_RATE = 8;
/** The time after which an attempt with less than half of these frames is ended, seconds: it can hardly catch up. */
const HOPELESS_SECONDS = 10;

/** The counts of a scan, over all attempts and streams. */
export interface Tally {
  frames: number;
  bytes: number;
  dropped: number;
  /** Whether an AttemptEnd was sent and its result has not arrived. */
  awaitingResult: boolean;
}

/** What an attempt needs of its scan. */
export interface AttemptContext {
  stream: ScanStream;
  camera: Camera;
  encoder: Encoder;
  tally: Tally;
  events: ScanEvents;
  plan: AttemptPlan;
  /** The colours, in attempts with a flash. */
  show: FlashShow | undefined;
}

/** The page's side of one attempt: sends frames within the credit, and waits for the server's result. */
export class Attempt {
  private readonly rules: FrameRules;
  private readonly credit: Credit;
  private readonly pace = new CapturePace();
  private frames = 0;
  private dropped = 0;
  private droppedBefore = 0;
  private paused = false;
  private begun = false;
  private interrupted: Interruption | undefined;
  private shape: string | undefined;
  private cause: Cause | undefined;
  private sending: Promise<void> | undefined;
  private lastFrameAt = performance.now();
  private timers: ReturnType<typeof setTimeout>[] = [];
  private fail: (error: unknown) => void = () => undefined;

  constructor(
    private readonly start: AttemptStart,
    private readonly context: AttemptContext,
  ) {
    if (start.attempt === 0 || start.nonce.length !== NONCE_BYTES) {
      throw new ProtocolViolatedError("the AttemptStart has no number or no nonce of 16 bytes");
    }
    const { camera, stream, plan } = context;
    this.rules = new FrameRules(stream.challenge.budget, usefulSide(camera, plan));
    this.credit = new Credit(start.credit);
  }

  /** Ends the attempt, because the person leaves or declines the flash. */
  cancel(): void {
    this.stop(Cause.CANCELLED);
  }

  /** Ends the attempt, because it cannot go on. */
  interrupt(interruption: Interruption): void {
    if (this.cause === undefined) this.interrupted = interruption;
    this.stop(Cause.CAMERA_FAILED);
  }

  /** Why the attempt was interrupted; undefined if it was not. */
  get interruption(): Interruption | undefined {
    return this.interrupted;
  }

  /** Whether the person ended the attempt. */
  get cancelled(): boolean {
    return this.cause === Cause.CANCELLED;
  }

  /** Whether the page itself captured fewer frames than the server needs. */
  get captureTooSlow(): boolean {
    return this.pace.isBelow(this.leastRate);
  }

  /** Whether the time ended before the connection had carried as many frames as the server needs. */
  get networkTooSlow(): boolean {
    return this.cause === Cause.TIMED_OUT && !this.captureTooSlow && this.frames < this.leastRate * this.pace.seconds;
  }

  private get leastRate(): number {
    return this.context.stream.challenge.budget?.minFramesPerSecond || LEAST_RATE;
  }

  private get hopeless(): boolean {
    const { seconds } = this.pace;
    return seconds >= HOPELESS_SECONDS && this.frames < (this.leastRate / 2) * seconds;
  }

  /** Captures until the attempt ends; resolves with the server's result. */
  async run(): Promise<ScanResult> {
    const { stream, camera, show } = this.context;
    await stream.markAttempt(this.start);
    this.begun = true;
    const failed = new Promise<never>((_, reject) => {
      this.fail = reject;
    });
    this.later(milliseconds(stream.challenge.budget?.maxAttemptDuration) * DURATION_SHARE || RESULT_MS, () =>
      this.stop(Cause.TIMED_OUT),
    );
    this.watchCamera();
    camera.onlost = () => this.interrupt("camera");
    if (this.cause === undefined) camera.onframe = (frame) => this.offer(frame);
    else this.finish(this.cause);
    try {
      return await Promise.race([this.read(), failed]);
    } finally {
      camera.onframe = camera.onlost = undefined;
      this.cause ??= Cause.UNSPECIFIED;
      for (const timer of this.timers) clearTimeout(timer);
      show?.close();
      await this.sending?.catch(() => undefined);
    }
  }

  private async read(): Promise<ScanResult> {
    for (;;) {
      const message = await this.context.stream.receive();
      if (message === undefined) throw new StreamLostError("the server closed the stream without a result");
      const result = this.handle(message);
      if (result !== undefined) return result;
    }
  }

  private handle(message: Received): ScanResult | undefined {
    const { events, show, tally } = this.context;
    switch (message.case) {
      case "credit":
        this.credit.add(message.value);
        break;
      case "feedback":
        events.hint?.(hintCode(message.value.code), message.value.progress);
        break;
      case "flashStep":
        if (show === undefined) throw new ProtocolViolatedError("a flash step came in an attempt without a flash");
        // A step that comes after the end of the capture is not shown any more.
        if (this.cause === undefined) show.add(message.value);
        break;
      case "ovalChange":
        events.ovalChanged?.(toOval(message.value.oval, this.context.camera), milliseconds(message.value.transitionDuration));
        break;
      case "captureAdjustment":
        this.rules.adjust(message.value);
        break;
      case "capturePause":
        this.paused = message.value.paused;
        events.paused?.(this.paused ? hintCode(message.value.reason) : undefined);
        break;
      case "captureComplete":
        if (message.value.attempt === this.start.attempt) this.stop(Cause.COMPLETE);
        break;
      case "scanResult":
        tally.awaitingResult = false;
        return message.value;
      case "goodbye":
        throw goodbyeError(message.value);
      case undefined:
        break; // A message of a later version.
      default:
        throw new ProtocolViolatedError(`the server sent ${message.case} during an attempt`);
    }
    return undefined;
  }

  /** Sends a frame of the camera, or drops it before it gets an index. */
  private offer(frame: CapturedFrame): void {
    this.lastFrameAt = performance.now();
    const { width, height } = this.context.camera;
    const shape = `${width}x${height}`;
    this.shape ??= shape;
    // The movement of a face cannot be followed from a wide picture to a tall one.
    if (shape !== this.shape) this.interrupt("turned");
    if (this.paused) this.pace.pause();
    if (this.cause !== undefined || this.paused) return;
    this.pace.pass(frame.captureTimeUs);
    if (this.hopeless) {
      this.stop(Cause.TIMED_OUT);
      return;
    }
    this.drop(frame.lost);
    if (this.rules.tooEarly(frame.captureTimeUs)) return;
    if (this.sending === undefined) this.pace.count();
    if (this.sending !== undefined || this.context.stream.busy || !this.credit.covers()) {
      this.drop(1);
      return;
    }
    this.sending = this.send(frame)
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.sending = undefined;
      });
  }

  private async send(frame: CapturedFrame): Promise<void> {
    const { stream, encoder, tally, show } = this.context;
    const encoded = await encoder.encode(await frame.take(), this.rules.limits);
    // While the picture was encoded, the attempt may have ended or paused.
    if (this.cause !== undefined || this.paused) return;
    if (encoded === undefined) {
      this.drop(1);
      return;
    }
    this.rules.limits.shrunk = encoded.shrunk;
    const size = encoded.jpeg.length;
    if (!this.rules.hasRoom(size, this.frames, tally.bytes)) {
      this.stop(Cause.TIMED_OUT);
      return;
    }
    if (!this.credit.take(size)) {
      this.drop(1);
      return;
    }
    const shown = show?.at(frame.captureTimeUs);
    const header = create(FrameHeaderSchema, {
      attempt: this.start.attempt,
      index: this.frames,
      captureTimeUs: BigInt(frame.captureTimeUs),
      droppedBefore: this.droppedBefore,
      flashStep: shown?.step ?? 0,
      flashStepSinceUs: BigInt(shown?.sinceUs ?? 0),
      width: encoded.width,
      height: encoded.height,
    });
    this.frames += 1;
    this.droppedBefore = 0;
    tally.frames += 1;
    tally.bytes += size;
    await stream.sendFrame(toBinary(FrameHeaderSchema, header), encoded.jpeg);
  }

  private drop(count: number): void {
    this.dropped += count;
    this.droppedBefore += count;
    this.context.tally.dropped += count;
  }

  private stop(cause: Cause): void {
    if (this.cause !== undefined) return;
    this.cause = cause;
    this.context.show?.close();
    if (this.begun) this.finish(cause);
  }

  private finish(cause: Cause): void {
    this.end(cause).catch((error: unknown) => this.fail(error));
  }

  private async end(cause: Cause): Promise<void> {
    const { stream, events, tally } = this.context;
    await this.sending;
    tally.awaitingResult = true;
    await stream.sendAttemptEnd({
      attempt: this.start.attempt,
      frameCount: this.frames,
      lastMac: stream.lastMac,
      droppedCount: this.dropped,
      cause,
    });
    events.captureFinished?.(this.start.attempt, this.frames, this.dropped);
    this.later(RESULT_MS, () => this.fail(new StreamLostError("no result came in time")));
  }

  private watchCamera(): void {
    this.later(SILENT_CAMERA_MS / 3, () => {
      if (this.cause !== undefined) return;
      if (performance.now() - this.lastFrameAt > SILENT_CAMERA_MS) this.interrupt("camera");
      else this.watchCamera();
    });
  }

  private later(ms: number, action: () => void): void {
    this.timers.push(setTimeout(action, ms));
  }
}

/** The name of a code; `UNSPECIFIED` for one of a later version. */
export function hintCode(code: FeedbackCode): string {
  return FeedbackCode[code] ?? "UNSPECIFIED";
}

/** The name of a plan; undefined for one of a later version. */
export function planName(plan: Plan): AttemptPlan | undefined {
  switch (plan) {
    case Plan.UNSPECIFIED:
    case Plan.EXPRESS:
      return "express";
    case Plan.FLASH:
      return "flash";
    case Plan.MOVEMENT:
      return "movement";
    default:
      return undefined;
  }
}

/** The error of a Goodbye: a lost stream if a reconnect is allowed, or the end of the scan. */
export function goodbyeError(goodbye: Goodbye): FacegateError {
  const ended = new ScanEndedError(Goodbye_Reason[goodbye.reason] ?? String(goodbye.reason));
  return goodbye.reconnectAfter === undefined
    ? ended
    : new StreamLostError(ended.message, milliseconds(goodbye.reconnectAfter), ended);
}
