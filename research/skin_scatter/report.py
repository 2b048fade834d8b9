"""Prints tables: how well skin is separated from each material, and how large the difference is."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from research.dynamic.errors import DynamicEvaluationError
from research.flash_shape.report import area
from research.skin_scatter.cases import AMBIENTS, STAGES, Row
from research.skin_scatter.materials import Kind
from research.skin_scatter.statistics import NAMES

__all__ = ["Regression", "judged", "tables"]

Floats: TypeAlias = NDArray[np.float64]
_OPPOSED: Final = (Kind.PAINT, Kind.PAPER, Kind.RESIN, Kind.LATEX)
"""The materials against which the regression is fitted. Silicone that is made like skin cannot be told."""
_RIDGE: Final = 0.01
_ROUNDS: Final = 50
_SAMPLES: Final = 200
_LOST: Final = 0.05
"""The share of the skins on which the line is set that it may lose."""


class Regression:
    """A logistic regression of statistics, with equal weight for skin and the rest."""

    def __init__(self, values: Floats, skin: NDArray[np.bool_]) -> None:
        """Fit it to values, shape (n, k)."""
        self._mean, self._scale = values.mean(axis=0), values.std(axis=0) + 1e-9
        known = np.column_stack([np.ones(len(values)), (values - self._mean) / self._scale])
        weights = np.where(skin, 0.5 / skin.mean(), 0.5 / (1 - skin.mean()))
        held = _RIDGE * len(values) * np.diag([0.0] + [1.0] * values.shape[1])
        self._factors = np.zeros(known.shape[1])
        for _ in range(_ROUNDS):
            chance = 1 / (1 + np.exp(-known @ self._factors))
            curve = known.T @ ((weights * chance * (1 - chance))[:, None] * known) + held
            rise = known.T @ (weights * (skin - chance)) - held @ self._factors
            self._factors += np.linalg.solve(curve, rise)

    def __call__(self, values: Floats) -> Floats:
        """Return the log odds of skin, shape (n,)."""
        return np.asarray(self._factors[0] + (values - self._mean) / self._scale @ self._factors[1:])


@dataclass(frozen=True, slots=True)
class Judged:
    """A scan that was judged by a regression of other people's.

    Attributes:
        row: The scan.
        half: The half of the people to which its person belongs, 0 or 1.
        odds: Log odds of skin over the line that loses a twentieth of the skins on which it was set.
    """

    row: Row
    half: int
    odds: float


def judged(rows: Sequence[Row], models: str) -> list[Judged]:
    """Return the scans of some models, each half of the people judged by the calibrated models of the other.

    Args:
        rows: Scans at one stage.
        models: ``"calibrated"`` or ``"held-out"``.
    """
    people = sorted({row.case.person for row in rows})
    found = []
    for half in (0, 1):
        learned = [
            row
            for row in rows
            if people.index(row.case.person) % 2 != half
            and row.case.models == "calibrated"
            and row.kind in (Kind.SKIN, *_OPPOSED)
        ]
        skin = np.array([row.kind == Kind.SKIN for row in learned])
        fitted = Regression(_values(learned), skin)
        line = float(np.quantile(fitted(_values(learned))[skin], _LOST))
        seen = [
            row for row in rows if people.index(row.case.person) % 2 == half and row.case.models == models
        ]
        found += [
            Judged(row, half, odds - line) for row, odds in zip(seen, fitted(_values(seen)), strict=True)
        ]
    return found


def tables(rows: Sequence[Row]) -> list[str]:
    """Return the lines.

    Raises:
        DynamicEvaluationError: There are fewer than two people.
    """
    if len({row.case.person for row in rows if row.case.models == "calibrated"}) < 2:
        raise DynamicEvaluationError("statistics are set on other people, so that at least two are needed")
    lights = [ambient for ambient in AMBIENTS if any(row.case.ambient == ambient for row in rows)]
    lines = [f"{len(rows)} rows of {len({row.case for row in rows})} faces"]
    for models in ("held-out", "calibrated"):
        for stage in STAGES:
            scans = judged([row for row in rows if row.stage == stage], models)
            lines += [
                "",
                f"{models} models, other people, {stage}: AUC of skin (5 to 95 % by person), passes",
            ]
            lines += [_line(scans, ambient) for ambient in (*lights, "all")]
    lines += ["", "AUC of each statistic alone, held-out models, all light"]
    lines += [_single(rows, number, name) for number, name in enumerate(NAMES)]
    lines += ["", "blue less red in details of 5, 10 and 20 mm, median, % of the light; all models"]
    return [*lines, *_sizes(rows, lights), "", _colours(rows)]


def _line(scans: Sequence[Judged], ambient: str) -> str:
    """Return how well skin is separated from each material, and how often each passes the line."""
    seen = [one for one in scans if ambient in ("all", one.row.case.ambient)]
    parts = [f"{ambient:7}"]
    for kind in Kind:
        passed = np.mean([one.odds >= 0 for one in seen if one.row.kind == kind])
        told = "" if kind is Kind.SKIN else "{:.2f} ({:.2f} to {:.2f}), ".format(*_bounded(seen, kind))
        parts.append(f"{kind} {told}{100 * passed:.0f} %")
    return "; ".join(parts)


def _bounded(scans: Sequence[Judged], kind: Kind) -> tuple[float, float, float]:
    """Return the area for a material, and the range of it over samples of people."""
    groups: dict[tuple[str, int], tuple[list[float], list[float]]] = {}
    for one in scans:
        if one.row.kind in (Kind.SKIN, kind):
            ours = groups.setdefault((one.row.case.person, one.half), ([], []))
            ours[one.row.kind != Kind.SKIN].append(one.odds)
    people = [(half, *values) for (_, half), values in sorted(groups.items())]
    drawn = np.random.default_rng(1).integers(0, len(people), (_SAMPLES, len(people))).tolist()
    areas = [_area([people[one] for one in sample]) for sample in drawn]
    return _area(people), float(np.nanquantile(areas, 0.05)), float(np.nanquantile(areas, 0.95))


def _area(people: Sequence[tuple[int, list[float], list[float]]]) -> float:
    """Return the mean area of the two halves, whose regressions differ."""
    each = []
    for half in (0, 1):
        skins = np.array([odds for part, ours, _ in people if part == half for odds in ours])
        others = np.array([odds for part, _, theirs in people if part == half for odds in theirs])
        if len(skins) and len(others):
            each.append(area(skins, others))
    return float(np.mean(each)) if each else float("nan")


def _single(rows: Sequence[Row], number: int, name: str) -> str:
    shares = []
    for stage in STAGES:
        seen = [row for row in rows if row.stage == stage and row.case.models == "held-out"]
        skins, others = (
            np.array([row.found.values[number] for row in seen if row.kind in kinds])
            for kinds in ((Kind.SKIN,), _OPPOSED)
        )
        shares.append(f"{stage} {area(skins, others):.2f}")
    return f"{name}: {', '.join(shares)}"


def _sizes(rows: Sequence[Row], lights: Sequence[str]) -> list[str]:
    def middle(kind: Kind, stage: str, what: str, ambient: str | None = None) -> str:
        found = [
            getattr(row.found, what)
            for row in rows
            if row.kind == kind and row.stage == stage and ambient in (None, row.case.ambient)
        ]
        return ", ".join(f"{100 * one:.2f}" for one in np.median(found, axis=0).tolist())

    lines = [f"scattering in {kind}: {middle(kind, 'matt', 'apart_over')}" for kind in Kind]
    lines += [
        f"{after} of opaque paint: {middle(Kind.PAINT, after, 'apart_over')} (before: {before})"
        for before, after in pairwise(STAGES[:3])
    ]
    lines += [f"albedo of opaque paint: {middle(Kind.PAINT, 'matt', 'apart')}"]
    return lines + [
        f"noise of skin, {stage}, {ambient}: {middle(Kind.SKIN, stage, 'noise', ambient)}"
        for ambient in lights
        for stage in STAGES[3:]
    ]


def _colours(rows: Sequence[Row]) -> str:
    """Return how far the answer's colour differs between skin and paint in its colours."""
    seen = {(row.case, row.kind): row.found.colours for row in rows if row.stage == "sent"}
    cases = {case for case, _ in seen}
    skin, paint = (np.array([seen[case, str(kind)] for case in cases]) for kind in (Kind.SKIN, Kind.PAINT))
    return (
        "red and blue of the answer over its green: "
        f"paint in the person's colours differs by {_percent(np.median(np.abs(skin - paint), axis=0))}, "
        f"deviation between skins {_percent(skin.std(axis=0))}; AUC "
        + ", ".join(f"{area(skin[:, one], paint[:, one]):.2f}" for one in (0, 1))
    )


def _percent(shares: Floats) -> str:
    return " and ".join(f"{100 * one:.1f} %" for one in shares.tolist())


def _values(rows: Sequence[Row]) -> Floats:
    return np.array([row.found.values for row in rows], np.float64)
