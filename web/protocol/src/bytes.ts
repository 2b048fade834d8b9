/** Bytes that are not in shared memory, so that WebCrypto accepts them. */
export type Bytes = Uint8Array<ArrayBuffer>;

const LENGTH_BYTES = 4;
const encoder = new TextEncoder();

/** The bytes in the form that WebCrypto accepts. Only bytes in shared memory are copied. */
export function owned(bytes: Uint8Array): Bytes {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Bytes) : new Uint8Array(bytes);
}

/** The UTF-8 bytes of a text. */
export function utf8(text: string): Bytes {
  return owned(encoder.encode(text));
}

/** A number as 4 bytes, big-endian. */
export function uint32(value: number): Bytes {
  const bytes = new Uint8Array(LENGTH_BYTES);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/**
 * Concatenates a domain text and fields, each after its length as a 4-byte big-endian integer, so that bytes
 * made for one purpose are never valid for another.
 */
export function lengthPrefixed(domain: string, ...fields: Uint8Array[]): Bytes {
  const all = [utf8(domain), ...fields];
  const joined = new Uint8Array(all.reduce((size, field) => size + LENGTH_BYTES + field.length, 0));
  let at = 0;
  for (const field of all) {
    joined.set(uint32(field.length), at);
    joined.set(field, at + LENGTH_BYTES);
    at += LENGTH_BYTES + field.length;
  }
  return joined;
}

/** The SHA-256 of bytes, 32 bytes. */
export async function sha256(data: Uint8Array): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", owned(data)));
}

/** Whether two byte sequences are equal. Not constant-time: for public values only. */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/** The bytes of a base64 or base64url text, with or without padding. Throws a TypeError for another text. */
export function fromBase64(text: string): Bytes {
  try {
    const binary = atob(text.trim().replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    throw new TypeError("the text is not base64");
  }
}
