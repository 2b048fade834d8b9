/** The calls of a backend on the service listener. */
import { createHash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import {
  create,
  equals,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { CheckResult } from "@facegate/protocol/generated/facegate/v1/result_pb.js";
import {
  CheckProgressSchema,
  type CheckListing,
  type CheckProgress,
  type FindChecksRequestSchema,
  type FinishCheckResponse,
  UploadTrustedImageRequestSchema,
  type UploadTrustedImageResponse,
  VerificationService,
} from "@facegate/protocol/generated/facegate/v1/verification_service_pb.js";
import { CallRefusedError, ConnectionFailedError, ServerNotTrustedError, translated } from "./errors.js";
import { expectFields, expectKnown, fieldsOf } from "./known.js";
import { takenProxy, type Proxy } from "./proxy.js";
import { given, ResultVerifier, type ExpectedResults } from "./results.js";

/** How to reach a server, and which of its results to believe. */
export interface FacegateOptions {
  /** Of the service listener: `https://facegate.example:8444`; `http://` on this machine only. */
  address: string;
  /** The API key, or an access token of your identity provider; absent with mutual TLS. */
  apiKey?: string;
  /** PEM of the authorities that may have issued the server's certificate; by default those of Node.js. */
  ca?: string | Uint8Array;
  /** PEM of the chain of your own certificate, for mutual TLS. */
  certificate?: string | Uint8Array;
  /** PEM of its private key. */
  key?: string | Uint8Array;
  /** Every result is verified. */
  results: ExpectedResults;
}

/** Options of a call. */
export interface CallOptions {
  /** The deadline of each try, milliseconds; by default the recommended one. */
  timeoutMs?: number;
  /** Gives the call up, which may have taken effect. */
  signal?: AbortSignal;
}

/** What the scan is compared with. */
export type TrustedImage =
  | { image: Uint8Array; imageReference?: never; trustedCheckId?: never }
  | { imageReference: string; image?: never; trustedCheckId?: never }
  | { trustedCheckId: string; image?: never; imageReference?: never };

/** A check to create: the fields of UploadTrustedImage. */
export type NewCheck = TrustedImage & Omit<Init<typeof UploadTrustedImageRequestSchema>, "trustedImage">;

/** The fields of a message, to be filled in. */
type Init<S extends DescMessage> = Exclude<MessageInitShape<S>, { $typeName: string }>;

/** An answer of FinishCheck, whose result and images were verified. */
export type FinishedCheck = FinishCheckResponse & { result: CheckResult };

const OPTIONS_OF_TLS = ["ca", "certificate", "key"] as const;
const OPTIONS = ["address", "apiKey", ...OPTIONS_OF_TLS, "results"];
const OPTIONS_OF_CALLS = ["timeoutMs", "signal"];
const IMAGES = ["image", "imageReference", "trustedCheckId"];
const NEW_CHECK = [...IMAGES, ...fieldsOf(UploadTrustedImageRequestSchema).filter((name) => name !== "trustedImage")];

const UPLOAD_MS = 10_000;
const CALL_MS = 5_000;
/** The waits before a call is repeated, each lengthened by up to a half. */
const WAITS_MS = [500, 1_000, 2_000];
/** A server that asks for more is better called by somebody else, or later. */
const LONGEST_WAIT_MS = 10_000;
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * A client of a server. Make one for your process: it keeps one connection.
 *
 * A call whose answer is lost, or that a busy server puts off, is repeated as it is up to three times: no call acts
 * twice.
 */
export class Facegate {
  readonly results: ResultVerifier;
  readonly #client: Client;
  readonly #proxy: Proxy | undefined;
  readonly #metadata = new Metadata();

  constructor(options: FacegateOptions) {
    expectKnown("Facegate", options, OPTIONS);
    given("address", options.address);
    // Left out, it is not needed; undefined or empty, it is missing in the environment.
    if ("apiKey" in options) given("apiKey", options.apiKey);
    const { protocol, hostname, host, port } = new URL(options.address);
    if (!(protocol === "https:" || (protocol === "http:" && LOOPBACK.test(hostname)))) {
      throw new TypeError(`${options.address}: expected https://, or http:// on this machine`);
    }
    const secured = protocol === "https:";
    const target = port ? host : `${host}:${secured ? 443 : 80}`;
    const unread = secured ? undefined : OPTIONS_OF_TLS.find((name) => options[name] !== undefined);
    if (unread) throw new TypeError(`${unread} is for https://, and address is ${options.address}`);
    this.results = new ResultVerifier(options.results);
    this.#client = new Client(
      target,
      secured
        ? credentials.createSsl(pem(options.ca), pem(options.key), pem(options.certificate))
        : credentials.createInsecure(),
      {
        "grpc.keepalive_time_ms": 20_000,
        "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
        // The waits are those below, which also see what the server asks for.
        "grpc.enable_retries": 0,
        // A proxy of the environment must not get what is for this machine, plaintext most of all.
        ...(LOOPBACK.test(hostname) ? { "grpc.enable_http_proxy": 0 } : {}),
      },
    );
    this.#proxy = takenProxy(this.#client, target);
    if (options.apiKey !== undefined) this.#metadata.set("authorization", `Bearer ${options.apiKey.trim()}`);
  }

  /**
   * Creates a check.
   *
   * @param check Store its `requestId` before the call if the check must survive a crash of yours: the same one returns
   *   the same check. By default it is a new UUID.
   */
  async uploadTrustedImage(check: NewCheck, options: CallOptions = {}): Promise<UploadTrustedImageResponse> {
    expectKnown("uploadTrustedImage", check, NEW_CHECK);
    const { image: _image, imageReference: _reference, trustedCheckId: _checkId, ...fields } = check;
    const request = { ...fields, trustedImage: trustedImageOf(check), requestId: check.requestId || randomUUID() };
    return this.call(VerificationService.method.uploadTrustedImage, request, { timeoutMs: UPLOAD_MS, ...options });
  }

  /** Returns the state of a check, without changing it. */
  async getCheck(checkId: string, options?: CallOptions): Promise<CheckProgress> {
    return known((await this.call(VerificationService.method.getCheck, { checkId }, options)).progress);
  }

  /** Yields the state of a check at once and after each change, until it is decided, closed or expired. */
  async *watchCheck(
    checkId: string,
    options: { untilReviewed?: boolean; signal?: AbortSignal } = {},
  ): AsyncGenerator<CheckProgress, void, void> {
    expectKnown("watchCheck", options, ["untilReviewed", "signal"]);
    const { untilReviewed = false, signal } = options;
    let latest: CheckProgress | undefined;
    for (let lost = 0; ; lost += 1) {
      try {
        const watched = this.#stream(VerificationService.method.watchCheck, { checkId, untilReviewed }, signal);
        for await (const { progress } of watched) {
          lost = 0;
          // After a reconnect, the state is sent again.
          const changed = progress && !(latest && equals(CheckProgressSchema, progress, latest));
          latest = progress;
          if (changed) yield progress;
        }
        return;
      } catch (error) {
        await pause(error, lost, signal);
      }
    }
  }

  /**
   * Closes a check and returns its result, which is verified: accept a person if `result.status` is
   * `CheckStatus.SUCCESS`, and on nothing else.
   *
   * @throws CallRefusedError With NOT_SCANNED_YET or SCAN_IN_PROGRESS: nothing was closed; call again later.
   * @throws SandboxResultError It is of a sandbox check, and those are not accepted.
   * @throws ServerNotTrustedError The signature, the check or the hash of an image is wrong.
   */
  async finishCheck(
    checkId: string,
    options: CallOptions & { auditImageLimit?: number; closeNow?: boolean } = {},
  ): Promise<FinishedCheck> {
    expectKnown("finishCheck", options, [...OPTIONS_OF_CALLS, "auditImageLimit", "closeNow"]);
    const { auditImageLimit = 0, closeNow = false, ...ofCall } = options;
    const request = { checkId, auditImageLimit, closeNow, issuerHeader: true };
    const response = await this.call(VerificationService.method.finishCheck, request, ofCall);
    const result = await this.results.verify(response.resultJws);
    if (result.checkId !== checkId) throw new ServerNotTrustedError("the signed result is of another check");
    const signed = [result.evidenceFrame, ...result.auditImages].map((one) => one && hex(one.sha256));
    for (const one of [response.evidenceFrame, ...response.auditImages]) {
      if (one && !signed.includes(hex(createHash("sha256").update(one.image).digest()))) {
        throw new ServerNotTrustedError("an image does not match its signed hash");
      }
    }
    return { ...response, result };
  }

  /** Gives a check up. One that is decided stays as it is. */
  async cancelCheck(checkId: string, options?: CallOptions): Promise<CheckProgress> {
    return known((await this.call(VerificationService.method.cancelCheck, { checkId }, options)).progress);
  }

  /** Yields your checks that meet all conditions, newest first, page by page. Their status is not signed. */
  async *findChecks(
    conditions: Init<typeof FindChecksRequestSchema>,
    options?: CallOptions,
  ): AsyncGenerator<CheckListing, void, void> {
    for (let pageToken = conditions.pageToken ?? ""; ; ) {
      const page = await this.call(VerificationService.method.findChecks, { ...conditions, pageToken }, options);
      yield* page.checks;
      if (!(pageToken = page.nextPageToken)) return;
    }
  }

  /** Makes any unary call of the service listener, such as `VerificationService.method.getCheck`. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    expectKnown(method.localName, options, OPTIONS_OF_CALLS);
    const { timeoutMs = CALL_MS, signal } = options;
    for (let lost = 0; ; lost += 1) {
      try {
        return await this.#once(method, request, timeoutMs, signal);
      } catch (error) {
        await pause(error, lost, signal);
      }
    }
  }

  /** Closes the connection. */
  close(): void {
    this.#client.close();
  }

  #once<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const cancel = () => call.cancel();
      const call = this.#client.makeUnaryRequest(
        ...wire(method),
        serialised(method.input, request),
        this.#metadata,
        { deadline: Date.now() + timeoutMs },
        (error: ServiceError | null, response?: MessageShape<O>) => {
          signal?.removeEventListener("abort", cancel);
          if (signal?.aborted) reject(signal.reason);
          else if (error) reject(translated(error, this.#proxy));
          else resolve(response as MessageShape<O>);
        },
      );
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  async *#stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    signal?: AbortSignal,
  ): AsyncGenerator<MessageShape<O>, void, void> {
    signal?.throwIfAborted();
    const call = this.#client.makeServerStreamRequest(...wire(method), serialised(method.input, request), this.#metadata);
    const cancel = () => call.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      yield* call as AsyncIterable<MessageShape<O>>;
    } catch (error) {
      signal?.throwIfAborted();
      throw translated(error as ServiceError, this.#proxy);
    } finally {
      // A caller that stops reading must not leave a watcher on the server.
      call.cancel();
      signal?.removeEventListener("abort", cancel);
    }
  }
}

function wire<I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O> | DescMethodServerStreaming<I, O>) {
  return [
    `/${method.parent.typeName}/${method.name}`,
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => fromBinary(method.output, bytes),
  ] as const;
}

