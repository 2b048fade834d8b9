/** An upright ellipse of the shape of a head, in fractions of the frame as sent, which is not mirrored. */
export interface Oval {
  centerX: number;
  centerY: number;
  width: number;
  height: number;
}

/**
 * The code of a hint, such as `MOVE_CLOSER`; see docs/device_protocol.md for the codes and their texts. After a failure, the
 * page adds `CAPTURE_TOO_SLOW` or `NETWORK_TOO_SLOW` if it measured one of them itself.
 */
export type HintCode = string;

/** The task of an attempt. */
export type AttemptPlan = "express" | "flash" | "movement";

/** What the app may know of a scan: for the interface only. Never unlock anything because of it. */
export type ScanStatus = "success" | "failure" | "completed" | "retry";

/** Why an attempt cannot go on: the page was hidden, the camera was turned, or the camera gives no picture. */
export type Interruption = "hidden" | "turned" | "camera";

/** The result of one attempt. */
export interface AttemptResult {
  attempt: number;
  status: ScanStatus;
  /** The changes that the person should make, most important first. */
  feedback: HintCode[];
  /** Whether another attempt may follow. */
  anotherAttempt: boolean;
  /** Why the page ended the attempt early, if it did. Then `feedback` may say nothing of use. */
  interruption: Interruption | undefined;
  /** How long the server waits for the person, milliseconds; 0 if it does not wait. */
  readyWithinMs: number;
}

/** How the last attempt of a scan ended. */
export type Ending = Pick<AttemptResult, "status" | "feedback" | "interruption">;

/** Calls of a scan, all optional. */
export interface ScanEvents {
  /** The server was verified; `oval` is the one to draw. */
  connected?(oval: Oval): void;
  attemptStarted?(attempt: { number: number; plan: AttemptPlan; oval: Oval }): void;
  /**
   * Show the text of the code at once. `progress` is the part of the capture that is done, 0 to 1. With this call, the scan
   * announces that the person can be asked to open the mouth (`OPEN_MOUTH`) and to turn the head (`TURN_LEFT`, `TURN_RIGHT`),
   * which some policies demand.
   */
  hint?(code: HintCode, progress: number): void;
  /** Frames are held back for this reason, or no longer (`undefined`). */
  paused?(reason: HintCode | undefined): void;
  /** Move the oval there within `ms`. */
  ovalChanged?(oval: Oval, ms: number): void;
  /** The frames of an attempt are sent; the server decides. */
  captureFinished?(attempt: number, frames: number, dropped: number): void;
  attemptFinished?(result: AttemptResult): void;
  /** The connection was lost, or before `connected` could not be made; the scan tries again after a wait. */
  connectionLost?(reconnect: number, waitMs: number): void;
}
