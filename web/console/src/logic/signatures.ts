/**
 * Verifies the signatures of a result and a record in the browser, by the rules of `facegate result verify`: a compact
 * JWS (RFC 7515), ES256, by a key that the key set names, with known header fields and the expected type.
 */
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { type Bytes, fromBase64, sameBytes, sha256, utf8 } from "@facegate/protocol/bytes.js";
import { CheckResultSchema } from "@facegate/protocol/generated/facegate/v1/result_pb.js";
import type { Evidence, Result } from "../types.js";
import { type EvidenceRecord, parseRecord } from "./record.js";

/** Why a signature does not count. */
export type SignatureProblem =
  | "KEYS_UNREADABLE"
  | "MALFORMED"
  | "KEY_UNKNOWN"
  | "SIGNATURE_WRONG"
  | "HEADER_UNKNOWN"
  | "TYPE_WRONG"
  | "OTHER_CHECK"
  | "OTHER_TENANT"
  | "NOT_THE_RESULT"
  | "NOT_THE_RECORD"
  | "NOT_THE_REVIEW"
  | "SANDBOX_DISAGREES"
  | "ABSENT";

export class NotVerified extends Error {
  constructor(readonly problem: SignatureProblem) {
    super(problem);
  }
}

/** The keys of results by their identifier. */
export type Keys = ReadonlyMap<string, CryptoKey>;

const FIELDS: Record<string, string> = { alg: "string", kid: "string", typ: "string", iss: "string", tenant: "string", sandbox: "boolean" };
const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;

/** Reads a JWK Set. Throws NotVerified if it has no key of results, or two of one name. */
export async function readKeys(content: unknown): Promise<Keys> {
  const keys = new Map<string, CryptoKey>();
  try {
    for (const jwk of (content as { keys: JsonWebKey[] }).keys) {
      if (!signsResults(jwk)) continue;
      const { kid, x, y } = jwk as { kid: string; x: string; y: string };
      if (keys.has(kid)) throw new NotVerified("KEYS_UNREADABLE");
      keys.set(kid, await crypto.subtle.importKey("jwk", { kty: "EC", crv: "P-256", x, y }, CURVE, false, ["verify"]));
    }
  } catch {
    throw new NotVerified("KEYS_UNREADABLE");
  }
  if (keys.size === 0) throw new NotVerified("KEYS_UNREADABLE");
  return keys;
}

function signsResults(jwk: JsonWebKey & { kid?: unknown }): boolean {
  return (
    typeof jwk.kid === "string" &&
    jwk.kty === "EC" &&
    jwk.crv === "P-256" &&
    (jwk.use ?? "sig") === "sig" &&
    (jwk.alg ?? "ES256") === "ES256" &&
    (jwk.key_ops ?? ["verify"]).includes("verify")
  );
}

export interface Signed {
  header: Readonly<Record<string, unknown>>;
  payload: Bytes;
}

/** Verifies a compact JWS of a type; returns its header and payload, or throws NotVerified. */
export async function verifyJws(text: string | undefined, keys: Keys, type: string): Promise<Signed> {
  if (text === undefined || text === "") throw new NotVerified("ABSENT");
  const parts = text.split(".");
  const [protectedPart, payloadPart, signaturePart] = parts;
  if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part))) throw new NotVerified("MALFORMED");
  let header: Record<string, unknown>;
  let payload: Bytes;
  let signature: Bytes;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(fromBase64(protectedPart!))) as Record<string, unknown>;
    payload = fromBase64(payloadPart!);
    signature = fromBase64(signaturePart!);
  } catch {
    throw new NotVerified("MALFORMED");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) throw new NotVerified("MALFORMED");
  if (header["alg"] !== "ES256") throw new NotVerified("SIGNATURE_WRONG");
  const key = typeof header["kid"] === "string" ? keys.get(header["kid"]) : undefined;
  if (key === undefined) throw new NotVerified("KEY_UNKNOWN");
  const genuine = await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signature, utf8(`${protectedPart}.${payloadPart}`));
  if (!genuine) throw new NotVerified("SIGNATURE_WRONG");
  if (!Object.entries(header).every(([name, value]) => FIELDS[name] === typeof value)) throw new NotVerified("HEADER_UNKNOWN");
  if (header["typ"] !== type) throw new NotVerified("TYPE_WRONG");
  return { header, payload };
}

/** The result in a signature that is not verified yet: what the page shows is what was signed. */
export function signedResult(evidence: Evidence): Result {
  try {
    return resultFrom(fromBase64(evidence.resultJws!.split(".")[1]!));
  } catch {
    return evidence.result;
  }
}

function resultFrom(payload: Uint8Array): Result {
  return toJson(CheckResultSchema, fromBinary(CheckResultSchema, payload)) as unknown as Result;
}

/** Verifies the signed result of a check. */
export async function verifyResult(evidence: Evidence, keys: Keys, of: { checkId: string; tenant: string }): Promise<Signed> {
  const signed = await verifyJws(evidence.resultJws, keys, "facegate-result");
  let result: Result;
  try {
    result = resultFrom(signed.payload);
  } catch {
    throw new NotVerified("NOT_THE_RESULT");
  }
  if (result.checkId !== of.checkId) throw new NotVerified("OTHER_CHECK");
  if (signed.header["tenant"] !== undefined && signed.header["tenant"] !== of.tenant) throw new NotVerified("OTHER_TENANT");
  if ((signed.header["sandbox"] ?? false) !== (result.sandbox ?? false)) throw new NotVerified("SANDBOX_DISAGREES");
  return signed;
}

/** Verifies the signed record of a check, and that it holds the same result. */
export async function verifyRecord(evidence: Evidence, keys: Keys, of: { checkId: string; tenant: string }): Promise<Signed> {
  const signed = await verifyJws(evidence.recordJws, keys, "facegate-record");
  if (evidence.recordJson === undefined || !sameBytes(signed.payload, fromBase64(evidence.recordJson))) throw new NotVerified("NOT_THE_RECORD");
  let record: EvidenceRecord;
  try {
    record = parseRecord(signed.payload);
    const stored = fromBase64(record.result as string);
    const result = fromBase64(evidence.resultJws!.split(".")[1]!);
    if (!sameBytes(stored, result)) throw new NotVerified("NOT_THE_RESULT");
  } catch (error) {
    throw error instanceof NotVerified ? error : new NotVerified("NOT_THE_RECORD");
  }
  if (record.outcome?.check_id !== of.checkId) throw new NotVerified("OTHER_CHECK");
  if (record.tenant !== of.tenant) throw new NotVerified("OTHER_TENANT");
  return signed;
}

/** Verifies the signed review of a check, and that it is of this result. */
export async function verifyReview(reviewJws: string, evidence: Evidence, keys: Keys, of: { checkId: string; tenant: string }): Promise<Signed> {
  const signed = await verifyJws(reviewJws, keys, "facegate-review");
  let review: { check_id?: unknown; tenant?: unknown; result_sha256?: unknown };
  let digest: Bytes;
  try {
    review = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(signed.payload)) as typeof review;
    digest = await sha256(fromBase64(evidence.resultJws!.split(".")[1]!));
  } catch {
    throw new NotVerified("NOT_THE_REVIEW");
  }
  if (review.check_id !== of.checkId) throw new NotVerified("OTHER_CHECK");
  if (review.tenant !== of.tenant) throw new NotVerified("OTHER_TENANT");
  if (review.result_sha256 !== Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")) throw new NotVerified("NOT_THE_RESULT");
  return signed;
}
