"""Fits a face's relief, and how it moved, to the motion of its points that no plane explains.

For a surface of depth z over some plane, the motion of point p in frame t that the plane does not explain is
(plane plus parallax: Irani and Anandan, ECCV 1996)::

    z * (k * s * p  +  u)  +  the error of the plane's motion

where s is the strength of the perspective, (growth - 1) / far distance; u is one shift per frame, caused by
sway and turns of the head; and k is 1 for an object that came closer. All lengths are in face widths.

z, u and k are fitted in turns by weighted least squares (alternating least squares, as for factorisation:
Tomasi and Kanade, IJCV 1992). Because heads differ, z is not a template but any smooth surface: polynomials
up to the fourth degree and a ridge at the nose. z is determined only up to a factor, so it is scaled to the
size of a typical head; k is then the share of a head's perspective.

The fit also explains part of the noise. As a control, a relief is therefore also fitted to the motion
*across* the directions in which depth can move a point. Across them, a surface of any shape causes no motion,
but errors of tracking cause as much as along them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.face_relief import FacePlaces, head_curve, nose_ridge

__all__ = ["PlaneLeftovers", "ReliefFit", "fit_relief"]

_NOSE: Final = 0.15
"""The height of a nose's tip, face widths: 22 mm of 145 mm."""

_DEGREE: Final = 4
_HALF_WIDTH, _HALF_HEIGHT = 0.45, 0.55
"""The unit of the polynomials, face widths; about the extent of the tracked points."""

_STIFFNESS: Final = 1e-3
"""The share of the mean information that is added for every coefficient of the relief."""

_SWAY_PRIOR: Final = 0.008
"""The information that is added for every shift, squared face widths of relief. It corresponds to errors of
tracking of 0.3 % of the face's width and a shift of at most 0.03 without evidence."""

_ROUNDS: Final = 8
_OUTLIER: Final = 2.5
"""The unexplained motion over its typical size at which a point counts half (Cauchy's weights)."""

_TINY: Final = 1e-9
"""Keeps a division finite and a system of equations solvable."""


@dataclass(frozen=True, slots=True, eq=False)
class PlaneLeftovers:
    """The motion of a face's points that no plane explains, while the face grows.

    Attributes:
        where: The places of the n points.
        left_over: Shape (t, n, 2): the motion across and along the face, face widths; NaN for lost points.
        strength: Shape (t,): growth less 1, over the far distance in face widths.
    """

    where: FacePlaces
    left_over: NDArray[np.float64]
    strength: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ReliefFit:
    """A relief and its motion.

    Attributes:
        relief: Shape (n,): the height of each point over the plane that fits the face best, face widths;
            always scaled to the size of a typical head's relief.
        control: Shape (n,): the same from motion that no relief can cause, at the same scale.
        perspective: k: 1 if the relief came closer as that of a head of this size does, 0 if it only turned.
        perspective_error: The standard error of ``perspective``, if the errors of one point are the same in
            all frames and the relief is known.
        explained: The root mean square of the motion that the relief explains, face widths.
        unexplained: The root mean square of the rest, face widths.
        expected: The root mean square of the motion of these points by perspective, for a typical head that
            does not turn, face widths.
    """

    relief: NDArray[np.float64]
    control: NDArray[np.float64]
    perspective: float
    perspective_error: float
    explained: float
    unexplained: float
    expected: float


def fit_relief(seen: PlaneLeftovers) -> ReliefFit | None:
    """Returns the relief that explains most; ``None`` if the points determine none.

    Args:
        seen: At least a dozen frames and about two dozen points.
    """
    try:
        found = _fitted(seen)
    except np.linalg.LinAlgError:
        return None
    numbers = (found.perspective, found.perspective_error, found.explained, found.unexplained, found.expected)
    return found if np.isfinite(numbers).all() and np.isfinite(found.relief).all() else None


def _fitted(seen: PlaneLeftovers) -> ReliefFit:
    places, found = seen.where.places, np.isfinite(seen.left_over[:, :, 0])
    moved = np.where(found[:, :, None], seen.left_over, 0.0)
    weights = found.astype(np.float64)
    surfaces = _surfaces(seen.where)
    usual = _without_plane(head_curve(seen.where) + _NOSE * nose_ridge(seen.where), places)
    size = float(np.linalg.norm(usual))
    relief, control = usual, np.zeros_like(usual)
    motion = _Motion(seen, moved)
    motion.fit(relief, weights)
    expected = motion.perspective_alone
    for _ in range(_ROUNDS):
        weights = found / (1 + motion.outlying(relief, found) ** 2)
        along = _heights(surfaces, motion.ways, motion.without_plane, weights)
        turned = np.stack([-motion.ways[:, :, 1], motion.ways[:, :, 0]], axis=-1)
        across = _heights(surfaces, turned, motion.without_plane, weights)
        scale = size / max(float(np.linalg.norm(along)), _TINY)
        scale = scale if float(along @ usual) >= 0 else -scale
        relief, control = along * scale, across * scale
        motion.fit(relief, weights)
    rest = motion.rest(relief)
    total = max(float(weights.sum()), _TINY)
    made = relief[None, :, None] * motion.ways
    return ReliefFit(
        relief=relief,
        control=control,
        perspective=motion.perspective,
        perspective_error=motion.error(rest, weights),
        explained=float(np.sqrt((weights[:, :, None] * made**2).sum() / total)),
        unexplained=float(np.sqrt((weights[:, :, None] * rest**2).sum() / total)),
        expected=expected,
    )


