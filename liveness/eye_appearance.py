"""Compares the appearance of the eyes with earlier eyes whose aspect ratios were measured.

Patches around both eyes, cut upright and at a fixed size, are compared with those of the last measured
frames. Landmarks are noisy, and patches are not. Eyes that measure as shut but look like earlier or later
open eyes are therefore open.
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.observation import GreyView
from vision.face import Points

__all__ = ["EyeRatios", "Eyes", "KnownEyes", "cut_eyes", "look_identical", "show_nothing"]

EyeRatios = tuple[float, float]
"""The eye aspect ratios (left, right in the image)."""

Eyes = tuple[GreyView, GreyView]
"""The patches of the left and the right eye."""

_PATCH_WIDTH, _PATCH_HEIGHT = 28, 18
_PLAY = 4
"""The margin of a patch, pixels: eyes may move on the face, and the face may be followed inexactly."""

_EYE_SHARE = 0.75
"""The width of a patch over the distance between the eyes."""

_ALIKE = 0.9
"""The correlation from which an eye looks the same. On 51 scans of 24 clips, the median is 0.93 to 0.99 while
eyes stay open (0.82 if faces grimace), and mostly 0.4 to 0.85 while they are shut."""

_LOOKS_OPEN = 0.97
"""The correlation, of the eye that changed less, from which eyes are not shut whatever they measure. In 37
simulated scans with blinks, in the dark and indoors, the frame of a blink that differs most from open eyes is
at 0.21 to 0.96. In one case landmarks measured the open eyes of a rigid mask as shut, at 0.98. In another
they did so at 0.93, because the face had just been detected again, but at 1.00 of the next open eyes. With
these, both eyes must agree: while real lids opened, one of them was at 0.98."""

_PLAIN = 2.0
"""The standard deviation, grey levels, below which a patch is too plain to compare."""

_MOST_LATEST = 3
"""The number of measured eyes that are kept, the latest."""


@dataclass(frozen=True, slots=True, eq=False)
class _KnownEye:
    patches: Eyes
    eyes: EyeRatios
    opened: bool


class KnownEyes:
    """Patches and aspect ratios of the eyes in the last measured frames, and of the latest open eyes."""

    def __init__(self) -> None:
        """Starts empty."""
        self._latest: deque[_KnownEye] = deque(maxlen=_MOST_LATEST)
        self._open: _KnownEye | None = None

    @property
    def open(self) -> EyeRatios | None:
        """The ratios of the latest open eyes; ``None`` if there were none."""
        return None if self._open is None else self._open.eyes

    def add(self, patches: Eyes, eyes: EyeRatios, *, opened: bool) -> None:
        """Adds measured eyes.

        Args:
            patches: Their patches.
            eyes: Their measured ratios.
            opened: Whether they are open.
        """
        known = _KnownEye(patches, eyes, opened)
        self._latest.append(known)
        if opened:
            self._open = known

    def discard(self, patches: Eyes) -> None:
        """Removes measured eyes whose ratios turned out to be wrong."""
        kept = [one for one in self._latest if one.patches is not patches]
        self._latest = deque(kept, maxlen=_MOST_LATEST)

    def find_alike(self, patches: Eyes) -> tuple[EyeRatios | None, float]:
        """Finds earlier eyes that look the same as ``patches``.

        Returns:
            The eye ratios that were measured then, and the correlation of the two images; ``None`` and 0 if
            no earlier eyes look the same.
        """
        for one in self._all():
            # If one eye is as open as before, there is no blink. Eyes are shut only if both are.
            alike = (_best_correlation if one.opened else _worst_correlation)(one.patches, patches)
            if alike >= _ALIKE:
                return one.eyes, alike
        return None, 0.0

    def nearly_identical_open(self, patches: Eyes) -> EyeRatios | None:
        """Returns the ratios of earlier open eyes that look nearly identical; ``None`` if there are none."""
        for one in self._all():
            if one.opened and _best_correlation(one.patches, patches) >= _LOOKS_OPEN:
                return one.eyes
        return None

    def _all(self) -> list[_KnownEye]:
        """Returns the known eyes, the latest first. They include open eyes if there were any."""
        known = list(reversed(self._latest))
        if self._open is not None and self._open not in known:
            known.append(self._open)
        return known


def cut_eyes(grey: GreyView, points: Points) -> Eyes:
    """Returns the patches of both eyes of a frame.

    Args:
        grey: The whole upright frame.
        points: The five points of the face, frame pixels.
    """
    return _patch(grey, points, 0), _patch(grey, points, 1)


def look_identical(seen: Eyes, now: Eyes) -> bool:
    """Returns whether both eyes look nearly identical in two frames, so that the lids did not move."""
    return _worst_correlation(seen, now) >= _LOOKS_OPEN


def show_nothing(patches: Eyes) -> bool:
    """Returns whether the patch of at least one eye has too little contrast to compare."""
    return min(float(_inner(patch).std()) for patch in patches) < _PLAIN


def _patch(grey: GreyView, points: Points, eye: int) -> GreyView:
    """Returns the patch of one eye, upright and at a fixed size, with a margin."""
    across = (points[1] - points[0]).astype(np.float64)
    scale = _EYE_SHARE / _PATCH_WIDTH
    width, height = _PATCH_WIDTH + 2 * _PLAY, _PATCH_HEIGHT + 2 * _PLAY
    turn = scale * np.array([[across[0], -across[1]], [across[1], across[0]]])
    corner = points[eye] - turn @ ((width - 1) / 2, (height - 1) / 2)
    cut: NDArray[np.uint8] = np.asarray(
        cv2.warpAffine(
            grey,
            np.column_stack([turn, corner]),
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )
    return cut


def _inner(patch: GreyView) -> GreyView:
    """Returns a patch without its margin, as the template to match."""
    return patch[_PLAY:-_PLAY, _PLAY:-_PLAY]


def _best_correlation(seen: Eyes, now: Eyes) -> float:
    """Returns the correlation of the eye that changed less."""
    return max(_correlation(before, after) for before, after in zip(seen, now, strict=True))


def _worst_correlation(seen: Eyes, now: Eyes) -> float:
    """Returns the correlation of the eye that changed more."""
    return min(_correlation(before, after) for before, after in zip(seen, now, strict=True))


def _correlation(seen: GreyView, now: GreyView) -> float:
    """Returns the correlation of an eye with its earlier patch, at the best position in the later one."""
    return float(cv2.matchTemplate(now, _inner(seen), cv2.TM_CCOEFF_NORMED).max())
