/**
 * Replaces the camera by one of another size, in front of which the person of the clip moves until the face fills the oval
 * on the screen. `face` is where the clip shows it: its middle and its width from ear to ear, as shares of the clip.
 */
window.followOvals = ({ face, size }) => {
  /** The share of the way to the oval that the person goes from one picture to the next. */
  const STEP = 0.3;
  const { mediaDevices } = navigator;
  const open = mediaDevices.getUserMedia.bind(mediaDevices);

  /** Middle and width of the oval on the mirrored screen, pixels of the camera; undefined if none is to be seen. */
  const shown = () => {
    const { shadowRoot } = document.querySelector("facegate-scan");
    const [ring, picture] = [".track", "video"].map((name) => shadowRoot.querySelector(name).getBoundingClientRect());
    if (ring.width === 0) return undefined;
    const scale = size[0] / picture.width;
    return {
      x: scale * (picture.right - (ring.left + ring.right) / 2),
      y: scale * ((ring.top + ring.bottom) / 2 - picture.top),
      width: scale * ring.width,
    };
  };

  mediaDevices.getUserMedia = async (constraints) => {
    window.asked = constraints.video;
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = await open(constraints);
    await video.play();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = size;
    const context = canvas.getContext("2d");
    const now = { x: size[0] / 2, y: size[1] / 2, width: size[1] / 2 };
    const draw = () => {
      video.requestVideoFrameCallback(draw);
      const wanted = shown() ?? now;
      for (const part of Object.keys(now)) now[part] += STEP * (wanted[part] - now[part]);
      const scale = now.width / (face.width * video.videoWidth);
      const [width, height] = [scale * video.videoWidth, scale * video.videoHeight];
      // The room around the clip continues its left edge.
      context.drawImage(video, 0, 0, 1, video.videoHeight, 0, 0, ...size);
      context.drawImage(video, now.x - face.x * width, now.y - face.y * height, width, height);
    };
    draw();
    return canvas.captureStream(30);
  };
};
