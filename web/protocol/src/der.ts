import type { Bytes } from "./bytes.js";

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const COORDINATE_BYTES = 32;

/** Converts WebCrypto's `r || s` of P-256, 64 bytes, to ASN.1 DER, at most 72 bytes. */
export function toDer(signature: Uint8Array): Bytes {
  const body = [
    ...integer(signature.subarray(0, COORDINATE_BYTES)),
    ...integer(signature.subarray(COORDINATE_BYTES)),
  ];
  return Uint8Array.from([SEQUENCE, body.length, ...body]);
}

/** Converts an ASN.1 DER signature of P-256 to `r || s`; undefined if it is not strict DER. */
export function fromDer(der: Uint8Array): Bytes | undefined {
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2 || der.length > 72) return undefined;
  const raw = new Uint8Array(2 * COORDINATE_BYTES);
  let at = 2;
  for (const half of [0, 1]) {
    const length = der[at + 1] ?? 0;
    const value = der.subarray(at + 2, at + 2 + length);
    const [first = 0, second = 0] = value;
    const padded = first === 0 && length > 1;
    if (der[at] !== INTEGER || length === 0 || value.length !== length) return undefined;
    if (first >= 0x80 || (padded && second < 0x80) || length - Number(padded) > COORDINATE_BYTES) return undefined;
    const digits = padded ? value.subarray(1) : value;
    raw.set(digits, (half + 1) * COORDINATE_BYTES - digits.length);
    at += 2 + length;
  }
  return at === der.length ? raw : undefined;
}

function integer(coordinate: Uint8Array): number[] {
  let digits = [...coordinate];
  while (digits.length > 1 && digits[0] === 0) digits = digits.slice(1);
  if ((digits[0] ?? 0) >= 0x80) digits.unshift(0);
  return [INTEGER, digits.length, ...digits];
}
