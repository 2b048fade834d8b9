/** The errors of this package. A refusal has its reason: branch on that, never on the message. */
import { status, type ServiceError } from "@grpc/grpc-js";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import type { ErrorReason } from "@facegate/protocol/generated/facegate/v1/error_reason_pb.js";
import { ErrorInfoSchema, RetryInfoSchema, StatusSchema } from "@facegate/protocol/generated/google/rpc/error_details_pb.js";
import { throughProxy, type Proxy } from "./proxy.js";

/** The name of a reason, such as `FACE_NOT_FOUND`. A newer server may send one that is not listed. */
export type Reason = keyof typeof ErrorReason;

/** The base class of all errors of this package. */
export class FacegateError extends Error {
  override readonly name: string = "FacegateError";
}

/** The server refused a call. */
export class CallRefusedError extends FacegateError {
  override readonly name = "CallRefusedError";
  constructor(
    /** The reason; empty if something before the server refused. */
    readonly reason: Reason | (string & {}),
    /** The name of the gRPC status, such as `INVALID_ARGUMENT`. */
    readonly code: string,
    message: string,
    /** Every number of the message, by name. */
    readonly metadata: Readonly<Record<string, string>>,
    /** The wait that the server asks for before the next call, milliseconds; absent if it asks for none. */
    readonly retryAfterMs: number | undefined,
    options?: ErrorOptions,
  ) {
    super(`${reason || code}: ${message}`, options);
  }
}

/** The server cannot be reached, or the answer was lost: the call may have taken effect. */
export class ConnectionFailedError extends FacegateError {
  override readonly name = "ConnectionFailedError";
}

/** A signature or a hash is wrong, or is not of the expected issuer and tenant. Do not believe the content. */
export class ServerNotTrustedError extends FacegateError {
  override readonly name: string = "ServerNotTrustedError";
}

/** A result of a sandbox check, which proves nothing about a person. */
export class SandboxResultError extends ServerNotTrustedError {
  override readonly name = "SandboxResultError";
}

const LOST: readonly number[] = [status.UNAVAILABLE, status.INTERNAL, status.UNKNOWN, status.CANCELLED];

const TOO_LARGE =
  "the server does not read it: a trusted image has at most 2,000,000 bytes; send a smaller one, such as a JPEG of lower quality";

/** Returns this package's error for one of gRPC, on a connection through the proxy if there is one. */
export function translated(error: ServiceError, proxy?: Proxy): CallRefusedError | ConnectionFailedError {
  let { code, details: message } = error as { code: number; details: string };
  let reason = "";
  let metadata: Record<string, string> = {};
  let retryAfterMs: number | undefined;
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (bytes instanceof Uint8Array) {
    const sent = fromBinary(StatusSchema, bytes);
    // A proxy that resets the stream afterwards changes the code of the call, not this one.
    if (sent.code in status) ({ code, message } = sent);
    for (const detail of sent.details) {
      const info = anyUnpack(detail, ErrorInfoSchema);
      if (info?.domain === "facegate.org") ({ reason, metadata } = info);
      const retry = anyUnpack(detail, RetryInfoSchema);
      if (retry?.retryDelay) retryAfterMs = durationMs(retry.retryDelay);
    }
  }
  const name = status[code] ?? `status ${code}`;
  if (!reason && code === status.RESOURCE_EXHAUSTED && message.includes("larger than max")) message += ` (${TOO_LARGE})`;
  if (!reason && (LOST.includes(code) || code === status.DEADLINE_EXCEEDED)) {
    const untrusted = /certificate|altnames/i.test(message) ? " (ca must have the authority of the server's certificate)" : "";
    message = message.replace(/\s*Resolution note:\s*$/, "") + untrusted;
    return new ConnectionFailedError(`${name}: ${proxy ? throughProxy(message, proxy) : message}`, { cause: error });
  }
  return new CallRefusedError(reason, name, message, metadata, retryAfterMs, { cause: error });
}
