"""Videos and still frames for tests of analyses, made from simulated scans."""

import functools
import io
from collections.abc import Sequence
from fractions import Fraction

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from lab.simulator.scene import ScanKind
from tests.server.live import pictures
from vision.face import BgrImage
from vision.image import encode_jpeg

RATE = 10
_CODECS = {
    "mp4": ("mpeg4", "yuv420p"),
    "mov": ("mjpeg", "yuvj420p"),
    "avi": ("mjpeg", "yuvj420p"),
    "webm": ("libvpx", "yuv420p"),
    "matroska": ("mjpeg", "yuvj420p"),
}


@functools.cache
def genuine(count: int = 20, person: str = "astronaut") -> tuple[BgrImage, ...]:
    """Frames of a simulated genuine scan, 360 x 480, ten a second."""
    return tuple(
        np.asarray(cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
        for picture in pictures(person, ScanKind.GENUINE, 26)[:count]
    )


@functools.cache
def blank(count: int = 10) -> tuple[BgrImage, ...]:
    """Distinct frames without a person."""
    return tuple(np.full((120, 160, 3), 40 + 5 * number, np.uint8) for number in range(count))


@functools.cache
def two_persons(count: int = 10) -> tuple[BgrImage, ...]:
    """Frames that show two persons side by side."""
    pairs = zip(genuine(count), genuine(count), strict=True)
    return tuple(np.asarray(np.hstack([one, other]), np.uint8) for one, other in pairs)


def with_bystander(
    person: str = "astronaut", bystander: str = "red-shirt", count: int = 20
) -> tuple[BgrImage, ...]:
    """Frames of a person in the centre, with another person half as large in the corner."""
    frames = []
    for one, other in zip(genuine(count, person), genuine(count, bystander), strict=True):
        small = cv2.resize(other, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        height, width = one.shape[:2]
        canvas = np.full((height + 240, width + 360, 3), 110, np.uint8)
        canvas[120 : 120 + height, 180 : 180 + width] = one
        canvas[: small.shape[0], : small.shape[1]] = small
        frames.append(canvas)
    return tuple(frames)


def video(
    frames: Sequence[BgrImage], container: str = "avi", *, rate: int = RATE, quality: int = 3_000_000
) -> bytes:
    """The frames as a file; a frame of another size than the first begins a stream of that size."""
    codec, layout = _CODECS[container]
    stored = io.BytesIO()
    with av.open(stored, mode="w", format=container) as output:
        track = output.add_stream(codec, rate=rate)
        assert isinstance(track, VideoStream)
        track.height, track.width = frames[0].shape[:2]
        track.pix_fmt = layout
        track.bit_rate = quality
        if codec == "libvpx":
            track.options = {"deadline": "realtime", "cpu-used": "8"}
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
    return stored.getvalue()


def sound_only() -> bytes:
    """An MP4 with a second of silence and no frames."""
    stored = io.BytesIO()
    with av.open(stored, mode="w", format="mp4") as output:
        track = output.add_stream("aac", rate=16_000, layout="mono")
        assert isinstance(track, AudioStream)
        for number in range(16):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = track.rate, number * 1024
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
    return stored.getvalue()


def numbered(frames: Sequence[BgrImage]) -> list[bytes]:
    """The frames as still images."""
    return [encode_jpeg(frame, quality=85) for frame in frames]
