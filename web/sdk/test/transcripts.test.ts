/** The recorded scans for authors of SDKs (protos/conformance/transcripts.json), replayed as their device. */
import { readFileSync } from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  AttemptEndBodySchema,
  ScanFaceRequestSchema,
  ScanFaceResponseSchema,
  ScanStartSchema,
} from "@facegate/protocol/generated/facegate/v1/scan_pb.js";
import { KeyShare, SigningKey, verify } from "@facegate/protocol/keys.js";
import { attemptEndMessage } from "@facegate/protocol/transcript.js";
import { ProtocolViolatedError, ServerNotTrustedError } from "../src/errors.js";
import { ScanStream } from "../src/stream.js";
import { VERSION } from "../src/version.js";

interface Recorded {
  device_x25519_private: string;
  binding_hash: string;
  messages: { from: "device" | "server"; kind: string; bytes: string }[];
}
interface Transcript {
  name: string;
  keys: { token: string; challenge_key_sha256: string; session_p256_private: string; server_spki_sha256: string };
  streams: Recorded[];
}
type RefusedTranscript = Transcript & { refused_by: string; stream: number; reason: string };

const file = new URL("../../../protos/conformance/transcripts.json", import.meta.url);
const recorded: { accepted: Transcript[]; refused: RefusedTranscript[] } = JSON.parse(readFileSync(file, "utf8"));
/** A page sees no certificate. */
const ofPages = recorded.accepted.filter(({ keys }) => keys.server_spki_sha256 === "");
const refusedByDevices = recorded.refused.filter(({ refused_by }) => refused_by === "device");
const ERRORS: Record<string, typeof ServerNotTrustedError | typeof ProtocolViolatedError> = {
  PINNED_KEY: ServerNotTrustedError,
  CHALLENGE_SIGNATURE: ServerNotTrustedError,
  CHALLENGE_BODY: ProtocolViolatedError,
  KEY_SHARE: ProtocolViolatedError,
};
/** PKCS #8 head of a raw X25519 key. */
const X25519_HEAD = "302e020100300506032b656e04220420";

const fromHex = (hex: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(hex, "hex"));

/** The server's side of the socket: keeps what the device sends. */
class RecordedSocket {
  static readonly OPEN = 1;
  static sent: Uint8Array[] = [];
  static latest: RecordedSocket;
  readonly readyState = RecordedSocket.OPEN;
  readonly bufferedAmount = 0;
  onopen: () => void = () => undefined;
  onmessage: (event: { data: ArrayBuffer }) => void = () => undefined;

  constructor() {
    RecordedSocket.latest = this;
    RecordedSocket.sent = [];
    queueMicrotask(() => this.onopen());
  }

  send(data: Uint8Array): void {
    RecordedSocket.sent.push(data);
  }

  deliver(bytes: Uint8Array<ArrayBuffer>): void {
    this.onmessage({ data: bytes.buffer });
  }

  close(): void {}
}

async function sessionOf({ keys }: Transcript, publicDer: Uint8Array): Promise<SigningKey> {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
  const point = { kty: "EC", crv: "P-256", x: text(publicDer.slice(-64, -32)), y: text(publicDer.slice(-32)) };
  const jwk = { ...point, d: text(fromHex(keys.session_p256_private)) };
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const privateKey = await crypto.subtle.importKey("jwk", jwk, curve, false, ["sign"]);
  const publicKey = await crypto.subtle.importKey("jwk", point, curve, true, ["verify"]);
  return SigningKey.from({ privateKey, publicKey });
}

