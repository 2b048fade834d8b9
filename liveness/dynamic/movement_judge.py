"""What a movement challenge proves.

The finding rests on whether the ovals were followed, and on whether what followed them has a head's relief
and perspective. What it cannot tell: a rigid mask has both; so has a live video that somebody renders in
three dimensions, and a film of another approach that happens to fit the ovals. Those are left to Express'
signals and to the device.
"""

from dataclasses import dataclass
from typing import Final

from liveness.dynamic.finding import Finding
from liveness.dynamic.movement import MovementRecord
from liveness.dynamic.ovals import CHANGES
from liveness.dynamic.perspective import PerspectiveFinding, measure_perspective
from liveness.dynamic.zoom import measure_zoom
from liveness.express.scoring import score_against_line
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["MovementResult", "judge_movement"]

_CLEAR: Final = 1.5
"""``clarity`` from which there is a relief at all. Of the noise of planes less than half is explained."""

_CURVED: Final = 0.3
"""Share of a relief that is curved two ways. 0.3 to 0.7 for heads; of bent paper, what errors make of it."""
_CURVED_CLEAR: Final = 3.0
"""That part over what errors make of it: errors alone reach 1 to 2, three times is beyond them."""

_DEPTH: Final = 0.5
"""Of a head's perspective that must be there for sure: heads and lenses differ by a factor of two."""
_SURE: Final = 2.0
"""Standard errors by which the perspective must be above its line, or below the one for none."""

_BLAME_GROWTH: Final = 1.4
"""Growth of the face below which nobody is blamed: too little perspective."""
_NO_RELIEF: Final = 0.85
"""``clarity`` up to which there is none, where a head that holds quite still would show ``_EXPECTED``."""
_EXPECTED: Final = 1.2
_NOT_CURVED: Final = 0.2
_NO_DEPTH: Final = 0.25

_ZOOM_LINE: Final = 0.85
"""Share of the face's growth: 0.3 to 0.76 behind simulated people, 0.5 to 1 on prints whose picture is
followed as the surroundings, too; so it is told and decides nothing."""

_STEEPNESS: Final = 4.0


@dataclass(frozen=True, slots=True)
class MovementResult:
    """The answer to a movement challenge.

    Attributes:
        finding: RIGHT: followed, by a face with relief and perspective. WRONG: by a picture. ABSENT: not
            followed. NOT_MEASURABLE: followed, and it could not be told by what.
        verified_bits: Entropy of the ovals that were filled.
        signals: Every measurement, assessed or not, in a fixed order.
        detail: Why, in plain words.
    """

    finding: Finding
    verified_bits: float
    signals: tuple[Signal, ...]
    detail: str


def judge_movement(record: MovementRecord, scan: ScanObservations) -> MovementResult:
    """Judge one attempt.

    Args:
        record: Of the challenge.
        scan: The frames of the challenge and the motion between them.
    """
    seen = None if record.parallax is None else measure_perspective(record.parallax)
    finding, detail = _find(record, seen)
    return MovementResult(
        finding=finding,
        verified_bits=record.verified_bits,
        signals=(
            _followed_signal(record),
            _relief_signal(seen),
            _curved_signal(seen),
            _depth_signal(seen),
            _zoom_signal(scan),
        ),
        detail=detail,
    )


def _find(record: MovementRecord, seen: PerspectiveFinding | None) -> tuple[Finding, str]:
    if not record.followed:
        return Finding.ABSENT, f"The face filled {len(record.held)} of {CHANGES} ovals."
    if seen is None:
        return Finding.NOT_MEASURABLE, "The face could not be followed from the far oval to the near one."
    if _is_head(seen):
        return Finding.RIGHT, "It has the relief of a head, which came closer as a head's does."
    picture = _as_picture(seen)
    if picture is not None and seen.growth >= _BLAME_GROWTH:
        return Finding.WRONG, picture
    return Finding.NOT_MEASURABLE, "Too little was seen to tell a head from a picture."


