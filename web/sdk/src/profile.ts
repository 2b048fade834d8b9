/** What a page states about its browser, camera and screen. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Platform } from "@facegate/protocol/generated/facegate/v1/device_pb.js";
import { Capability, type ScanStartSchema } from "@facegate/protocol/generated/facegate/v1/scan_pb.js";
import { SigningKey } from "@facegate/protocol/keys.js";
import { atMost, type Camera } from "./capture/camera.js";
import { UnsupportedBrowserError } from "./errors.js";
import { installationId } from "./evidence.js";
import { showsMovement } from "./oval.js";
import type { ScanOptions } from "./scan.js";
import { VERSION } from "./version.js";

/** ScanStart with everything but token, keys and version. */
export async function scanProfile(
  camera: Camera,
  { screen, events, language = navigator.language, appVersion = "" }: ScanOptions,
): Promise<MessageInitShape<typeof ScanStartSchema>> {
  const capabilities = [Capability.CAPTURE_ADJUSTMENT, Capability.READY, Capability.RUNTIME_FINDINGS];
  if (screen?.flashes) capabilities.push(Capability.FLASH, Capability.FLASH_SCROLL);
  // A camera that is too coarse for a movement gets another flash instead, once there is less light.
  if (screen?.movesOval && showsMovement(camera)) capabilities.push(Capability.OVAL_CHANGE);
  // A page that takes no hints cannot ask the person for anything.
  if (events?.hint) capabilities.push(Capability.OPEN_MOUTH, Capability.TURN_HEAD);
  const { width, height } = globalThis.screen;
  return {
    capabilities,
    language: atMost(language, 35),
    camera: camera.profile,
    screen: {
      width: Math.round(width * devicePixelRatio),
      height: Math.round(height * devicePixelRatio),
    },
    device: {
      platform: Platform.WEB,
      ...(await systemNames()),
      appId: location.origin,
      appVersion: atMost(appVersion, 64),
      sdkVersion: `facegate-web ${VERSION}`,
      installationId: await installationId(),
    },
  };
}

/** Makes the session key of a scan. Rejects with `UnsupportedBrowserError` if the browser lacks what a scan needs. */
export async function sessionKey(): Promise<SigningKey> {
  // First, because it hides camera and WebCrypto, and looks like a browser that is too old.
  if (!globalThis.isSecureContext) {
    throw new UnsupportedBrowserError(`the page is not secure: serve it by https, or from localhost, not as ${location.origin}`);
  }
  if (typeof OffscreenCanvas === "undefined") throw new UnsupportedBrowserError("the browser has no OffscreenCanvas");
  try {
    await crypto.subtle.generateKey("X25519", false, ["deriveKey"]);
  } catch {
    throw new UnsupportedBrowserError("the browser's WebCrypto has no X25519");
  }
  return SigningKey.generate();
}

/** The names of the system that the browser states; empty for those that it does not. */
async function systemNames(): Promise<{ model: string; osVersion: string }> {
  const { userAgentData } = navigator as Navigator & {
    userAgentData?: { getHighEntropyValues(names: string[]): Promise<Record<string, string>> };
  };
  const values = await userAgentData?.getHighEntropyValues(["model", "platformVersion"]).catch(() => undefined);
  return { model: atMost(values?.model ?? "", 128), osVersion: atMost(values?.platformVersion ?? "", 64) };
}
