import type { MessageInitShape } from "@bufbuild/protobuf";
import { fromBase64 } from "@facegate/protocol/bytes.js";
import {
  type AttemptStart,
  type ScanResult,
  type ScanStartSchema,
  ScanStatus as Status,
} from "@facegate/protocol/generated/facegate/v1/scan_pb.js";
import { type SigningKey } from "@facegate/protocol/keys.js";
import { Attempt, goodbyeError, hintCode, planName, type Tally } from "./attempt.js";
import { Camera } from "./capture/camera.js";
import { Encoder } from "./capture/encoder.js";
import { CancelledError, ProtocolViolatedError, ServerRefusedError, StreamLostError } from "./errors.js";
import type { AttemptResult, Ending, HintCode, ScanEvents, ScanStatus } from "./events.js";
import { type Attestor, browserKey, ScanEvidence } from "./evidence.js";
import { type FlashScreen, FlashShow } from "./flash/show.js";
import { toOval } from "./oval.js";
import { scanProfile, sessionKey } from "./profile.js";
import { ScanStream, type Ticket } from "./stream.js";
import { milliseconds, pause } from "./time.js";
import { backoffMs, MOST_FIRST_RETRIES, MOST_RECONNECTS } from "./transport/backoff.js";

const RESULT_MS = 60_000;
const FINGERPRINT_BYTES = 32;
/** What the server concludes from too few frames, and what it is if the page captured too few. */
const NETWORK_TOO_SLOW = "NETWORK_TOO_SLOW";
const CAPTURE_TOO_SLOW = "CAPTURE_TOO_SLOW";
const SERVER_BUSY = "SERVER_BUSY";

/** The fields of `UploadTrustedImageResponse` that the backend passes to its page for one scan. */
export interface ScanTicket {
  /** `scan_token`. A secret: never put it into an address, a log or a storage. */
  token: string;
  /** `challenge_key_sha256`: base64, as protobuf's JSON has it, or 32 bytes. */
  challengeKeySha256: string | Uint8Array;
}

/** A screen that shows colours and ovals. */
export interface ScanScreen extends FlashScreen {
  /** Whether it fills the whole screen, knows when a colour appeared, and the person agreed to a flash. */
  readonly flashes: boolean;
  /** Whether the ovals of the movement challenge are drawn. */
  readonly movesOval: boolean;
}

/** How a scan is made. */
export interface ScanOptions {
  /** The server's web listener, such as `wss://scan.example.com:8446`. */
  server: string;
  ticket: ScanTicket;
  /** Shows the camera; it must be in the document. */
  video: HTMLVideoElement;
  /** A certain camera; by default the one that faces the person. */
  deviceId?: string;
  /** Without a screen, the scan announces neither flash nor movement. */
  screen?: ScanScreen;
  /** The evidence of the platform; by default a key of WebCrypto. */
  attestors?: readonly Attestor[];
  /** Waits until the person is ready for another attempt; by default it does not wait. */
  getReady?: (result: AttemptResult) => Promise<void>;
  events?: ScanEvents;
  /** BCP 47 language of the person. */
  language?: string;
  /** Version of your page, for the server's statistics. */
  appVersion?: string;
}

/** What the page may know of a scan. Only the backend's `FinishCheck` is authoritative. */
export interface ScanOutcome extends Ending {
  /** Attempts with a result. */
  attempts: number;
  /** Streams with a challenge; more than one after a reconnect. */
  streams: number;
  /** Frames sent with an index. */
  frames: number;
  /** Frames dropped before they got an index. */
  dropped: number;
}

const STATUS: Partial<Record<Status, ScanStatus>> = {
  [Status.SUCCESS]: "success",
  [Status.FAILURE]: "failure",
  [Status.COMPLETED]: "completed",
  [Status.RETRY]: "retry",
};

