"""Measures how far one cue separates live presentations from attacks, and its false alarms at its line."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation import Proportion
from evaluation.binomial import proportion
from evaluation.pad import Bootstrap, Interval, draw
from evaluation.pad.metrics import area_under_curve
from evaluation.pad.resampling import interval_of, resampled_auc
from liveness.express.cue_summary import score_of_cue
from liveness.express.settings import CueLine
from research.frame_cues.presentations import Presentation

__all__ = ["Separation", "SourceLevel", "live_levels", "separations", "suggested_line"]

_CONFIDENCE = 0.95
_FEWEST = 5
_FEWEST_FOR_LINE = 20
"""Least number of live presentations of a source that sets a line by itself."""

_WRONGED = 0.05


@dataclass(frozen=True, slots=True)
class Separation:
    """One cue on one source and species.

    Attributes:
        cue: Name of the cue.
        source: Source of the presentations.
        species: Species of the attacks.
        live: Live presentations in which the cue was measured.
        attacks: Attacks in which it was measured.
        missing: Presentations of both kinds in which it was not measured.
        auc: Probability, 0..1, that a live presentation scores as more live than an attack.
        bounds: Its interval from draws of persons or sittings; ``None`` for too few of them.
        caught: Share of the attacks beyond the line, and its bounds for independent trials.
    """

    cue: str
    source: str
    species: str
    live: int
    attacks: int
    missing: int
    auc: float
    bounds: Interval | None
    caught: Proportion | None


@dataclass(frozen=True, slots=True)
class SourceLevel:
    """One cue on the live presentations of one source.

    Attributes:
        cue: Name of the cue.
        source: Source of the presentations.
        live: Number of presentations in which it was measured.
        median: Median of their values.
        wronged: Share beyond the line, and its bounds for independent trials.
    """

    cue: str
    source: str
    live: int
    median: float
    wronged: Proportion | None


def separations(
    measured: Sequence[Presentation], cue: str, lines: CueLine, *, bootstrap: Bootstrap
) -> list[Separation]:
    """Measure the cue for each source and species with enough presentations.

    At least five live presentations of the source, and five attacks of the species, must have the cue.

    Args:
        measured: All presentations.
        cue: A cue's name.
        lines: Its line.
        bootstrap: Settings of the bounds.
    """
    found = []
    for source in sorted({each.sample.source for each in measured}):
        here = [each for each in measured if each.sample.source == source]
        for species in sorted({each.sample.species for each in here if not each.sample.live}):
            chosen = [each for each in here if each.sample.live or each.sample.species == species]
            with_cue = [each for each in chosen if cue in each.values]
            live = np.array([each.sample.live for each in with_cue], bool)
            if min(int(live.sum()), int((~live).sum())) < _FEWEST:
                continue
            scores = _scores(with_cue, cue, lines)
            draws = draw([each.sample for each in with_cue], bootstrap)
            counts, _ = draws.counts((live, ~live))
            bounds = None
            if counts is not None:
                drawn = resampled_auc(scores, live, groups=draws.groups, counts=counts)
                bounds = interval_of(drawn, bootstrap.confidence)
            found.append(
                Separation(
                    cue=cue,
                    source=source,
                    species=species,
                    live=int(live.sum()),
                    attacks=int((~live).sum()),
                    missing=len(chosen) - len(with_cue),
                    auc=area_under_curve(scores[live], scores[~live]),
                    bounds=bounds,
                    caught=_beyond(scores[~live]),
                )
            )
    return found


def live_levels(measured: Sequence[Presentation], cue: str, lines: CueLine) -> list[SourceLevel]:
    """Measure the cue on each source's live presentations, the source with most of them first.

    A source without a live presentation that has the cue is left out.

    Args:
        measured: All presentations.
        cue: A cue's name.
        lines: The cue's line, beyond which a presentation counts as wronged.
    """
    with_cue = [each for each in measured if each.sample.live and cue in each.values]
    found = []
    for source in sorted({each.sample.source for each in with_cue}):
        here = [each for each in with_cue if each.sample.source == source]
        found.append(
            SourceLevel(
                cue=cue,
                source=source,
                live=len(here),
                median=float(np.median([each.values[cue] for each in here])),
                wronged=_beyond(_scores(here, cue, lines)),
            )
        )
    return sorted(found, key=lambda level: -level.live)


def suggested_line(groups: Sequence[NDArray[np.float64]], *, higher_is_attack: bool) -> CueLine:
    """Return a line beyond which lie at most 1 in 20 of the live presentations of each group.

    Its ``live`` is the median of the groups' medians.

    Args:
        groups: Values of live presentations, by source. Groups of fewer than twenty are combined, and left
            out if they are fewer than twenty even together.
        higher_is_attack: Whether attacks are above the line.

    Raises:
        ValueError: No group has twenty values, not even the combined one.
    """
    large = [group for group in groups if group.size >= _FEWEST_FOR_LINE]
    small = [group for group in groups if group.size < _FEWEST_FOR_LINE]
    if small and sum(group.size for group in small) >= _FEWEST_FOR_LINE:
        large.append(np.concatenate(small))
    if not large:
        raise ValueError("no group of live presentations is large enough to set a line")
    if higher_is_attack:
        line = max(float(np.quantile(group, 1 - _WRONGED)) for group in large)
    else:
        line = min(float(np.quantile(group, _WRONGED)) for group in large)
    return CueLine(line=line, live=float(np.median([np.median(group) for group in large])))


def _scores(with_cue: Sequence[Presentation], cue: str, lines: CueLine) -> NDArray[np.float64]:
    return np.array([score_of_cue(each.values[cue], lines) for each in with_cue])


def _beyond(scores: NDArray[np.float64]) -> Proportion | None:
    return proportion(int((scores < 0.5).sum()), scores.size, confidence=_CONFIDENCE)
