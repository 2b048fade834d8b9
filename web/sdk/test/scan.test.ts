import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { LANGUAGES, type Strings } from "@facegate/protocol/strings.js";
import { FeedbackCode } from "@facegate/protocol/generated/facegate/v1/feedback_pb.js";
import {
  AttemptStartSchema,
  CaptureCompleteSchema,
  ChallengeBodySchema,
  ScanResultSchema,
  ScanStatus,
} from "@facegate/protocol/generated/facegate/v1/scan_pb.js";
import type { CapturedFrame } from "../src/capture/camera.js";
import { errorText, firstSentence, outcomeText } from "../src/element/error_text.js";
import { CancelledError, type FacegateError, ProtocolViolatedError, ScanEndedError, ServerRefusedError, StreamLostError } from "../src/errors.js";
import type { Interruption, ScanEvents } from "../src/events.js";
import { FaceScan, type ScanOutcome } from "../src/scan.js";
import { type Received, ScanStream } from "../src/stream.js";

const camera: { onframe?: (frame: CapturedFrame) => void; onlost?: () => void } & Record<string, unknown> = {
  ...{ deviceId: "", width: 640, height: 480, close: () => undefined },
};
vi.mock("../src/capture/camera.js", () => ({ Camera: { open: async () => camera } }));
vi.mock("../src/capture/encoder.js", () => ({ Encoder: class { close(): void {} } }));
vi.mock("../src/profile.js", () => ({ sessionKey: async () => ({}), scanProfile: async () => ({}) }));

const START: Received = {
  case: "attemptStart",
  value: create(AttemptStartSchema, { attempt: 1, nonce: new Uint8Array(16), credit: { frames: 9, bytes: 9e6 } }),
};
const COMPLETE: Received = { case: "captureComplete", value: create(CaptureCompleteSchema, { attempt: 1 }) };

function refused(reason: string, metadata: Record<string, string> = {}): ServerRefusedError {
  return new ServerRefusedError({ code: 9, reason, message: "for developers", metadata, retryAfterMs: 0 });
}
const tooLate = refused("STREAM_IDLE");
const lost = (final?: FacegateError) => new StreamLostError("lost", 0, final);
const result = (status: number): Received => ({
  case: "scanResult",
  value: create(ScanResultSchema, { attempt: 1, status }),
});

/** A stream that delivers messages, a result or its ending only after the AttemptEnd. */
function stream(messages: Received[], ending: FacegateError): ScanStream {
  const left = [...messages];
  let ended: () => void = () => undefined;
  const end = new Promise<void>((resolve) => (ended = resolve));
  return {
    challenge: create(ChallengeBodySchema, {}),
    binding: new Uint8Array(32),
    lastMac: new Uint8Array(32),
    busy: false,
    receive: async () => {
      const next = left.shift();
      if (next !== undefined && next.case !== "scanResult") return next;
      await end;
      if (next !== undefined) return next;
      throw ending;
    },
    markAttempt: async () => undefined,
    sendAttemptEnd: async () => ended(),
    sendAttestation: async () => undefined,
    sendResumeProof: async () => undefined,
    close: async () => undefined,
    drop: () => undefined,
  } as unknown as ScanStream;
}

/** Scans over streams; each is open, or refused. */
function scan(...streams: (ScanStream | FacegateError)[]): Promise<ScanOutcome> {
  return prepared(streams).run();
}

function prepared(streams: (ScanStream | FacegateError)[], events: ScanEvents = {}): FaceScan {
  const coming = [...streams];
  vi.spyOn(ScanStream, "open").mockImplementation(async () => {
    const next = coming.shift();
    if (next === undefined) throw new TypeError("one stream too many");
    if (next instanceof Error) throw next;
    return next;
  });
  const ticket = { token: "token", challengeKeySha256: new Uint8Array(32) };
  const video = {} as HTMLVideoElement;
  return new FaceScan({ server: "wss://scan.example.com", ticket, video, attestors: [], events });
}