/** One scan: from the camera's first frame to the server's last result, over lost connections. */
export class FaceScan {
  private readonly ticket: Ticket;
  private readonly events: ScanEvents;
  private readonly evidence: ScanEvidence;
  private readonly encoder = new Encoder();
  private readonly tally: Tally = { frames: 0, bytes: 0, dropped: 0, awaitingResult: false };
  private camera: Camera | undefined;
  private deviceId: string | undefined;
  private changing = false;
  private session: SigningKey | undefined;
  private stream: ScanStream | undefined;
  private attempt: Attempt | undefined;
  private ready: { done: Promise<void>; after: number } | undefined;
  private streams = 0;
  /** Whether the server ever answered, with a Challenge or a refusal. */
  private answered = false;
  private results = 0;
  private endsAt = Infinity;
  private cancelled = false;
  private whenCancelled: () => void = () => undefined;
  private readonly cancellation = new Promise<void>((resolve) => {
    this.whenCancelled = resolve;
  });

  /**
   * Prepares a scan; nothing is opened before `run`.
   *
   * Throws a `TypeError` if the server's address or the ticket is malformed.
   */
  constructor(private readonly options: ScanOptions) {
    const { token, challengeKeySha256: pinned } = options.ticket;
    if (!token || !pinned) throw new TypeError("the ticket needs token and challengeKeySha256");
    if (!/^wss?:\/\/[^/?#]+\/?$/.test(options.server)) {
      throw new TypeError("server is not an address, without a path, such as wss://scan.example.com:8446");
    }
    const fingerprint = typeof pinned === "string" ? fromBase64(pinned) : pinned;
    if (fingerprint.length !== FINGERPRINT_BYTES) throw new TypeError("challengeKeySha256 has not 32 bytes");
    this.ticket = { token, challengeKeySha256: fingerprint };
    this.deviceId = options.deviceId;
    this.events = options.events ?? {};
    this.evidence = new ScanEvidence(options.attestors ?? [browserKey]);
  }

  /**
   * Cancels the scan, for example because the person leaves: ends the running attempt and starts no other.
   * `run` ends soon after.
   */
  cancel(): void {
    this.cancelled = true;
    this.attempt?.cancel();
    this.whenCancelled();
  }

  /** The cameras that `changeCamera` can take, and which of them the scan uses. Empty before the camera is open. */
  async cameras(): Promise<{ deviceId: string; label: string; used: boolean }[]> {
    const { camera } = this;
    if (camera === undefined) return [];
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices
      .filter(({ kind }) => kind === "videoinput")
      .map(({ deviceId, label }) => ({ deviceId, label, used: deviceId === camera.deviceId }));
  }

  /**
   * Continues with another camera, in a new stream, because a stream states its camera. A running attempt is lost;
   * it counts as used if the server has received enough of its frames.
   */
  changeCamera(deviceId: string): void {
    this.deviceId = deviceId;
    if (this.camera === undefined) return;
    this.changing = true;
    this.stream?.drop();
  }

  /**
   * Scans until the server has decided or no attempt is left. Call it once.
   *
   * Rejects with a `FacegateError`: `CameraError`, `UnsupportedBrowserError`, `ServerRefusedError`,
   * `ConnectionFailedError`, `ServerNotTrustedError`, `ProtocolViolatedError`, `ScanEndedError`,
   * `CancelledError`.
   */
  async run(): Promise<ScanOutcome> {
    const hidden = (): void => {
      if (document.visibilityState === "hidden") this.attempt?.interrupt("hidden");
    };
    try {
      this.session = await sessionKey();
      await this.openCamera();
      document.addEventListener("visibilitychange", hidden);
      return await this.overStreams();
    } finally {
      document.removeEventListener("visibilitychange", hidden);
      this.stream?.drop();
      this.camera?.close();
      this.encoder.close();
    }
  }

  /** Opens the camera that was chosen last, in place of the one before: a phone can use one at a time. */
  private async openCamera(): Promise<void> {
    do {
      this.changing = false;
      this.camera?.close();
      const opening = Camera.open(this.options.video, this.deviceId);
      this.camera = await this.unlessCancelled(opening, (camera) => camera.close());
    } while (this.changing);
  }

  private async overStreams(): Promise<ScanOutcome> {
    let failures = 0;
    let sinceResult = 0;
    let lost: StreamLostError | undefined;
    for (;;) {
      const results = this.results;
      try {
        return await this.overStream(await scanProfile(this.opened, this.options));
      } catch (error) {
        this.stream?.drop();
        if (this.decidedMeanwhile(error)) {
          return this.outcome({ status: "completed", feedback: [], interruption: undefined });
        }
        // The lost connection used up the last attempt.
        if (lost !== undefined && isRefusal(error, "CHECK_CLOSED", "maxAttempts")) throw lost.final;
        if (!(error instanceof StreamLostError)) throw error;
        if (this.changing) {
          await this.openCamera();
          await this.untilReady();
          continue;
        }
        lost = error;
        failures += 1;
        sinceResult = this.results > results ? 1 : sinceResult + 1;
        const waitMs = backoffMs(sinceResult, error.retryAfterMs, Math.random());
        this.answered ||= this.streams > 0 || error.final instanceof ServerRefusedError;
        const most = this.answered ? MOST_RECONNECTS : MOST_FIRST_RETRIES;
        if (this.cancelled) throw new CancelledError();
        if (failures > most || performance.now() + waitMs > this.endsAt) throw error.final;
        this.events.connectionLost?.(failures, waitMs);
        await Promise.race([pause(waitMs), this.cancellation]);
        await this.untilReady();
      }
    }
  }

  /** Waits for the person, because a new stream starts an attempt at once. */
  private async untilReady(): Promise<void> {
    await Promise.race([this.ready?.done, this.cancellation]);
    this.ready = undefined;
    if (this.cancelled) throw new CancelledError();
  }

  /** Waits until something is opened. If the person cancels first, it is closed again, and the promise rejects. */
  private async unlessCancelled<T>(opening: Promise<T>, undo: (opened: T) => void): Promise<T> {
    const opened = await Promise.race([opening, this.cancellation]);
    if (opened !== undefined && !this.cancelled) return opened;
    opening.then(undo, () => undefined);
    throw new CancelledError();
  }

  private decidedMeanwhile(error: unknown): boolean {
    return this.tally.awaitingResult && isRefusal(error, "CHECK_CLOSED", "decidedByAttempt");
  }

  private async overStream(profile: MessageInitShape<typeof ScanStartSchema>): Promise<ScanOutcome> {
    const { server } = this.options;
    const resume = this.streams > 0;
    const opening = ScanStream.open(server, this.ticket, this.key, { ...profile, resume });
    const stream = await this.unlessCancelled(opening, (late) => void late.close());
    this.stream = stream;
    this.streams += 1;
    if (this.changing) throw new StreamLostError("the camera changes");
    const { challenge } = stream;
    const leftMs = milliseconds(challenge.scanDeadline) - milliseconds(challenge.serverTime);
    this.endsAt = challenge.scanDeadline === undefined ? Infinity : performance.now() + leftMs;
    this.events.connected?.(toOval(challenge.oval, this.opened));
    if (challenge.resumeProofRequired) await stream.sendResumeProof();
    const evidence = this.evidence.send(stream).catch(() => undefined);
    const { left, ...last } = await this.attempts(stream);
    await Promise.race([evidence, pause(0)]);
    await stream.close();
    if (left || (this.cancelled && last.status === "retry")) throw new CancelledError();
    return this.outcome(last);
  }

  /** Makes attempts until one is the last. Returns its result, and whether the person left during it. */
  private async attempts(stream: ScanStream): Promise<AttemptResult & { left: boolean }> {
    let lastStep = 0;
    for (;;) {
      const next = await this.nextAttempt(stream);
      let result: ScanResult;
      let attempt: Attempt | undefined;
      if (next.$typeName === "facegate.v1.ScanResult") {
        result = next;
      } else {
        const { screen } = this.options;
        const plan = planName(next.plan);
        if (plan === undefined || (plan === "flash" && !screen?.flashes) || (plan === "movement" && !screen?.movesOval))
          throw new ProtocolViolatedError("the server asks for an attempt that this page did not announce");
        const show = plan === "flash" && screen !== undefined ? new FlashShow(screen, lastStep) : undefined;
        attempt = this.attempt = new Attempt(next, {
          stream,
          camera: this.opened,
          encoder: this.encoder,
          tally: this.tally,
          events: this.events,
          plan,
          show,
        });
        this.tally.awaitingResult = false;
        if (this.cancelled) attempt.cancel();
        this.events.attemptStarted?.({ number: next.attempt, plan, oval: toOval(next.oval, this.opened) });
        if (document.visibilityState === "hidden") attempt.interrupt("hidden");
        result = await attempt.run();
        this.attempt = undefined;
        lastStep = show?.lastStep ?? lastStep;
      }
      this.results += 1;
      const told = toResult(result, attempt);
      this.events.attemptFinished?.(told);
      if (!result.anotherAttempt || this.cancelled) return { ...told, left: attempt?.cancelled ?? false };
      if (result.readyWithin !== undefined) {
        const done = this.options.getReady?.(told) ?? Promise.resolve();
        this.ready = { done, after: result.attempt };
      }
    }
  }

  /**
   * Waits for the next attempt, or for a result that did not arrive because the connection was lost. Reports the
   * person's readiness.
   */
  private async nextAttempt(stream: ScanStream): Promise<AttemptStart | ScanResult> {
    const next = this.receiveAttempt(stream);
    const { ready } = this;
    if (ready !== undefined) {
      const person = Promise.race([ready.done, this.cancellation]).then(() => undefined);
      const early = await Promise.race([next, person]);
      if (early !== undefined) return early;
      this.ready = undefined;
      if (this.cancelled) {
        next.catch(() => undefined);
        await stream.close();
        throw new CancelledError();
      }
      await stream.sendReady(ready.after);
    }
    const late = pause(RESULT_MS).then(() => {
      throw new StreamLostError("no attempt began in time");
    });
    late.catch(() => undefined);
    return Promise.race([next, late]);
  }

  private async receiveAttempt(stream: ScanStream): Promise<AttemptStart | ScanResult> {
    for (;;) {
      const message = await stream.receive();
      switch (message?.case) {
        case undefined:
          if (message !== undefined) break; // A message of a later version.
          throw new StreamLostError("the server closed the stream without a result");
        case "attemptStart":
          return message.value;
        case "scanResult":
          if (!this.tally.awaitingResult) throw new ProtocolViolatedError("a result came between attempts");
          this.tally.awaitingResult = false;
          return message.value;
        case "goodbye":
          throw goodbyeError(message.value);
        case "challenge":
          throw new ProtocolViolatedError("a second Challenge came");
        default:
          break; // It belongs to the last attempt.
      }
    }
  }

  private outcome({ status, feedback, interruption }: Ending): ScanOutcome {
    const { frames, dropped } = this.tally;
    return { status, feedback, interruption, attempts: this.results, streams: this.streams, frames, dropped };
  }

  private get key(): SigningKey {
    return present(this.session);
  }

  private get opened(): Camera {
    return present(this.camera);
  }
}

function toResult(result: ScanResult, attempt: Attempt | undefined): AttemptResult {
  const status = statusOf(result);
  return {
    attempt: result.attempt,
    status,
    feedback: feedbackOf(result.feedback.map(hintCode), status, attempt),
    anotherAttempt: result.anotherAttempt,
    interruption: attempt?.interruption,
    readyWithinMs: milliseconds(result.readyWithin),
  };
}

/**
 * The server's codes, and what the page itself knows: that a busy page sent too little, which looks like a slow network to the
 * server, and after a failure why, because the server may not say it.
 */
function feedbackOf(codes: HintCode[], status: ScanStatus, attempt: Attempt | undefined): HintCode[] {
  const known = attempt?.captureTooSlow ? CAPTURE_TOO_SLOW : attempt?.networkTooSlow ? NETWORK_TOO_SLOW : undefined;
  // The page cannot tell a busy server from a slow connection; the server can.
  if (known === undefined || (known === NETWORK_TOO_SLOW && codes.includes(SERVER_BUSY))) return codes;
  if (status === "failure")
    return [known, ...codes.filter((code) => code !== NETWORK_TOO_SLOW && code !== CAPTURE_TOO_SLOW)];
  return known === CAPTURE_TOO_SLOW ? codes.map((code) => (code === NETWORK_TOO_SLOW ? known : code)) : codes;
}

function statusOf({ status }: ScanResult): ScanStatus {
  const known = STATUS[status];
  if (known === undefined) throw new ProtocolViolatedError("a result has no status, or one of a later version");
  return known;
}

/** Whether the server refused a stream for a reason, and stated a detail. */
function isRefusal(error: unknown, reason: string, detail: string): boolean {
  return error instanceof ServerRefusedError && error.refusal.reason === reason && detail in error.refusal.metadata;
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError("the scan has not begun");
  return value;
}
