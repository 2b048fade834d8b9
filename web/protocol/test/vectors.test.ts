/** The golden vectors of the protocol, which the Python implementation makes (protos/conformance/vectors.json). */
import { readFileSync } from "node:fs";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { fromBase64, lengthPrefixed, sha256, utf8 } from "../src/bytes.js";
import { fromDer, toDer } from "../src/der.js";
import {
  AttemptEndBody_Cause,
  AttemptEndBodySchema,
  ChallengeBodySchema,
  FrameHeaderSchema,
  ScanStartSchema,
} from "../src/generated/facegate/v1/scan_pb.js";
import { KeyShare, SigningKey, verify } from "../src/keys.js";
import { MacChain } from "../src/mac.js";
import {
  attemptEndMessage,
  attestationMessage,
  bindingHash,
  challengeMessage,
  evidenceChallenge,
  resumeMessage,
} from "../src/transcript.js";

type Section = Record<string, string>;
const file = new URL("../../../protos/conformance/vectors.json", import.meta.url);
const vectors: Record<string, Section> = JSON.parse(readFileSync(file, "utf8"));

function section(name: string): (value: string) => Uint8Array<ArrayBuffer> {
  return (value) => {
    const hex = vectors[name]?.[value];
    if (hex === undefined) throw new Error(`no vector ${name}/${value}`);
    return Uint8Array.from(Buffer.from(hex, "hex"));
  };
}
const keys = section("keys");
const handshake = section("handshake");
const derivations = section("derivations");
const chain = section("chain");
const resume = section("resume");
const attestation = section("attestation");
const findings = section("attestation with findings");
const token = vectors.handshake?.token_text ?? "";

/** PKCS #8 heads of a raw private key. */
const X25519_HEAD = Buffer.from("302e020100300506032b656e04220420", "hex");

async function deviceShare(): Promise<KeyShare> {
  const pkcs8 = Buffer.concat([X25519_HEAD, keys("device_x25519_private")]);
  const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, "X25519", false, ["deriveKey"]);
  const publicKey = await crypto.subtle.importKey("raw", keys("device_x25519_public"), "X25519", true, []);
  return KeyShare.from({ privateKey, publicKey });
}

function inputs() {
  return {
    token,
    nonce: handshake("challenge_nonce"),
    deviceShare: keys("device_x25519_public"),
    serverShare: keys("server_x25519_public"),
    sessionPublicKey: keys("session_public_key_der"),
    serverSpkiSha256: handshake("server_spki_sha256"),
    start: handshake("scan_start_bytes"),
  };
}

/** The key of the vectors is compared by a MAC over nothing, because WebCrypto keeps the derived one. */
async function macOfNothing(key: CryptoKey): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, new Uint8Array()));
}

describe("the handshake", () => {
  it("hashes the token", async () => {
    expect(await sha256(utf8(token))).toEqual(handshake("token_sha256"));
  });

  it("reads ScanStart and ChallengeBody, and writes the same bytes", () => {
    for (const [schema, bytes] of [
      [ScanStartSchema, handshake("scan_start_bytes")],
      [ChallengeBodySchema, handshake("challenge_body_bytes")],
    ] as const) {
      expect(toBinary(schema, fromBinary(schema, bytes))).toEqual(bytes);
    }
    expect(fromBinary(ScanStartSchema, handshake("scan_start_bytes")).token).toBe(token);
  });

  it("verifies the challenge, and nothing else", async () => {
    const message = await challengeMessage(handshake("scan_start_bytes"), handshake("challenge_body_bytes"));
    expect(message).toEqual(handshake("challenge_message"));
    const key = keys("challenge_public_key_der");
    const signature = handshake("challenge_signature");
    expect(await sha256(key)).toEqual(keys("challenge_key_sha256"));
    expect(await verify(key, message, signature)).toBe(true);
    expect(await verify(keys("session_public_key_der"), message, signature)).toBe(false);
    expect(await verify(new Uint8Array(), message, signature)).toBe(false);
    expect(await verify(key, message, fromDer(signature) ?? new Uint8Array())).toBe(false);
    const changed = message.slice();
    changed[40] = (changed[40] ?? 0) ^ 1;
    expect(await verify(key, changed, signature)).toBe(false);
  });
});

describe("the derivations", () => {
  it("makes the binding hash and the MAC key", async () => {
    const binding = await bindingHash(inputs());
    expect(binding).toEqual(derivations("binding_hash_h"));
    const share = await deviceShare();
    expect(share.publicBytes).toEqual(keys("device_x25519_public"));
    const key = await share.macKey(keys("server_x25519_public"), handshake("challenge_nonce"), binding);
    const hmac = { name: "HMAC", hash: "SHA-256" };
    const known = await crypto.subtle.importKey("raw", derivations("mac_key"), hmac, false, ["sign"]);
    expect(await macOfNothing(key)).toEqual(await macOfNothing(known));
    expect(key.extractable).toBe(false);
  });

  it("refuses shares of small order and of another length", async () => {
    const share = await deviceShare();
    const [nonce, binding] = [handshake("challenge_nonce"), derivations("binding_hash_h")];
    await expect(share.macKey(new Uint8Array(32), nonce, binding)).rejects.toThrow();
    await expect(share.macKey(new Uint8Array(31), nonce, binding)).rejects.toThrow(RangeError);
  });
});

