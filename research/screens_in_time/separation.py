"""Measures how well a cue separates screens from live clips, on sources that did not set its line."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from evaluation.pad.metrics import area_under_curve
from research.screens_in_time.scans import Scan, of_clips

__all__ = ["Separation", "curve_over_sources", "separation"]

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Separation:
    """The separation by one cue.

    Attributes:
        live: Number of live clips with the cue.
        screens: Number of screens with it.
        auc: Share of pairs in which the screen has the higher value, over scans.
        bounds: Its 95 % bounds, from samples of sources.
        p: Two-sided p value of the order of the clips, over all permutations of the sources' labels. The live
            clips and the screens of a source count as their mean, once each.
        pairs: Sources with both, and those of them whose screens have the higher value.
        found: Screens beyond the line of the other sources.
        alarms: Live clips beyond that line.
    """

    live: int
    screens: int
    auc: float
    bounds: tuple[float, float]
    p: float
    pairs: tuple[int, int]
    found: int
    alarms: int


def separation(scans: Sequence[Scan], cue: str) -> Separation | None:
    """Return the separation by a cue that is higher for screens; ``None`` without both kinds of clips."""
    measured = [scan for scan in scans if cue in scan.cues]
    clips = list(of_clips(measured))
    live, screens = (_values(clips, cue, live=is_live) for is_live in (True, False))
    if not live.size or not screens.size:
        return None
    means = {
        (source, is_live): float(values.mean())
        for source in {clip.source for clip in clips}
        for is_live in (True, False)
        if (values := _values([clip for clip in clips if clip.source == source], cue, live=is_live)).size
    }
    sides = [[value for (_, is_live), value in means.items() if is_live is side] for side in (False, True)]
    both = [source for source, is_live in means if is_live and (source, False) in means]
    found, alarms = _left_out(clips, cue)
    auc, bounds = curve_over_sources(
        [scan.cues[cue] for scan in measured],
        [scan.live for scan in measured],
        [scan.source for scan in measured],
    )
    return Separation(
        live=live.size,
        screens=screens.size,
        auc=auc,
        bounds=bounds,
        p=float(mannwhitneyu(*sides, method="exact").pvalue),
        pairs=(len(both), sum(means[source, False] > means[source, True] for source in both)),
        found=found,
        alarms=alarms,
    )


def curve_over_sources(
    values: Sequence[float], live: Sequence[bool], sources: Sequence[str]
) -> tuple[float, tuple[float, float]]:
    """Return the area under the curve of values that are higher for screens, and its 95 % bounds.

    The bounds are from samples of sources with replacement: a source brings all of its scans.

    Args:
        values: A value for each scan.
        live: Whether it shows a living person; some do and some do not.
        sources: Its source.
    """
    known, is_live = np.array(values, np.float64), np.array(live)
    names, places = np.unique(sources, return_inverse=True)
    rng = np.random.default_rng(1)
    found: list[float] = []
    while len(found) < _RESAMPLES:
        taken = np.concatenate(
            [np.flatnonzero(places == one) for one in rng.integers(0, names.size, names.size)]
        )
        sides = known[taken][~is_live[taken]], known[taken][is_live[taken]]
        if sides[0].size and sides[1].size:
            found.append(area_under_curve(*sides))
    lower, upper = np.percentile(found, [2.5, 97.5])
    return area_under_curve(known[~is_live], known[is_live]), (float(lower), float(upper))


def _values(scans: Sequence[Scan], cue: str, *, live: bool) -> NDArray[np.float64]:
    return np.array([scan.cues[cue] for scan in scans if scan.live is live], np.float64)


def _left_out(clips: Sequence[Scan], cue: str) -> tuple[int, int]:
    """Count the screens and live clips beyond the line that suits all other sources best."""
    found = alarms = 0
    for clip in clips:
        others = [one for one in clips if one.source != clip.source]
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
