/** What the package asks of a camera, and the time that it states for a frame. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LANGUAGES, type Strings } from "@facegate/protocol/strings.js";
import { Camera, type CapturedFrame } from "../src/capture/camera.js";
import { errorText } from "../src/element/error_text.js";

type Metadata = { captureTime?: number; presentationTime: number; presentedFrames: number };

const asked: MediaStreamConstraints[] = [];
const applied: MediaTrackConstraints[] = [];
let capabilities: Record<string, unknown> | undefined;
let callback: ((now: number, metadata: Metadata) => void) | undefined;
/** The brightness of the whole picture, 0 to 255. */
let brightness = 0;
let refusal: DOMException | undefined;

const track = {
  label: "Integrated Camera",
  muted: false,
  stop: () => undefined,
  addEventListener: () => undefined,
  getSettings: () => ({ deviceId: "camera", frameRate: 30, facingMode: "user" }),
  applyConstraints: async (constraints: MediaTrackConstraints) => void applied.push(constraints),
};
const video = {
  ...{ videoWidth: 960, videoHeight: 720, play: async () => undefined },
  requestVideoFrameCallback: (next: typeof callback) => void (callback = next),
  cancelVideoFrameCallback: () => void (callback = undefined),
} as unknown as HTMLVideoElement;

class Canvas {
  getContext() {
    const data = Uint8ClampedArray.from({ length: 4 * 32 * 24 }, (_, index) => (index % 4 === 3 ? 255 : brightness));
    return { drawImage: () => undefined, getImageData: () => ({ data }) };
  }
}

/** Opens the camera with two frames, the second of which is the first of `frames`, and returns it with those that follow. */
async function opened(...frames: Metadata[]): Promise<{ camera: Camera; seen: CapturedFrame[] }> {
  const opening = Camera.open(video);
  const [first, ...others] = frames;
  await vi.waitFor(() => expect(callback).toBeDefined(), { timeout: 30_000 });
  if (first !== undefined) {
    callback?.(0, { ...first, presentedFrames: first.presentedFrames - 1 });
    callback?.(0, first);
  }
  const camera = await opening;
  const seen: CapturedFrame[] = [];
  camera.onframe = (frame) => seen.push(frame);
  for (const frame of others) callback?.(0, frame);
  return { camera, seen };
}

beforeEach(() => {
  asked.length = applied.length = 0;
  capabilities = callback = refusal = undefined;
  brightness = 90;
  track.muted = false;
  vi.stubGlobal("OffscreenCanvas", Canvas);
  vi.stubGlobal("screen", { orientation: { type: "landscape-primary" } });
  const getUserMedia = async (constraints: MediaStreamConstraints) => {
    asked.push(constraints);
    if (refusal !== undefined) throw refusal;
    const getCapabilities = capabilities === undefined ? undefined : () => capabilities;
    return { getVideoTracks: () => [Object.assign(Object.create(track), { getCapabilities })] };
  };
  vi.stubGlobal("navigator", { mediaDevices: { getUserMedia } });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

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

/** Opens a camera that gives `frames`, and returns the error after the time for a picture. */
async function failed(...frames: Metadata[]): Promise<unknown> {
  vi.useFakeTimers();
  const error = Camera.open(video).catch((reason: unknown) => reason);
  await vi.advanceTimersByTimeAsync(0);
  for (const frame of frames) callback?.(0, frame);
  await vi.advanceTimersByTimeAsync(7999);
  expect(callback).toBeDefined();
  await vi.advanceTimersByTimeAsync(1);
  return error;
}

it.each([
  ["gives no frame", 90, []],
  ["stops after the first frame", 90, [1]],
  ["presents its first frame again", 90, [1, 1, 1]],
  ["gives black frames, behind a cover", 4, [1, 2, 3, 4]],
])("names a camera that %s", async (_, light, presented) => {
  brightness = light;
  const error = await failed(...presented.map((presentedFrames) => ({ presentationTime: presentedFrames, presentedFrames })));
  expect(error).toMatchObject({ name: "CameraError", problem: "noPicture" });
  expect(callback).toBeUndefined();
  for (const strings of Object.values(LANGUAGES)) expect(errorText(strings as Strings, error)).toBe(strings?.cameraLost);
});

it("waits for a camera whose first pictures are black", async () => {
  brightness = 0;
  const opening = Camera.open(video);
  await vi.waitFor(() => expect(callback).toBeDefined(), { timeout: 30_000 });
  for (const presentedFrames of [1, 2, 3]) callback?.(0, { presentationTime: presentedFrames, presentedFrames });
  brightness = 40;
  callback?.(0, { presentationTime: 4, presentedFrames: 4 });
  expect(await opening).toBeInstanceOf(Camera);
});

it("gives no frames while the track is muted or the picture is black", async () => {
  const { seen } = await opened({ presentationTime: 1, presentedFrames: 2 });
  vi.useFakeTimers();
  let time = 0;
  const arrive = (): void => {
    time += 600;
    vi.advanceTimersByTime(600);
    callback?.(0, { presentationTime: time, presentedFrames: 2 + time / 600 });
  };
  arrive();
  track.muted = true;
  arrive();
  track.muted = false;
  brightness = 0;
  arrive();
  brightness = 90;
  arrive();
  expect(seen.map(({ captureTimeUs }) => captureTimeUs)).toEqual([600_000, 2_400_000]);
});

it.each([
  ["NotReadableError", "busy"],
  ["AbortError", "busy"],
  ["NotAllowedError", "denied"],
  ["NotFoundError", "missing"],
  ["TypeError", "failed"],
])("names the cause of %s", async (name, problem) => {
  refusal = new DOMException("no", name);
  await expect(Camera.open(video)).rejects.toMatchObject({ problem });
});

it("names the cause if the camera's picture may not be played, and gives the camera back", async () => {
  const stopped = vi.spyOn(track, "stop");
  vi.spyOn(video, "play").mockRejectedValueOnce(new DOMException("only on a touch", "NotAllowedError"));
  await expect(Camera.open(video)).rejects.toMatchObject({
    name: "CameraError",
    problem: "failed",
    message: "the camera's picture cannot be shown: NotAllowedError",
  });
  expect(stopped).toHaveBeenCalledOnce();
  expect(video.srcObject).toBeNull();
});
