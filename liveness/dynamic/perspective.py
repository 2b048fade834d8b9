"""Does the face's shape change as a head's must when it comes closer?

What is nearer to the camera grows faster. Between 45 and 25 cm a nose's tip grows by some 6 % more than the
eyes, and ears by 10 % less; a picture of a face grows evenly, however it is held. So the plane's motion that
fits the face best is taken out, and what it leaves of each point p, of depth z against the face's middle, is
for a head::

    z * ((p - p0) * (g - 1) / D  +  u)

with g the face's growth, D the far distance and u one unknown shift a frame, which swaying and turning cause
(plane plus parallax: Irani and Anandan, ECCV 1996). All lengths are in face widths, so that D follows from
how wide the face is in the frame and how wide the lens sees; p0 goes into u. The measure is the factor on the
first term that fits the points best, with a head of usual shape for z: 1 for a head, 0 for a plane, whatever
moved it. u is fitted and not used: a plane that is turned leaves nothing there, but neither does a head that
is held still.

Errors come from where the points lie, as those of one point are alike in all frames; the factor's standard
error is that of the points.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.approach import Parallax
from liveness.extent import face_extent
from liveness.face_relief import FacePlaces, head_curve, nose_ridge, places_on_face

__all__ = ["PerspectiveFinding", "measure_perspective"]

_FOCAL: Final = 1.05
"""Focal length over the width of the upright frame: 0.9 to 1.2 for the front cameras of phones."""

_NOSE: Final = 0.15
"""How far a nose's tip stands out, face widths: 22 mm of 145 mm."""

_LEAST_GROWTH: Final = 1.25
_FEWEST_FRAMES: Final = 3
_FEWEST_POINTS: Final = 24
_SEEN_SHARE: Final = 0.6
"""Share of the frames in which a point must be found to count."""

_ROUNDS: Final = 6
_OUTLIER: Final = 2.0
"""Left-over over its typical size at which a point counts half (Cauchy's weights)."""


@dataclass(frozen=True, slots=True)
class PerspectiveFinding:
    """What an approach shows of a head's depth.

    Attributes:
        depth: Of the face over that of a head: about 1 for a head, 0 for a plane.
        error: Its standard error.
        growth: Of the face, from the far view to the last frame that was used.
        frames: Frames that were used.
        points: Points on the face that were used.
    """

    depth: float
    error: float
    growth: float
    frames: int
    points: int


def measure_perspective(parallax: Parallax) -> PerspectiveFinding | None:
    """How deep the face is; ``None`` where it grew too little, or too few points could be followed."""
    close = [closeup for closeup in parallax.closeups if closeup.growth >= _LEAST_GROWTH]
    if len(close) < _FEWEST_FRAMES:
        return None
    where = places_on_face(parallax.places, parallax.face)
    left_over = np.stack([closeup.left_over for closeup in close]) @ where.upright
    growth = np.array([closeup.growth for closeup in close])
    distance = _FOCAL * parallax.frame_width / face_extent(parallax.face).width
    strength = (growth - 1) / distance
    seen = np.isfinite(left_over[:, :, 0])
    usable = seen.mean(axis=0) >= _SEEN_SHARE
    if usable.sum() < _FEWEST_POINTS:
        return None
    weights = seen[:, usable] * strength[:, None]
    field = (np.where(seen[:, usable, None], left_over[:, usable], 0) * strength[:, None, None]).sum(axis=0)
    field /= (weights**2).sum(axis=0)[:, None]
    used = FacePlaces(where.places[usable], where.upright, where.eyes, where.mouth)
    fitted = _fit(field, used)
    if fitted is None:
        return None
    return PerspectiveFinding(
        depth=fitted[0],
        error=fitted[1],
        growth=float(growth.max()),
        frames=len(close),
        points=int(usable.sum()),
    )


def _fit(field: NDArray[np.float64], where: FacePlaces) -> tuple[float, float] | None:
    """The factor on a head's field, and its standard error, by reweighted least squares."""
    x, y = where.places.T
    none, one = np.zeros_like(x), np.ones_like(x)
    depth = head_curve(where) + _NOSE * nose_ridge(where)
    columns = [
        # What a plane's motion can explain of a small movement: the fit that left the field took it out.
        (one, none), (none, one), (x, none), (none, x), (y, none), (none, y), (x * x, x * y), (x * y, y * y),
        (depth, none), (none, depth),
        (depth * x, depth * y),
    ]  # fmt: skip
    design = np.stack([np.stack(column, axis=1).ravel() for column in columns], axis=1)
    seen = field.ravel()
    weights = np.ones(len(x))
    solution, left = np.zeros(design.shape[1]), field
    scaled = design
    for _ in range(_ROUNDS):
        root = np.repeat(np.sqrt(weights), 2)
        scaled = design * root[:, None]
        solution, _, rank, _ = np.linalg.lstsq(scaled, seen * root, rcond=None)
        if rank < design.shape[1]:
            return None
        left = (seen - design @ solution).reshape(-1, 2)
        lengths = np.linalg.norm(left, axis=1)
        typical = max(float(np.median(lengths)), 1e-9)
        weights = 1 / (1 + (lengths / (_OUTLIER * typical)) ** 2)
    freedom = 2 * float(weights.sum()) - design.shape[1]
    if freedom <= 0:
        return None
    variance = float((weights[:, None] * left**2).sum()) / freedom
    try:
        spread = float(np.linalg.inv(scaled.T @ scaled)[-1, -1])
    except np.linalg.LinAlgError:
        return None
    error = math.sqrt(max(0.0, variance * spread))
    depth_factor = float(solution[-1])
    return (depth_factor, error) if math.isfinite(depth_factor) and math.isfinite(error) else None
