import { describe, expect, it } from "vitest";
import { REST, showsMovement, toOval, usefulSide } from "../src/oval.js";

describe("the oval", () => {
  it.each([
    [480, 640],
    [720, 1280],
  ])("has the fractions of the message in a portrait frame of %i x %i", (width, height) => {
    expect(toOval(REST, { width, height })).toEqual(REST);
  });

  it.each([
    [480, 480],
    [640, 480],
    [1280, 720],
  ])("stands upright in the middle of %i x %i", (width, height) => {
    const field = (4 / 5) * height;
    const oval = toOval({ centerX: 0.61, centerY: 0.46, width: 0.62, height: 0.66 }, { width, height });
    expect((oval.width * width) / (oval.height * height)).toBeCloseTo(0.75, 2);
    expect(oval.centerX * width).toBeCloseTo(width / 2 + 0.11 * field);
    expect(oval.centerY).toBe(0.46);
  });
});

describe("the size of a frame", () => {
  it.each([
    [480, 640, true],
    [720, 1280, true],
    [360, 640, false],
    [640, 480, false],
    [800, 600, true],
    [960, 720, true],
    [1280, 720, true],
  ])("of %i x %i suffices for a movement: %s", (width, height, suffices) => {
    expect(showsMovement({ width, height })).toBe(suffices);
  });

  it("is reduced to what the server uses", () => {
    const laptop = { width: 1280, height: 720 };
    expect([usefulSide(laptop, "express"), usefulSide(laptop, "flash"), usefulSide(laptop, "movement")]).toEqual([480, 480, 600]);
    expect(usefulSide({ width: 720, height: 960 }, "movement")).toBe(480);
  });
});