describe("the chain", () => {
  async function started(): Promise<MacChain> {
    const share = await deviceShare();
    const binding = derivations("binding_hash_h");
    return MacChain.start(
      await share.macKey(keys("server_x25519_public"), handshake("challenge_nonce"), binding),
      binding,
    );
  }

  it("goes on over frames and attempts", async () => {
    const macs = await started();
    expect(macs.value).toEqual(chain("mac_chain_start"));
    expect(await macs.markAttempt(1, chain("attempt_nonce"))).toEqual(chain("mac_attempt_1"));
    for (const index of [0, 1]) {
      const header = toBinary(
        FrameHeaderSchema,
        create(FrameHeaderSchema, {
          attempt: 1,
          index,
          captureTimeUs: BigInt(1_000_000 + 40_000 * index),
          width: 480,
          height: 640,
        }),
      );
      expect(header).toEqual(chain(`frame_${index}_header_bytes`));
      const mac = await macs.addFrame(header, chain(`frame_${index}_image_bytes`));
      expect(mac).toEqual(chain(`frame_${index}_mac`));
    }
    const body = toBinary(
      AttemptEndBodySchema,
      create(AttemptEndBodySchema, {
        attempt: 1,
        frameCount: 2,
        lastMac: macs.value,
        cause: AttemptEndBody_Cause.COMPLETE,
      }),
    );
    expect(body).toEqual(chain("attempt_end_body_bytes"));
    const message = attemptEndMessage(derivations("binding_hash_h"), body);
    expect(message).toEqual(chain("attempt_end_message"));
    expect(await verify(keys("session_public_key_der"), message, chain("attempt_end_signature"))).toBe(true);
    expect(await macs.markAttempt(2, chain("second_attempt_nonce"))).toEqual(chain("mac_attempt_2"));
  });
});

describe("the signed messages", () => {
  it("proves a reconnect", async () => {
    const message = resumeMessage(derivations("binding_hash_h"));
    expect(message).toEqual(resume("resume_message"));
    expect(await verify(keys("session_public_key_der"), message, resume("resume_signature"))).toBe(true);
  });

  it("makes the message of the evidence, with findings and without", async () => {
    const binding = derivations("binding_hash_h");
    expect(await evidenceChallenge(binding, new Uint8Array())).toEqual(binding);
    expect(attestationMessage(binding)).toEqual(attestation("attestation_message"));
    const challenge = await evidenceChallenge(binding, findings("runtime_findings_bytes"));
    expect(challenge).toEqual(findings("evidence_challenge_e"));
    const message = attestationMessage(challenge);
    expect(message).toEqual(findings("attestation_message"));
    const signature = findings("attestation_signature");
    expect(await verify(keys("attested_public_key_der"), message, signature)).toBe(true);
  });

  it("signs with a key of its own", async () => {
    const key = await SigningKey.generate();
    const message = utf8("a message");
    expect(key.publicDer.length).toBe(91);
    const signature = await key.sign(message);
    expect(signature[0]).toBe(0x30);
    expect(await verify(key.publicDer, message, signature)).toBe(true);
  });
});

describe("the encodings", () => {
  it("prefixes fields with their lengths", () => {
    expect(Buffer.from(lengthPrefixed("ab", utf8("c"))).toString("hex")).toBe("00000002616200000001" + "63");
  });

  it("converts signatures in both directions", () => {
    for (const [name, value] of [
      ["handshake", "challenge_signature"],
      ["chain", "attempt_end_signature"],
      ["attestation with findings", "attestation_signature"],
    ] as const) {
      const der = section(name)(value);
      const raw = fromDer(der);
      expect(raw).toHaveLength(64);
      expect(toDer(raw ?? new Uint8Array())).toEqual(der);
    }
    const small = new Uint8Array(64);
    small[31] = 1;
    small[63] = 0x80;
    expect(Buffer.from(toDer(small)).toString("hex")).toBe("3007020101" + "02020080");
    expect(fromDer(toDer(small))).toEqual(small);
  });

  it.each([
    ["", "nothing"],
    ["3006020101020180", "a negative number"],
    ["300702020001020101", "a number that is padded too far"],
    ["300602010102010100", "bytes after the end"],
    ["30060201010201", "an end that lacks"],
  ])("refuses the DER %s: %s", (hex) => {
    expect(fromDer(Uint8Array.from(Buffer.from(hex, "hex")))).toBeUndefined();
  });

  it("reads base64 of both alphabets", () => {
    expect(fromBase64("-_8=")).toEqual(Uint8Array.from([251, 255]));
    expect(fromBase64("+/8")).toEqual(Uint8Array.from([251, 255]));
    expect(() => fromBase64("a")).toThrow(TypeError);
  });
});
