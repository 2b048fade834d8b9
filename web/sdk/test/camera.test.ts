/** What the package asks of a camera, and the time that it states for a frame. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Camera, type CapturedFrame } from "../src/capture/camera.js";

type Metadata = { captureTime?: number; presentationTime: number; presentedFrames: number };

const asked: MediaStreamConstraints[] = [];
const applied: MediaTrackConstraints[] = [];
let capabilities: Record<string, unknown> | undefined;
let callback: ((now: number, metadata: Metadata) => void) | undefined;

const track = {
  label: "Integrated Camera",
  addEventListener: () => undefined,
  getSettings: () => ({ deviceId: "camera", frameRate: 30, facingMode: "user" }),
  applyConstraints: async (constraints: MediaTrackConstraints) => void applied.push(constraints),
};
const video = {
  ...{ videoWidth: 960, videoHeight: 720, play: async () => undefined },
  requestVideoFrameCallback: (next: typeof callback) => void (callback = next),
} as unknown as HTMLVideoElement;

/** Opens the camera with its first frame, and returns it with the frames that follow. */
async function opened(...frames: Metadata[]): Promise<{ camera: Camera; seen: CapturedFrame[] }> {
  const opening = Camera.open(video);
  const [first, ...others] = frames;
  await vi.waitFor(() => expect(callback).toBeDefined());
  if (first !== undefined) callback?.(0, first);
  const camera = await opening;
  const seen: CapturedFrame[] = [];
  camera.onframe = (frame) => seen.push(frame);
  for (const frame of others) callback?.(0, frame);
  return { camera, seen };
}

beforeEach(() => {
  asked.length = applied.length = 0;
  capabilities = callback = undefined;
  vi.stubGlobal("screen", { orientation: { type: "landscape-primary" } });
  const getUserMedia = async (constraints: MediaStreamConstraints) => {
    asked.push(constraints);
    const getCapabilities = capabilities === undefined ? undefined : () => capabilities;
    return { getVideoTracks: () => [{ ...track, getCapabilities }] };
  };
  vi.stubGlobal("navigator", { mediaDevices: { getUserMedia } });
});
afterEach(() => vi.unstubAllGlobals());

it("states the time of capture, strictly rising, and the frames that the browser dropped", async () => {
  const { camera, seen } = await opened(
    { captureTime: 900, presentationTime: 950, presentedFrames: 1 },
    { captureTime: 1000.5, presentationTime: 1050, presentedFrames: 2 },
    { captureTime: 1000.5, presentationTime: 1066, presentedFrames: 3 },
    { captureTime: 1100, presentationTime: 1150, presentedFrames: 6 },
  );
  expect(seen.map(({ captureTimeUs, lost }) => [captureTimeUs, lost])).toEqual([[1_000_500, 0], [1_100_000, 2]]);
  expect(camera.profile.timestampSource).toBe("captureTime");
});

it("states the time of presentation if the browser has no time of capture", async () => {
  const { camera, seen } = await opened(
    { presentationTime: 950, presentedFrames: 1 },
    { presentationTime: 1050, presentedFrames: 2 },
  );
  expect(seen.map(({ captureTimeUs }) => captureTimeUs)).toEqual([1_050_000]);
  expect(camera.profile.timestampSource).toBe("presentationTime");
});

it("asks for automatic exposure, white balance and focus where the camera has them, and for nothing else", async () => {
  capabilities = { exposureMode: ["manual", "continuous"], whiteBalanceMode: ["continuous"], focusMode: ["manual"] };
  await opened({ presentationTime: 1, presentedFrames: 1 });
  expect(applied).toEqual([{ advanced: [{ exposureMode: "continuous", whiteBalanceMode: "continuous" }] }]);
  capabilities = { exposureMode: ["manual"] };
  callback = undefined;
  await opened({ presentationTime: 1, presentedFrames: 1 });
  capabilities = callback = undefined;
  await opened({ presentationTime: 1, presentedFrames: 1 });
  expect(applied).toHaveLength(1);
});

it.each([
  ["landscape-primary", 960, 720],
  ["portrait-primary", 640, 480],
])("asks for the whole picture of the front camera on a screen in %s, without sound", async (type, width, height) => {
  vi.stubGlobal("screen", { orientation: { type } });
  await opened({ presentationTime: 1, presentedFrames: 1 });
  expect(asked).toEqual([
    {
      audio: false,
      video: { facingMode: "user", width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30 }, resizeMode: "none" },
    },
  ]);
});
