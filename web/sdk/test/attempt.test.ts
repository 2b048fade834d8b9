/** An attempt that goes on after everything else is captured, because the person is asked to open the mouth. */
import { create, fromBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FeedbackCode, FeedbackSchema } from "@facegate/protocol/generated/facegate/v1/feedback_pb.js";
import {
  AttemptEndBody_Cause as Cause,
  AttemptStartSchema,
  CaptureCompleteSchema,
  ChallengeBodySchema,
  CreditSchema,
  FlashStepSchema,
  type FrameHeader,
  FrameHeaderSchema,
  OvalChangeSchema,
  type ScanResult,
  ScanResultSchema,
  ScanStatus,
} from "@facegate/protocol/generated/facegate/v1/scan_pb.js";
import { Attempt } from "../src/attempt.js";
import type { Camera, CapturedFrame } from "../src/capture/camera.js";
import type { Encoder } from "../src/capture/encoder.js";
import type { AttemptPlan, Oval } from "../src/events.js";
import { FlashShow } from "../src/flash/show.js";
import type { Received, ScanStream } from "../src/stream.js";

const FRAME_MS = 50;
const MOUTH_MS = 5000;
const OVALS = [0.4, 0.7];

const COMPLETE: Received = { case: "captureComplete", value: create(CaptureCompleteSchema, { attempt: 1 }) };
const RESULT: Received = {
  case: "scanResult",
  value: create(ScanResultSchema, { attempt: 1, status: ScanStatus.SUCCESS }),
};
const OPEN_MOUTH: Received = {
  case: "feedback",
  value: create(FeedbackSchema, { code: FeedbackCode.OPEN_MOUTH, progress: 0.9 }),
};

function ovalChange(width: number): Received {
  const oval = { centerX: 0.5, centerY: 0.5, width, height: width };
  return { case: "ovalChange", value: create(OvalChangeSchema, { oval }) };
}

function flashStep(step: number, last: boolean): Received {
  const color = last || step === 1 ? { red: 128, green: 128, blue: 128 } : { red: 200, green: 60, blue: 60 };
  const minimumHold = { seconds: 0n, nanos: 4e8 };
  return { case: "flashStep", value: create(FlashStepSchema, { step, color, minimumHold, last }) };
}

/** A server, a camera and a screen around one attempt; the clock is that of the test. */
function captured(plan: AttemptPlan) {
  const frames: FrameHeader[] = [];
  const ends: { frameCount: number; cause: Cause }[] = [];
  const hints: string[] = [];
  const ovals: Oval[] = [];
  const display: (string | undefined)[] = [];
  const waiting: Received[] = [];
  let arrived: (() => void) | undefined;
  const stream = {
    challenge: create(ChallengeBodySchema, { budget: { maxAttemptDuration: { seconds: 20n } } }),
    lastMac: new Uint8Array(32),
    busy: false,
    receive: async () => {
      while (waiting.length === 0) await new Promise<void>((resolve) => (arrived = resolve));
      return waiting.shift();
    },
    markAttempt: async () => undefined,
    sendFrame: async (header: Uint8Array) => void frames.push(fromBinary(FrameHeaderSchema, header)),
    sendAttemptEnd: async (end: (typeof ends)[number]) => void ends.push(end),
  } as unknown as ScanStream;
  const camera = { width: 640, height: 480 } as Camera;
  const encoder = {
    encode: async () => ({ jpeg: new Uint8Array(20_000), width: 640, height: 480 }),
  } as unknown as Encoder;
  const screen = {
    show: ({ css }: { css: string }, appeared: (sinceUs: number) => void) => {
      setTimeout(() => {
        display.push(css);
        appeared(performance.now() * 1000);
      }, 16);
    },
    restore: () => void display.push(undefined),
  };
  const attempt = new Attempt(
    create(AttemptStartSchema, { attempt: 1, nonce: new Uint8Array(16), credit: { frames: 8, bytes: 1e6 } }),
    {
      ...{ stream, camera, encoder, plan },
      tally: { frames: 0, bytes: 0, dropped: 0, awaitingResult: false },
      events: { hint: (code) => hints.push(code), ovalChanged: (oval) => ovals.push(oval) },
      show: plan === "flash" ? new FlashShow(screen, 0) : undefined,
    },
  );
  const running: Promise<ScanResult> = attempt.run();
  const send = async (message: Received): Promise<void> => {
    waiting.push(message);
    arrived?.();
    await vi.advanceTimersByTimeAsync(0);
  };
  /** Lets the camera capture for a time, with the server's credit for each frame. */
  const capture = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += FRAME_MS) {
      const before = frames.length;
      const take = async () => ({}) as VideoFrame;
      camera.onframe?.({ captureTimeUs: Math.round(performance.now() * 1000), lost: 0, take });
      await vi.advanceTimersByTimeAsync(FRAME_MS);
      const credit = create(CreditSchema, { frames: frames.length - before, bytes: 20_000 });
      await send({ case: "credit", value: credit });
    }
  };
  return { frames, ends, hints, ovals, display, running, send, capture };
}

