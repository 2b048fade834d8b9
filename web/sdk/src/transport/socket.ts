import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { owned } from "@facegate/protocol/bytes.js";
import {
  type ScanFaceRequest,
  ScanFaceRequestSchema,
  type ScanFaceResponse,
  ScanFaceResponseSchema,
} from "@facegate/protocol/generated/facegate/v1/scan_pb.js";
import { type FacegateError, type Refusal, ProtocolViolatedError, StreamLostError } from "../errors.js";
import { closeError, toRefusal } from "./status.js";

const METHOD = "/facegate.v1.VerificationService/ScanFace";
const SUBPROTOCOL = "facegate.v1";
const CLOSE_MS = 5000;

type Received = ScanFaceResponse["message"];
/** One message to the server, by kind. */
export type Sent = ScanFaceRequest["message"];

/** One stream of a scan: a WebSocket with the messages of ScanFace. */
export class ScanSocket {
  private readonly socket: WebSocket;
  private readonly received: Received[] = [];
  private waiting: { resolve(message: Received | undefined): void; reject(error: FacegateError): void } | undefined;
  private refusal: Refusal | undefined;
  private over: { error?: FacegateError } | undefined;
  private readonly opened: Promise<void>;

  /**
   * Opens a stream; messages may be sent at once.
   *
   * @param server - The web listener, such as `wss://scan.example.com:8446`.
   */
  constructor(server: string) {
    const address = new URL(METHOD, server);
    this.socket = new WebSocket(address, SUBPROTOCOL);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => this.take(data);
    this.opened = new Promise((resolve) => {
      this.socket.onopen = () => resolve();
      this.socket.onclose = ({ code }) => {
        this.finish(code === 1000 ? {} : { error: closeError(code, this.refusal) });
        resolve();
      };
    });
  }

  /** Bytes that have not left the browser. */
  get buffered(): number {
    return this.socket.bufferedAmount;
  }

  /** Sends one message. Returns false, and does nothing, once the stream is over: the reader gets the reason. */
  async send(message: Sent): Promise<boolean> {
    await this.opened;
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(owned(toBinary(ScanFaceRequestSchema, create(ScanFaceRequestSchema, { message }))));
    return true;
  }

  /**
   * Waits for the next message; one reader at a time.
   *
   * Resolves with undefined if the server ended the stream with OK, rejects if it ended otherwise.
   */
  receive(): Promise<Received | undefined> {
    const message = this.received.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.over !== undefined) {
      return this.over.error === undefined ? Promise.resolve(undefined) : Promise.reject(this.over.error);
    }
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
    });
  }

  /** Half-closes, and waits for the server's end. Never rejects. */
  async halfClose(): Promise<void> {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send("");
    const late = setTimeout(() => this.drop(), CLOSE_MS);
    try {
      while ((await this.receive()) !== undefined);
    } catch {
      // The scan is decided; how the connection ends does not matter.
    }
    clearTimeout(late);
    this.drop();
  }

  /** Drops the connection at once, as if it were lost. */
  drop(): void {
    this.finish({ error: new StreamLostError("the connection was dropped") });
    this.socket.close();
  }

  private take(data: unknown): void {
    if (typeof data === "string") {
      this.refusal = toRefusal(data);
      return;
    }
    let message: Received;
    try {
      message = fromBinary(ScanFaceResponseSchema, new Uint8Array(data as ArrayBuffer)).message;
    } catch {
      this.finish({ error: new ProtocolViolatedError("a message of the server cannot be read") });
      this.socket.close();
      return;
    }
    if (this.over !== undefined) return;
    if (this.waiting === undefined) {
      this.received.push(message);
    } else {
      this.waiting.resolve(message);
      this.waiting = undefined;
    }
  }

  private finish(over: { error?: FacegateError }): void {
    if (this.over !== undefined) return;
    this.over = over;
    if (over.error === undefined) this.waiting?.resolve(undefined);
    else this.waiting?.reject(over.error);
    this.waiting = undefined;
  }
}