describe("a scan", () => {
  beforeAll(() => {
    vi.stubGlobal("document", { ...new EventTarget(), addEventListener: vi.fn(), removeEventListener: vi.fn() });
    vi.stubGlobal("navigator", {});
  });
  afterAll(() => vi.unstubAllGlobals());
  beforeEach(() => vi.restoreAllMocks());

  it("is complete if an attempt decided while its result was lost, and the server says so", async () => {
    const closed = refused("CHECK_CLOSED", { decidedByAttempt: "1" });
    await expect(scan(stream([START, COMPLETE], lost()), closed)).resolves.toMatchObject({ status: "completed" });
  });

  it.each([
    ["too late for its end, and no attempt is left", lost(tooLate), refused("CHECK_CLOSED", { maxAttempts: "1" }), tooLate],
    ["lost at its end, and no attempt is left", lost(), refused("CHECK_CLOSED", { maxAttempts: "1" }), undefined],
    ["lost at its end, and the check was closed", lost(), refused("CHECK_CLOSED"), refused("CHECK_CLOSED")],
  ])("is not complete if it was %s", async (_, ending, closed, expected) => {
    const error: unknown = await scan(stream([START, COMPLETE], ending), closed).catch((thrown: unknown) => thrown);
    expect(error).toEqual(expected ?? ending.final);
  });

  it("asks a server that refused again more often than one that never answered", async () => {
    vi.useFakeTimers();
    try {
      const ended = async (scanning: Promise<ScanOutcome>): Promise<unknown> => {
        const end = scanning.catch((thrown: unknown) => thrown);
        await vi.runAllTimersAsync();
        return end;
      };
      const busy = refused("OVERLOADED");
      await ended(scan(lost(), lost(), lost(), lost()));
      expect(ScanStream.open).toHaveBeenCalledTimes(3);
      vi.mocked(ScanStream.open).mockClear();
      expect(await ended(scan(lost(busy), ...Array.from({ length: 10 }, () => lost())))).toMatchObject({ name: "ConnectionFailedError" });
      expect(ScanStream.open).toHaveBeenCalledTimes(11);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is not complete if the check was decided before it sent an end", async () => {
    const closed = refused("CHECK_CLOSED", { decidedByAttempt: "1" });
    await expect(scan(closed)).rejects.toBe(closed);
  });

  it.each([
    [ScanStatus.COMPLETED, "completed"],
    [ScanStatus.SUCCESS, "success"],
    [ScanStatus.FAILURE, "failure"],
  ])("has the status %s of its result", async (status, name) => {
    await expect(scan(stream([START, COMPLETE, result(status)], lost()))).resolves.toMatchObject({ status: name });
  });

  it.each(["scan.example.com", "https://scan.example.com", "wss://scan.example.com/proxy", "wss://scan.example.com?token=a"])(
    "is not possible with the address %s",
    (server) => {
      const ticket = { token: "token", challengeKeySha256: new Uint8Array(32) };
      expect(() => new FaceScan({ server, ticket, video: {} as HTMLVideoElement })).toThrow(TypeError);
    },
  );

  it.each([ScanStatus.FAILURE, ScanStatus.COMPLETED, ScanStatus.RETRY])(
    "is cancelled if the person leaves during the last attempt, whose status is then %s",
    async (status) => {
      const leaving = prepared([stream([START, result(status)], lost())], { attemptStarted: () => leaving.cancel() });
      await expect(leaving.run()).rejects.toBeInstanceOf(CancelledError);
    },
  );

  it("is not cancelled if the person leaves after the last attempt", async () => {
    const failed = stream([START, COMPLETE, result(ScanStatus.FAILURE)], lost());
    const leaving = prepared([failed], { captureFinished: () => leaving.cancel() });
    await expect(leaving.run()).resolves.toMatchObject({ status: "failure" });
  });

  it.each([ScanStatus.UNSPECIFIED, 99])("is not complete by a result with the status %s", async (status) => {
    const scanned = scan(stream([START, COMPLETE, result(status)], lost()));
    await expect(scanned).rejects.toBeInstanceOf(ProtocolViolatedError);
  });
});

/** Frames a second that the camera captures, for longer than a hopeless attempt lasts, and those that the line has room for. */
function capture({ rate, busy }: { rate: number; busy: boolean }, over: ScanStream): void {
  Object.assign(over, { busy });
  for (let index = 0; index < 12 * rate; index += 1) {
    camera.onframe?.({ captureTimeUs: 1 + Math.round((index * 1e6) / rate), lost: 0, take: async () => ({}) } as CapturedFrame);
  }
}

describe("the outcome of a failure", () => {
  beforeAll(() => {
    vi.stubGlobal("document", { ...new EventTarget(), addEventListener: vi.fn(), removeEventListener: vi.fn() });
    vi.stubGlobal("navigator", {});
  });
  afterAll(() => vi.unstubAllGlobals());
  beforeEach(() => vi.restoreAllMocks());

  /** Scans once, does something while the camera runs, and returns the outcome of a failure. */
  async function failing(disturb: (over: ScanStream) => void, codes: FeedbackCode[] = []): Promise<ScanOutcome> {
    const value = create(ScanResultSchema, { attempt: 1, status: ScanStatus.FAILURE, feedback: codes });
    const over = stream([START, { case: "scanResult", value }], lost());
    const started = (): void => void setTimeout(() => disturb(over), 10);
    return prepared([over], { attemptStarted: started }).run();
  }

  it("names the network if the line carried too few of the frames", async () => {
    const outcome = await failing((over) => capture({ rate: 30, busy: true }, over), [FeedbackCode.FAILED]);
    expect(outcome).toMatchObject({ status: "failure", feedback: ["NETWORK_TOO_SLOW", "FAILED"] });
  });

  it("names the server, and not the line, if the server says so", async () => {
    const told = [FeedbackCode.FAILED, FeedbackCode.SERVER_BUSY];
    const outcome = await failing((over) => capture({ rate: 30, busy: true }, over), told);
    expect(outcome.feedback).toEqual(["FAILED", "SERVER_BUSY"]);
  });

  it("names the device if the page captured too few frames", async () => {
    for (const told of [[FeedbackCode.FAILED], [FeedbackCode.FAILED, FeedbackCode.CAPTURE_TOO_SLOW]]) {
      const outcome = await failing((over) => capture({ rate: 3, busy: true }, over), told);
      expect(outcome.feedback).toEqual(["CAPTURE_TOO_SLOW", "FAILED"]);
    }
  });

  it("names the camera if it stopped", async () => {
    const outcome = await failing(() => camera.onlost?.());
    expect(outcome).toMatchObject({ feedback: [], interruption: "camera" });
  });

  it("names nothing if the server decided", async () => {
    const outcome = await scan(stream([START, COMPLETE, result(ScanStatus.FAILURE)], lost()));
    expect(outcome).toMatchObject({ feedback: [], interruption: undefined });
  });

  it.each(Object.entries(LANGUAGES))("is told in %s with the cause and what to do", (_, strings) => {
    const told = (feedback: string[], interruption?: Interruption): string =>
      outcomeText(strings, { status: "failure", feedback, interruption });
    for (const code of ["NETWORK_TOO_SLOW", "CAPTURE_TOO_SLOW", "SERVER_BUSY"]) {
      expect(told([code, "FAILED"])).toBe(strings.hints[code]);
      expect(firstSentence(told([code]))[1].length).toBeGreaterThan(8);
    }
    expect(told(["FAILED"], "camera")).toBe(strings.cameraLost);
    expect(told(["FAILED"], "hidden")).toBe(strings.hidden);
    expect(told(["FAILED"], "turned")).toBe(strings.hints.WRONG_ROTATION);
    expect(told(["FAILED"])).toBe("");
  });

  it.each(Object.entries(LANGUAGES))("is told in %s without the hints of the scan, which need not be its cause", (_, strings) => {
    const told = (status: "failure" | "retry", feedback: string[]): string =>
      outcomeText(strings, { status, feedback, interruption: undefined });
    expect(told("failure", ["FAILED", "EYES_CLOSED"])).toBe("");
    expect(told("failure", ["FAILED", "EYES_CLOSED", "NETWORK_TOO_SLOW"])).toBe(strings.hints.NETWORK_TOO_SLOW);
    expect(told("retry", ["EYES_CLOSED"])).toBe(strings.hints.EYES_CLOSED);
  });

  it("is told no cause after a success", () => {
    expect(outcomeText(LANGUAGES.en as Strings, { status: "success", feedback: ["GOOD"], interruption: undefined })).toBe("");
  });
});

describe("the text of an error", () => {
  const english = LANGUAGES.en as Strings;

  it("names a slow connection if the server waited too long", () => {
    expect(errorText(english, tooLate)).toBe(english.hints.NETWORK_TOO_SLOW);
  });

  it.each([refused("CHECK_CLOSED"), new ScanEndedError("CHECK_CLOSED")])("says of %s that the check is closed", (error) => {
    expect(errorText(english, error)).toBe(english.closed);
  });

  it.each([refused("TOKEN_EXPIRED"), new ScanEndedError("DEADLINE")])("says of %s that the time is over", (error) => {
    expect(errorText(english, error)).toBe(english.expired);
  });

  it("says that the colours are needed to who declined them, and nothing of them otherwise", () => {
    expect(errorText(english, refused("CAPABILITY_MISSING", { capability: "FLASH" }))).toBe(english.flashNeeded);
    expect(errorText(english, refused("CAPABILITY_MISSING", { capability: "OPEN_MOUTH" }))).toBe(english.problem);
  });

  it("asks to wait if getTicket threw an error with a time to wait", () => {
    expect(errorText(english, Object.assign(new Error("TOO_MANY_FAILURES"), { retryAfterMs: 1_800_000 }))).toBe(english.later);
    for (const retryAfterMs of [0, undefined, "soon"]) {
      expect(errorText(english, Object.assign(new Error(), { retryAfterMs }))).toBe(english.problem);
    }
    for (const thrown of [undefined, null, "text"]) expect(errorText(english, thrown)).toBe(english.problem);
  });

  it.each(Object.keys(LANGUAGES))("states in %s the problem first, then what to do", (name) => {
    const { denied, missing, busy, network, untrusted, closed, cancelled, flashNeeded } = LANGUAGES[name] as Strings;
    for (const text of [denied, missing, busy, network, untrusted, closed, flashNeeded]) {
      const [problem, advice] = firstSentence(text);
      expect(`${problem} ${advice}`).toBe(text);
      expect(advice.length).toBeGreaterThan(8);
    }
    expect(firstSentence(cancelled)).toEqual([cancelled, ""]);
  });

  it.each(Object.keys(LANGUAGES))("never says in %s that the scan is complete", (name) => {
    const strings = LANGUAGES[name] as Strings;
    const reasons = ["CHECK_CLOSED", "TOKEN_EXPIRED", "STREAM_IDLE", "OVERLOADED", "INTERNAL"];
    const texts = [...reasons.map((reason) => refused(reason)), lost().final].map((error) => errorText(strings, error));
    expect(texts).not.toContain("");
    expect(texts).not.toContain(strings.completed);
    expect(texts).not.toContain(strings.success);
  });
});
