/** Adds a second camera, which shows the same person from a little closer. */
const SECOND = "second";
const { mediaDevices } = navigator;
const open = mediaDevices?.getUserMedia.bind(mediaDevices);
const list = mediaDevices?.enumerateDevices.bind(mediaDevices);
if (open !== undefined) {
  mediaDevices.enumerateDevices = async () => [
    ...(await list()),
    { kind: "videoinput", deviceId: SECOND, groupId: "", label: "Second camera" },
  ];
  mediaDevices.getUserMedia = async (constraints) => {
    const { deviceId, ...others } = constraints.video;
    if (deviceId?.exact !== SECOND) return open(constraints);
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = await open({ ...constraints, video: others });
    await video.play();
    const { videoWidth: width, videoHeight: height } = video;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    const draw = () => {
      video.requestVideoFrameCallback(draw);
      context.drawImage(video, 0.02 * width, 0.02 * height, 0.96 * width, 0.96 * height, 0, 0, width, height);
    };
    draw();
    const stream = canvas.captureStream(30);
    const [track] = stream.getVideoTracks();
    const settings = track.getSettings.bind(track);
    Object.defineProperty(track, "label", { value: "Second camera" });
    track.getSettings = () => ({ ...settings(), deviceId: SECOND });
    return stream;
  };
}
