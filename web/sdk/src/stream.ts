import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Bytes, sameBytes, sha256 } from "@facegate/protocol/bytes.js";
import { type AttestationSchema } from "@facegate/protocol/generated/facegate/v1/device_pb.js";
import {
  AttemptEndBodySchema,
  AttemptEndSchema,
  AttemptReadySchema,
  type AttemptStart,
  type Challenge,
  type ChallengeBody,
  ChallengeBodySchema,
  FrameSchema,
  ResumeProofSchema,
  type ScanFaceResponse,
  ScanFaceRequestSchema,
  ScanStartSchema,
} from "@facegate/protocol/generated/facegate/v1/scan_pb.js";
import { KeyShare, type SigningKey, verify } from "@facegate/protocol/keys.js";
import { MacChain } from "@facegate/protocol/mac.js";
import { attemptEndMessage, bindingHash, challengeMessage, resumeMessage } from "@facegate/protocol/transcript.js";
import { ProtocolViolatedError, ServerNotTrustedError, StreamLostError } from "./errors.js";
import { ScanSocket } from "./transport/socket.js";

const PROTOCOL_VERSION = 1;
const HANDSHAKE_MS = 10_000;
const NONCE_BYTES = 32;

/** One message of the server, by kind. */
export type Received = ScanFaceResponse["message"];

/** The values that a page gets from its backend for one scan. The token is a secret: never log or store it. */
export interface Ticket {
  token: string;
  /** SHA-256 of the server's challenge key, 32 bytes. */
  challengeKeySha256: Uint8Array;
}

/** A stream with a verified challenge. One reader and one sender of frames at a time. */
export class ScanStream {
  private constructor(
    private readonly socket: ScanSocket,
    private readonly session: SigningKey,
    private readonly chain: MacChain,
    /** The server's parameters. */
    readonly challenge: ChallengeBody,
    /** The binding hash H, 32 bytes. */
    readonly binding: Bytes,
  ) {}

  /**
   * Opens a stream and verifies the server's challenge.
   *
   * @param profile - ScanStart with everything but token, keys and version.
   */
  static async open(
    server: string,
    ticket: Ticket,
    session: SigningKey,
    profile: MessageInitShape<typeof ScanStartSchema>,
  ): Promise<ScanStream> {
    const share = await KeyShare.generate();
    const start = toBinary(
      ScanStartSchema,
      create(ScanStartSchema, {
        ...profile,
        protocolVersion: PROTOCOL_VERSION,
        token: ticket.token,
        keyShare: share.publicBytes,
        sessionPublicKey: session.publicDer,
      }),
    );
    const socket = new ScanSocket(server);
    const limit = () => setTimeout(() => socket.drop(), HANDSHAKE_MS);
    let late = limit();
    try {
      await socket.send({ case: "start", value: start });
      // As long again for the Challenge, however long it took to connect.
      clearTimeout(late);
      late = limit();
      const first = await socket.receive();
      if (first === undefined) throw new StreamLostError("the server closed the stream without a Challenge");
      if (first.case !== "challenge") throw new ProtocolViolatedError("the first message is not a Challenge");
      const body = await verified(first.value, start, ticket.challengeKeySha256);
      const binding = await bindingHash({
        token: ticket.token,
        nonce: body.nonce,
        deviceShare: share.publicBytes,
        serverShare: body.keyShare,
        sessionPublicKey: session.publicDer,
        serverSpkiSha256: new Uint8Array(),
        start,
      });
      const key = await share.macKey(body.keyShare, body.nonce, binding).catch(() => {
        throw new ProtocolViolatedError("the server's key share cannot be used");
      });
      return new ScanStream(socket, session, await MacChain.start(key, binding), body, binding);
    } catch (error) {
      socket.drop();
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  /** The last MAC of the chain, 32 bytes. */
  get lastMac(): Bytes {
    return this.chain.value;
  }

  /** Whether an earlier message has not left the browser yet. */
  get busy(): boolean {
    return this.socket.buffered > 0;
  }

  /** Waits for the next message; undefined at the end of the stream with OK. */
  receive(): Promise<Received | undefined> {
    return this.socket.receive();
  }

  /** Enters the marker of an attempt into the chain. */
  async markAttempt(start: AttemptStart): Promise<void> {
    await this.chain.markAttempt(start.attempt, start.nonce);
  }

  /** Sends a frame with its MAC. */
  async sendFrame(header: Uint8Array, image: Uint8Array): Promise<void> {
    const mac = await this.chain.addFrame(header, image);
    await this.socket.send({ case: "frame", value: create(FrameSchema, { header, image, mac }) });
  }

  /** Sends the end of an attempt with the session key's signature. */
  async sendAttemptEnd(init: MessageInitShape<typeof AttemptEndBodySchema>): Promise<void> {
    const body = toBinary(AttemptEndBodySchema, create(AttemptEndBodySchema, init));
    const signature = await this.session.sign(attemptEndMessage(this.binding, body));
    await this.socket.send({ case: "attemptEnd", value: create(AttemptEndSchema, { body, signature }) });
  }

  /** Reports that the person is ready for the next attempt. */
  async sendReady(afterAttempt: number): Promise<void> {
    await this.socket.send({ case: "attemptReady", value: create(AttemptReadySchema, { afterAttempt }) });
  }

  /** Proves the session key on a reconnect. */
  async sendResumeProof(): Promise<void> {
    const signature = await this.session.sign(resumeMessage(this.binding));
    await this.socket.send({ case: "resumeProof", value: create(ResumeProofSchema, { signature }) });
  }

  /** Sends evidence of the platform. Returns false if the stream is over. */
  async sendAttestation(attestation: MessageInitShape<typeof AttestationSchema>): Promise<boolean> {
    const { message } = create(ScanFaceRequestSchema, { message: { case: "attestation", value: attestation } });
    return this.socket.send(message);
  }

  /** Half-closes, which ends the scan permanently. Never rejects. */
  close(): Promise<void> {
    return this.socket.halfClose();
  }

  /** Drops the connection. The scan may continue in another stream. */
  drop(): void {
    this.socket.drop();
  }
}

async function verified(challenge: Challenge, start: Uint8Array, pinned: Uint8Array): Promise<ChallengeBody> {
  if (!sameBytes(await sha256(challenge.signingPublicKey), pinned)) {
    throw new ServerNotTrustedError("the challenge is signed with a key other than the pinned one");
  }
  const message = await challengeMessage(start, challenge.body);
  if (!(await verify(challenge.signingPublicKey, message, challenge.signature))) {
    throw new ServerNotTrustedError("the signature of the challenge is wrong");
  }
  let body: ChallengeBody;
  try {
    body = fromBinary(ChallengeBodySchema, challenge.body);
  } catch {
    throw new ProtocolViolatedError("the body of the challenge cannot be read");
  }
  if (body.protocolVersion !== PROTOCOL_VERSION || body.nonce.length !== NONCE_BYTES) {
    throw new ProtocolViolatedError("the challenge is of another version of the protocol");
  }
  return body;
}
