import { encode, type EncodedFrame, type Picture } from "./encode.js";
import type { FrameLimits } from "./rules.js";

/** A request to the worker. */
export interface EncodeRequest {
  picture: Picture;
  limits: FrameLimits;
}

/** The worker's answer: the frame, or nothing if it cannot be made small enough. */
export type EncodeAnswer = EncodedFrame | null;

// The page's types lack those of a worker.
const worker = self as unknown as {
  onmessage: (event: MessageEvent<EncodeRequest>) => void;
  postMessage(message: EncodeAnswer, transfer: Transferable[]): void;
};

worker.onmessage = async ({ data: { picture, limits } }) => {
  try {
    const frame = await encode(picture, limits);
    worker.postMessage(frame ?? null, frame === undefined ? [] : [frame.jpeg.buffer]);
  } finally {
    picture.image.close();
  }
};
