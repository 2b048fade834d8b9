"""Cues of a display over time. Each is a function of a stretch; a higher value indicates a screen.

The directions were fixed before anything was measured. A cue that could not be measured is missing.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness import FaceExtent
from research.screens_in_time.stretches import Luma, SeenFrame

__all__ = ["CUES", "time_cues"]

CUES: Final = (
    "drifting stripes",
    "common steps",
    "fixed layer",
    "layer fixed to the surroundings",
    "constant focus",
)

_Mask = NDArray[np.bool_]
_Plane = NDArray[np.float64]

_DARK: Final = 8.0
"""Added to grey levels before the logarithm, so that noise of dark pixels does not count."""
_FREE: Final = 1.5
"""Size of the rectangle around the face, as a share of its extent, outside which pixels are face-free."""
_AROUND: Final = 2.2
"""The same of the rectangle outside which pixels are too far away to be on a display that shows the face."""
_LEAST_SHARE: Final = 0.1
"""Share of the frame that face-free pixels must fill."""
_LEAST_LINE: Final = 16
"""Pixels that a row or a column of a region must have to count."""
_MOST_CYCLES: Final = 12
"""The most bands in a frame's height."""
_BLOCKS: Final = 6
_MOVED: Final = 0.12
"""Displacement of the face between two frames, face widths, from which a layer differs from it."""
_LEAST_PAIRS: Final = 3
_MOST_FRAMES: Final = 10
_LEAST_INLIERS: Final = 15
_LEAST_ZOOM: Final = 0.05
"""Range of the face's width over a stretch, a share of it, from which the focus is compared."""
_TINY: Final = 1e-9


def time_cues(frames: Sequence[SeenFrame]) -> dict[str, float]:
    """Return each cue of a stretch by name."""
    changes = [
        (_free(one) & _free(other), _change(one, other))
        for one, other in pairwise(frames)
        if other.number - one.number == 1
    ]
    found = {
        "drifting stripes": _drift(changes),
        "common steps": _common_steps(frames),
        "fixed layer": _layer(frames, follow=False),
        "layer fixed to the surroundings": _layer(frames, follow=True),
        "constant focus": _constant_focus(frames),
    }
    return {name: value for name, value in found.items() if value is not None}


def _log(luma: Luma) -> Luma:
    return np.asarray(np.log(luma + _DARK), np.float32)


def _change(one: SeenFrame, other: SeenFrame) -> Luma:
    return _log(other.luma) - _log(one.luma)


def _rectangle(shape: tuple[int, ...], face: FaceExtent, size: float) -> _Mask:
    """Return the pixels in a rectangle around the face."""
    rows, columns = np.ogrid[0 : shape[0], 0 : shape[1]]
    inside: _Mask = (np.abs(columns - face.x) < size * face.width / 2) & (
        np.abs(rows - face.y) < size * face.height / 2
    )
    return inside


def _free(frame: SeenFrame) -> _Mask:
    return ~_rectangle(frame.luma.shape, frame.face, _FREE)


def _profile(change: Luma, place: _Mask) -> _Plane | None:
    """Return the mean of each row, less a fitted line; ``None`` if too few rows have enough pixels."""
    count = place.sum(axis=1)
    rows = np.flatnonzero(count >= _LEAST_LINE)
    if rows.size < _LEAST_LINE:
        return None
    means = np.where(place, change, 0)[rows].sum(axis=1) / count[rows]
    return np.asarray(means - np.polyval(np.polyfit(rows, means, 1), rows), np.float64)


def _drift(changes: Sequence[tuple[_Mask, Luma]]) -> float | None:
    """Share of one spatial and temporal frequency in the energy of the face-free rows or columns."""
    found = []
    for transposed in (False, True):
        profiles = [
            _profile(change.T if transposed else change, free.T if transposed else free)
            for free, change in changes
            if free.mean() >= _LEAST_SHARE
        ]
        known = [profile for profile in profiles if profile is not None]
        if len(known) < _LEAST_LINE:
            continue
        size = max(profile.size for profile in known)
        table = np.array([np.interp(np.linspace(0, 1, size), _unit(one), one) for one in known])
        window = np.outer(np.hanning(len(known)), np.hanning(size))
        power = np.abs(np.fft.fft2(table * window)[:, 1 : _MOST_CYCLES + 1]) ** 2
        around = cv2.blur(power, (3, 3), borderType=cv2.BORDER_CONSTANT) * 9
        found.append(float(around.max() / (power.sum() + _TINY)))
    return max(found, default=None)


def _unit(values: _Plane) -> _Plane:
    return np.linspace(0, 1, values.size)


