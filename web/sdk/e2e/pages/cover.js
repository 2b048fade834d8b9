/**
 * Gives the page a camera that `window.coverCamera` covers: "covered" shows black, "stopped" no new picture, "refused" none;
 * "scanning" shows black from a moment after the scan began until it asks the person to go on.
 */
const { mediaDevices } = navigator;
const open = mediaDevices?.getUserMedia.bind(mediaDevices);
/** Pictures of the scan before the cover. */
const SCANNED = 3;
let state = "open";
window.coverCamera = (next) => {
  state = next;
};
const shown = (selector) => document.querySelector("facegate-scan").shadowRoot.querySelector(selector);
if (open !== undefined) {
  mediaDevices.getUserMedia = async (constraints) => {
    if (state === "refused") throw new DOMException("Could not start video source", "NotReadableError");
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = await open(constraints);
    await video.play();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const context = canvas.getContext("2d");
    let drawn = false;
    const before = state === "scanning" ? shown(".hint").textContent : undefined;
    let scanned = 0;
    const draw = () => {
      video.requestVideoFrameCallback(draw);
      if (state === "scanning" && shown(".hint").textContent !== before) {
        scanned += 1;
        if (scanned === SCANNED) state = "untilAsked";
      } else if (state === "untilAsked" && !shown(".panel").hidden) state = "open";
      if (state === "stopped" && drawn) return;
      drawn = true;
      if (["covered", "untilAsked"].includes(state)) context.fillRect(0, 0, canvas.width, canvas.height);
      else context.drawImage(video, 0, 0);
    };
    draw();
    return canvas.captureStream(30);
  };
}
