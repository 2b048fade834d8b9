/** The base class of all errors of this package. Its `name` is stable; show people your own words. */
export class FacegateError extends Error {
  override readonly name: string = "FacegateError";
}

/** An error of the server, as it states it. */
export interface Refusal {
  /** Number of the gRPC status. */
  code: number;
  /** The reason, such as `TOKEN_EXPIRED`; empty if there is none. */
  reason: string;
  /** The server's sentence for developers. */
  message: string;
  metadata: Record<string, string>;
  /** The wait that the server asks for, milliseconds; 0 if it asks for none. */
  retryAfterMs: number;
}

/** The server refused the scan. */
export class ServerRefusedError extends FacegateError {
  override readonly name = "ServerRefusedError";
  constructor(readonly refusal: Refusal) {
    super(`${refusal.reason}: ${refusal.message}`);
  }
}

/** The server cannot be reached, or the connection was lost more often than the SDK reconnects. */
export class ConnectionFailedError extends FacegateError {
  override readonly name: string = "ConnectionFailedError";
}

/** One stream of a scan was lost; the scan reconnects. */
export class StreamLostError extends ConnectionFailedError {
  override readonly name = "StreamLostError";
  /** The error to raise if no reconnect is left. */
  readonly final: FacegateError;
  constructor(
    cause: string,
    /** The wait that the server asked for, milliseconds. */
    readonly retryAfterMs = 0,
    final?: FacegateError,
  ) {
    super(cause);
    this.final = final ?? new ConnectionFailedError(cause);
  }
}

/** The challenge is not signed with the pinned key. Do not try again. */
export class ServerNotTrustedError extends FacegateError {
  override readonly name = "ServerNotTrustedError";
}

/** The server sent a message that the protocol does not allow. */
export class ProtocolViolatedError extends FacegateError {
  override readonly name = "ProtocolViolatedError";
}

/** The server ended the scan without a result, such as with `DEADLINE`. */
export class ScanEndedError extends FacegateError {
  override readonly name = "ScanEndedError";
  constructor(readonly reason: string) {
    super(`the server ended the scan: ${reason}`);
  }
}

/** Why there is no camera, or no picture: it stays black, or stops after the first one. */
export type CameraProblem = "denied" | "missing" | "busy" | "noPicture" | "failed";

/** The camera cannot be used. */
export class CameraError extends FacegateError {
  override readonly name = "CameraError";
  constructor(
    readonly problem: CameraProblem,
    message: string,
  ) {
    super(message);
  }
}

/** The browser lacks what a scan needs. */
export class UnsupportedBrowserError extends FacegateError {
  override readonly name = "UnsupportedBrowserError";
}

/** The person left before the scan had a result. */
export class CancelledError extends FacegateError {
  override readonly name = "CancelledError";
  constructor() {
    super("the person cancelled the scan");
  }
}
