import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FlashStepSchema } from "@facegate/protocol/generated/facegate/v1/scan_pb.js";
import { ProtocolViolatedError } from "../src/errors.js";
import { FlashShow } from "../src/flash/show.js";

function step(number: number, holdMs = 400, scrollMs = 0) {
  return create(FlashStepSchema, {
    step: number,
    color: { red: 255, green: 108, blue: 108 },
    transitionDuration: { seconds: 0n, nanos: scrollMs * 1e6 },
    minimumHold: { seconds: 0n, nanos: holdMs * 1e6 },
  });
}

describe("a flash", () => {
  const shown: { step: number; at: number }[] = [];
  let restored = 0;
  /** Every colour appears a frame after it is asked for. */
  const screen = {
    show: ({ step: number }: { step: number }, appeared: (sinceUs: number) => void) => {
      setTimeout(() => {
        shown.push({ step: number, at: performance.now() });
        appeared(performance.now() * 1000);
      }, 16);
    },
    restore: () => {
      restored += 1;
    },
  };
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    shown.length = 0;
    restored = 0;
  });
  afterEach(() => vi.useRealTimers());

  it("never changes more than three times a second, whatever the server demands", () => {
    const show = new FlashShow(screen, 0);
    for (let number = 1; number <= 12; number += 1) {
      show.add(step(number, 10));
      vi.advanceTimersByTime(370);
    }
    vi.advanceTimersByTime(2000);
    expect(shown.map(({ step: number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    shown.slice(3).forEach(({ at }, index) => expect(at - (shown[index]?.at ?? at)).toBeGreaterThanOrEqual(1000));
  });

  it("keeps a colour for its hold and the slide before it", () => {
    const show = new FlashShow(screen, 0);
    show.add(step(1, 500, 300));
    show.add(step(2));
    vi.advanceTimersByTime(5000);
    expect((shown[1]?.at ?? 0) - (shown[0]?.at ?? 0)).toBeGreaterThanOrEqual(800);
  });

  it("names the step that was on the screen at a frame's capture", () => {
    const show = new FlashShow(screen, 0);
    const begun = performance.now() * 1000;
    show.add(step(1));
    vi.advanceTimersByTime(500);
    expect(show.at(begun)).toEqual({ step: 0, sinceUs: 0 });
    const first = show.at(begun + 16_000);
    expect(first).toEqual({ step: 1, sinceUs: begun + 16_000 });
    show.add(step(2));
    vi.advanceTimersByTime(500);
    expect(show.at(begun + 100_000)).toEqual(first);
    expect(show.at(performance.now() * 1000).step).toBe(2);
  });

  it("refuses steps that are out of order or too fast, in any attempt of the stream", () => {
    expect(() => new FlashShow(screen, 4).add(step(4))).toThrow(ProtocolViolatedError);
    const show = new FlashShow(screen, 0);
    for (const number of [1, 2, 3]) show.add(step(number));
    expect(() => show.add(step(4))).toThrow(ProtocolViolatedError);
  });

  it("returns the screen to normal and shows nothing afterwards", () => {
    const show = new FlashShow(screen, 0);
    show.add(step(1));
    show.add(step(2));
    vi.advanceTimersByTime(100);
    show.close();
    vi.advanceTimersByTime(5000);
    expect(restored).toBe(1);
    expect(shown).toHaveLength(1);
  });
});
