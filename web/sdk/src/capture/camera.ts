import { CameraFacing } from "@facegate/protocol/generated/facegate/v1/device_pb.js";
import { CameraError, type CameraProblem, UnsupportedBrowserError } from "../errors.js";
import type { Picture } from "./encode.js";

const FIRST_PICTURE_MS = 8000;
/** How often the picture is looked at, to know a camera that was covered during the scan. */
const LOOK_MS = 500;
/** A picture is black if no channel of it, scaled down, is brighter, and they hardly differ: no room is that dark. */
const BLACK = 24;
const BLACK_SPREAD = 8;
const SAMPLE = { width: 32, height: 24 };
const PROBLEMS: Record<string, CameraProblem> = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

/** One frame of the camera. Its picture can be taken until the next frame comes. */
export interface CapturedFrame {
  /** Time of capture, microseconds of the page's monotonic clock (`performance.now()`); strictly rising. */
  captureTimeUs: number;
  /** Frames that the browser dropped since the previous frame. */
  lost: number;
  /** Takes the picture. */
  take(): Promise<Picture>;
}

/** The camera of one scan. */
export class Camera {
  /** Receives every frame. */
  onframe: ((frame: CapturedFrame) => void) | undefined;
  /** Called once if the browser or the system takes the camera away. */
  onlost: (() => void) | undefined;
  private lastUs = 0;
  private presented = 0;
  private closed = false;
  private black = false;
  private lookedAt = 0;

  private constructor(
    /** Shows the camera's picture as it is, not mirrored. */
    readonly video: HTMLVideoElement,
    private readonly track: MediaStreamTrack,
    /** Where the times of capture come from. */
    private readonly clock: "captureTime" | "presentationTime",
  ) {
    track.addEventListener("ended", this.lost);
    video.requestVideoFrameCallback(this.present);
  }

  /**
   * Asks for the camera and waits for its first picture.
   *
   * @param video - Shows the picture; it must be in the document.
   * @param deviceId - A certain camera; by default the one that faces the person.
   */
  static async open(video: HTMLVideoElement, deviceId?: string): Promise<Camera> {
    if (!("requestVideoFrameCallback" in video) || navigator.mediaDevices === undefined) {
      throw new UnsupportedBrowserError("the browser has no camera for this page, or no requestVideoFrameCallback");
    }
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: {
          ...(deviceId === undefined ? { facingMode: "user" } : { deviceId: { exact: deviceId } }),
          ...idealSize(),
          frameRate: { ideal: 30 },
          // The camera's own picture, not one that the browser cropped.
          ...({ resizeMode: "none" } as MediaTrackConstraints),
        },
      });
    } catch (error) {
      const { name, message } = error as DOMException;
      throw new CameraError(PROBLEMS[name] ?? "failed", message);
    }
    const [track] = stream.getVideoTracks();
    if (track === undefined) throw new CameraError("missing", "the browser gave no video");
    await automaticExposure(track);
    video.muted = true;
    video.playsInline = true;
    video.srcObject = stream;
    try {
      await video.play();
      const { captureTime } = await firstPicture(video);
      return new Camera(video, track, captureTime === undefined ? "presentationTime" : "captureTime");
    } catch (error) {
      track.stop();
      video.srcObject = null;
      if (error instanceof CameraError) throw error;
      const { name } = error as DOMException;
      // A web view that plays media only on a touch, or only in full screen, refuses with NotAllowedError.
      throw new CameraError("failed", `the camera's picture cannot be shown: ${name}`);
    }
  }

  /** Width of the picture, pixels. */
  get width(): number {
    return this.video.videoWidth;
  }

  /** Height of the picture, pixels. */
  get height(): number {
    return this.video.videoHeight;
  }

  /** The browser's identifier of the camera. */
  get deviceId(): string {
    return this.track.getSettings().deviceId ?? "";
  }

  /** What ScanStart states about the camera. */
  get profile() {
    const { facingMode, frameRate = 0 } = this.track.getSettings();
    const facings: Record<string, CameraFacing> = { user: CameraFacing.FRONT, environment: CameraFacing.BACK };
    return {
      id: atMost(this.deviceId, 256),
      label: atMost(this.track.label, 256),
      facing: facings[facingMode ?? ""] ?? CameraFacing.UNSPECIFIED,
      width: this.width,
      height: this.height,
      framesPerSecond: frameRate,
      timestampSource: this.clock,
    };
  }

  /** Releases the camera. */
  close(): void {
    this.closed = true;
    this.track.removeEventListener("ended", this.lost);
    this.track.stop();
    this.video.srcObject = null;
  }

  private readonly lost = (): void => this.onlost?.();

  private readonly present: VideoFrameRequestCallback = (_, metadata) => {
    if (this.closed) return;
    this.video.requestVideoFrameCallback(this.present);
    const captureTimeUs = Math.round((metadata.captureTime ?? metadata.presentationTime) * 1000);
    const lost = this.presented === 0 ? 0 : Math.max(0, metadata.presentedFrames - this.presented - 1);
    this.presented = metadata.presentedFrames;
    // The browser may present one frame twice.
    if (captureTimeUs <= this.lastUs) return;
    this.lastUs = captureTimeUs;
    if (!this.shows()) return;
    this.onframe?.({ captureTimeUs, lost, take: () => this.take() });
  };

  /** Whether there is a picture: not if another program, a switch or a cover has taken it away. */
  private shows(): boolean {
    const now = performance.now();
    if (now - this.lookedAt >= LOOK_MS) {
      this.lookedAt = now;
      this.black = isBlack(this.video);
    }
    return !this.black && !this.track.muted;
  }

  private async take(): Promise<Picture> {
    const { width, height } = this;
    const image =
      typeof VideoFrame === "undefined"
        ? await createImageBitmap(this.video)
        : new VideoFrame(this.video, { timestamp: this.lastUs });
    return { image, width, height };
  }
}

