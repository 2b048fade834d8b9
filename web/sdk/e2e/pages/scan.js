import { FaceScan, passkey } from "/dist/index.js";

/**
 * Makes one scan without the element, and returns its outcome, or the name of its error, its events, and the frames a
 * second of its captures. With `passkey`, the name of a passkey, it is the evidence.
 */
window.scan = async ({ passkey: displayName, ...options }) => {
  const seen = [];
  const names = ["attemptStarted", "hint", "paused", "captureFinished", "attemptFinished", "connectionLost"];
  const events = Object.fromEntries(names.map((name) => [name, (...values) => seen.push([name, ...values])]));
  try {
    const rates = [];
    let begun;
    const { attemptStarted, captureFinished } = events;
    events.attemptStarted = (...values) => {
      begun = performance.now();
      attemptStarted(...values);
    };
    events.captureFinished = (attempt, frames, dropped) => {
      rates.push((1000 * frames) / (performance.now() - begun));
      captureFinished(attempt, frames, dropped);
    };
    const attestors = displayName === undefined ? undefined : [passkey({ displayName })];
    const scan = new FaceScan({ ...options, attestors, video: document.querySelector("video"), events });
    window.running = scan;
    return { outcome: await scan.run(), seen, rates };
  } catch (error) {
    return { error: error.name, reason: error.refusal?.reason ?? error.problem ?? error.message, seen };
  }
};
