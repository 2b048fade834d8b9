"""Do bands of brightness roll over the face, and not over the room?

A camera with a rolling shutter reads one row after the other while a display refreshes or its backlight
is switched on and off, so that a filmed display shows horizontal bands that drift from frame to frame (the
"patterns of display refresh" of presentation attack detection, ISO/IEC 30107-1:2023, screen artefacts). A
lamp on mains current makes the same bands, but over the whole picture: only bands that end beside the
face are a display's.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liveness.express.scoring import score_against_line
from liveness.express.settings import ExpressSettings
from liveness.extent import face_extent
from liveness.observation import FrameObservation, ScanObservations
from liveness.signal import Signal, assessed, not_assessed

_STEEPNESS = 4.0
_LAMP_SHARE = 0.9
"""How much of the line the room's rows must share with the face's to blame a lamp."""

_ROWS = 32
_TALL = 0.75
"""Rows that are compared, from the face's centre up and down, face heights."""

_STRIPS = ((-0.35, 0.35), (-0.85, -0.5), (0.5, 0.85), (-9.0, -1.15), (1.15, 9.0))
"""Columns of a strip, from the face's centre, face widths: the face, what lies close beside it on either
side and is on the display too if the face is, and what lies so far away that it is not."""

_NEAR = slice(0, 3)
_FAR = slice(3, 5)
_NARROWEST = 3
_DARKEST = 8
_FEWEST_ROWS = 16
_FEWEST_PAIRS = 8
_STILL = 1e-4
"""Change of brightness, as a share, that an identical frame and rounding leave."""

_LARGEST_CHANGE = 0.02
"""Change of brightness, as a share, to which each sample is held: moving edges change more, bands hardly."""

_WAVES = 11
"""Half waves over the compared height up to which a profile is kept: bands are broad."""

