"""A video file as a frame source."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from facegate_client.errors import SourceError
from facegate_client.extras import needed_by
from facegate_client.frame_source import CameraDescription, Pace, Pixels
from facegate_client.recording import Recording

if TYPE_CHECKING:
    import cv2

__all__ = ["open_video"]

# OpenCV would open these as videos of one frame, or search for files with other numbers.
_STILL_SUFFIXES = frozenset({".bmp", ".jp2", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_USUAL_FPS = 30.0
_FASTEST_FPS = 240.0


def open_video(path: Path, *, pace: Pace = "realtime") -> Recording:
    """Opens a video file; needs the extra ``video``.

    Frames are upright (OpenCV applies the container's rotation) and have the container's timestamps. If
    those do not rise, the nominal frame rate is used.

    Args:
        path: The file, in any format that OpenCV reads.
        pace: ``realtime`` or ``fast``.

    Raises:
        SourceError: The file is missing, is not a video that OpenCV reads, or the extra is not installed.
    """
    if not path.is_file():
        raise SourceError(f"no video file at {path}")
    if path.suffix.lower() in _STILL_SUFFIXES:
        raise SourceError(
            f"{path.name} is a still image, not a video; a scan needs a video or a folder of images"
        )
    with needed_by("video"):
        import cv2
    try:
        capture = cv2.VideoCapture(str(path))
        opened = capture.isOpened()
    except cv2.error as error:
        raise SourceError(f"{path.name} cannot be opened as a video") from error
    if not opened:
        raise SourceError(f"{path.name} is not a readable video")
    nominal = capture.get(cv2.CAP_PROP_FPS)
    fps = nominal if 0 < nominal <= _FASTEST_FPS else _USUAL_FPS
    camera = CameraDescription(
        label=f"video file {path.suffix.lstrip('.').lower()}",
        width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        frames_per_second=fps,
        timestamp_source="container",
    )
    return Recording(_frames(capture, fps), camera=camera, pace=pace, skip_late=True, close=capture.release)


def _frames(capture: "cv2.VideoCapture", fps: float) -> Iterator[tuple[Pixels, int]]:
    import cv2

    interval_us = round(1_000_000 / fps)
    last_us = -interval_us
    while True:
        try:
            taken, pixels = capture.read()
            container_us = round(capture.get(cv2.CAP_PROP_POS_MSEC) * 1000)
        except cv2.error as error:
            raise SourceError("the video cannot be decoded") from error
        if not taken:
            return
        last_us = container_us if container_us > last_us else last_us + interval_us
        yield cast("Pixels", pixels), last_us
