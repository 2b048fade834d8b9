"""How the eyes of a frame look, and what they measured last where they looked alike.

Patches around both eyes, cut out upright and at a fixed size, are compared with those of the last measured
frames. A picture does not change by the noise that landmarks have: what measures as shut, and looks just as
the open eyes did, is open.
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.observation import GreyView
from vision.face import Points

__all__ = ["EyeRatios", "Eyes", "KnownEyes", "cut_eyes", "show_nothing"]

EyeRatios = tuple[float, float]
"""Eye aspect ratios (left, right) of the image."""

Eyes = tuple[GreyView, GreyView]
"""Patches of the left and the right eye."""

_PATCH_WIDTH, _PATCH_HEIGHT = 28, 18
_PLAY = 4
"""Pixels of a patch by which eyes may have moved on the face, or the face been followed wrongly."""

_EYE_SHARE = 0.75
"""Width of a patch over the distance between the eyes."""

_ALIKE = 0.9
"""Correlation from which an eye looks as it did. On 51 scans of 24 clips: where eyes stay open it is 0.93
to 0.99 in the median (0.82 where faces grimace), where they are shut mostly 0.4 to 0.85."""

_LOOKS_OPEN = 0.97
"""Correlation of the eye that looks more as it did from which eyes are not shut, whatever they measure. In
37 simulated scans, in the dark and indoors, in which people blinked, the frame of a blink that looks least
like open eyes is at 0.21 to 0.96; what landmarks once made of a rigid mask's open eyes was at 0.98."""

_PLAIN = 2.0
"""Standard deviation, grey levels, of a patch that shows nothing; everything would look like it."""

_REMEMBERED = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Remembered:
    patches: Eyes
    eyes: EyeRatios
    opened: bool


class KnownEyes:
    """The latest eyes that were measured, and the latest of them that were open, with how they looked."""

    def __init__(self) -> None:
        """Starts with none."""
        self._latest: deque[_Remembered] = deque(maxlen=_REMEMBERED)
        self._open: _Remembered | None = None

    @property
    def open(self) -> EyeRatios | None:
        """What the latest open ones measured; ``None`` where none were."""
        return None if self._open is None else self._open.eyes

    def remember(self, patches: Eyes, eyes: EyeRatios, *, opened: bool) -> None:
        """Take eyes that were measured.

        Args:
            patches: How they look.
            eyes: What they measured.
            opened: Whether they are open.
        """
        remembered = _Remembered(patches, eyes, opened)
        self._latest.append(remembered)
        if opened:
            self._open = remembered

    def alike(self, patches: Eyes) -> tuple[EyeRatios | None, float]:
        """What eyes that looked the same measured, and how much alike they look, 0 to 1."""
        for one in self._all():
            # One eye that is as open as before is no blink; shut eyes are shut only if both are.
            alike = (_best_correlation if one.opened else _worst_correlation)(one.patches, patches)
            if alike >= _ALIKE:
                return one.eyes, alike
        return None, 0.0

    def look_open(self, patches: Eyes) -> EyeRatios | None:
        """What the open eyes measured that look just like these; ``None`` where none do."""
        for one in self._all():
            if one.opened and _best_correlation(one.patches, patches) >= _LOOKS_OPEN:
                return one.eyes
        return None

    def _all(self) -> list[_Remembered]:
        """The latest first, and open eyes in any case, where some were seen."""
        known = list(reversed(self._latest))
        if self._open is not None and self._open not in known:
            known.append(self._open)
        return known


def cut_eyes(grey: GreyView, points: Points) -> Eyes:
    """Both eyes of a frame.

    Args:
        grey: The whole upright frame.
        points: Five points of the face, frame pixels.
    """
    return _patch(grey, points, 0), _patch(grey, points, 1)


def show_nothing(patches: Eyes) -> bool:
    """Whether an eye is so plain that everything would look like it."""
    return min(float(_inner(patch).std()) for patch in patches) < _PLAIN


def _patch(grey: GreyView, points: Points, eye: int) -> GreyView:
    """One eye, upright and at a fixed size, with some play around it."""
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
