"""Compares two scorers on the same presentations: is the fusion better than its best part? In words, too."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.match.evaluation import Bootstrap
from lab.evaluation.pad.dataset import INJECTED
from lab.evaluation.pad.evaluation import POOLED, ScorerResult
from lab.evaluation.pad.points import area_under_curve, bpcer_at
from lab.evaluation.pad.resampling import Draws, Interval, interval_of, resampled_auc, resampled_bpcer
from lab.evaluation.pad.runs import ScorerKind, ScoreRun

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
        second: A run on the same samples.
        draws: The bootstrap's draws of these samples.

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


class Ruling(StrEnum):
    """The conclusion from the comparison; the values are words for people."""

    FUSION = "the fusion is better, and not worse within the intervals"
    EQUAL = "the fusion is not better; it is not worse within the intervals either"
    PART = "the fusion is worse: ship the part alone"
    UNDECIDED = "too few persons and sources to tell the fusion from its best part"
    ALONE = "there is no part to compare with"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The fusion against its parts on one set.

    Attributes:
        best: The part with the largest area under its curve; None without one. It was chosen on the same
            data, so the comparison favours it. Networks that the pack does not have are no parts.
        differences: The fusion minus each other scorer, the one with the largest area first.
    """

    fusion: str
    best: str | None
    differences: tuple[Difference, ...]
    ruling: Ruling


def conclude(
    runs: Sequence[ScoreRun], results: Sequence[ScorerResult], *, draws: Draws, bootstrap: Bootstrap
) -> Conclusion | None:
    """Compare the fusion with every part; None if there is no fusion, or it has no score.

    Args:
        results: Results of the runs, in their order.
    """
    judged = [(run, result.auc) for run, result in zip(runs, results, strict=True) if result.auc is not None]
    fusion = next((run for run, _ in judged if run.scorer.kind is ScorerKind.FUSION), None)
    if fusion is None:
        return None
    parts = sorted(
        ((auc, run) for run, auc in judged if run.scorer.kind is not ScorerKind.FUSION),
        key=lambda part: -part[0],
    )
    found = [
        each
        for _, run in parts
        if (each := difference(fusion, run, draws=draws, bootstrap=bootstrap)) is not None
    ]
    own = {run.scorer.name for _, run in parts if run.scorer.kind is not ScorerKind.OTHER_NETWORK}
    first = next((each for each in found if each.second in own), None)
    if first is None:
        return Conclusion(fusion.scorer.name, None, tuple(found), Ruling.ALONE)
    kept = Ruling.FUSION if first.better else Ruling.EQUAL
    judged_by = kept if first.not_worse else Ruling.PART
    ruling = judged_by if first.has_interval else Ruling.UNDECIDED
    return Conclusion(fusion.scorer.name, first.second, tuple(found), ruling)
