/** What a page announces before a scan. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LANGUAGES, type Strings } from "@facegate/protocol/strings.js";
import { Capability } from "@facegate/protocol/generated/facegate/v1/scan_pb.js";
import type { Camera } from "../src/capture/camera.js";
import { errorText } from "../src/element/error_text.js";
import { scanProfile, sessionKey } from "../src/profile.js";
import type { ScanOptions } from "../src/scan.js";

vi.mock("../src/evidence.js", () => ({ installationId: async () => "installation" }));

beforeEach(() => {
  vi.stubGlobal("navigator", { language: "en" });
  vi.stubGlobal("screen", { width: 390, height: 844 });
  vi.stubGlobal("devicePixelRatio", 3);
  vi.stubGlobal("location", { origin: "https://bank.example" });
});
afterEach(() => vi.unstubAllGlobals());

/** The names of the capabilities that depend on the page, with the camera of a laptop. */
async function announced(options: Partial<ScanOptions>, height = 720): Promise<string[]> {
  const camera = { width: (height * 4) / 3, height, profile: {} } as Camera;
  const { capabilities = [] } = await scanProfile(camera, options as ScanOptions);
  const always = [Capability.CAPTURE_ADJUSTMENT, Capability.READY, Capability.RUNTIME_FINDINGS];
  expect(capabilities).toEqual(expect.arrayContaining(always));
  return capabilities.filter((capability) => !always.includes(capability)).map((capability) => Capability[capability]);
}

const screen = (flashes: boolean) => ({ flashes, movesOval: true, show: () => undefined, restore: () => undefined });
const events = { hint: () => undefined };

it("announces the requests for gestures if the page takes hints, with a screen or without", async () => {
  expect(await announced({ events })).toEqual(["OPEN_MOUTH", "TURN_HEAD"]);
  expect(await announced({ events, screen: screen(true) })).toEqual(["FLASH", "FLASH_SCROLL", "OVAL_CHANGE", "OPEN_MOUTH", "TURN_HEAD"]);
});

it("does not announce them if nobody would see the requests", async () => {
  expect(await announced({})).toEqual([]);
  expect(await announced({ events: { attemptStarted: () => undefined } })).toEqual([]);
});

it("announces colours only on a screen that flashes, and a movement only with a fine camera", async () => {
  expect(await announced({ screen: screen(false) })).toEqual(["OVAL_CHANGE"]);
  expect(await announced({ screen: screen(true) }, 480)).toEqual(["FLASH", "FLASH_SCROLL"]);
});

it("names the origin of a page that is not secure, before anything that such a page lacks", async () => {
  vi.stubGlobal("isSecureContext", false);
  vi.stubGlobal("crypto", {});
  vi.stubGlobal("location", { origin: "http://bank.example" });
  const error = await sessionKey().catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    name: "UnsupportedBrowserError",
    message: "the page is not secure: serve it by https, or from localhost, not as http://bank.example",
  });
  for (const strings of Object.values(LANGUAGES)) expect(errorText(strings as Strings, error)).toBe(strings?.unsupported);
});

it.each([
  ["OffscreenCanvas", undefined, "the browser has no OffscreenCanvas"],
  ["crypto", { subtle: { generateKey: () => Promise.reject(new Error()) } }, "the browser's WebCrypto has no X25519"],
])("names what an old browser lacks: %s", async (name, value, message) => {
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal("OffscreenCanvas", class {});
  vi.stubGlobal(name, value);
  await expect(sessionKey()).rejects.toMatchObject({ name: "UnsupportedBrowserError", message });
});

it("makes a session key in a secure page", async () => {
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal("OffscreenCanvas", class {});
  expect((await sessionKey()).publicDer).toBeInstanceOf(Uint8Array);
});
