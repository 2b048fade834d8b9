"""Does the face's shape change as a head's must when it comes closer?

What is nearer to the camera grows faster. Between 45 and 25 cm a nose's tip grows by some 6 % more than the
eyes, and ears by 10 % less; a picture of a face grows evenly, however it is held. So the plane's motion that
fits the face best is taken out, and in what it leaves three things are looked for (``relief_fit``):

* relief: what is left moves as a surface with depth does, rather than at random. A flat picture has none.
* two ways of being curved: paper and screens bend, but round one axis at a time (their Gaussian curvature is
  zero: C. F. Gauss, 1827), while a face is curved both ways and has a nose. So the relief must keep a part
  that no surface bent round one axis has.
* perspective: that same relief must have come closer, not only turned. In a video on a screen a head turns as
  it did when it was filmed, but brought closer the screen adds no perspective to it.

What has all three: a head, a mask, and whatever somebody renders or films as one.

One approach often shows too little of the third. Errors of several are independent, as each chooses its
points anew, so together they show it more surely (``pool_findings``).
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


@dataclass(frozen=True, slots=True)
class PerspectiveSettings:
    """By what the perspective is measured.

    Attributes:
        focal: Focal length over the width of the upright frame: 0.8 to 1.2 for the front cameras of phones.
        smallest_face: Width of the far face in the view, pixels: in smaller ones tracking errs by as much as
            bent paper moves.
        least_growth: Of the face.
        fewest_frames: After the far view.
        fewest_points: On the face.
        seen_share: Share of the frames in which a point must be found to count.
        understated: By how much the fit understates the perspective's error, as it takes the relief for
            known.
        axes: Directions round which a sheet is tried to be bent.
        bend_degree: Of the polynomial that a bent sheet's profile is.
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
    """What an approach shows of a head, or several together.

    Attributes:
        depth: Perspective over that of a usual head of the same relief: about 1 for a head, 0 for what did
            not come closer.
        error: Its standard error, the relief's own error included.
        clarity: What a relief explains over what it does not, root mean squares.
        expected: What a usual head must show even if it does not turn, over what no relief explains.
        curved: Share of the relief, root mean square, that no surface bent round one axis has.
        curved_clarity: That part over as much of it as errors of tracking make.
        growth: Of the face, from the far view to the last frame that was used; of several the mean.
        frames: Frames that were used.
        points: Points on the face that were used; of several the fewest.
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
    """Whether the far face is large enough in its view for its points to show anything."""
    return parallax.face_pixels >= settings.smallest_face


def measure_perspective(parallax: Parallax, settings: PerspectiveSettings) -> PerspectiveFinding | None:
    """What the approach shows; ``None`` where the face was too small, grew too little, or was lost."""
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
    distance = settings.focal * parallax.frame_width / face_extent(parallax.face).width
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
    """What several approaches of one face show together; ``None`` without any.

    Perspectives are weighted by their certainty. Where they differ by more than their errors allow, the error
    is widened by as much (R. T. Birge, Phys. Rev. 40, 1932): one approach that shows a head does not make up
    for another that shows none. Of everything else it is the mean.
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
    """What is left of a relief by the surface bent round one axis, of any direction, that fits it best."""
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
