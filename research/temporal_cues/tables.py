"""Makes the tables of the study, as lines of text."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from liveness.express import ExpressSettings
from liveness.express.interface import ExpressSignal
from research.temporal_cues.scans import StudyScan

_NEUTRAL = 0.5


@dataclass(frozen=True, slots=True)
class Cue:
    """One signal and the measurement of its score.

    Attributes:
        name: Name of the signal.
        signal: Makes the signal of a scan.
        value: The measurement in the signal's unit; ``None`` if there is none or it could not be measured.
        live_is_low: Whether attacks measure more than live clips; ``None`` if live clips have no line.
    """

    name: str
    signal: Callable[[StudyScan], ExpressSignal]
    value: Callable[[StudyScan], float | None] | None = None
    live_is_low: bool | None = True


def species_table(cue: Cue, scans: Sequence[StudyScan]) -> Iterator[str]:
    """Yield the counts of each species: scans, assessed, below 0.5, above 0.5, and the measurements."""
    settings = ExpressSettings()
    yield f"{cue.name}"
    yield f"  {'species':26s} scans assessed below above   value 0/10/50/90/100 %"
    for species in dict.fromkeys(scan.species for scan in scans):
        chosen = [scan for scan in scans if scan.species == species]
        found = [cue.signal(scan).assess(scan.scan, settings).score for scan in chosen]
        scores = [score for score in found if score is not None]
        below, above = sum(score < _NEUTRAL for score in scores), sum(score > _NEUTRAL for score in scores)
        counts = f"{len(chosen):5d} {len(scores):8d} {below:5d} {above:5d}"
        yield f"  {species:26s} {counts}   {_spread(cue, chosen)}"


def left_out_line(cue: Cue, scans: Sequence[StudyScan]) -> str:
    """Count the live scans that would fail at the most extreme measurement of the other live sources.

    A line at the most extreme known live clip is the tightest reasonable line; a source that was left out
    then shows the distance that a line needs.
    """
    live = [scan for scan in scans if scan.species == "live"]
    valued = [
        (scan, value) for scan in live if cue.value is not None and (value := cue.value(scan)) is not None
    ]
    sign = 1 if cue.live_is_low else -1
    beyond: list[str] = []
    for scan, value in valued:
        others = [sign * other for one, other in valued if one.source != scan.source]
        if others and sign * value > max(others):
            beyond.append(f"{scan.name} {value:.2f} beyond {sign * max(others):.2f}")
    named = ": " + ", ".join(beyond) if beyond else ""
    return f"  source left out: {len(beyond)} of {len(valued)} live scans{named}"


def false_alarms(cue: Cue, scans: Sequence[StudyScan]) -> str:
    """List live scans and sources with a score below 0.5, by name."""
    settings = ExpressSettings()
    live = [scan for scan in scans if scan.species == "live"]
    failed = []
    for scan in live:
        score = cue.signal(scan).assess(scan.scan, settings).score
        if score is not None and score < _NEUTRAL:
            failed.append(scan)
    clips = {scan.source for scan in failed}
    named = ": " + ", ".join(scan.name for scan in failed) if failed else ""
    total = len({scan.source for scan in live})
    return f"  false alarms: {len(failed)} of {len(live)} live scans, {len(clips)} of {total} clips{named}"


def _spread(cue: Cue, scans: Sequence[StudyScan]) -> str:
    if cue.value is None:
        return ""
    values = [value for scan in scans if (value := cue.value(scan)) is not None]
    if not values:
        return ""
    return " ".join(f"{at:7.3f}" for at in np.percentile(values, [0, 10, 50, 90, 100]))
