// Made by `python -m docs.make_texts`; do not edit it by hand.

/** The reasons of refusals after which a device reconnects by itself. */
export const RECONNECT: ReadonlySet<string> = new Set([
  "NOT_SERVING",
  "OVERLOADED",
  "STREAM_IDLE",
]);
