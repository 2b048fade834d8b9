const FIRST_MS = 250;
const LONGEST_MS = 8000;
const LONGEST_ASKED_MS = 30_000;

/** Reconnects of a scan; servers allow no more. */
export const MOST_RECONNECTS = 10;
/** Retries before the server's first answer, so that a wrong address is reported soon. */
export const MOST_FIRST_RETRIES = 2;

/**
 * The wait before a reconnect, milliseconds.
 *
 * @param reconnect - Number of the reconnect since the last result, from 1.
 * @param askedMs - The wait that the server asks for.
 * @param chance - A random number, 0 to 1, so that devices do not return together.
 */
export function backoffMs(reconnect: number, askedMs: number, chance: number): number {
  const own = Math.min(LONGEST_MS, FIRST_MS * 2 ** (reconnect - 1)) * (0.5 + chance / 2);
  return Math.max(own, Math.min(askedMs, LONGEST_ASKED_MS));
}
