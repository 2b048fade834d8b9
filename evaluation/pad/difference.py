"""Compares two scorers on the same presentations."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.pad.dataset import INJECTED
from evaluation.pad.evaluation import POOLED
from evaluation.pad.metrics import area_under_curve, bpcer_at
from evaluation.pad.resampling import Bootstrap, Draws, Interval, interval_of, resampled_auc, resampled_bpcer
from evaluation.pad.runs import ScoreRun

__all__ = ["Difference", "difference"]

_COMPARED_AT: Final = 0.10


@dataclass(frozen=True, slots=True)
class Difference:
    """One scorer minus another, on the presentations to which both responded.

    Attributes:
        first: Name of the scorer from whose figures the other's are subtracted.
        second: Name of the other scorer.
        live: Bona fide presentations.
        attacks: Attack presentations with an instrument.
        auc: Difference of the areas; above 0 the first is better.
        auc_within: Interval over persons and sittings.
        auc_across: Interval over sources, too.
        bpcer: Difference of BPCER at APCER 10 % of all attacks; below 0 the first is better.
        bpcer_within: Interval over persons and sittings.
        bpcer_across: Interval over sources, too.
    """

    first: str
    second: str
    live: int
    attacks: int
    auc: float
    auc_within: Interval | None
    auc_across: Interval | None
    bpcer: float
    bpcer_within: Interval | None
    bpcer_across: Interval | None

    @property
    def has_interval(self) -> bool:
        """Whether there were enough persons or sources for an interval."""
        return (self.auc_across or self.auc_within) is not None

    @property
    def not_worse(self) -> bool:
        """Whether neither interval over persons and sources lies entirely on the worse side."""
        auc, bpcer = self.auc_across or self.auc_within, self.bpcer_across or self.bpcer_within
        return (auc is None or auc.upper >= 0.0) and (bpcer is None or bpcer.lower <= 0.0)

    @property
    def better(self) -> bool:
        """Whether the first is better overall: it has the larger area, and is not worse at the threshold."""
        return self.auc > 0.0 and self.bpcer <= 0.0


def difference(first: ScoreRun, second: ScoreRun, *, draws: Draws, bootstrap: Bootstrap) -> Difference | None:
    """Return the figures of ``first`` minus those of ``second``, on the presentations that both scored.

    Returns None if these do not include both bona fide and attack presentations.

    Args:
        first: One run.
        second: A run on the same samples.
        draws: The bootstrap's draws of these samples.
        bootstrap: Settings of the intervals.

    Raises:
        ValueError: The runs are of different presentations.
    """
    if first.samples != second.samples:
        raise ValueError("two scorers can be compared only on the same presentations")
    attack = np.array([not each.live and each.species not in INJECTED for each in first.samples])
    chosen = first.answered & second.answered & (first.live | attack)
    live = first.live[chosen]
    if not live.any() or live.all():
        return None
    kept = draws.of(chosen)
    pair = [run.scores[chosen] for run in (first, second)]

    def interval(measure: str, counts: NDArray[np.uint16] | None) -> Interval | None:
        if counts is None:
            return None
        one, other = (
            resampled_auc(scores, live, groups=kept.groups, counts=counts)
            if measure == "auc"
            else resampled_bpcer(
                _COMPARED_AT,
                scores,
                live,
                species={POOLED: ~live},
                least=1,
                groups=kept.groups,
                counts=counts,
            )
            for scores in pair
        )
        return interval_of(one - other, bootstrap.confidence)

    within, across = kept.counts((live, ~live))
    areas = [area_under_curve(scores[live], scores[~live]) for scores in pair]
    rates = [bpcer_at(_COMPARED_AT, live=scores[live], attacks=scores[~live]) for scores in pair]
    return Difference(
        first=first.scorer.name,
        second=second.scorer.name,
        live=int(live.sum()),
        attacks=int((~live).sum()),
        auc=areas[0] - areas[1],
        auc_within=interval("auc", within),
        auc_across=interval("auc", across),
        bpcer=rates[0] - rates[1],
        bpcer_within=interval("bpcer", within),
        bpcer_across=interval("bpcer", across),
    )
