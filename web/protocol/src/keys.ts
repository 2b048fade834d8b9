import { type Bytes, lengthPrefixed, owned } from "./bytes.js";
import { fromDer, toDer } from "./der.js";

const P256 = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;
const SHARE_BYTES = 32;

/** A P-256 key that signs and never leaves the browser. */
export class SigningKey {
  private constructor(
    private readonly privateKey: CryptoKey,
    /** SubjectPublicKeyInfo, DER, 91 bytes. */
    readonly publicDer: Bytes,
  ) {}

  /** Makes a key that cannot be exported. */
  static async generate(): Promise<SigningKey> {
    return SigningKey.from(await crypto.subtle.generateKey(P256, false, ["sign", "verify"]));
  }

  /** Wraps a key pair, such as one from IndexedDB. */
  static async from(pair: CryptoKeyPair): Promise<SigningKey> {
    return new SigningKey(pair.privateKey, new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey)));
  }

  /** Signs a message; returns ASN.1 DER. */
  async sign(message: Bytes): Promise<Bytes> {
    return toDer(new Uint8Array(await crypto.subtle.sign(SIGNATURE, this.privateKey, message)));
  }
}

/** Whether `signature`, ASN.1 DER, is that of a P-256 key over a message. False for a key that cannot be read. */
export async function verify(publicDer: Uint8Array, message: Bytes, signature: Uint8Array): Promise<boolean> {
  const raw = fromDer(signature);
  if (raw === undefined) return false;
  try {
    const key = await crypto.subtle.importKey("spki", owned(publicDer), P256, false, ["verify"]);
    return await crypto.subtle.verify(SIGNATURE, key, raw, message);
  } catch {
    return false;
  }
}

/** An X25519 key pair for one stream. */
export class KeyShare {
  private constructor(
    private readonly privateKey: CryptoKey,
    /** The public key, 32 bytes. */
    readonly publicBytes: Bytes,
  ) {}

  /** Makes a key pair that cannot be exported. */
  static async generate(): Promise<KeyShare> {
    return KeyShare.from((await crypto.subtle.generateKey("X25519", false, ["deriveKey"])) as CryptoKeyPair);
  }

  /** Wraps a key pair. */
  static async from(pair: CryptoKeyPair): Promise<KeyShare> {
    return new KeyShare(pair.privateKey, new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  }

  /**
   * Derives the key of a stream's MACs, which WebCrypto keeps.
   *
   * Rejects if the server's share is not 32 bytes, or is a point of small order.
   */
  async macKey(peerShare: Uint8Array, nonce: Uint8Array, binding: Uint8Array): Promise<CryptoKey> {
    if (peerShare.length !== SHARE_BYTES) throw new RangeError("an X25519 share has 32 bytes");
    const { subtle } = crypto;
    const peer = await subtle.importKey("raw", owned(peerShare), "X25519", false, []);
    const agreement = { name: "X25519", public: peer };
    const secret = await subtle.deriveKey(agreement, this.privateKey, "HKDF", false, ["deriveKey"]);
    const derivation = {
      name: "HKDF",
      hash: "SHA-256",
      salt: owned(nonce),
      info: lengthPrefixed("facegate/v1/mac-key", binding),
    };
    return subtle.deriveKey(derivation, secret, { name: "HMAC", hash: "SHA-256", length: 256 }, false, ["sign"]);
  }
}
