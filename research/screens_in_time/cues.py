"""Cues of a display over time. Each is a function of a scan; a higher value speaks for a screen.

The directions were fixed before anything was measured. A cue that could not be measured is missing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import combinations, pairwise
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness import FaceExtent
from research.screens_in_time.stretches import Luma, SeenFrame

__all__ = ["CUES", "focus_ratio", "time_cues"]

_Mask = NDArray[np.bool_]
_Plane = NDArray[np.float64]

_DARK: Final = 8.0
"""AddedCues to grey levels before the logarithm, so that noise of dark pixels does not count."""
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
_INNER: Final = 0.8
"""Size of the rectangle within the face, as a share of its extent."""
_SLOW: Final = 8
"""Frames over which sharpness is averaged, so that single frames of a codec do not count."""
_LEAST_PAIRS: Final = 3
_MOST_FRAMES: Final = 10
_LEAST_INLIERS: Final = 15
_LEAST_ZOOM: Final = 0.05
"""Range of the face's width over a scan, a share of it, from which the focus is compared."""
_TINY: Final = 1e-9


def time_cues(frames: Sequence[SeenFrame], names: Collection[str] | None = None) -> dict[str, float]:
    """Return the cues of a scan by name: those of ``names``, or all of ``CUES``."""
    found = {name: _MEASURES[name](frames) for name in (CUES if names is None else names)}
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
    """Return the mean of each row, less their line; ``None`` if too few rows have pixels enough."""
    count = place.sum(axis=1)
    rows = np.flatnonzero(count >= _LEAST_LINE)
    if rows.size < _LEAST_LINE:
        return None
    means = np.where(place, change, 0)[rows].sum(axis=1) / count[rows]
    return np.asarray(means - np.polyval(np.polyfit(rows, means, 1), rows), np.float64)


def _stripes(frames: Sequence[SeenFrame]) -> float | None:
    return _drift([(_free(one) & _free(other), _change(one, other)) for one, other in _consecutive(frames)])


def _near_stripes(frames: Sequence[SeenFrame]) -> float | None:
    """The same with the face, and without what is far from it."""
    middle = frames[len(frames) // 2]
    near = _rectangle(middle.luma.shape, middle.face, _AROUND)
    return _drift([(near, _change(one, other)) for one, other in _consecutive(frames)])


def _consecutive(frames: Sequence[SeenFrame]) -> list[tuple[SeenFrame, SeenFrame]]:
    return [(one, other) for one, other in pairwise(frames) if other.number - one.number == 1]


def _drift(changes: Sequence[tuple[_Mask, Luma]]) -> float | None:
    """Share of one spatial and temporal frequency in the energy of the rows or columns of a region."""
    found = []
    for transposed in (False, True):
        profiles = [
            _profile(change.T if transposed else change, place.T if transposed else place)
            for place, change in changes
            if place.mean() >= _LEAST_SHARE
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
    """The height that every tenth step exceeds; see ``_steps``."""
    found = _steps(frames)
    return float(np.percentile(found, 90)) if found else None


def _largest_step(frames: Sequence[SeenFrame]) -> float | None:
    return max(_steps(frames), default=None)


def _steps(frames: Sequence[SeenFrame]) -> list[float]:
    """Return, for each change, the part that all blocks around the face share, over the blocks' scatter.

    What far blocks share too is taken from it.
    """
    found = []
    for one, other in _consecutive(frames):
        near = _rectangle(one.luma.shape, one.face, _AROUND)
        if (~near).mean() < _LEAST_SHARE:
            continue
        change = _change(one, other)
        blocks = _block_medians(change, one.face)
        if len(blocks) < _BLOCKS:
            continue
        middle = float(np.median(blocks))
        scatter = float(np.median(np.abs(np.array(blocks) - middle))) + 1e-3
        found.append(abs(middle - float(np.median(change[~near]))) / scatter)
    return found


def _block_medians(change: Luma, face: FaceExtent) -> list[float]:
    half = np.array([face.width, face.height]) * _AROUND / 2
    xs = np.linspace(face.x - half[0], face.x + half[0], _BLOCKS + 1).clip(0, change.shape[1]).astype(int)
    ys = np.linspace(face.y - half[1], face.y + half[1], _BLOCKS + 1).clip(0, change.shape[0]).astype(int)
    blocks = (change[top:bottom, left:right] for top, bottom in pairwise(ys) for left, right in pairwise(xs))
    return [float(np.median(block)) for block in blocks if min(block.shape) >= _BLOCKS]


def _layer(frames: Sequence[SeenFrame], *, follow: bool) -> float | None:
    """Correlation of the fine structure over the face at fixed places, while the face moves.

    Args:
        frames: The scan.
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
        place = _rectangle(one.luma.shape, one.face, _INNER) & _rectangle(one.luma.shape, moved_face, _INNER)
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
    ratios = [ratio for frame in detected if (ratio := focus_ratio(frame)) is not None]
    return -float(np.std(ratios)) if len(ratios) == len(detected) else None


def focus_ratio(frame: SeenFrame) -> float | None:
    """Return the log of the face's sharpness over that of its sharpest surroundings.

    ``None`` without enough surroundings.
    """
    detail = _detail(frame)
    around = cv2.blur(detail, (31, 31))[_free(frame)]
    if around.size < _LEAST_SHARE * detail.size:
        return None
    own = float(detail[_rectangle(detail.shape, frame.face, _INNER)].mean())
    return float(np.log((own + 0.1) / (np.percentile(around, 99) + 0.1)))


def _common_focus(frames: Sequence[SeenFrame]) -> float | None:
    """Correlation of the slow changes of the sharpness of the face and of its surroundings.

    A camera that refocuses on a display changes both alike. In a room, sharpness that the face gains is lost
    behind it.
    """
    sharpness = []
    for frame in frames:
        detail, shape = _detail(frame), frame.luma.shape
        inner, beside = _rectangle(shape, frame.face, _INNER), _free(frame)
        beside &= _rectangle(shape, frame.face, _AROUND)
        if min(inner.sum(), beside.sum()) >= _LEAST_LINE**2:
            sharpness.append([np.log(detail[place].mean() + 0.1) for place in (inner, beside)])
    if len(sharpness) < 2 * _SLOW:
        return None
    slow = np.array(
        [np.convolve(series, np.full(_SLOW, 1 / _SLOW), mode="valid") for series in np.transpose(sharpness)]
    )
    found = float(np.corrcoef(slow)[0, 1])
    return found if np.isfinite(found) else None


def _detail(frame: SeenFrame) -> Luma:
    detail = cv2.Laplacian(cv2.GaussianBlur(frame.luma, (0, 0), 1), cv2.CV_32F) ** 2
    return np.asarray(detail, np.float32)


_MEASURES: Final[Mapping[str, Callable[[Sequence[SeenFrame]], float | None]]] = MappingProxyType(
    {
        "drifting stripes": _stripes,
        "drifting stripes near the face": _near_stripes,
        "common steps": _common_steps,
        "largest common step": _largest_step,
        "fixed layer": partial(_layer, follow=False),
        "layer fixed to the surroundings": partial(_layer, follow=True),
        "constant focus": _constant_focus,
        "common focus": _common_focus,
    }
)

CUES: Final = tuple(_MEASURES)