class _Motion:
    """The motion of a given relief: the planes, the shifts and the perspective of all frames."""

    def __init__(self, seen: PlaneLeftovers, moved: NDArray[np.float64]) -> None:
        self._places = seen.where.places
        self._strength = seen.strength
        self._moved = moved
        self._plane = _plane_motions(self._places)
        self._shifts = np.zeros((len(moved), 2))
        self._planes = np.zeros_like(moved)
        self._clear = np.zeros_like(moved)
        self.perspective = 0.0
        self.perspective_alone = 0.0

    @property
    def ways(self) -> NDArray[np.float64]:
        """Shape (t, n, 2): the motion of a point of depth 1."""
        approach = self.perspective * self._strength[:, None, None] * self._places
        return np.asarray(approach + self._shifts[:, None, :])

    @property
    def without_plane(self) -> NDArray[np.float64]:
        """Shape (t, n, 2): the left-over motion without the errors of the planes."""
        return np.asarray(self._moved - self._planes)

    def rest(self, relief: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the motion that ``relief`` does not explain, shape (t, n, 2)."""
        return np.asarray(self.without_plane - relief[None, :, None] * self.ways)

    def outlying(self, relief: NDArray[np.float64], found: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Returns the unexplained motion of each point over ``_OUTLIER`` times the median, shape (t, n)."""
        lengths = np.linalg.norm(self.rest(relief), axis=2)
        return np.asarray(lengths / (_OUTLIER * max(float(np.median(lengths[found])), _TINY)))

    def fit(self, relief: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        """Fits the motion to a relief."""
        none = np.zeros_like(relief)
        sideways = np.stack([np.stack([relief, none], 1), np.stack([none, relief], 1)], axis=2)
        design = np.concatenate([self._plane, sideways], axis=2)
        count = design.shape[2]
        prior = np.full(count, _TINY)
        prior[-2:] = _SWAY_PRIOR
        information = np.einsum("tn,nci,ncj->tij", weights, design, design) + np.diag(prior)
        nearer = self._strength[:, None, None] * relief[None, :, None] * self._places

        def coefficients(field: NDArray[np.float64]) -> NDArray[np.float64]:
            sums = np.einsum("tn,nci,tnc->ti", weights, design, field)
            return np.linalg.solve(information, sums[:, :, None])[:, :, 0]

        clear = nearer - np.einsum("nci,ti->tnc", design, coefficients(nearer))
        weighted = weights[:, :, None] * clear
        power = max(float((weighted * clear).sum()), _TINY)
        self._clear = weighted / power
        self.perspective = float((weighted * self._moved).sum()) / power
        self.perspective_alone = float(np.sqrt(power / max(float(weights.sum()), _TINY)))
        found = coefficients(self._moved - self.perspective * nearer)
        self._planes = np.einsum("nci,ti->tnc", design[:, :, :-2], found[:, :-2])
        self._shifts = found[:, -2:]

    def error(self, rest: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
        """Returns the standard error of the perspective. Points are independent, a point's frames are not."""
        return float(
            np.sqrt((np.einsum("tnc,tnc->n", self._clear, rest * (weights[:, :, None] > 0)) ** 2).sum())
        )


def _heights(
    surfaces: NDArray[np.float64],
    ways: NDArray[np.float64],
    moved: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Returns the smooth relief that best explains the motion ``moved`` along ``ways``."""
    power = np.einsum("tn,tnc,tnc->n", weights, ways, ways)
    information = surfaces.T @ (power[:, None] * surfaces)
    information += np.eye(len(information)) * max(
        _STIFFNESS * float(np.trace(information)) / len(information), _TINY
    )
    sums = surfaces.T @ np.einsum("tn,tnc,tnc->n", weights, ways, moved)
    return np.asarray(surfaces @ np.linalg.solve(information, sums))


def _surfaces(where: FacePlaces) -> NDArray[np.float64]:
    """Returns an orthonormal basis of smooth reliefs without planes, shape (n, k)."""
    x, y = where.places[:, 0] / _HALF_WIDTH, where.places[:, 1] / _HALF_HEIGHT
    shapes = [
        x**across * y ** (degree - across) for degree in range(2, _DEGREE + 1) for across in range(degree + 1)
    ]
    stacked = np.stack([*shapes, nose_ridge(where)], axis=1)
    return np.linalg.qr(_without_plane(stacked, where.places))[0]


def _without_plane(heights: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns ``heights`` over the plane that fits them best."""
    plane = np.column_stack([np.ones(len(places)), places])
    return np.asarray(heights - plane @ np.linalg.lstsq(plane, heights, rcond=None)[0])


def _plane_motions(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the small movements that a plane's motion can explain, shape (n, 2, 8)."""
    x, y = places.T
    none, one = np.zeros_like(x), np.ones_like(x)
    columns = [
        (one, none), (none, one), (x, none), (none, x), (y, none), (none, y), (x * x, x * y), (x * y, y * y),
    ]  # fmt: skip
    return np.stack([np.stack(column, axis=1) for column in columns], axis=2)
