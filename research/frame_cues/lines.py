"""Suggests the line of a cue from live presentations, and counts those beyond a line."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation import Proportion
from evaluation.binomial import proportion
from liveness.express.cues import score_of_cue
from liveness.express.settings import CueLine
from research.frame_cues.presentations import Presentation

__all__ = ["SourceLevel", "live_levels", "suggested_line"]

_CONFIDENCE = 0.95
_FEWEST_FOR_LINE = 20
"""Least number of live presentations of a source that sets a line by itself."""

_WRONGED = 0.05


@dataclass(frozen=True, slots=True)
class SourceLevel:
    """One cue on the live presentations of one source.

    Attributes:
        source: Source of the presentations.
        live: Number of presentations in which it was measured.
        median: Median of their values.
        wronged: Share beyond the line, and its bounds for independent trials.
    """

    source: str
    live: int
    median: float
    wronged: Proportion | None


def live_levels(measured: Sequence[Presentation], cue: str, lines: CueLine) -> list[SourceLevel]:
    """Measure the cue on each source's live presentations, the source with most of them first.

    A source without a live presentation that has the cue is left out.

    Args:
        measured: All presentations.
        cue: A cue's name.
        lines: The cue's line, beyond which a presentation counts as wronged.
    """
    with_cue = [each for each in measured if cue in each.values]
    found = []
    for source in sorted({each.sample.source for each in with_cue}):
        here = [each for each in with_cue if each.sample.source == source]
        found.append(
            SourceLevel(
                source=source,
                live=len(here),
                median=float(np.median([each.values[cue] for each in here])),
                wronged=_beyond([score_of_cue(each.values[cue], lines) for each in here]),
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


def _beyond(scores: Sequence[float]) -> Proportion | None:
    return proportion(sum(score < 0.5 for score in scores), len(scores), confidence=_CONFIDENCE)
