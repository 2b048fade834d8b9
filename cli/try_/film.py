"""The frames of a scan as one image that a page plays, and the face under each of the screen's colours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from cli.demo.flash import FlashStrip
from server.pages import data_uri
from vision.face import BgrImage
from vision.image import encode_jpeg

__all__ = ["Recorder", "colours_document", "film_document"]

_MOST_FRAMES: Final = 24
_HEIGHT: Final = 320
_QUALITY: Final = 78


@dataclass(slots=True)
class Recorder:
    """Passes on the frames of a scan, and keeps those that were sent.

    Attributes:
        frames: Pairs of a JPEG and its capture time in seconds.
        sent: The JPEGs that were taken so far.
    """

    frames: Iterator[tuple[bytes, float]]
    sent: list[bytes]

    def __iter__(self) -> Iterator[tuple[bytes, float]]:
        for jpeg, seconds in self.frames:
            self.sent.append(jpeg)
            yield jpeg, seconds


def film_document(frames: Sequence[bytes]) -> dict[str, Any] | None:
    """Returns a film as a JSON object: at most 24 frames, evenly spread, side by side in one JPEG.

    Slow: do not call it in the event loop.

    Args:
        frames: JPEGs of one size.

    Returns:
        The film; None without frames.
    """
    if not frames:
        return None
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(_MOST_FRAMES, len(frames))).round().astype(int))
    pictures = [_small(frames[index]) for index in chosen]
    height, width = pictures[0].shape[:2]
    sheet = np.asarray(np.hstack(pictures), np.uint8)
    return {
        "image": data_uri(encode_jpeg(sheet, quality=_QUALITY), media_type="image/jpeg"),
        "frames": len(pictures),
        "width": width,
        "height": height,
    }


def colours_document(strip: FlashStrip) -> list[dict[str, Any]]:
    """Returns the colours of a scan as a JSON array, each with the face under it."""
    return [
        {
            "step": column.number,
            "colour": list(column.colour),
            "drawn": column.proves,
            "agrees": column.agrees,
            "signal_to_noise": column.signal_to_noise,
            "face": None if column.crop is None else data_uri(column.crop, media_type="image/jpeg"),
        }
        for column in strip.columns
    ]


def _small(jpeg: bytes) -> BgrImage:
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("a frame of the simulator is no image")
    height, width = pixels.shape[:2]
    size = (round(width * _HEIGHT / height), _HEIGHT)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
