import type { Bytes } from "@facegate/protocol/bytes.js";
import type { FrameLimits } from "./rules.js";

const QUALITIES = [0.85, 0.7, 0.55, 0.4];
const SHRINK = 0.8;

/** A JPEG that can be sent. */
export interface EncodedFrame {
  jpeg: Bytes;
  /** Width in pixels. */
  width: number;
  /** Height in pixels. */
  height: number;
  /** `FrameLimits.shrunk` for the frames after it. */
  shrunk: number;
}

/** A picture of the camera with its size in pixels. */
export interface Picture {
  image: VideoFrame | ImageBitmap;
  width: number;
  height: number;
}

let canvas: OffscreenCanvas | undefined;

/**
 * Encodes a picture as JPEG within limits: it is scaled down to the longest side, then compressed more, then
 * scaled down further, like every frame after it: a size that goes up and down looks like two cameras.
 * Undefined if no quality makes it small enough.
 */
export async function encode(picture: Picture, limits: FrameLimits): Promise<EncodedFrame | undefined> {
  const { image, width, height } = picture;
  const least = Math.min(limits.minSide, width, height);
  let within = Math.min(
    1,
    limits.usefulSide / Math.min(width, height),
    limits.maxSide / Math.max(width, height),
    Math.sqrt(limits.maxPixels / (width * height)),
  );
  // A frame in another format than 4:3 may have a shorter side that is too short.
  within = Math.min(1, Math.max(within, least / Math.min(width, height)));
  for (let shrunk = limits.shrunk; ; shrunk++) {
    const scale = within * SHRINK ** shrunk;
    const size = { width: Math.floor(width * scale), height: Math.floor(height * scale) };
    if (Math.min(size.width, size.height) < least) return undefined;
    canvas ??= new OffscreenCanvas(size.width, size.height);
    if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
    const context = canvas.getContext("2d", { alpha: false });
    if (context === null) return undefined;
    context.drawImage(image, 0, 0, size.width, size.height);
    for (const quality of QUALITIES) {
      const blob = await canvas.convertToBlob({ type: "image/jpeg", quality });
      if (blob.size <= limits.maxBytes) return { jpeg: new Uint8Array(await blob.arrayBuffer()), ...size, shrunk };
    }
  }
}
