"""Error rates of presentation attack detection (ISO/IEC 30107-3), and BPCER at a fixed APCER.

A score states how sure a scorer is of a bona fide presentation. A presentation is **accepted** if its score
is *above* the threshold.

* APCER: share of attack presentations of one species that are accepted. Over several species the highest
  counts (ISO/IEC 30107-3, 13.2), so that an easy species does not hide a hard one.
* BPCER: share of bona fide presentations that are not accepted.
* Presentations without a response are in neither; they are counted separately (APNRR, BPNRR).

A target is reported only if there are enough attacks to show it: with n attacks and none accepted, the APCER
may still be 3/n (95 %, rule of three), so that 1 % needs 300 attacks of a species, 5 % 60 and 10 % 30.

**In sample**: the threshold is set on the same presentations on which it is measured, so that BPCER is
slightly optimistic. **Held out**: for each part of the data the threshold is set on all other parts. A part
is a source. A source with more than half of the presentations is divided into parts by persons and sittings,
so that no person is on both sides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.binomial import Proportion, fewest_trials, proportion
from lab.evaluation.match.evaluation import Bootstrap
from lab.evaluation.pad.resampling import Draws, Interval, interval_of, resampled_bpcer
from lab.evaluation.pad.runs import ScoreRun

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DetCurve:
    """Both error rates at every distinct threshold.

    Attributes:
        thresholds: Shape (t,), rising; the first accepts everything.
        apcer: Shape (t,), falling from 1 to 0.
        bpcer: Shape (t,), rising from 0 to 1.
    """

    thresholds: Scores
    apcer: Scores
    bpcer: Scores


def area_under_curve(live: Scores, attacks: Scores) -> float:
    """Return the share of pairs, 0..1, in which the live presentation scores higher; equal scores count half.

    Args:
        live: Shape (n,), n at least 1.
        attacks: Shape (m,), m at least 1.

    Raises:
        ValueError: One of them is empty.
    """
    if not live.size or not attacks.size:
        raise ValueError("the area under the curve needs bona fide and attack presentations")
    sorted_attacks = np.sort(attacks)
    lower = np.searchsorted(sorted_attacks, live, side="left")
    lower_or_equal = np.searchsorted(sorted_attacks, live, side="right")
    return float((lower + lower_or_equal).sum() / 2 / (live.size * attacks.size))


def share_rejected(live: Scores, threshold: float) -> float:
    """Return the BPCER, 0..1."""
    return float((live <= threshold).mean())


def threshold_at(apcer: float, attacks: Scores) -> float:
    """Return the lowest attack score which, as a threshold, accepts at most the share ``apcer`` of attacks.

    Args:
        apcer: 0..1, below 1.
        attacks: Shape (m,), m at least 1.
    """
    return float(np.sort(attacks)[::-1][int(apcer * attacks.size + 1e-9)])


def threshold_for_all(apcer: float, attacks: Mapping[str, Scores]) -> float:
    """Return the lowest threshold at which no species has an APCER above ``apcer``.

    Args:
        apcer: 0..1, below 1.
        attacks: Scores by species; at least one species, none empty.
    """
    return max(threshold_at(apcer, scores) for scores in attacks.values())


def bpcer_at(apcer: float, *, live: Scores, attacks: Scores) -> float:
    """Return BPCER, 0..1, at the lowest threshold that accepts at most the share ``apcer`` of attacks."""
    return share_rejected(live, threshold_at(apcer, attacks))


def det_curve(live: Scores, attacks: Scores) -> DetCurve:
    """Return both rates at every threshold.

    Args:
        live: Shape (n,), n at least 1.
        attacks: Shape (m,), m at least 1.
    """
    scores = np.unique(np.concatenate([live, attacks]))
    thresholds = np.concatenate([[-np.inf], scores])
    return DetCurve(
        thresholds=thresholds,
        apcer=1.0 - np.searchsorted(np.sort(attacks), thresholds, side="right") / attacks.size,
        bpcer=np.searchsorted(np.sort(live), thresholds, side="right") / live.size,
    )


def equal_error_rate(live: Scores, attacks: Scores) -> float:
    """Return the equal error rate, 0..1: the mean of APCER and BPCER at the threshold where they are closest.

    ISO/IEC 30107-3 does not report it; it is a side note for comparison with older papers.
    """
    curve = det_curve(live, attacks)
    at = int(np.argmin(np.abs(curve.apcer - curve.bpcer)))
    return float((curve.apcer[at] + curve.bpcer[at]) / 2)


TARGETS: Final = (0.01, 0.05, 0.10)

_PARTS: Final = 3
_ONLY_PARTS: Final = 5
"""Number of parts of a source that has more than half of the presentations, or is the only one."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NotSupported:
    """A target that the data do not support.

    Attributes:
        attacks: Number of their files, of the rarest species.
        needed: Number of files of that species that the target needs.
    """

    target: float
    basis: str
    attacks: int
    needed: int