def _common_steps(frames: Sequence[SeenFrame]) -> float | None:
    """The largest step that all blocks around the face share and far ones do not, over their scatter."""
    found = []
    for one, other in pairwise(frames):
        near = _rectangle(one.luma.shape, one.face, _AROUND)
        if other.number - one.number != 1 or (~near).mean() < _LEAST_SHARE:
            continue
        change = _change(one, other)
        blocks = _block_medians(change, one.face)
        if len(blocks) < _BLOCKS:
            continue
        middle = float(np.median(blocks))
        scatter = float(np.median(np.abs(np.array(blocks) - middle))) + 1e-3
        found.append(abs(middle - float(np.median(change[~near]))) / scatter)
    return float(np.percentile(found, 90)) if found else None


def _block_medians(change: Luma, face: FaceExtent) -> list[float]:
    half = np.array([face.width, face.height]) * _AROUND / 2
    xs = np.linspace(face.x - half[0], face.x + half[0], _BLOCKS + 1).clip(0, change.shape[1]).astype(int)
    ys = np.linspace(face.y - half[1], face.y + half[1], _BLOCKS + 1).clip(0, change.shape[0]).astype(int)
    blocks = (change[top:bottom, left:right] for top, bottom in pairwise(ys) for left, right in pairwise(xs))
    return [float(np.median(block)) for block in blocks if min(block.shape) >= _BLOCKS]


def _layer(frames: Sequence[SeenFrame], *, follow: bool) -> float | None:
    """Correlation of the fine structure over the face at fixed places, while the face moves.

    Args:
        frames: The stretch.
        follow: Whether places move with the surroundings, as a glass around the face does; otherwise they
            stay in the image, as on the camera's own window.
    """
    chosen = frames[:: max(1, len(frames) // _MOST_FRAMES)]
    found = []
    for one, other in combinations(chosen, 2):
        motion = _surroundings(one, other) if follow else np.eye(2, 3)
        if motion is None:
            continue
        at = motion @ (other.face.x, other.face.y, 1)
        if np.hypot(at[0] - one.face.x, at[1] - one.face.y) < _MOVED * one.face.width:
            continue
        size = (one.luma.shape[1], one.luma.shape[0])
        moved = cv2.warpAffine(_fine(other.luma), motion, size, flags=cv2.INTER_LINEAR)
        moved_face = FaceExtent(float(at[0]), float(at[1]), other.face.width, other.face.height)
        place = _rectangle(one.luma.shape, one.face, 0.8) & _rectangle(one.luma.shape, moved_face, 0.8)
        if place.sum() >= _LEAST_LINE**2:
            pair = np.corrcoef(_fine(one.luma)[place], moved[place])
            found.append(float(pair[0, 1]))
    finite = [value for value in found if np.isfinite(value)]
    return float(np.median(finite)) if len(finite) >= _LEAST_PAIRS else None


def _fine(luma: Luma) -> Luma:
    fine = luma - cv2.GaussianBlur(luma, (0, 0), 2)
    # Edges of eyes and brows are the strongest structure; a reflection is faint and everywhere.
    return np.asarray(np.clip(fine, -6, 6), np.float32)


def _surroundings(one: SeenFrame, other: SeenFrame) -> _Plane | None:
    """Return the transform from ``other`` to ``one`` that the surroundings follow, shape (2, 3)."""
    free = (_free(one) & _rectangle(one.luma.shape, one.face, 3.5)).astype(np.uint8)
    views = [frame.luma.clip(0, 255).astype(np.uint8) for frame in (one, other)]
    points = cv2.goodFeaturesToTrack(views[0], 80, 0.01, 6, mask=free)
    # OpenCV's stubs do not declare that there may be no points, nor no such transform.
    if np.size(points) < 2 * _LEAST_INLIERS:
        return None
    there, known, _ = cv2.calcOpticalFlowPyrLK(views[0], views[1], points, np.empty_like(points))
    kept = known.ravel() > 0
    if kept.sum() < _LEAST_INLIERS:
        return None
    found, inliers = cv2.estimateAffinePartial2D(there[kept], points[kept], ransacReprojThreshold=1.5)
    if np.size(found) != 6 or int(inliers.sum()) < _LEAST_INLIERS:
        return None
    return np.asarray(found, np.float64)


def _constant_focus(frames: Sequence[SeenFrame]) -> float | None:
    """Constancy of the face's sharpness over that of its sharpest surroundings, while its size changes."""
    detected = [frame for frame in frames if frame.detected]
    widths = [frame.face.width for frame in detected]
    if len(detected) < _LEAST_PAIRS or np.ptp(widths) < _LEAST_ZOOM * max(widths):
        return None
    ratios = []
    for frame in detected:
        detail = cv2.Laplacian(cv2.GaussianBlur(frame.luma, (0, 0), 1), cv2.CV_32F) ** 2
        around = cv2.blur(detail, (31, 31))[_free(frame)]
        if around.size < _LEAST_SHARE * detail.size:
            return None
        own = float(detail[_rectangle(detail.shape, frame.face, 0.8)].mean())
        ratios.append(float(np.log((own + 0.1) / (np.percentile(around, 99) + 0.1))))
    return -float(np.std(ratios))
