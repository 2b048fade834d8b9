/** Replaces the camera by one whose picture the page's own colours light up, strongest in the middle. */
window.lightByScreen = () => {
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
      const light = context.createRadialGradient(width / 2, height / 2, 0, width / 2, height / 2, height / 1.5);
      light.addColorStop(0, lit(0.6));
      light.addColorStop(1, lit(0.25));
      context.globalCompositeOperation = "multiply";
      context.fillStyle = light;
      context.fillRect(0, 0, width, height);
    };
    draw();
    return canvas.captureStream(30);
  };
};