@dataclass(frozen=True, slots=True)
class FixedApcer:
    """Error rates at the threshold that keeps an APCER.

    Attributes:
        target: APCER that no species of the basis exceeds.
        basis: The attacks that set the threshold.
        threshold: A presentation is accepted above it.
        apcer: APCER of each species of the basis at the threshold.
        bpcer: BPCER of all bona fide presentations.
        within: Interval of BPCER over persons and sittings of the same sources; None with few of them.
        across: Interval over sources too; None with few sources, or if one source has nearly all attacks.
    """

    target: float
    basis: str
    threshold: float
    apcer: Mapping[str, Proportion]
    bpcer: Proportion
    within: Interval | None
    across: Interval | None


@dataclass(frozen=True, slots=True)
class SourceRates:
    """The error rates of one source, at thresholds that were set on the other parts of the data.

    Attributes:
        bpcer: BPCER; None without bona fide presentations.
    """

    source: str
    apcer: Mapping[str, Proportion]
    bpcer: Proportion | None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Error rates at thresholds from other sources, persons and sittings.

    Attributes:
        target: APCER that no species exceeds on the data that set the thresholds.
        parts: Number of parts of the data.
        sources: Both rates by source.
    """

    target: float
    parts: int
    apcer: Mapping[str, Proportion]
    bpcer: Proportion
    sources: tuple[SourceRates, ...]


def in_sample(
    run: ScoreRun,
    *,
    basis: str,
    species: Mapping[str, Mask],
    draws: Draws,
    bootstrap: Bootstrap,
) -> tuple[FixedApcer | NotSupported, ...]:
    """Compute the rates at each target, with the threshold set on these presentations.

    Args:
        run: A run with at least one bona fide response.
        species: Shape (n,) each: the attacks that the threshold must refuse.
    """
    answered = run.answered
    scores, live = run.scores[answered], run.live[answered]
    masks = {name: mask[answered] for name, mask in species.items() if mask[answered].any()}
    rarest = min((_files(run, answered & species[name]) for name in masks), default=0)
    kept = draws.of(answered)
    found: list[FixedApcer | NotSupported] = []
    for target in TARGETS:
        if rarest < fewest_trials(target):
            found.append(NotSupported(target, basis, rarest, fewest_trials(target)))
            continue
        threshold = threshold_for_all(target, {name: scores[mask] for name, mask in masks.items()})
        bpcer = _rejected(scores[live], threshold, bootstrap.confidence)
        if bpcer is None:
            continue
        intervals = [
            None
            if counts is None
            else interval_of(
                resampled_bpcer(
                    target,
                    scores,
                    live,
                    species=masks,
                    least=fewest_trials(target),
                    groups=kept.groups,
                    counts=counts,
                ),
                bootstrap.confidence,
            )
            for counts in kept.counts((live, *masks.values()))
        ]
        found.append(
            FixedApcer(
                target=target,
                basis=basis,
                threshold=threshold,
                apcer=_accepted_by_species(scores, masks, threshold, bootstrap.confidence),
                bpcer=bpcer,
                within=intervals[0],
                across=intervals[1],
            )
        )
    return tuple(found)


def held_out(run: ScoreRun, *, species: Mapping[str, Mask], bootstrap: Bootstrap) -> tuple[HeldOut, ...]:
    """Compute the rates at held-out thresholds, for each target that every training set supports.

    Args:
        run: A run with at least one bona fide response.
        species: Shape (n,) each: the attacks that the thresholds must refuse.
        bootstrap: Its seed divides a large source.
    """
    answered = run.answered
    parts = _parts(run, seed=bootstrap.seed)
    numbers = sorted(set(parts.tolist()))
    if len(numbers) < 2:
        return ()
    found = []
    for target in TARGETS:
        thresholds = np.full(run.scores.size, np.nan)
        for number in numbers:
            among = answered & (parts != number)
            training = {name: mask & among for name, mask in species.items() if (mask & among).any()}
            rarest = min((_files(run, mask) for mask in training.values()), default=0)
            if rarest < fewest_trials(target):
                break
            thresholds[parts == number] = threshold_for_all(
                target, {name: run.scores[mask] for name, mask in training.items()}
            )
        else:
            found.append(
                _held_out(
                    run,
                    target,
                    thresholds,
                    species=species,
                    parts=len(numbers),
                    confidence=bootstrap.confidence,
                )
            )
    return tuple(found)


def _held_out(
    run: ScoreRun,
    target: float,
    thresholds: NDArray[np.float64],
    *,
    species: Mapping[str, Mask],
    parts: int,
    confidence: float,
) -> HeldOut:
    answered, live = run.answered, run.live
    accepted = run.scores > thresholds
    names = np.array([sample.source for sample in run.samples], dtype=object)

    def attacks(among: Mask) -> dict[str, Proportion]:
        shares = {
            name: proportion(
                int((accepted & mask & among).sum()), int((mask & among).sum()), confidence=confidence
            )
            for name, mask in species.items()
        }
        return {name: share for name, share in shares.items() if share is not None}

    def genuine(among: Mask) -> Proportion | None:
        chosen = live & among
        return proportion(int((~accepted & chosen).sum()), int(chosen.sum()), confidence=confidence)

    every = genuine(answered)
    if every is None:
        raise ValueError("there is no bona fide response")
    return HeldOut(
        target=target,
        parts=parts,
        apcer=attacks(answered),
        bpcer=every,
        sources=tuple(
            SourceRates(
                source=source,
                apcer=attacks(answered & (names == source)),
                bpcer=genuine(answered & (names == source)),
            )
            for source in sorted(set(names.tolist()))
        ),
    )


def _parts(run: ScoreRun, *, seed: int) -> NDArray[np.int64]:
    """Return the part of each presentation: its source, or for a large source a share of its groups."""
    sources = [sample.source for sample in run.samples]
    distinct = sorted(set(sources))
    parts = np.array([distinct.index(source) for source in sources], dtype=np.int64)
    rng = np.random.default_rng(seed)
    following = len(distinct)
    for number in range(len(distinct)):
        members = np.flatnonzero(parts == number)
        if len(distinct) > 1 and members.size * 2 <= parts.size:
            continue
        wanted = _PARTS if len(distinct) > 1 else _ONLY_PARTS
        parts[members] = following + _cut([run.samples[at].group for at in members], wanted, rng)
        following += wanted
    return parts


def _cut(groups: Sequence[str], wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Assign groups to parts of similar size, the largest group first."""
    names, sizes = np.unique(np.array(groups, dtype=object).astype(str), return_counts=True)
    order = np.lexsort((rng.permutation(names.size), -sizes))
    filled = np.zeros(wanted, np.int64)
    given = {}
    for at in order:
        part = int(filled.argmin())
        given[str(names[at])] = part
        filled[part] += sizes[at]
    return np.array([given[group] for group in groups], dtype=np.int64)


def _files(run: ScoreRun, chosen: Mask) -> int:
    """Count the files, because several scans of one clip are one attack."""
    return len({run.samples[at].path for at in np.flatnonzero(chosen)})


def _accepted_by_species(
    scores: NDArray[np.float64], masks: Mapping[str, Mask], threshold: float, confidence: float
) -> dict[str, Proportion]:
    shares = {
        name: proportion(int((scores[mask] > threshold).sum()), int(mask.sum()), confidence=confidence)
        for name, mask in masks.items()
    }
    return {name: share for name, share in shares.items() if share is not None}


def _rejected(live: NDArray[np.float64], threshold: float, confidence: float) -> Proportion | None:
    if not live.size:
        return None
    return proportion(round(share_rejected(live, threshold) * live.size), live.size, confidence=confidence)
