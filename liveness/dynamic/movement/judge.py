"""The judgement of a movement challenge.

The finding depends on whether the ovals were followed, and on whether the face has the relief and perspective
of a head (``movement.came_closer``). A mask has them too, as does a recording of another approach that
happens to fit the ovals. Express' signals and the device tests address those.
"""

from dataclasses import dataclass
from typing import Final

from liveness.dynamic.challenge.ovals import CHANGES
from liveness.dynamic.finding import ChallengeFinding
from liveness.dynamic.movement.came_closer import ApproachKind, CameCloserSettings, classify_approach
from liveness.dynamic.movement.challenge import MovementRecord
from liveness.dynamic.movement.perspective import PerspectiveFinding
from liveness.dynamic.movement.settings import MovementSettings
from liveness.dynamic.movement.zoom import measure_zoom
from liveness.express.scoring import score_against_line
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["MovementResult", "judge_movement"]

_FINDINGS: Final = {
    ApproachKind.HEAD: ChallengeFinding.RIGHT,
    ApproachKind.PICTURE: ChallengeFinding.WRONG,
    ApproachKind.UNSURE: ChallengeFinding.NOT_MEASURABLE,
}


@dataclass(frozen=True, slots=True)
class MovementResult:
    """The result of a movement challenge.

    Attributes:
        finding: RIGHT if a face with relief and perspective followed the ovals, WRONG if a picture did,
            ABSENT if the ovals were not followed, NOT_MEASURABLE if they were followed by an undetermined
            object.
        verified_bits: The entropy of the ovals that were filled, bits.
        signals: All signals, assessed or not, in a fixed order.
        detail: The reason, in plain words.
    """

    finding: ChallengeFinding
    verified_bits: float
    signals: tuple[Signal, ...]
    detail: str


def judge_movement(
    record: MovementRecord, scan: ScanObservations, settings: MovementSettings
) -> MovementResult:
    """Judges one attempt.

    Args:
        record: The measurements of the challenge.
        scan: The frames of the challenge and the motion between them.
        settings: ``FlashModel.movement``.
    """
    # 1. Does the perspective change as that of a head does?
    seen = record.seen(settings.perspective)
    # 2. Did the face follow every oval, and what came closer?
    finding, detail = _find(record, seen, settings.came_closer)
    # 3. State the bits that the ovals verify, and each score.
    return MovementResult(
        finding=finding,
        verified_bits=record.verified_bits,
        signals=(
            _followed_signal(record),
            _relief_signal(seen, settings),
            _curved_signal(seen, settings),
            _depth_signal(seen, settings),
            _zoom_signal(scan, settings),
        ),
        detail=detail,
    )


def _find(
    record: MovementRecord, seen: PerspectiveFinding | None, lines: CameCloserSettings
) -> tuple[ChallengeFinding, str]:
    if not record.followed:
        return ChallengeFinding.ABSENT, f"The face filled {_filled(record)}."
    came = classify_approach(seen, lines)
    return _FINDINGS[came.kind], came.detail


def _filled(record: MovementRecord) -> str:
    return f"{len(record.held)} of {max(record.shown, CHANGES)} ovals"


def _followed_signal(record: MovementRecord) -> Signal:
    return assessed(
        name="ovals_followed",
        label="Follows the oval",
        score=len(record.held) / max(record.shown, CHANGES),
        line=1.0,
        detail=f"The face filled {_filled(record)} ({record.verified_bits:.1f} bits).",
    )


def _relief_signal(seen: PerspectiveFinding | None, settings: MovementSettings) -> Signal:
    name, label = "approach_relief", "Relief while the face comes closer"
    if seen is None:
        return _not_followed(name, label)
    return assessed(
        name=name,
        label=label,
        score=score_against_line(seen.clarity, settings.came_closer.clear, settings.steepness),
        detail=(
            f"While the face grew {seen.growth:.2f} times, a relief explains {seen.clarity:.1f} times as "
            f"much of the motion of {seen.points} points as it leaves unexplained, beyond a plane's motion."
        ),
    )


def _curved_signal(seen: PerspectiveFinding | None, settings: MovementSettings) -> Signal:
    name, label = "approach_curvature", "Curved unlike a bent sheet"
    if seen is None:
        return _not_followed(name, label)
    lines, steepness = settings.came_closer, settings.steepness
    if seen.clarity < lines.clear:
        return not_assessed(name=name, label=label, reason="There is too little relief to measure its shape.")
    return assessed(
        name=name,
        label=label,
        score=min(
            score_against_line(seen.curved, lines.curved, steepness),
            score_against_line(seen.curved_clarity, lines.curved_clear, steepness),
        ),
        detail=(
            f"{100 * seen.curved:.0f} % of the relief does not fit a sheet bent round one axis, "
            f"{seen.curved_clarity:.1f} times as much as errors cause."
        ),
    )


def _depth_signal(seen: PerspectiveFinding | None, settings: MovementSettings) -> Signal:
    name, label = "perspective_depth", "Perspective of a head while the face comes closer"
    if seen is None:
        return _not_followed(name, label)
    lines = settings.came_closer
    if seen.clarity < lines.clear:
        return not_assessed(
            name=name, label=label, reason="There is too little relief to measure its perspective."
        )
    sure = max(seen.depth - lines.sure * seen.error, 0.0)
    return assessed(
        name=name,
        label=label,
        score=score_against_line(sure, lines.depth, settings.steepness),
        detail=(
            f"While the face grew {seen.growth:.2f} times, it showed {seen.depth:.2f} times a head's "
            f"perspective (error {seen.error:.2f})."
        ),
    )


def _not_followed(name: str, label: str) -> Signal:
    return not_assessed(name=name, label=label, reason="The face could not be followed while it grew.")


def _zoom_signal(scan: ScanObservations, settings: MovementSettings) -> Signal:
    name, label = "surroundings_stay", "The room stays behind while the face comes closer"
    found = measure_zoom(scan)
    if found is None:
        return not_assessed(name=name, label=label, reason="Too little of the surroundings is visible.")
    return assessed(
        name=name,
        label=label,
        score=1 - score_against_line(max(found.share, 0.0), settings.zoom_line, settings.steepness),
        detail=f"The surroundings grew by {100 * found.share:.0f} % of the face's growth.",
    )
