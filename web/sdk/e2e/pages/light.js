/** Replaces the camera by one whose picture the page's own colours light up, as they light up a head. */
window.lightByScreen = () => {
  // The share of the screen's light by the distance from the nose: the sides turn away, and the room is far.
  const HEAD = [
    [0, 0.9],
    [0.25, 0.6],
    [0.6, 0.35],
    [1, 0.06],
  ];
  // The middle of the face and half its size, as shares of the frame: where the clip shows it.
  const FACE = { x: 0.51, y: 0.46, width: 0.3, height: 0.25 };
  const { mediaDevices } = navigator;
  const open = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = async (constraints) => {
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = await open(constraints);
    await video.play();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const context = canvas.getContext("2d");
    const draw = () => {
      video.requestVideoFrameCallback(draw);
      context.globalCompositeOperation = "source-over";
      context.drawImage(video, 0, 0);
      const layers = document.querySelector("facegate-scan")?.shadowRoot.querySelectorAll(".colour") ?? [];
      const shown = [...layers].filter((layer) => !layer.hidden).sort((a, b) => b.style.zIndex - a.style.zIndex)[0];
      const [red, green, blue] = (shown?.style.backgroundColor.match(/\d+/g) ?? [255, 255, 255]).map(Number);
      const lit = (share) => `rgb(${[red, green, blue].map((part) => 255 - share * (255 - part)).join(" ")})`;
      const { width, height } = canvas;
      const light = context.createRadialGradient(0, 0, 0, 0, 0, 1);
      for (const [distance, share] of HEAD) light.addColorStop(distance, lit(share));
      context.globalCompositeOperation = "multiply";
      context.fillStyle = light;
      context.setTransform(FACE.width * width, 0, 0, FACE.height * height, FACE.x * width, FACE.y * height);
      context.fillRect(-10, -10, 20, 20);
      context.resetTransform();
    };
    draw();
    return canvas.captureStream(30);
  };
};