_EVENLY = np.linspace(0, 1, _ROWS)
_LOGS = np.log(np.maximum(np.arange(256), _DARKEST)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class BandFinding:
    """How far rows brighten and darken together from one frame to the next; correlations, -1..1.

    Attributes:
        near: Between the face and both sides of it, the middle one of three, the mean over the pairs.
        far: Between these and what lies far from the face; ``None`` where nothing of it is in view.
        depth: RMS change of the rows' brightness, as a share; what bands make if they are there.
        pairs: How many pairs of frames were compared.
    """

    near: float
    far: float | None
    depth: float
    pairs: int


class ScreenFlicker:
    """Rows of the face and of both its sides that brighten together while the room's do not.

    Most displays show no bands at the exposure of a face, so that their absence says nothing: 0.5.
    """

    name = "screen_flicker"
    label = "No refresh bands of a screen"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed where a lamp would explain the bands."""
        found = measure_bands(scan)
        if found is None:
            return self._unknown("Too few frames show enough beside the face to look for a screen's bands.")
        if found.near < settings.band_line:
            return assessed(
                name=self.name,
                label=self.label,
                score=0.5,
                detail=f"No bands roll over the face (rows change together by {max(0.0, found.near):.2f}).",
            )
        if found.far is None:
            return self._unknown(
                "Bands roll over the face, but no room is in view to tell a screen's from a lamp's."
            )
        if found.far > _LAMP_SHARE * settings.band_line:
            return self._unknown("Bands roll over the whole picture, as under a lamp on mains current.")
        return assessed(
            name=self.name,
            label=self.label,
            score=1 - score_against_line(found.near, settings.band_line, _STEEPNESS),
            detail=(
                f"Bands of {100 * found.depth:.1f} % roll over the face and not over the room, as a "
                f"screen's do (rows change together by {found.near:.2f})."
            ),
        )

    def _unknown(self, reason: str) -> Signal:
        return not_assessed(name=self.name, label=self.label, reason=reason)


def measure_bands(scan: ScanObservations) -> BandFinding | None:
    """Compare the rows of frames that follow each other; ``None`` with too few of them.

    Args:
        scan: Read are the frames' ``samples`` and faces.
    """
    usable = scan.usable
    pairs = [
        (earlier, later)
        for earlier, later in pairwise(usable)
        if (earlier.width, earlier.height) == (later.width, later.height)
    ]
    places = [(earlier, later, place) for earlier, later in pairs if (place := _place(later)) is not None]
    if len(places) < _FEWEST_PAIRS:
        return None
    rows = np.stack([place.rows for _, _, place in places])
    weights = np.stack([place.weights for _, _, place in places])
    at = np.arange(len(places))[:, None], rows
    now = _LOGS[np.stack([later.samples for _, later, _ in places])[at]]
    before = _LOGS[np.stack([earlier.samples for earlier, _, _ in places])[at]]
    change = np.clip(now - before, -_LARGEST_CHANGE, _LARGEST_CHANGE)
    profiles = _BANDS @ (change @ weights)
    strength = np.linalg.norm(profiles, axis=1)
    moved = strength[:, _NEAR].max(axis=1) > _STILL * _ROWS**0.5
    if moved.sum() < _FEWEST_PAIRS:
        return None
    profiles, strength, weights = profiles[moved], strength[moved], weights[moved]
    units = profiles / np.maximum(strength, 1e-9)[:, None, :]
    face, left, right = (units[:, :, strip] for strip in range(3))
    alike = np.stack([_dot(face, left), _dot(face, right), _dot(left, right)], axis=1)
    far_seen = weights[:, :, _FAR].any(axis=1)
    middle = units[:, :, _NEAR].mean(axis=2)
    middle /= np.maximum(np.linalg.norm(middle, axis=1), 1e-9)[:, None]
    far = np.einsum("trs,tr->ts", units[:, :, _FAR], middle)
    sides = [float(far[far_seen[:, side], side].mean()) for side in (0, 1) if far_seen[:, side].any()]
    return BandFinding(
        near=float(np.median(alike, axis=1).mean()),
        far=max(sides) if sides else None,
        depth=float(np.median(strength[:, _NEAR].mean(axis=1)) / _ROWS**0.5),
        pairs=len(units),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Where a frame's rows and strips lie on its grid of samples.

    Attributes:
        rows: Shape (32,): rows of the grid, evenly over the face's height.
        weights: Shape (columns, 5): weights whose product with the grid is the mean of each strip; 0 for a
            strip that is out of view.
    """

    rows: NDArray[np.intp]
    weights: NDArray[np.float32]


def _place(frame: FrameObservation) -> _Place | None:
    """``None`` where the face is too small or not both of its sides are in view."""
    if frame.face is None:
        return None
    extent = face_extent(frame.face)
    down, across = frame.samples.shape
    top = max(0.0, (extent.y - _TALL * extent.height) / frame.height * down)
    bottom = min(down - 1.0, (extent.y + _TALL * extent.height) / frame.height * down)
    if bottom - top < _FEWEST_ROWS:
        return None
    weights = np.zeros((across, len(_STRIPS)), np.float32)
    for strip, (begin, end) in enumerate(_STRIPS):
        left = max(0, round((extent.x + begin * extent.width) / frame.width * across))
        right = min(across, round((extent.x + end * extent.width) / frame.width * across))
        if right - left >= _NARROWEST:
            weights[left:right, strip] = 1 / (right - left)
        elif strip < _NEAR.stop:
            return None
    return _Place(rows=(top + _EVENLY * (bottom - top) + 0.5).astype(np.intp), weights=weights)


def _dot(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    product: NDArray[np.float32] = (first * second).sum(axis=1)
    return product


def _bands() -> NDArray[np.float32]:
    """Keeps of a profile what bands are made of: takes out exposure and shading, and what is fine."""
    at = np.arange(_ROWS)[:, None] + 0.5
    waves = np.cos(np.pi * at * np.arange(3, _WAVES) / _ROWS)
    fading = np.vander(np.linspace(-1, 1, _ROWS), 3)
    basis = np.linalg.qr(np.column_stack([fading, waves]))[0][:, fading.shape[1] :]
    kept: NDArray[np.float32] = (basis @ basis.T).astype(np.float32)
    return kept


_BANDS = _bands()
