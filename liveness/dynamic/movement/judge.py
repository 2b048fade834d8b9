"""The judgement of a movement challenge.

The finding depends on whether the ovals were followed, and on whether the face has the relief and perspective
of a head (``classify_approach``). A mask has them too, as does a recording of another approach that
happens to fit the ovals. Express' signals and the device tests address those.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.challenge.ovals import CHANGES
from liveness.dynamic.movement.challenge import MovementRecord
from liveness.dynamic.movement.perspective import (
    ApproachKind,
    CameCloserSettings,
    MovementSettings,
    PerspectiveFinding,
    classify_approach,
)
from liveness.dynamic.policy import ChallengeFinding
from liveness.observation import MotionSegment, ScanObservations
from liveness.verdict import Signal, assessed, not_assessed, score_against_line

# The growth of the surroundings while the face comes closer.
#
# A phone that approaches a face by 20 cm halves its distance to the face, but comes only a tenth nearer to a
# wall 1.5 m behind the face. A picture that a lens, a player or an injected video enlarges grows as a whole.

_FEWEST_POINTS: Final = 6
_LEAST_GROWTH: Final = 0.15
"""The least natural logarithm of the face's growth while its surroundings are visible."""


@dataclass(frozen=True, slots=True)
class ZoomFinding:
    """The growth of the surroundings in the image, compared with that of the face.

    Attributes:
        share: The logarithm of the growth of the surroundings, divided by that of the face: 0 if they do not
            grow, 1 if they grow as much as the face.
        growth: The growth of the face over the frames that were used, as a factor.
    """

    share: float
    growth: float


def measure_zoom(scan: ScanObservations) -> ZoomFinding | None:
    """Return the growth of the surroundings.

    Return ``None`` if too little of them is visible while the face grows, or the face grows too little.
    """
    face = around = 0.0
    for segment in scan.motion:
        grew = _growths(segment)
        if grew is not None and grew[0] > 0:
            face += grew[0]
            around += grew[1]
    if face < _LEAST_GROWTH:
        return None
    return ZoomFinding(share=around / face, growth=math.exp(face))


def _growths(segment: MotionSegment) -> tuple[float, float] | None:
    """Return the log growth of face and surroundings, up to the last frame that shows enough of both."""
    for at in range(len(segment.frames) - 1, 0, -1):
        found = np.isfinite(segment.positions[at, :, 0])
        parts = [found & segment.on_face, found & ~segment.on_face]
        if all(part.sum() >= _FEWEST_POINTS for part in parts):
            face, around = (
                _stretch(segment.positions[0, part], segment.positions[at, part]) for part in parts
            )
            return (math.log(face), math.log(around)) if face > 0 and around > 0 else None
    return None


def _stretch(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the median factor by which distances between points grew, which outliers do not distort."""
    pairs = np.triu_indices(len(first), 1)
    before = np.linalg.norm(first[pairs[0]] - first[pairs[1]], axis=1)
    after = np.linalg.norm(second[pairs[0]] - second[pairs[1]], axis=1)
    clear = before > np.median(before) / 2
    return float(np.median(after[clear] / np.maximum(before[clear], 1e-6)))


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
    """Judge one attempt.

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