/** Serialises here what gRPC would report as a failed connection, which is worth a repeat. */
function serialised<I extends DescMessage>(kind: I, message: MessageInitShape<I>): Buffer {
  expectFields(kind, message);
  try {
    return Buffer.from(toBinary(kind, create(kind, message)));
  } catch (error) {
    throw new TypeError(`not a ${kind.name}: ${(error as Error).message}`, { cause: error });
  }
}

function trustedImageOf({ image, imageReference, trustedCheckId }: TrustedImage) {
  if ([image, imageReference, trustedCheckId].filter((one) => one !== undefined).length !== 1) {
    throw new TypeError("give exactly one of image, imageReference and trustedCheckId");
  }
  if (image !== undefined) {
    if (!ArrayBuffer.isView(image)) {
      throw new TypeError("image must be the bytes of a file, as readFileSync returns them: not its path, and not Base64");
    }
    return { case: "image", value: image } as const;
  }
  if (imageReference !== undefined) return { case: "imageReference", value: imageReference } as const;
  return { case: "trustedCheckId", value: trustedCheckId as string } as const;
}

/** Waits before the next try; raises the error if there is none. */
async function pause(error: unknown, lost: number, signal?: AbortSignal): Promise<void> {
  const own = WAITS_MS[lost];
  const asked = askedToWait(error);
  if (own === undefined || asked > LONGEST_WAIT_MS) throw error;
  await sleep(Math.max(own, asked) * (1 + Math.random() / 2), undefined, signal && { signal });
}

/** The least wait before the same call again, milliseconds; Infinity for errors that repeating does not mend. */
function askedToWait(error: unknown): number {
  if (error instanceof ConnectionFailedError) return 0;
  if (!(error instanceof CallRefusedError)) return Infinity;
  if (error.reason === "DEADLINE_EXCEEDED") return 0;
  const passes = error.code === "UNAVAILABLE" || error.reason === "OVERLOADED";
  return passes ? (error.retryAfterMs ?? Infinity) : Infinity;
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new ServerNotTrustedError("the answer has no content: is this a Facegate server?");
  return value;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function pem(text: string | Uint8Array | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text as string);
}
