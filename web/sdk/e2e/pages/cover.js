/** Gives the page a camera that `window.coverCamera` covers: "covered" shows black, "stopped" no new picture, "refused" none. */
const { mediaDevices } = navigator;
const open = mediaDevices?.getUserMedia.bind(mediaDevices);
let state = "open";
window.coverCamera = (next) => {
  state = next;
};
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
    const draw = () => {
      video.requestVideoFrameCallback(draw);
      if (state === "stopped" && drawn) return;
      drawn = true;
      if (state === "covered") context.fillRect(0, 0, canvas.width, canvas.height);
      else context.drawImage(video, 0, 0);
    };
    draw();
    return canvas.captureStream(30);
  };
}
