"""Measures how well a cue separates screens from live clips, on sources that did not set its line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from evaluation.pad.metrics import area_under_curve

__all__ = ["Clip", "Separation", "separation"]


@dataclass(frozen=True, slots=True)
class Clip:
    """One measured clip.

    Attributes:
        name: Name of its file.
        source: Its collector; clips of one source share a camera and often a person.
        live: Whether it shows a living person; otherwise a screen.
        cues: The measured cues by name.
    """

    name: str
    source: str
    live: bool
    cues: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Separation:
    """The separation by one cue.

    Attributes:
        live: Number of live clips with the cue.
        screens: Number of screens with it.
        auc: Share of pairs in which the screen has the higher value, over clips.
        p: Two-sided p value of that order, over all permutations of the sources' labels. The live clips and
            the screens of a source count as their mean, once each.
        pairs: Sources with both, and those of them whose screens have the higher value.
        found: Screens beyond the line of the other sources.
        alarms: Live clips beyond that line.
    """

    live: int
    screens: int
    auc: float
    p: float
    pairs: tuple[int, int]
    found: int
    alarms: int


def separation(clips: Sequence[Clip], cue: str) -> Separation | None:
    """Return the separation by a cue that is higher for screens; ``None`` without both kinds of clips."""
    measured = [clip for clip in clips if cue in clip.cues]
    live, screens = (_values(measured, cue, live=is_live) for is_live in (True, False))
    if not live.size or not screens.size:
        return None
    means = {
        (source, is_live): float(values.mean())
        for source in {clip.source for clip in measured}
        for is_live in (True, False)
        if (values := _values([clip for clip in measured if clip.source == source], cue, live=is_live)).size
    }
    sides = [[value for (_, is_live), value in means.items() if is_live is side] for side in (False, True)]
    both = [source for source, is_live in means if is_live and (source, False) in means]
    found, alarms = _left_out(measured, cue)
    return Separation(
        live=live.size,
        screens=screens.size,
        auc=area_under_curve(screens, live),
        p=float(mannwhitneyu(*sides, method="exact").pvalue),
        pairs=(len(both), sum(means[source, False] > means[source, True] for source in both)),
        found=found,
        alarms=alarms,
    )


def _values(clips: Sequence[Clip], cue: str, *, live: bool) -> NDArray[np.float64]:
    return np.array([clip.cues[cue] for clip in clips if clip.live is live])


def _left_out(measured: Sequence[Clip], cue: str) -> tuple[int, int]:
    """Count the screens and live clips beyond the line that suits all other sources best."""
    found = alarms = 0
    for clip in measured:
        others = [one for one in measured if one.source != clip.source]
        live, screens = (_values(others, cue, live=is_live) for is_live in (True, False))
        if not live.size or not screens.size:
            continue
        line = max(
            np.concatenate([screens, live]),
            key=lambda each: float((screens >= each).mean() - (live >= each).mean()),
        )
        beyond = clip.cues[cue] >= line
        found, alarms = found + (beyond and not clip.live), alarms + (beyond and clip.live)
    return found, alarms
