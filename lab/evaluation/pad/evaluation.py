"""Evaluates one scorer on one set of presentations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.binomial import Proportion, proportion
from lab.evaluation.match.evaluation import Bootstrap
from lab.evaluation.pad.dataset import INJECTED, SPECIES
from lab.evaluation.pad.points import (
    DetCurve,
    FixedApcer,
    HeldOut,
    NotSupported,
    area_under_curve,
    det_curve,
    equal_error_rate,
    held_out,
    in_sample,
)
from lab.evaluation.pad.resampling import (
    Draws,
    Interval,
    interval_of,
    resampled_auc,
)
from lab.evaluation.pad.runs import ScorerName, ScoreRun
from liveness import Verdict

EVERY_SPECIES: Final = "every species"
"""The basis of ISO/IEC 30107-3: no species may exceed the APCER."""

POOLED: Final = "all attacks in one"
"""Not the standard's method, because a common species hides a rare one; for comparison with such figures."""


@dataclass(frozen=True, slots=True)
class SpeciesResult:
    """Attacks of one species.

    Attributes:
        species: Instrument, or one of its varieties.
        variety: Whether it is a variety, which counts in its species too.
        doubtful: Presentations with a guessed species.
        groups: Persons or sittings.
        injected: Whether it is outside ISO/IEC 30107-3 (no instrument in front of the camera).
        no_response: APNRR.
        auc: Area under the curve against all bona fide responses; None without a response.
        verdicts: Counts of the scorer's verdicts, if it decides.
    """

    species: str
    variety: bool
    presentations: int
    doubtful: int
    groups: int
    sources: int
    injected: bool
    no_response: Proportion
    auc: float | None
    verdicts: "VerdictCounts | None"


@dataclass(frozen=True, slots=True)
class SourceResult:
    """Presentations of one source.

    Attributes:
        live: Bona fide responses.
        auc: Area under the curve; None without responses of both classes.
    """

    source: str
    live: int
    attacks: int
    auc: float | None


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """Counts of a scorer's verdicts.

    Attributes:
        live: Presentations judged live; for attacks these are errors (APCER).
        spoof: Presentations judged as attacks; for bona fide ones these are errors (BPCER).
    """

    live: int
    spoof: int
    inconclusive: int
    no_response: int


@dataclass(frozen=True, slots=True)
class ScorerResult:
    """The results of one scorer on one set.

    Attributes:
        live: Bona fide presentations.
        live_no_response: BPNRR; None without bona fide presentations.
        live_verdicts: Counts of its verdicts on them, if it decides.
        attacks: Presentation attacks, without injected ones.
        auc: Area under the curve of bona fide against these attacks; None if either class has no response.
        auc_within: Interval over persons and sittings.
        auc_across: Interval over sources, persons and sittings.
        auc_of_sources: Mean over the sources with responses of both classes, each counted once.
        eer: Equal error rate, as a side note.
        species: One result for each species with data, followed by its varieties.
        absent: Species without data, which are not evaluated.
        points: Error rates at each target APCER. The threshold is set on every species, on each one alone, on
            all of them pooled, and on each kind of injected attack.
        held_out: Error rates at thresholds from other data.
        parts: For each signal of the score its own area under the curve, and the number of presentations
            with a measurement of it.
        milliseconds: Median CPU time of a response; None without one.
        curve: APCER and BPCER at every threshold.
    """

    scorer: ScorerName
    live: int
    live_no_response: Proportion | None
    live_verdicts: VerdictCounts | None
    attacks: int
    auc: float | None
    auc_within: Interval | None
    auc_across: Interval | None
    auc_of_sources: float | None
    eer: float | None
    species: tuple[SpeciesResult, ...]
    absent: tuple[str, ...]
    points: tuple[FixedApcer | NotSupported, ...]
    held_out: tuple[HeldOut, ...]
    sources: tuple[SourceResult, ...]
    parts: Mapping[str, tuple[float, int]]
    milliseconds: float | None
    curve: DetCurve | None


def evaluate_run(run: ScoreRun, *, draws: Draws, bootstrap: Bootstrap) -> ScorerResult:
    """Compute the results of one scorer from its answers.

    Args:
        draws: Draws of the run's samples (``lab.evaluation.pad.resampling.draw``).
    """
    instruments = run.species_masks(injected=False)
    attack = np.zeros(len(run.samples), np.bool_)
    for mask in instruments.values():
        attack |= mask
    chosen = run.answered & (run.live | attack)
    scores, live = run.scores[chosen], run.live[chosen]
    both = bool(live.any() and (~live).any())
    kept = draws.of(chosen)
    within, across = kept.counts((live, ~live)) if both else (None, None)
    return ScorerResult(
        scorer=run.scorer,
        live=int(run.live.sum()),
        live_no_response=_no_response(run, run.live, bootstrap.confidence),
        live_verdicts=_verdicts(run, run.live),
        attacks=int(attack.sum()),
        auc=area_under_curve(scores[live], scores[~live]) if both else None,
        auc_within=_auc_interval(scores, live, kept.groups, within, bootstrap),
        auc_across=_auc_interval(scores, live, kept.groups, across, bootstrap),
        auc_of_sources=_mean_of_sources(run, attack),
        eer=equal_error_rate(scores[live], scores[~live]) if both else None,
        species=tuple(_species(run, bootstrap.confidence)),
        absent=tuple(name for name in SPECIES if name not in instruments),
        points=tuple(_points(run, instruments, draws, bootstrap)) if both else (),
        held_out=held_out(run, species=instruments, bootstrap=bootstrap) if both else (),
        sources=tuple(_sources(run, attack)),
        parts={
            name: found
            for name, values in run.parts.items()
            if (found := _part(values, run, attack)) is not None
        },
        milliseconds=float(np.median(run.milliseconds)) if run.milliseconds else None,
        curve=det_curve(scores[live], scores[~live]) if both else None,
    )


