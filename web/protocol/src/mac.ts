import { type Bytes, lengthPrefixed, sha256, uint32 } from "./bytes.js";

/**
 * The MAC chain of one stream: each frame's MAC covers the frame and the previous MAC.
 *
 * The steps must not overlap: await each before the next.
 */
export class MacChain {
  private constructor(
    private readonly key: CryptoKey,
    private last: Bytes,
  ) {}

  /** Starts the chain of a stream over its binding hash. */
  static async start(key: CryptoKey, binding: Uint8Array): Promise<MacChain> {
    return new MacChain(key, await mac(key, lengthPrefixed("facegate/v1/chain-start", binding)));
  }

  /** The last MAC, 32 bytes. */
  get value(): Bytes {
    return this.last;
  }

  /** Adds the marker of an attempt. */
  async markAttempt(attempt: number, nonce: Uint8Array): Promise<Bytes> {
    return this.add(lengthPrefixed("facegate/v1/chain-attempt", this.last, uint32(attempt), nonce));
  }

  /** Adds a frame; returns its MAC. */
  async addFrame(header: Uint8Array, image: Uint8Array): Promise<Bytes> {
    return this.add(lengthPrefixed("facegate/v1/chain-frame", this.last, header, await sha256(image)));
  }

  private async add(message: Bytes): Promise<Bytes> {
    this.last = await mac(this.key, message);
    return this.last;
  }
}

async function mac(key: CryptoKey, message: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, message));
}
