"""What a movement challenge proves.

The finding rests on two things alone: whether the ovals were followed, and whether the face has a head's
depth. What it cannot tell: a rigid mask, and a sheet that is bent as far as a head is, have depth; a live
video that somebody relights or renders in three dimensions has it too. Those are left to Express' signals and
to the device.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from liveness.dynamic.finding import Finding
from liveness.dynamic.movement import MovementRecord
from liveness.dynamic.ovals import CHANGES
from liveness.dynamic.perspective import PerspectiveFinding, measure_perspective
from liveness.dynamic.zoom import measure_zoom
from liveness.express.scoring import score_against_line
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["MovementResult", "judge_movement"]

_DEPTH_LINE: Final = 0.45
"""Depth over a head's, between what people and prints show in simulation, which
``tests/liveness/dynamic/test_movement_simulated.py`` prints. A print bent like half a tube can show more."""

_SURE: Final = 2.0
"""Standard errors by which a head must differ from a plane, and a plane from the line."""

_LEAST_GROWTH: Final = 1.4
"""Growth of the face below which no plane is found: too little perspective to blame anybody."""

_LARGEST_ERROR: Final = 0.3
_SMALLEST_ERROR: Final = 0.05
"""What a head's depth is taken to be uncertain by at least: heads differ."""

_ZOOM_LINE: Final = 0.85
"""Share of the face's growth: 0.3 to 0.76 behind simulated people, 0.5 to 1 on prints whose picture is
followed as the surroundings, too; so it is told and decides nothing."""

_STEEPNESS: Final = 4.0


@dataclass(frozen=True, slots=True)
class MovementResult:
    """The answer to a movement challenge.

    Attributes:
        finding: RIGHT: followed, by a face with depth. WRONG: by a plane. ABSENT: not followed.
            NOT_MEASURABLE: followed, and the depth could not be told.
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
    depth = _depth(record)
    finding, detail = _find(record, depth)
    return MovementResult(
        finding=finding,
        verified_bits=record.verified_bits,
        signals=(_followed_signal(record), _depth_signal(depth), _zoom_signal(scan)),
        detail=detail,
    )


def _depth(record: MovementRecord) -> PerspectiveFinding | None:
    """The mean over the views, weighed by their errors; where they contradict, its error grows with that.

    The error of a mean whose parts scatter more than their errors say is enlarged by how much more they do
    (R. Birge, Physical Review 40, 1932).
    """
    found = [finding for parallax in record.parallaxes if (finding := measure_perspective(parallax))]
    if not found:
        return None
    depths = np.array([finding.depth for finding in found])
    weights = np.array([max(finding.error, _SMALLEST_ERROR) for finding in found]) ** -2.0
    mean = float((weights * depths).sum() / weights.sum())
    scatter = float((weights * (depths - mean) ** 2).sum()) / max(1, len(found) - 1)
    return PerspectiveFinding(
        depth=mean,
        error=float(np.sqrt(max(1.0, scatter) / weights.sum())),
        growth=max(finding.growth for finding in found),
        frames=sum(finding.frames for finding in found),
        points=min(finding.points for finding in found),
    )


def _find(record: MovementRecord, depth: PerspectiveFinding | None) -> tuple[Finding, str]:
    if not record.followed:
        return Finding.ABSENT, f"The face filled {len(record.held)} of {CHANGES} ovals."
    if depth is None:
        return Finding.NOT_MEASURABLE, "The face could not be followed from the far oval to the near one."
    measured = f"The face has {depth.depth:.2f} times a head's depth (error {depth.error:.2f})"
    if depth.depth >= max(_DEPTH_LINE, _SURE * depth.error):
        return Finding.RIGHT, f"{measured}, as a head has."
    sure = depth.growth >= _LEAST_GROWTH and depth.error <= _LARGEST_ERROR
    if sure and depth.depth + _SURE * depth.error <= _DEPTH_LINE:
        return Finding.WRONG, f"{measured}: it grew as a flat picture does."
    return Finding.NOT_MEASURABLE, f"{measured}, too unsure to tell a head from a picture."


def _followed_signal(record: MovementRecord) -> Signal:
    filled = len(record.held)
    return assessed(
        name="ovals_followed",
        label="Follows the oval",
        score=filled / CHANGES,
        line=1.0,
        detail=f"The face filled {filled} of {CHANGES} ovals ({record.verified_bits:.1f} bits).",
    )


def _depth_signal(depth: PerspectiveFinding | None) -> Signal:
    name, label = "perspective_depth", "Its shape changes as a head's when it comes closer"
    if depth is None:
        return not_assessed(name=name, label=label, reason="The face could not be followed while it grew.")
    return assessed(
        name=name,
        label=label,
        score=score_against_line(depth.depth, _DEPTH_LINE, _STEEPNESS),
        detail=(
            f"While it grew {depth.growth:.2f} times, {depth.points} points showed {depth.depth:.2f} times a "
            f"head's depth (error {depth.error:.2f})."
        ),
    )


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
