import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { CaptureAdjustmentSchema, CaptureBudgetSchema } from "@facegate/protocol/generated/facegate/v1/scan_pb.js";
import { CapturePace } from "../src/capture/pace.js";
import { FrameRules } from "../src/capture/rules.js";
import { ServerRefusedError, StreamLostError } from "../src/errors.js";
import { backoffMs } from "../src/transport/backoff.js";
import { Credit } from "../src/transport/credit.js";
import { closeError, toRefusal } from "../src/transport/status.js";
import manifest from "../package.json" with { type: "json" };
import { VERSION } from "../src/version.js";

const refused = (reason: string, code: number, details: object[] = [], domain = "facegate.org") =>
  JSON.stringify({
    code,
    message: "for developers",
    details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain }, ...details],
  });

describe("the end of a stream", () => {
  it("is a refusal with its reason", () => {
    const error = closeError(4003, toRefusal(refused("FRAME_MAC_INVALID", 3)));
    expect(error).toBeInstanceOf(ServerRefusedError);
    expect((error as ServerRefusedError).refusal).toMatchObject({ reason: "FRAME_MAC_INVALID", code: 3 });
  });

  it.each(["NOT_SERVING", "OVERLOADED", "STREAM_IDLE"])("leads to a reconnect after %s", (reason) => {
    const retry = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.500s" };
    const error = closeError(4014, toRefusal(refused(reason, 14, [retry])));
    expect(error).toBeInstanceOf(StreamLostError);
    expect((error as StreamLostError).retryAfterMs).toBe(1500);
    expect((error as StreamLostError).final).toBeInstanceOf(ServerRefusedError);
  });

  it("is a lost connection without a refusal of Facegate's, or with another code", () => {
    expect(closeError(1006, undefined)).toBeInstanceOf(StreamLostError);
    expect(closeError(1009, toRefusal(refused("TOKEN_INVALID", 16)))).toBeInstanceOf(StreamLostError);
    for (const text of ["", "null", "{}", "[1]", refused("X", 3, [], "example.org")]) {
      expect(toRefusal(text)).toBeUndefined();
    }
  });
});

describe("the credit", () => {
  it("is spent before a frame and never below zero", () => {
    const credit = new Credit({ frames: 2, bytes: 100 });
    expect([credit.take(60), credit.take(60), credit.take(40), credit.covers()]).toEqual([true, false, true, false]);
    credit.add({ frames: 1, bytes: 10 });
    expect([credit.covers(11), credit.take(10)]).toEqual([false, true]);
    expect(new Credit(undefined).covers()).toBe(false);
  });
});

describe("the wait before a reconnect", () => {
  it("doubles to at most 8 seconds, and is never shorter than the server asks for", () => {
    expect([1, 2, 3, 6, 7, 40].map((reconnect) => backoffMs(reconnect, 0, 1))).toEqual([250, 500, 1000, 8000, 8000, 8000]);
    expect(backoffMs(1, 0, 0)).toBe(125);
    expect(backoffMs(1, 2000, 0)).toBe(2000);
    expect(backoffMs(1, 1e9, 0)).toBe(30_000);
  });
});

describe("the rules of frames", () => {
  const sent = (rules: FrameRules, times: number[]) => times.filter((time) => !rules.tooEarly(time));

  it("thins a camera of 30 frames a second to two of three", () => {
    const rules = new FrameRules(create(CaptureBudgetSchema, { maxFramesPerSecond: 20 }), 480);
    const times = Array.from({ length: 90 }, (_, index) => 5_000_000 + Math.round((index * 1e6) / 30));
    expect(sent(rules, times)).toHaveLength(61);
  });

  it("sends one frame early after a gap, and no burst", () => {
    const rules = new FrameRules(create(CaptureBudgetSchema, { maxFramesPerSecond: 10 }), 480);
    expect(sent(rules, [1e6, 1.1e6, 3e6, 3.01e6, 3.02e6, 3.1e6])).toEqual([1e6, 1.1e6, 3e6, 3.01e6, 3.1e6]);
  });

  it("only lowers limits", () => {
    const rules = new FrameRules(create(CaptureBudgetSchema, { maxFrameBytes: 1000, maxFramesPerAttempt: 3, maxScanBytes: 50 }), 480);
    rules.adjust(create(CaptureAdjustmentSchema, { maxSide: 480, maxFrameBytes: 5000, maxFramesPerSecond: 12 }));
    rules.adjust(create(CaptureAdjustmentSchema, { maxSide: 600 }));
    expect(rules.limits).toMatchObject({ maxSide: 480, maxBytes: 1000 });
    expect([rules.hasRoom(20, 2, 30), rules.hasRoom(21, 2, 30), rules.hasRoom(1, 3, 0)]).toEqual([true, false, false]);
  });
});

describe("the pace of a page", () => {
  const frames = (pace: CapturePace, from: number, rate: number) => {
    for (let index = 0; index < 2 * rate; index += 1) {
      pace.pass(from + (index * 1e6) / rate);
      pace.count();
    }
  };

  it.each([
    [6, true],
    [10, false],
  ])("of %i frames a second is below 8: %s", (rate, below) => {
    const pace = new CapturePace();
    frames(pace, 5e6, rate);
    expect(pace.isBelow(8)).toBe(below);
  });

  it("does not count a pause, or frames that the page was not ready for", () => {
    const pace = new CapturePace();
    frames(pace, 5e6, 10);
    pace.pause();
    frames(pace, 60e6, 10);
    expect(pace.isBelow(8)).toBe(false);
    for (let index = 0; index < 60; index += 1) pace.pass(62e6 + (index * 1e6) / 30);
    expect(pace.isBelow(8)).toBe(true);
  });
});

it("states the version of the package", () => {
  expect(VERSION).toBe(manifest.version);
});
