import { create, toBinary } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, it } from "vitest";
import { CheckResultSchema, CheckStatus } from "@facegate/protocol/generated/facegate/v1/result_pb.js";
import { type Keys, NotVerified, readKeys, signedResult, verifyJws, verifyRecord, verifyResult, verifyReview } from "../src/logic/signatures.js";
import type { Evidence } from "../src/types.js";

const ID = "8f5b4f0e-6a3c-4f0e-9a39-0f6d2f6c7d11";
const OF = { checkId: ID, tenant: "bank" };
const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;
const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
const base64url = (bytes: Uint8Array) => base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const utf8 = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

let pair: CryptoKeyPair;
let keys: Keys;

async function sign(header: object, payload: Uint8Array, key = pair.privateKey): Promise<string> {
  const input = `${base64url(utf8({ alg: "ES256", kid: "k1", ...header }))}.${base64url(payload)}`;
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, new TextEncoder().encode(input));
  return `${input}.${base64url(new Uint8Array(signature))}`;
}

function result(fields: object = {}): Uint8Array {
  return toBinary(CheckResultSchema, create(CheckResultSchema, { checkId: ID, status: CheckStatus.SUCCESS, ...fields }));
}

/** Evidence as the server returns it; what differs is given. */
async function evidence({ payload = result(), header = {}, record = {} }: { payload?: Uint8Array; header?: object; record?: object } = {}): Promise<Evidence> {
  const json = utf8({ record: { tenant: "bank", result: base64(payload), outcome: { check_id: ID }, ...record } });
  return {
    result: { checkId: ID },
    resultJws: await sign({ typ: "facegate-result", iss: "facegate", tenant: "bank", ...header }, payload),
    recordJson: base64(json),
    recordJws: await sign({ typ: "facegate-record", tenant: "bank" }, json),
  };
}

async function problemOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof NotVerified) return error.problem;
    throw error;
  }
  return "none";
}

beforeAll(async () => {
  pair = await crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
  const jwk = await crypto.subtle.exportKey("jwk", pair.publicKey);
  keys = await readKeys({ keys: [{ ...jwk, kid: "k1", use: "sig", alg: "ES256", iat: 1 }, { kty: "RSA", kid: "other", n: "AA", e: "AQAB" }] });
});

describe("the signatures of a check", () => {
  it("are verified, and the shown result is the signed one", async () => {
    const found = await evidence();
    await expect(verifyResult(found, keys, OF)).resolves.toMatchObject({ header: { kid: "k1" } });
    await expect(verifyRecord(found, keys, OF)).resolves.toMatchObject({ header: { typ: "facegate-record" } });
    expect(signedResult({ ...found, result: { checkId: ID, status: "CHECK_STATUS_FAILURE" } }).status).toBe("CHECK_STATUS_SUCCESS");
  });

  it("are wrong if a byte differs, or another key made them", async () => {
    const found = await evidence();
    const [header, , signature] = found.resultJws!.split(".");
    const altered = { ...found, resultJws: `${header}.${base64url(result({ status: CheckStatus.FAILURE }))}.${signature}` };
    expect(await problemOf(verifyResult(altered, keys, OF))).toBe("SIGNATURE_WRONG");
    const other = await crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
    const forged = await sign({ typ: "facegate-result" }, result(), other.privateKey);
    expect(await problemOf(verifyResult({ ...found, resultJws: forged }, keys, OF))).toBe("SIGNATURE_WRONG");
  });

  it.each([
    ["another type", { typ: "facegate-record" }, "TYPE_WRONG"],
    ["no algorithm", { alg: "none" }, "SIGNATURE_WRONG"],
    ["an unknown key", { kid: "k2" }, "KEY_UNKNOWN"],
    ["an unknown field", { crit: ["exp"] }, "HEADER_UNKNOWN"],
    ["a field of another type", { sandbox: "yes" }, "HEADER_UNKNOWN"],
    ["another tenant", { tenant: "branch" }, "OTHER_TENANT"],
    ["a sandbox that the result denies", { sandbox: true }, "SANDBOX_DISAGREES"],
  ])("are refused with %s", async (_name, header, problem) => {
    expect(await problemOf(verifyResult(await evidence({ header }), keys, OF))).toBe(problem);
  });

  it("are refused for another check", async () => {
    expect(await problemOf(verifyResult(await evidence({ payload: result({ checkId: "other" }) }), keys, OF))).toBe("OTHER_CHECK");
    expect(await problemOf(verifyRecord(await evidence({ record: { outcome: { check_id: "other" } } }), keys, OF))).toBe("OTHER_CHECK");
  });

  it("are refused if record, result and what is shown differ", async () => {
    const [found, other] = [await evidence(), await evidence({ record: { subject_reference: "x" } })];
    expect(await problemOf(verifyRecord({ ...found, recordJson: other.recordJson! }, keys, OF))).toBe("NOT_THE_RECORD");
    const swapped = await evidence({ payload: result({ serverVersion: "2" }) });
    expect(await problemOf(verifyRecord({ ...found, resultJws: swapped.resultJws! }, keys, OF))).toBe("NOT_THE_RESULT");
    expect(await problemOf(verifyRecord(await evidence({ record: { tenant: "branch" } }), keys, OF))).toBe("OTHER_TENANT");
    expect(await problemOf(verifyResult({ ...found, resultJws: "" }, keys, OF))).toBe("ABSENT");
  });

  it("bind a review to the result", async () => {
    const found = await evidence();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(result())));
    const review = { check_id: ID, tenant: "bank", result_sha256: [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join(""), outcome: "DENY" };
    const signed = (fields: object, typ = "facegate-review") => sign({ typ, tenant: "bank" }, utf8({ ...review, ...fields }));
    await expect(verifyReview(await signed({}), found, keys, OF)).resolves.toMatchObject({ header: { typ: "facegate-review" } });
    expect(await problemOf(verifyReview(await signed({ result_sha256: "00" }), found, keys, OF))).toBe("NOT_THE_RESULT");
    expect(await problemOf(verifyReview(await signed({ check_id: "other" }), found, keys, OF))).toBe("OTHER_CHECK");
    expect(await problemOf(verifyReview(await signed({ tenant: "branch" }), found, keys, OF))).toBe("OTHER_TENANT");
    expect(await problemOf(verifyReview(await signed({}, "facegate-result"), found, keys, OF))).toBe("TYPE_WRONG");
  });

  it.each(["a.b", "a.b.c.d", "!.b.c", "", "e30.e30.e30"])("are malformed: %s", async (text) => {
    expect(await problemOf(verifyJws(text, keys, "facegate-result"))).toMatch(/MALFORMED|ABSENT|SIGNATURE_WRONG/);
  });

  it.each([[null], [{}], [{ keys: [] }], [{ keys: [{ kty: "EC", crv: "P-256", kid: "x", x: "AA", y: "AA" }] }], [{ keys: [{ kty: "EC", crv: "P-384", kid: "x" }] }]])(
    "cannot be verified without keys: %j",
    async (content) => {
      expect(await problemOf(readKeys(content))).toBe("KEYS_UNREADABLE");
    },
  );

  it("cannot be verified with two keys of one name", async () => {
    const jwk = { ...(await crypto.subtle.exportKey("jwk", pair.publicKey)), kid: "k1", key_ops: ["verify"] };
    expect(await problemOf(readKeys({ keys: [jwk, jwk] }))).toBe("KEYS_UNREADABLE");
  });
});
