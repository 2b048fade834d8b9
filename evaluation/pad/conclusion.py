"""Decides whether the fusion is better than its best part, and states the answer in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from evaluation.pad.difference import Difference, difference
from evaluation.pad.evaluation import ScorerResult
from evaluation.pad.resampling import Bootstrap, Draws
from evaluation.pad.runs import ScorerKind, ScoreRun

__all__ = ["Conclusion", "Ruling", "conclude"]


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
        fusion: Name of the fusion.
        best: The part with the largest area under its curve; None without one. It was chosen on the same
            data, so the comparison favours it. Networks that the pack does not have are no parts.
        differences: The fusion minus each other scorer, the one with the largest area first.
        ruling: The conclusion.
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
        runs: The runs of one pack on one set.
        results: Results of the runs, in their order.
        draws: Draws of the runs' samples.
        bootstrap: Settings of the intervals.
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
