import { describe, expect, it } from "vitest";
import { readArrival } from "../src/arrival.js";

describe("the address", () => {
  it("has the secret of a link, and a language", () => {
    expect(readArrival("#link=abc&lang=de")).toEqual({ secret: { link: "abc" }, check: null, language: "de" });
  });
  it("has the secret of a code", () => {
    expect(readArrival("#code=xyz")).toEqual({ secret: { code: "xyz" }, check: null, language: null });
  });
  it("has the check of a page that was loaded again", () => {
    expect(readArrival("#check=1&lang=fr")).toEqual({ secret: null, check: "1", language: "fr" });
  });
  it("may say nothing", () => {
    expect(readArrival("")).toEqual({ secret: null, check: null, language: null });
  });
});
