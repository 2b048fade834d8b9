"""Makes clips that are injected in a loop, or forwards and backwards, encoded anew in each pass."""

from collections.abc import Iterator
from enum import StrEnum

import cv2
import numpy as np

from vision.face import BgrImage

_QUALITIES = (85, 80, 76)


class Replay(StrEnum):
    """How a clip that is too short is extended."""

    LOOPED = "looped"
    """From the start again."""
    BACK_AND_FORTH = "back and forth"
    """Backwards from its end, so that no jump shows."""


def repeat(
    frames: list[tuple[float, BgrImage]], how: Replay, share: float
) -> Iterator[tuple[float, BgrImage]]:
    """Yield a scan as long as ``frames`` that has only their first ``share``.

    Args:
        frames: Capture times and frames.
        how: The order in which they are shown.
        share: Share of the frames, 0..1.
    """
    count = max(2, round(share * len(frames)))
    for at, (time, _) in enumerate(frames):
        if how is Replay.LOOPED:
            turn, place = divmod(at, count)
        else:
            turn, place = divmod(at, count - 1)
            place = place if turn % 2 == 0 else count - 1 - place
        quality = _QUALITIES[turn % len(_QUALITIES)]
        coded = cv2.imencode(".jpg", frames[place][1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        yield time, np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
