/**
 * Replaces the camera by that of a phone, whose picture stays upright when the phone is turned: `turnCamera` exchanges
 * width and height.
 */
const { mediaDevices } = navigator;
const open = mediaDevices?.getUserMedia.bind(mediaDevices);
if (open !== undefined) {
  mediaDevices.getUserMedia = async (constraints) => {
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = await open(constraints);
    await video.play();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    window.turnCamera = () => {
      [canvas.width, canvas.height] = [canvas.height, canvas.width];
    };
    const context = canvas.getContext("2d");
    const draw = () => {
      video.requestVideoFrameCallback(draw);
      const { width, height } = canvas;
      const { videoWidth, videoHeight } = video;
      // The lens sees the same at the same size, and more at the sides: here the picture stretched.
      context.drawImage(video, 0, 0, width, height);
      context.drawImage(video, (width - videoWidth) / 2, (height - videoHeight) / 2);
    };
    draw();
    return canvas.captureStream(30);
  };
}