describe("an attempt that asks for an open mouth at its end", () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
  afterEach(() => vi.useRealTimers());

  /** Asks three times in 5 seconds, as the server does; returns the frames that came meanwhile. */
  async function asked({ frames, send, capture }: ReturnType<typeof captured>): Promise<FrameHeader[]> {
    const before = frames.length;
    for (const ms of [2000, 2000, MOUTH_MS - 4000]) {
      await send(OPEN_MOUTH);
      await capture(ms);
    }
    return frames.slice(before);
  }

  async function ended({ frames, ends, running, send, capture }: ReturnType<typeof captured>): Promise<void> {
    await send(COMPLETE);
    const { length } = frames;
    await capture(500);
    expect(frames).toHaveLength(length);
    expect(ends).toMatchObject([{ frameCount: length, cause: Cause.COMPLETE }]);
    await send(RESULT);
    await expect(running).resolves.toMatchObject({ status: ScanStatus.SUCCESS });
  }

  it("keeps the closing colour on display, and names it in every frame", async () => {
    const scan = captured("flash");
    await scan.capture(500);
    for (const step of [1, 2, 3]) {
      await scan.send(flashStep(step, step === 3));
      await scan.capture(600);
    }
    const closing = scan.frames.at(-1);
    const colours = ["rgb(128 128 128)", "rgb(200 60 60)", "rgb(128 128 128)"];
    const meanwhile = await asked(scan);
    expect(meanwhile).toHaveLength(MOUTH_MS / FRAME_MS);
    expect(closing?.flashStep).toBe(3);
    for (const { flashStep: step, flashStepSinceUs: since } of meanwhile) {
      expect([step, since]).toEqual([3, closing?.flashStepSinceUs]);
    }
    expect(scan.hints).toEqual(["OPEN_MOUTH", "OPEN_MOUTH", "OPEN_MOUTH"]);
    expect(scan.display).toEqual(colours);
    await ended(scan);
    expect(new Set(scan.display.slice(colours.length))).toEqual(new Set([undefined]));
  });

  it.each(["express", "movement"] as const)("sends frames on without colours in %s, and moves no oval", async (plan) => {
    const scan = captured(plan);
    await scan.capture(1000);
    for (const width of plan === "movement" ? OVALS : []) {
      await scan.send(ovalChange(width));
      await scan.capture(1000);
    }
    const moved = scan.ovals.length;
    const meanwhile = await asked(scan);
    expect(meanwhile).toHaveLength(MOUTH_MS / FRAME_MS);
    expect(meanwhile.map(({ flashStep: step }) => step).filter(Boolean)).toEqual([]);
    expect(scan.ovals).toHaveLength(moved);
    expect(moved).toBe(plan === "movement" ? OVALS.length : 0);
    expect(scan.hints.at(-1)).toBe("OPEN_MOUTH");
    await ended(scan);
  });
});
