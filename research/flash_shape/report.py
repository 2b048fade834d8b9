"""Tables: how well each statistic tells a face from a sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.flash_shape.record import AnsweredScan
from research.flash_shape.statistics import ShapeStatistics, measure

__all__ = ["Judged", "area", "judged_scans", "tables"]

_STRONGEST: Final = 1.0
"""As ``ShapeSettings.strongest``: above it the shape is not assessed."""
_GENUINE: Final = "genuine"
_SHEETS: Final = ("print", "cut-out-print", "injected-tint")
_OWN: Final = ("explained", "explained_beyond", "slope", "slope_beyond")
_ALONE: Final = ("present", "explained", "slope", "slope_beyond", "likelihood")
_TODAYS: Final = ("uneven", "relief")
_RIDGE: Final = 0.005
_ROUNDS: Final = 50


@dataclass(frozen=True, slots=True)
class Judged:
    """One scan with its statistics."""

    scan: AnsweredScan
    found: ShapeStatistics

    @property
    def fits(self) -> bool:
        """Whether lines are fitted on this person; on the others they are judged."""
        return int(self.scan.person[0], 16) % 2 == 0


def judged_scans(scans: Sequence[AnsweredScan]) -> list[Judged]:
    """Return the scans whose shape can be assessed, with their statistics."""
    return [Judged(one, measure(one)) for one in scans if len(one.mesh) and one.strength <= _STRONGEST]


def tables(calibrated: Sequence[Judged], held_out: Sequence[Judged]) -> list[str]:
    """Return the lines of the tables.

    Args:
        calibrated: Scans by the models of light that lines may be set on.
        held_out: Scans by the other models.
    """
    fitted_on = [one for one in calibrated if one.fits]
    joined = {
        "today's two joined": _Joined(_TODAYS, fitted_on),
        "own geometry joined": _Joined(_OWN, fitted_on),
        "all joined": _Joined((*_TODAYS, *_OWN), fitted_on),
    }
    lines = [f"fitted on {len(fitted_on)} scans"]
    for title, scans in (
        ("other half of the people", [one for one in calibrated if not one.fits]),
        ("held-out models, all people", list(held_out)),
    ):
        for lights in (("indoor",), ("office",), ("indoor", "office")):
            seen = [one for one in scans if one.scan.ambient in lights]
            genuine = [one for one in seen if one.scan.kind == _GENUINE]
            sheets = [one for one in seen if one.scan.kind in _SHEETS]
            if not genuine or not sheets:
                continue
            lines.append(f"\n{title}, {' and '.join(lights)}: {len(genuine)} genuine, {len(sheets)} sheets")
            each = {name: (_values(name, genuine), _values(name, sheets)) for name in _ALONE}
            each |= {name: (fit(genuine), fit(sheets)) for name, fit in joined.items()}
            lines.extend(_line(name, *values, genuine, sheets) for name, values in each.items())
    return lines


def _line(
    name: str,
    faces: NDArray[np.float64],
    others: NDArray[np.float64],
    genuine: Sequence[Judged],
    sheets: Sequence[Judged],
) -> str:
    """Return how well a statistic separates, and how many people pass where as many sheets do as today."""
    kinds = np.array([one.scan.kind for one in sheets])
    by_kind = ", ".join(f"{kind} {area(faces, others[kinds == kind]):.2f}" for kind in _SHEETS)
    people, attacks = (sum(one.found.present >= 0 for one in group) for group in (genuine, sheets))
    line = np.sort(others)[::-1][attacks] if attacks < len(others) else -np.inf
    return (
        f"{name:20} AUC {area(faces, others):.3f} ({by_kind}); "
        f"{100 * float((faces <= others.max()).mean()):.0f} % of the people below the last sheet; "
        f"{int((faces > line).sum())} people pass where {attacks} sheets do (today {people})"
    )


def area(faces: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Return how often a face has a larger value than another surface (the area under the ROC curve)."""
    return float((faces[:, None] > others).mean() + (faces[:, None] == others).mean() / 2)


def _values(name: str, scans: Sequence[Judged]) -> NDArray[np.float64]:
    return np.array([getattr(one.found, name) for one in scans], np.float64)


class _Joined:
    """A logistic regression of several statistics, with equal weight for faces and sheets."""

    def __init__(self, names: Sequence[str], scans: Sequence[Judged]) -> None:
        self._names = names
        kept = [one for one in scans if one.scan.kind in (_GENUINE, *_SHEETS)]
        is_face = np.array([one.scan.kind == _GENUINE for one in kept])
        values = self._of(kept)
        self._mean, self._scale = values.mean(axis=0), values.std(axis=0) + 1e-9
        known = np.column_stack([np.ones(len(kept)), (values - self._mean) / self._scale])
        weights = np.where(is_face, 0.5 / is_face.mean(), 0.5 / (1 - is_face.mean()))
        held = _RIDGE * len(kept) * np.diag([0.0] + [1.0] * len(names))
        self._factors = np.zeros(known.shape[1])
        for _ in range(_ROUNDS):
            chance = 1 / (1 + np.exp(-known @ self._factors))
            curve = known.T @ ((weights * chance * (1 - chance))[:, None] * known) + held
            rise = known.T @ (weights * (is_face - chance)) - held @ self._factors
            self._factors += np.linalg.solve(curve, rise)

    def __call__(self, scans: Sequence[Judged]) -> NDArray[np.float64]:
        """Return the log odds of a face."""
        known = (self._of(scans) - self._mean) / self._scale
        return np.asarray(self._factors[0] + known @ self._factors[1:])

    def _of(self, scans: Sequence[Judged]) -> NDArray[np.float64]:
        return np.stack([_values(name, scans) for name in self._names], axis=1)