/**
 * The size to ask for. In the frames of a camera that lies on its side, as a laptop's does, the oval has less room,
 * so that they have to be larger for a movement.
 */
function idealSize(): MediaTrackConstraints {
  const upright = screen.orientation?.type.startsWith("portrait") ?? false;
  return upright ? { width: { ideal: 640 }, height: { ideal: 480 } } : { width: { ideal: 960 }, height: { ideal: 720 } };
}

/** The text in at most `size` bytes of UTF-8. */
export function atMost(text: string, size: number): string {
  return new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, size)).replace(/\uFFFD$/, "");
}

async function automaticExposure(track: MediaStreamTrack): Promise<void> {
  const can = (track.getCapabilities?.() ?? {}) as Record<string, unknown>;
  const modes = ["exposureMode", "whiteBalanceMode", "focusMode"].filter((mode) =>
    (can[mode] as string[] | undefined)?.includes("continuous"),
  );
  if (modes.length === 0) return;
  const wanted = Object.fromEntries(modes.map((mode) => [mode, "continuous"])) as MediaTrackConstraintSet;
  await track.applyConstraints({ advanced: [wanted] }).catch(() => undefined);
}

/** Waits for a picture after the first frame. A camera that another program has may give a single one, a covered one gives black ones. */
function firstPicture(video: HTMLVideoElement): Promise<VideoFrameCallbackMetadata> {
  return new Promise((resolve, reject) => {
    let first: number | undefined;
    let next = 0;
    const late = setTimeout(() => {
      video.cancelVideoFrameCallback(next);
      const what = first === undefined ? "no frame came" : "a single frame came, or black ones";
      reject(new CameraError("noPicture", `the camera gave no picture within ${FIRST_PICTURE_MS / 1000} s: ${what}`));
    }, FIRST_PICTURE_MS);
    const present: VideoFrameRequestCallback = (_, metadata) => {
      if (first !== undefined && metadata.presentedFrames > first && !isBlack(video)) {
        clearTimeout(late);
        resolve(metadata);
        return;
      }
      first ??= metadata.presentedFrames;
      next = video.requestVideoFrameCallback(present);
    };
    next = video.requestVideoFrameCallback(present);
  });
}

let sample: OffscreenCanvas | undefined;

/** Whether the picture that a video shows is black all over. */
function isBlack(video: HTMLVideoElement): boolean {
  const { width, height } = SAMPLE;
  sample ??= new OffscreenCanvas(width, height);
  const context = sample.getContext("2d", { alpha: false, willReadFrequently: true });
  if (context === null) return false;
  context.drawImage(video, 0, 0, width, height);
  const values = context.getImageData(0, 0, width, height).data.filter((_, index) => index % 4 !== 3);
  const brightest = Math.max(...values);
  return brightest <= BLACK && brightest - Math.min(...values) <= BLACK_SPREAD;
}
