/** Where the oval lies in the camera's picture. */
import type { Oval } from "./events.js";
import type { Oval as OvalMessage } from "./protocol/generated/facegate/v1/scan_pb.js";

/** The oval at rest, until the server states one, in fractions of the field. */
export const REST: Oval = { centerX: 0.5, centerY: 0.46, width: 0.62, height: 0.66 };

const BROADEST_FIELD = 4 / 5;

/**
 * The oval of a message, in fractions of a frame instead of the field: of a frame that is wider than 4:5, the field is
 * the middle, so that the oval stands upright.
 */
export function toOval(
  oval: Pick<OvalMessage, keyof Oval> | undefined,
  frame: { readonly width: number; readonly height: number },
): Oval {
  const { centerX, centerY, width, height } = oval ?? REST;
  const field = Math.min(1, (BROADEST_FIELD * frame.height) / frame.width);
  return { centerX: (1 - field) / 2 + centerX * field, centerY, width: width * field, height };
}
