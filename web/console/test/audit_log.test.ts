import { beforeAll, describe, expect, it } from "vitest";
import { lengthPrefixed, sha256, utf8 } from "@facegate/protocol/bytes.js";
import { verifyLog } from "../src/logic/audit_log.js";
import { type Keys, readKeys } from "../src/logic/signatures.js";

const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const base64url = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const big = (value: number) => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
};

let pair: CryptoKeyPair;
let keys: Keys;
let log: Record<string, any>[];

async function entry(sequence: number, before: string): Promise<Record<string, any>> {
  const detail = { count: String(sequence), b: "ü" };
  const one = {
    version: 1,
    type: "entry",
    tenant: "bank",
    sequence,
    time: "2027-03-01T12:00:00.000001Z",
    time_us: 1_803_902_400_000_001 + sequence,
    action: "evidence.read",
    actor: { name: "anna", role: "compliance_admin", address: "127.0.0.1" },
    check_id: sequence % 2 ? "8f5b4f0e-6a3c-4f0e-9a39-0f6d2f6c7d11" : null,
    pseudonym: null,
    purpose: "Fall 17 – é",
    detail,
    detail_json: JSON.stringify(detail),
  };
  const texts = [one.action, one.actor.name, one.actor.role, one.actor.address, one.check_id ?? "", "", one.purpose, one.detail_json];
  const previous = Uint8Array.from({ length: 32 }, (_, at) => Number.parseInt(before.slice(2 * at, 2 * at + 2), 16));
  const hashed = lengthPrefixed("facegate/v1/audit", previous, utf8("bank"), big(sequence), big(one.time_us), ...texts.map(utf8));
  return { ...one, hash: hex(await sha256(hashed)) };
}

async function checkpoint(number: number, of: Record<string, any>, previous: string, key = pair.privateKey): Promise<Record<string, any>> {
  const stated = { version: 2, tenant: "bank", number, sequence: of["sequence"], hash: of["hash"], time: "2027-03-01T12:00:00Z", previous, position: number, before: "", accepted: "" };
  const input = `${base64url(utf8(JSON.stringify({ alg: "ES256", kid: "a", typ: "facegate-audit-checkpoint", iss: "facegate" })))}.${base64url(utf8(JSON.stringify(stated)))}`;
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, new TextEncoder().encode(input));
  return { version: 1, type: "checkpoint", tenant: "bank", number, sequence: of["sequence"], position: number, jws: `${input}.${base64url(new Uint8Array(signature))}`, timestamp: null };
}

const text = (lines: object[]) => `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;
const verify = (lines: object[]) => verifyLog(text(lines), keys, "bank");
const problemOf = async (lines: object[]) => {
  const { problem } = await verify(lines);
  return problem && `${problem.kind} ${problem.at}`;
};

beforeAll(async () => {
  pair = await crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
  keys = await readKeys({ keys: [{ ...(await crypto.subtle.exportKey("jwk", pair.publicKey)), kid: "a", key_ops: ["verify"] }] });
  const entries = [];
  for (let sequence = 1, before = "0".repeat(64); sequence <= 5; sequence += 1) {
    entries.push(await entry(sequence, before));
    before = entries.at(-1)!["hash"];
  }
  const first = await checkpoint(1, entries[1]!, "");
  const second = await checkpoint(2, entries[3]!, hex(await sha256(utf8(first["jws"]))));
  log = [...entries, first, second, { version: 1, type: "head", tenant: "bank", sequence: 5, hash: entries[4]!["hash"] }];
});

describe("an exported audit log", () => {
  it("is whole", async () => {
    expect(await verify(log)).toEqual({ entries: 5, checkpoints: 2, signedTo: 4, problem: null });
  });

  it("is whole from a later start", async () => {
    const start = { version: 1, type: "start", tenant: "bank", sequence: 2, hash: log[1]!["hash"] };
    expect(await verify([start, ...log.slice(2)])).toMatchObject({ entries: 3, checkpoints: 2, problem: null });
  });

  it("shows an altered, a removed, a moved and an added entry", async () => {
    expect(await problemOf(log.map((line, at) => (at === 2 ? { ...line, purpose: "other" } : line)))).toBe("ENTRY_ALTERED 3");
    expect(await problemOf(log.map((line, at) => (at === 2 ? { ...line, detail: { count: "9", b: "ü" } } : line)))).toBe("ENTRY_ALTERED 3");
    expect(await problemOf(log.filter((_, at) => at !== 2))).toBe("GAP 3");
    expect(await problemOf([log[1]!, log[0]!, ...log.slice(2)])).toBe("GAP 1");
    expect(await problemOf([...log.slice(0, 5), await entry(6, "1".repeat(64)), ...log.slice(5)])).toBe("ENTRY_ALTERED 6");
  });

  it("shows that its end was cut off", async () => {
    expect(await problemOf(log.filter((_, at) => at !== 4))).toBe("CUT_OFF 5");
    expect(await problemOf(log.slice(0, -1))).toBe("CUT_OFF 6");
    expect(await problemOf([])).toBe("CUT_OFF 1");
  });

  it("shows a checkpoint of another log, of another key, and one that is missing", async () => {
    const forged = await checkpoint(1, { sequence: 2, hash: "1".repeat(64) }, "");
    expect(await problemOf(log.map((line, at) => (at === 5 ? forged : line)))).toBe("CHECKPOINT_DIFFERS 2");
    const other = await crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
    const foreign = await checkpoint(1, log[1]!, "", other.privateKey);
    expect(await problemOf(log.map((line, at) => (at === 5 ? foreign : line)))).toBe("CHECKPOINT_WRONG 2");
    const third = await checkpoint(3, log[4]!, hex(await sha256(utf8(log[6]!["jws"]))));
    expect(await problemOf([...log.slice(0, 6), third, log[7]!])).toBe("CHECKPOINT_DIFFERS 5");
  });

  it("is not read if it is of another tenant, of another version, or no log", async () => {
    expect(await problemOf([{ ...log[0], tenant: "branch" }])).toBe("UNREADABLE 1");
    expect(await problemOf([{ ...log[0], version: 2 }])).toBe("UNREADABLE 1");
    expect((await verifyLog("{", keys, "bank")).problem).toEqual({ kind: "UNREADABLE", at: 1 });
  });
});
