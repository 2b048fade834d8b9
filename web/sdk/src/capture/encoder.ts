/// <reference path="../vite.d.ts" />
import { encode, type EncodedFrame, type Picture } from "./encode.js";
import type { EncodeAnswer, EncodeRequest } from "./jpeg_worker.js";
import JpegWorker from "./jpeg_worker.js?worker&inline";
import type { FrameLimits } from "./rules.js";

/**
 * Encodes pictures in a worker, or in the page if its Content-Security-Policy forbids the worker (`worker-src
 * blob:`). One picture at a time.
 */
export class Encoder {
  private worker: Worker | undefined;
  private answer: ((frame: EncodeAnswer) => void) | undefined;
  private failed: (() => void) | undefined;

  constructor() {
    try {
      this.worker = new JpegWorker();
      this.worker.onmessage = ({ data }: MessageEvent<EncodeAnswer>) => this.answer?.(data);
      this.worker.onerror = () => {
        this.worker = undefined;
        this.failed?.();
      };
    } catch {
      this.worker = undefined;
    }
  }

  /** Encodes a picture and closes it; undefined if it cannot be made small enough, or the worker was lost. */
  async encode(picture: Picture, limits: FrameLimits): Promise<EncodedFrame | undefined> {
    const { worker } = this;
    if (worker === undefined) {
      try {
        return await encode(picture, limits);
      } finally {
        picture.image.close();
      }
    }
    const answer = await new Promise<EncodeAnswer>((resolve) => {
      this.answer = resolve;
      this.failed = () => resolve(null);
      const request: EncodeRequest = { picture, limits };
      worker.postMessage(request, [picture.image]);
    });
    return answer ?? undefined;
  }

  /** Ends the worker. */
  close(): void {
    this.worker?.terminate();
    this.failed?.();
  }
}
