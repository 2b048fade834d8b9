import { FaceScan } from "/dist/index.js";

/** Makes one scan without the element, and returns its outcome, or the name of its error, and its events. */
window.scan = async (options) => {
  const seen = [];
  const names = ["attemptStarted", "hint", "paused", "captureFinished", "attemptFinished", "connectionLost"];
  const events = Object.fromEntries(names.map((name) => [name, (...values) => seen.push([name, ...values])]));
  try {
    const scan = new FaceScan({ ...options, video: document.querySelector("video"), events });
    window.running = scan;
    return { outcome: await scan.run(), seen };
  } catch (error) {
    return { error: error.name, reason: error.refusal?.reason ?? error.problem ?? error.message, seen };
  }
};
