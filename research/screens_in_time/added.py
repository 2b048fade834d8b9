"""Measures how much better the fusion separates scans with further cues, each source judged by the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveness import FusionModel, Verdict
from liveness.express.scoring import far_log_odds, log_odds
from research.liveness_fusion.left_out import POLICIES, STANDARD, decide
from research.liveness_fusion.logistic import balanced_shares, fit_logistic
from research.liveness_fusion.parts import Limits, fit_parts
from research.liveness_fusion.rows import Row, RowKind
from research.screens_in_time.scans import Scan
from research.screens_in_time.separation import curve_over_sources

__all__ = ["AddedCues", "Decision", "added", "decided_without_source", "reach"]

_DEEPFAKE = "deepfake"
_PULL = 0.003
"""Draws the weight of a cue to 0, as strongly as a network's is drawn to its prior."""
_NO_BIAS = 1e6
_MOST_SPREADS = 4.0
"""Beyond this many spreads above the median of live scans, a cue does not count more."""
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Decision:
    """The judgement of a scan by a fusion that was fitted without the scan's source.

    Attributes:
        row: The scan.
        odds: Natural log odds of life.
        verdict: The verdict of policy ``standard``.
    """

    row: Row
    odds: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class AddedCues:
    """The decisions of the fusion with some cues.

    Attributes:
        auc: Area under the curve over scans, with its 95 % bounds from samples of sources.
        live: Live scans that are LIVE, and SPOOF.
        screens: Screens' scans that are LIVE, and SPOOF.
        passed: Screens that are LIVE in at least one scan.
        people: Live clips that are LIVE in at least one scan.
        weights: Least and largest weight of a cue over the sources that were left out.
    """

    auc: float
    bounds: tuple[float, float]
    live: tuple[int, int]
    screens: tuple[int, int]
    passed: int
    people: int
    weights: tuple[float, float]


def decided_without_source(
    rows: Sequence[Row], base: FusionModel, networks: frozenset[str]
) -> list[Decision]:
    """Return the judgement of every scan that all ``networks`` scored, except deepfakes.

    Each scan is judged by a fusion that was fitted without the scan's source.
    """
    asked = [
        row
        for row in rows
        if row.kind is RowKind.CLIP and row.species != _DEEPFAKE and networks <= row.networks.keys()
    ]
    found = []
    for source in sorted({row.source for row in asked}):
        model = fit_parts([row for row in rows if row.source != source], base, Limits())
        for row in asked:
            if row.source == source:
                result = decide(row, model, networks=networks, policy=STANDARD)
                found.append(Decision(row, far_log_odds(result.score / 100), result.verdict))
    return found


def added(decisions: Sequence[Decision], scans: Sequence[Scan], cues: Sequence[str]) -> AddedCues:
    """Decide every scan by the fusion with cues that only count against life.

    Each cue's median and spread of live scans, and its weight of at least 0, are from the other sources. An
    unmeasured cue counts nothing.
    """
    values = _values(decisions, scans, cues)
    live = np.array([one.row.live for one in decisions])
    sources = np.array([one.row.source for one in decisions])
    base = np.array([one.odds for one in decisions])
    odds = base.copy()
    fitted: list[float] = [] if cues else [0.0]
    for source in sorted(set(sources.tolist())) if cues else []:
        others, own = sources != source, sources == source
        middle = np.nanmedian(values[others & live], axis=0)
        spread = 1.5 * np.nanmedian(np.abs(values[others & live] - middle), axis=0) + _TINY
        against = -np.nan_to_num((values - middle) / spread).clip(0, _MOST_SPREADS)
        weights, _ = fit_logistic(
            against[others],
            live[others].astype(np.float64),
            balanced_shares(live[others].tolist(), sources[others].tolist(), power=0.0),
            prior=(0.0, _PULL, _NO_BIAS),
            offset=base[others],
        )
        odds[own] += against[own] @ weights
        fitted += weights.tolist()
    verdicts = [_verdict(one, float(each)) for one, each in zip(decisions, odds, strict=True)]
    auc, bounds = curve_over_sources((-odds).tolist(), live.tolist(), sources.tolist())
    return AddedCues(
        auc=auc,
        bounds=bounds,
        live=_counts(verdicts, live),
        screens=_counts(verdicts, ~live),
        passed=_clips(decisions, verdicts, live=False),
        people=_clips(decisions, verdicts, live=True),
        weights=(min(fitted), max(fitted)),
    )


def reach(decisions: Sequence[Decision], scans: Sequence[Scan], cue: str) -> tuple[int, int]:
    """Return what the best line of a cue could do if it were set on these scans.

    Returns:
        Of the screens' scans that are LIVE, those beyond every live scan that is; and of the latter, those
        that are lost where a line catches all of the former that have the cue.
    """
    values = _values(decisions, scans, [cue])[:, 0]
    passed = np.array([one.verdict is Verdict.LIVE for one in decisions])
    live = np.array([one.row.live for one in decisions])
    people, screens = (values[passed & side & np.isfinite(values)] for side in (live, ~live))
    if not people.size or not screens.size:
        return 0, 0
    return int((screens > people.max()).sum()), int((people >= screens.min()).sum())


def _values(decisions: Sequence[Decision], scans: Sequence[Scan], cues: Sequence[str]) -> NDArray[np.float64]:
    known = {f"{scan.clip}#{scan.number}": scan.cues for scan in scans}
    return np.array(
        [[known.get(one.row.name, {}).get(cue, np.nan) for cue in cues] for one in decisions], np.float64
    ).reshape(len(decisions), len(cues))


def _verdict(decision: Decision, odds: float) -> Verdict:
    """Return the verdict with lower odds; doubts that kept a scan from LIVE remain."""
    live, spoof = (log_odds(threshold / 100) for threshold in POLICIES[STANDARD])
    if decision.verdict is Verdict.SPOOF or odds <= spoof:
        return Verdict.SPOOF
    return Verdict.INCONCLUSIVE if odds < live else decision.verdict


def _counts(verdicts: Sequence[Verdict], chosen: NDArray[np.bool_]) -> tuple[int, int]:
    own = [verdict for verdict, one in zip(verdicts, chosen, strict=True) if one]
    return own.count(Verdict.LIVE), own.count(Verdict.SPOOF)


def _clips(decisions: Sequence[Decision], verdicts: Sequence[Verdict], *, live: bool) -> int:
    return len(
        {
            one.row.name.partition("#")[0]
            for one, verdict in zip(decisions, verdicts, strict=True)
            if verdict is Verdict.LIVE and one.row.live is live
        }
    )
