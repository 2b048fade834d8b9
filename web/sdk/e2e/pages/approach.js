/**
 * Replaces the camera by one of another size, in front of which a person moves until the face fills the oval on the screen.
 *
 * With `face` the person is the one of the clip: `face` is where the clip shows it, its middle and its width from ear to ear,
 * as shares of the clip. With `heads` it is the person of pictures from many distances, which the driver serves: of each
 * distance the `names` of the pictures, from open to shut eyes, and the same of its face, in pixels. The one is flat, and the
 * other has the perspective of a head.
 */
window.followOvals = ({ face, heads, size }) => {
  /** The share of the way to the oval that the person goes from one picture to the next. */
  const STEP = 0.3;
  /** How far a person sways who stands still, pixels, and how often a second. */
  const SWAYS = [
    [1.7, 0.31],
    [1.1, 0.83],
  ];
  /** The person blinks this often, and the lids are so far shut for a moment each. */
  const BLINK_SECONDS = 2.3;
  const LIDS = [1, 2, 2, 1];
  const LID_SECONDS = 0.06;
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
    const drawPerson = heads === undefined ? clip(video, face) : await pictures();
    const draw = () => {
      video.requestVideoFrameCallback(draw);
      const wanted = shown() ?? now;
      for (const part of Object.keys(now)) now[part] += STEP * (wanted[part] - now[part]);
      drawPerson(context, now);
    };
    draw();
    return canvas.captureStream(30);
  };

  /** Draws a picture so that a face in it is at a place, both as middle and width in pixels. */
  const drawAt = (context, picture, [wide, tall], its, place) => {
    const scale = place.width / its.width;
    context.drawImage(picture, place.x - its.x * scale, place.y - its.y * scale, wide * scale, tall * scale);
  };

  const clip = (video, { x, y, width }) => (context, place) => {
    const [wide, tall] = [video.videoWidth, video.videoHeight];
    // The room around the clip continues its left edge.
    context.drawImage(video, 0, 0, 1, tall, 0, 0, ...size);
    drawAt(context, video, [wide, tall], { x: x * wide, y: y * tall, width: width * wide }, place);
  };

  const pictures = async () => {
    const fetched = async (name) => createImageBitmap(await (await fetch(`/heads/${name}`)).blob());
    const bitmaps = await Promise.all(heads.map(({ names }) => Promise.all(names.map(fetched))));
    const room = await fetched("room.webp");
    const noise = grain();
    return (context, place) => {
      const seconds = performance.now() / 1000;
      const sway = (phase) => SWAYS.reduce((sum, [far, often]) => sum + far * Math.sin(2 * Math.PI * often * seconds + phase), 0);
      const errors = heads.map(({ width }) => Math.abs(Math.log(width / place.width)));
      const nearest = errors.indexOf(Math.min(...errors));
      const lids = LIDS[Math.floor((seconds % BLINK_SECONDS) / LID_SECONDS)] ?? 0;
      context.drawImage(room, 0, 0);
      const swayed = { ...place, x: place.x + sway(0), y: place.y + sway(2) };
      drawAt(context, bitmaps[nearest][lids], size, heads[nearest], swayed);
      // The noise of a sensor: no two pictures are the same.
      const [left, top] = [-Math.random() * size[0], -Math.random() * size[1]];
      for (const [across, down] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
        context.drawImage(noise, Math.round(left) + across * size[0], Math.round(top) + down * size[1]);
      }
    };
  };

  const grain = () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = size;
    const context = canvas.getContext("2d");
    const picture = context.createImageData(...size);
    for (let at = 0; at < picture.data.length; at += 4) {
      picture.data.fill(Math.random() < 0.5 ? 0 : 255, at, at + 3);
      picture.data[at + 3] = 5 * Math.random();
    }
    context.putImageData(picture, 0, 0);
    return canvas;
  };
};