/** Opens a recorded stream with its keys; the server answers with the recorded Challenge. */
async function open(transcript: Transcript, { device_x25519_private, messages }: Recorded) {
  const [first, second] = messages.map(({ bytes }) => fromHex(bytes));
  if (first === undefined || second === undefined) throw new Error("a recorded stream begins with two messages");
  const { message } = fromBinary(ScanFaceRequestSchema, first);
  if (message.case !== "start") throw new Error("a recorded stream begins with ScanStart");
  const start = fromBinary(ScanStartSchema, message.value);
  const privateKey = fromHex(X25519_HEAD + device_x25519_private);
  const pair = {
    privateKey: await crypto.subtle.importKey("pkcs8", privateKey, "X25519", false, ["deriveKey"]),
    publicKey: await crypto.subtle.importKey("raw", Uint8Array.from(start.keyShare), "X25519", true, []),
  };
  vi.spyOn(KeyShare, "generate").mockResolvedValue(await KeyShare.from(pair));
  const { token, challenge_key_sha256 } = transcript.keys;
  const ticket = { token, challengeKeySha256: fromHex(challenge_key_sha256) };
  const opening = ScanStream.open("wss://scan.example", ticket, await sessionOf(transcript, start.sessionPublicKey), start);
  opening.catch(() => undefined);
  await vi.waitFor(() => expect(RecordedSocket.sent).toHaveLength(1), { timeout: 30_000 });
  expect(RecordedSocket.sent.pop()).toEqual(first);
  // From 1.0.0 on, the package's major version is the protocol's.
  expect([0, start.protocolVersion]).toContain(Number.parseInt(VERSION, 10));
  RecordedSocket.latest.deliver(second);
  return { stream: await opening, publicDer: start.sessionPublicKey };
}

/** Makes the device's messages of a stream anew, and compares them; returns their kinds. */
async function replay(transcript: Transcript, one: Recorded): Promise<string[]> {
  const { stream, publicDer } = await open(transcript, one);
  expect(stream.binding).toEqual(fromHex(one.binding_hash));
  const kinds: string[] = [];
  for (const { from, bytes } of one.messages.slice(2)) {
    const raw = fromHex(bytes);
    if (from === "server") {
      const { message } = fromBinary(ScanFaceResponseSchema, raw);
      if (message.case === "attemptStart") await stream.markAttempt(message.value);
      continue;
    }
    const { message } = fromBinary(ScanFaceRequestSchema, raw);
    kinds.push(message.case ?? "");
    switch (message.case) {
      case "frame":
        await stream.sendFrame(message.value.header, message.value.image);
        expect(RecordedSocket.sent.pop()).toEqual(raw);
        break;
      case "attemptReady":
        await stream.sendReady(message.value.afterAttempt);
        expect(RecordedSocket.sent.pop()).toEqual(raw);
        break;
      case "attestation":
        await stream.sendAttestation(message.value);
        expect(RecordedSocket.sent.pop()).toEqual(raw);
        break;
      case "attemptEnd": {
        const body = fromBinary(AttemptEndBodySchema, message.value.body);
        expect(body.lastMac).toEqual(stream.lastMac);
        await stream.sendAttemptEnd(body);
        const sent = fromBinary(ScanFaceRequestSchema, RecordedSocket.sent.pop() ?? new Uint8Array()).message;
        if (sent.case !== "attemptEnd") throw new Error(`the device sent ${sent.case}`);
        expect(sent.value.body).toEqual(message.value.body);
        // A signature has a random part, so that both are verified.
        const signed = attemptEndMessage(stream.binding, sent.value.body);
        expect(await verify(publicDer, signed, sent.value.signature)).toBe(true);
        expect(await verify(publicDer, signed, message.value.signature)).toBe(true);
        break;
      }
      default:
        throw new Error(`the recorded device sends ${message.case}`);
    }
  }
  expect(RecordedSocket.sent).toEqual([]);
  return kinds;
}

describe("a recorded scan", () => {
  beforeEach(() => vi.stubGlobal("WebSocket", RecordedSocket));
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it.each(ofPages.map((transcript) => [transcript.name, transcript] as const))(
    "%s is what this package sends",
    async (_, transcript) => {
      const kinds: string[] = [];
      for (const one of transcript.streams) kinds.push(...(await replay(transcript, one)));
      expect(kinds).toEqual(expect.arrayContaining(["frame", "attemptEnd"]));
    },
  );

  it.each(refusedByDevices.map((transcript) => [transcript.name, transcript] as const))(
    "%s is refused",
    async (_, transcript) => {
      const one = transcript.streams[transcript.stream];
      const expected = ERRORS[transcript.reason];
      if (one === undefined || expected === undefined) throw new Error(`unknown reason ${transcript.reason}`);
      await expect(open(transcript, one)).rejects.toBeInstanceOf(expected);
    },
  );

  it("of each kind is there", () => {
    expect(ofPages.map(({ name }) => name)).toContain("page-with-retry");
    expect(new Set(refusedByDevices.map(({ reason }) => reason))).toEqual(new Set(Object.keys(ERRORS)));
  });
});