def _points(
    run: ScoreRun, instruments: Mapping[str, NDArray[np.bool_]], draws: Draws, bootstrap: Bootstrap
) -> list[FixedApcer | NotSupported]:
    bases: dict[str, Mapping[str, NDArray[np.bool_]]] = {EVERY_SPECIES: instruments}
    if len(instruments) > 1:
        bases |= {name: {name: mask} for name, mask in instruments.items()}
        bases[POOLED] = {POOLED: np.logical_or.reduce(list(instruments.values()))}
    bases |= {name: {name: mask} for name, mask in run.species_masks(injected=True).items()}
    return [
        point
        for basis, species in bases.items()
        for point in in_sample(run, basis=basis, species=species, draws=draws, bootstrap=bootstrap)
    ]


def _species(run: ScoreRun, confidence: float) -> list[SpeciesResult]:
    """Return each species, followed by its varieties if it has several."""
    found = []
    for name in sorted({sample.species for sample in run.samples if not sample.live}):
        members = np.array([sample.species == name for sample in run.samples])
        found.append(_one_species(run, name, members, confidence, variety=False))
        varieties = sorted({sample.variety for sample in run.samples if sample.species == name})
        if len(varieties) > 1:
            for variety in varieties:
                chosen = members & np.array([sample.variety == variety for sample in run.samples])
                shown = f"{name}, variety unknown" if variety == name else variety
                found.append(_one_species(run, shown, chosen, confidence, variety=True))
    return found


def _one_species(
    run: ScoreRun, name: str, members: NDArray[np.bool_], confidence: float, *, variety: bool
) -> SpeciesResult:
    samples = [run.samples[at] for at in np.flatnonzero(members)]
    live, attacks = run.scores[run.live & run.answered], run.scores[members & run.answered]
    no_response = _no_response(run, members, confidence)
    if no_response is None:
        raise ValueError("a species has at least one presentation")
    return SpeciesResult(
        species=name,
        variety=variety,
        presentations=len(samples),
        doubtful=sum(sample.doubtful for sample in samples),
        groups=len({sample.group for sample in samples}),
        sources=len({sample.source for sample in samples}),
        injected=samples[0].species in INJECTED,
        no_response=no_response,
        auc=area_under_curve(live, attacks) if live.size and attacks.size else None,
        verdicts=_verdicts(run, members),
    )


def _sources(run: ScoreRun, attack: NDArray[np.bool_]) -> list[SourceResult]:
    names = np.array([sample.source for sample in run.samples], dtype=object)
    found = []
    for source in sorted(set(names.tolist())):
        own = run.answered & (names == source)
        live, attacks = run.scores[own & run.live], run.scores[own & attack]
        found.append(
            SourceResult(
                source=source,
                live=live.size,
                attacks=attacks.size,
                auc=area_under_curve(live, attacks) if live.size and attacks.size else None,
            )
        )
    return found


def _mean_of_sources(run: ScoreRun, attack: NDArray[np.bool_]) -> float | None:
    areas = [source.auc for source in _sources(run, attack) if source.auc is not None]
    return float(np.mean(areas)) if areas else None


def _part(values: NDArray[np.float64], run: ScoreRun, attack: NDArray[np.bool_]) -> tuple[float, int] | None:
    assessed = ~np.isnan(values)
    live, attacks = values[assessed & run.live], values[assessed & attack]
    if not live.size or not attacks.size:
        return None
    return area_under_curve(live, attacks), int(live.size + attacks.size)


def _auc_interval(
    scores: NDArray[np.float64],
    live: NDArray[np.bool_],
    groups: NDArray[np.int64],
    counts: NDArray[np.uint16] | None,
    bootstrap: Bootstrap,
) -> Interval | None:
    if counts is None:
        return None
    return interval_of(resampled_auc(scores, live, groups=groups, counts=counts), bootstrap.confidence)


def _no_response(run: ScoreRun, members: NDArray[np.bool_], confidence: float) -> Proportion | None:
    return proportion(int((members & ~run.answered).sum()), int(members.sum()), confidence=confidence)


def _verdicts(run: ScoreRun, members: NDArray[np.bool_]) -> VerdictCounts | None:
    if not run.verdicts:
        return None
    given: Sequence[Verdict | None] = [run.verdicts.get(int(at)) for at in np.flatnonzero(members)]
    return VerdictCounts(
        live=given.count(Verdict.LIVE),
        spoof=given.count(Verdict.SPOOF),
        inconclusive=given.count(Verdict.INCONCLUSIVE),
        no_response=given.count(None),
    )
