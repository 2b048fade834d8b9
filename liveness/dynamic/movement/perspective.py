"""The change of the face's shape by perspective while it comes closer.

Parts nearer to the camera grow faster. Between 45 and 25 cm, a nose's tip grows by about 6 % more than the
eyes, and ears by 10 % less. A picture of a face grows evenly, however it is held. The best fitting motion of
a plane is therefore removed, and three properties of the rest are measured (``relief_fit``):

* Relief: the rest moves as a surface with depth does, not at random. A flat picture has no relief.
* Curvature in two directions: paper and screens bend, but only round one axis at a time (their Gaussian
  curvature is zero: C. F. Gauss, 1827). A face is curved in both directions and has a nose. The relief must
  therefore have a part that no surface bent round one axis has.
* Perspective: the same relief must have come closer, not only turned. In a video on a screen a head turns as
  it did when it was filmed, but bringing the screen closer adds no perspective.

A head has all three, and so do a mask and a rendered or filmed approach.

One approach often shows too little perspective. The errors of several approaches are independent, because
each chooses new points, so together they show it with more certainty (``pool_findings``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.movement.approach import Parallax
from liveness.dynamic.movement.relief_fit import PlaneLeftovers, ReliefFit, fit_relief
from liveness.extent import face_extent
from liveness.face_relief import FacePlaces, places_on_face

__all__ = [
    "PerspectiveFinding",
    "PerspectiveSettings",
    "large_enough",
    "measure_perspective",
    "pool_findings",
]

_TINY: Final = 1e-9
"""Keeps a division or a logarithm finite."""


@dataclass(frozen=True, slots=True)
class PerspectiveSettings:
    """The parameters of the measurement of perspective.

    Attributes:
        focal: The focal length over the shorter side of the frame, which stays the same if a phone is turned:
            0.8 to 1.2 for phones' front cameras.
        smallest_face: The least width of the far face, pixels of the view. In smaller faces, the tracking
            error is as large as the motion of bent paper.
        least_growth: The least growth of the face.
        fewest_frames: The least number of frames after the far view.
        fewest_points: The least number of points on the face.
        seen_share: The share of the frames in which a point must be found to count.
        understated: The factor by which the fit understates the error of the perspective, because it assumes
            the relief to be known.
        axes: The number of directions of the axis round which a sheet may be bent.
        bend_degree: The degree of the polynomial that describes a bent sheet's profile.
    """

    focal: float
    smallest_face: float
    least_growth: float
    fewest_frames: int
    fewest_points: int
    seen_share: float
    understated: float
    axes: int
    bend_degree: int


@dataclass(frozen=True, slots=True)
class PerspectiveFinding:
    """The measurements of one approach, or of several together.

    Attributes:
        depth: The perspective over that of a typical head with the same relief: about 1 for a head, 0 for an
            object that did not come closer.
        error: The standard error of ``depth``, including the error of the relief.
        clarity: The motion that the relief explains, over the motion that it does not (root mean squares).
        expected: The motion that a typical head shows even if it does not turn, over the unexplained motion.
        curved: The share of the relief that no surface bent round one axis fits (root mean square).
        curved_clarity: That part of the relief, over the part that tracking errors alone would cause.
        growth: The largest growth of the face since the far view; the mean over several approaches.
        frames: The number of frames that were used.
        points: The number of points on the face that were used; the least of several approaches.
    """

    depth: float
    error: float
    clarity: float
    expected: float
    curved: float
    curved_clarity: float
    growth: float
    frames: int
    points: int


def large_enough(parallax: Parallax, settings: PerspectiveSettings) -> bool:
    """Returns whether the far face is large enough in its view to be measured."""
    return parallax.face_pixels >= settings.smallest_face


def measure_perspective(parallax: Parallax, settings: PerspectiveSettings) -> PerspectiveFinding | None:
    """Returns the finding of an approach; ``None`` if the face was too small, grew too little or was lost."""
    close, growth = parallax.closeups, max((one.growth for one in parallax.closeups), default=1.0)
    if len(close) < settings.fewest_frames or growth < settings.least_growth:
        return None
    if not large_enough(parallax, settings):
        return None
    where = places_on_face(parallax.places, parallax.face)
    left_over = np.stack([closeup.left_over for closeup in close]) @ where.upright
    usable = np.isfinite(left_over[:, :, 0]).mean(axis=0) >= settings.seen_share
    if usable.sum() < settings.fewest_points:
        return None
    shorter = min(parallax.frame_width, parallax.frame_height)
    distance = settings.focal * shorter / face_extent(parallax.face).width
    used = FacePlaces(where.places[usable], where.upright, where.eyes, where.mouth)
    fitted = fit_relief(
        PlaneLeftovers(
            where=used,
            left_over=left_over[:, usable],
            strength=np.array([(closeup.growth - 1) / distance for closeup in close]),
        )
    )
    if fitted is None:
        return None
    return _finding(fitted, used, settings, growth=growth, frames=len(close))


def pool_findings(findings: Sequence[PerspectiveFinding]) -> PerspectiveFinding | None:
    """Returns the common finding of several approaches of one face; ``None`` without approaches.

    Perspectives are weighted by their certainty. If they differ by more than their errors allow, the error is
    increased accordingly (R. T. Birge, Phys. Rev. 40, 1932), so that one approach of a head does not make up
    for another without perspective. The other measurements are averaged, except that frames are summed and
    the fewest points count.
    """
    if not findings:
        return None
    weights = [1 / max(one.error, _TINY) ** 2 for one in findings]
    total = sum(weights)
    depth = sum(weight * one.depth for weight, one in zip(weights, findings, strict=True)) / total
    spread = sum(weight * (one.depth - depth) ** 2 for weight, one in zip(weights, findings, strict=True))
    widened = math.sqrt(max(1.0, spread / max(1, len(findings) - 1)))
    return PerspectiveFinding(
        depth=depth,
        error=widened / math.sqrt(total),
        clarity=fmean(one.clarity for one in findings),
        expected=fmean(one.expected for one in findings),
        curved=fmean(one.curved for one in findings),
        curved_clarity=fmean(one.curved_clarity for one in findings),
        growth=fmean(one.growth for one in findings),
        frames=sum(one.frames for one in findings),
        points=min(one.points for one in findings),
    )


def _finding(
    fitted: ReliefFit, where: FacePlaces, settings: PerspectiveSettings, *, growth: float, frames: int
) -> PerspectiveFinding | None:
    unexplained = max(fitted.unexplained, _TINY)
    size = max(_root_mean_square(fitted.relief), _TINY)
    curved = _beyond_bending(fitted.relief, where.places, settings)
    chance = max(_beyond_bending(fitted.control, where.places, settings), _TINY)
    found = PerspectiveFinding(
        depth=fitted.perspective,
        error=settings.understated * fitted.perspective_error,
        clarity=fitted.explained / unexplained,
        expected=fitted.expected / unexplained,
        curved=curved / size,
        curved_clarity=curved / chance,
        growth=growth,
        frames=frames,
        points=len(where.places),
    )
    numbers = (found.clarity, found.expected, found.curved, found.curved_clarity)
    return found if all(map(math.isfinite, numbers)) else None


def _beyond_bending(
    relief: NDArray[np.float64], places: NDArray[np.float64], settings: PerspectiveSettings
) -> float:
    """Returns the rest of a relief after the best fitting surface that is bent round one axis."""
    angles = np.arange(settings.axes) * np.pi / settings.axes
    return min(_beyond_axis(relief, places, float(angle), settings.bend_degree) for angle in angles)


def _beyond_axis(
    relief: NDArray[np.float64], places: NDArray[np.float64], angle: float, degree: int
) -> float:
    across = 2 * places @ np.array([math.cos(angle), math.sin(angle)])
    profile = across[:, None] ** np.arange(2, degree + 1)
    design = np.column_stack([np.ones(len(places)), places, profile])
    return _root_mean_square(relief - design @ np.linalg.lstsq(design, relief, rcond=None)[0])


def _root_mean_square(values: NDArray[np.float64]) -> float:
    return float(np.sqrt((values**2).mean()))
