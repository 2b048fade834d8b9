/** The package where pages are rendered without a DOM. */
import { createElement, createRef } from "react";
import { renderToString } from "react-dom/server";
import { expect, it } from "vitest";
import type { FacegateScan } from "../src/element.js";

it("is imported without a DOM, and defines no element there", async () => {
  expect([globalThis.HTMLElement, globalThis.customElements, globalThis.document]).toEqual([undefined, undefined, undefined]);
  const { FacegateScan, VERSION } = await import("../src/element.js");
  expect(FacegateScan.name).toBe("FacegateScan");
  expect(VERSION).toMatch(/^\d+\.\d+\.\d+/);
});

it("renders the tag of the React component, with its attributes", async () => {
  const { FaceScanner } = await import("../src/react.js");
  const getTicket = async () => ({ token: "token", challengeKeySha256: "" });
  const scanner = createElement(FaceScanner, {
    ...{ server: "wss://scan.example:8446", getTicket, flash: true, lang: "de" },
    ...{ id: "scan", className: "wide", style: { maxWidth: "30rem" }, ref: createRef<FacegateScan>() },
  });
  expect(renderToString(scanner)).toBe(
    '<facegate-scan server="wss://scan.example:8446" flash="" lang="de" id="scan" class="wide" style="max-width:30rem"></facegate-scan>',
  );
});