def _is_head(seen: PerspectiveFinding) -> bool:
    relief = seen.clarity >= _CLEAR
    curved = seen.curved >= _CURVED and seen.curved_clarity >= _CURVED_CLEAR
    return relief and curved and seen.depth - _SURE * seen.error >= _DEPTH


def _as_picture(seen: PerspectiveFinding) -> str | None:
    """What kind of picture it was, where that is sure."""
    if seen.clarity <= _NO_RELIEF:
        flat = seen.expected >= _EXPECTED
        return "It grew as a flat picture does." if flat else None
    if seen.clarity < _CLEAR:
        return None
    if seen.curved <= _NOT_CURVED and seen.curved_clarity < _CURVED_CLEAR:
        return "It is curved round one axis only, as a bent sheet is."
    if seen.depth + _SURE * seen.error <= _NO_DEPTH:
        return "It turns as a head does, but grew as a flat picture does: a video that is brought closer."
    return None


def _followed_signal(record: MovementRecord) -> Signal:
    filled = len(record.held)
    return assessed(
        name="ovals_followed",
        label="Follows the oval",
        score=filled / CHANGES,
        line=1.0,
        detail=f"The face filled {filled} of {CHANGES} ovals ({record.verified_bits:.1f} bits).",
    )


def _relief_signal(seen: PerspectiveFinding | None) -> Signal:
    name, label = "approach_relief", "It has relief while it comes closer"
    if seen is None:
        return _not_followed(name, label)
    return assessed(
        name=name,
        label=label,
        score=score_against_line(seen.clarity, _CLEAR, _STEEPNESS),
        detail=(
            f"While it grew {seen.growth:.2f} times, {seen.points} points moved {seen.clarity:.1f} times as "
            "far as depth makes them as they did otherwise, beyond any plane's motion."
        ),
    )


def _curved_signal(seen: PerspectiveFinding | None) -> Signal:
    name, label = "approach_curvature", "It is curved as no bent sheet can be"
    if seen is None:
        return _not_followed(name, label)
    if seen.clarity < _CLEAR:
        return not_assessed(name=name, label=label, reason="There is too little relief to tell its shape.")
    return assessed(
        name=name,
        label=label,
        score=min(
            score_against_line(seen.curved, _CURVED, _STEEPNESS),
            score_against_line(seen.curved_clarity, _CURVED_CLEAR, _STEEPNESS),
        ),
        detail=(
            f"{100 * seen.curved:.0f} % of the relief is more than a sheet bent round one axis has, "
            f"{seen.curved_clarity:.1f} times what errors make of it."
        ),
    )


def _depth_signal(seen: PerspectiveFinding | None) -> Signal:
    name, label = "perspective_depth", "Its shape changes as a head's when it comes closer"
    if seen is None:
        return _not_followed(name, label)
    if seen.clarity < _CLEAR:
        return not_assessed(name=name, label=label, reason="There is too little relief to come closer.")
    return assessed(
        name=name,
        label=label,
        score=score_against_line(max(seen.depth - _SURE * seen.error, 0.0), _DEPTH, _STEEPNESS),
        detail=(
            f"While it grew {seen.growth:.2f} times it showed {seen.depth:.2f} times a head's perspective "
            f"(error {seen.error:.2f})."
        ),
    )


def _not_followed(name: str, label: str) -> Signal:
    return not_assessed(name=name, label=label, reason="The face could not be followed while it grew.")


def _zoom_signal(scan: ScanObservations) -> Signal:
    name, label = "surroundings_stay", "The room stays behind while the face comes closer"
    found = measure_zoom(scan)
    if found is None:
        return not_assessed(name=name, label=label, reason="Too little of the surroundings is in view.")
    return assessed(
        name=name,
        label=label,
        score=1 - score_against_line(max(found.share, 0.0), _ZOOM_LINE, _STEEPNESS),
        detail=f"The surroundings grew by {100 * found.share:.0f} % of the face's growth.",
    )
