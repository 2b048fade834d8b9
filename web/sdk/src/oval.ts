/** Where the oval lies in the camera's picture. */
import type { Oval as OvalMessage } from "@facegate/protocol/generated/facegate/v1/scan_pb.js";
import type { AttemptPlan, Oval } from "./events.js";

/** The oval at rest, until the server states one, in fractions of the field. */
export const REST: Oval = { centerX: 0.5, centerY: 0.46, width: 0.62, height: 0.66 };

const BROADEST_FIELD = 4 / 5;

/** Width of the field in which a face that fills the smallest oval of a movement is large enough, pixels. */
const MOVEMENT_FIELD = 480;
/** Shorter side of a frame from which more pixels do not help, pixels; a movement follows finer points. */
const USEFUL_SIDE = 480;

/** A size in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Width of the field in which ovals are stated, pixels: the middle of a frame that is wider than 4:5. */
function fieldWidth({ width, height }: Size): number {
  return Math.min(width, BROADEST_FIELD * height);
}

/** Whether a camera's frames are large enough to follow the movement of a face. */
export function showsMovement(camera: Size): boolean {
  return fieldWidth(camera) >= MOVEMENT_FIELD;
}

/** The shorter side above which a frame is scaled down before it is sent, pixels. */
export function usefulSide(camera: Size, plan: AttemptPlan): number {
  const shorter = Math.min(camera.width, camera.height);
  return plan === "movement" ? Math.ceil((MOVEMENT_FIELD * shorter) / fieldWidth(camera)) : USEFUL_SIDE;
}

/**
 * The oval of a message, in fractions of a frame instead of the field: of a frame that is wider than 4:5, the field is
 * the middle, so that the oval stands upright.
 */
export function toOval(
  oval: Pick<OvalMessage, keyof Oval> | undefined,
  frame: Size,
): Oval {
  const { centerX, centerY, width, height } = oval ?? REST;
  const field = fieldWidth(frame) / frame.width;
  return { centerX: (1 - field) / 2 + centerX * field, centerY, width: width * field, height };
}
