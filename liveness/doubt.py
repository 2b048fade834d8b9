"""What keeps a scan from LIVE: doubt about the person, and a capture that shows too little of the face."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median
from types import MappingProxyType
from typing import Final

from liveness.express.pad_network import PadScore, network_medians, stretch_medians
from liveness.express.settings import ExpressSettings
from liveness.extent import face_extent
from liveness.fusion import highest_score
from liveness.fusion_model import FusionModel, NetworkCalibration
from liveness.guidance import field_width
from liveness.observation import FrameObservation, ScanObservations, backlight, black_level
from liveness.occlusion import Cover, most_covered
from liveness.policy import CaptureLimits
from liveness.selection import best_frame
from liveness.verdict import AttackType, LivenessResult, Verdict, VerdictReason

# Doubt about a person, and the challenges that resolve it.
#
# A scan without a challenge decides alone only where its networks are sure (``NetworkCalibration.sure``).
# An early look at a part of it has a higher line (``sure_early``); below it, nothing of the look remains.
# Between that and SPOOF there is doubt (``verdict.DOUBTS``), and the next attempt is a challenge. A doubt of
# any attempt of a check lasts until a challenge that resolves it has made an attempt LIVE.
#
# ``RESOLVES`` states which challenge resolves which doubt. A challenge resolves a doubt only if it was
# measured to stop the attacks that cause it (``docs/accuracy.md``).


class ChallengeKind(StrEnum):
    """A challenge that an attempt may make; the values are the words of policy files."""

    FLASH = "flash"
    """Colours of the screen, which the face reflects."""
    MOVEMENT = "movement"
    """An oval that comes closer, which the face follows."""
    GESTURES = "gestures"
    """The mouth opens, and the head turns to a drawn side, in a drawn order."""


_OF_MEDIA: Final = frozenset(
    {
        VerdictReason.NOT_SURE,
        VerdictReason.EVIDENCE_TOO_WEAK,
        VerdictReason.NETWORK_SEES_ATTACK,
        VerdictReason.SHOWS_A_MEDIUM,
        VerdictReason.MOVES_AS_A_PLANE,
        VerdictReason.NO_SIGN_OF_LIFE,
    }
)
"""Doubts whose attacks are prints and screens."""

_OF_PICTURES: Final = frozenset(
    {
        VerdictReason.SHOWS_TRUSTED_IMAGE,
        VerdictReason.ONE_PICTURE_MOVED,
        VerdictReason.SIMILAR_TO_EARLIER_SCAN,
    }
)
"""Doubts whose attack is a picture or a recording that software warps: to approach, to turn, to open
its mouth. It answers light only if software relights it as well, which the flash does not stop."""

RESOLVES: Final[Mapping[ChallengeKind, frozenset[VerdictReason]]] = MappingProxyType(
    {
        ChallengeKind.FLASH: _OF_MEDIA | _OF_PICTURES,
        ChallengeKind.MOVEMENT: _OF_MEDIA,
        ChallengeKind.GESTURES: _OF_MEDIA,
    }
)
"""The doubts that each challenge resolves."""


@dataclass(frozen=True, slots=True)
class DoubtTerms:
    """What doubt means for an attempt, under a policy that answers doubt with a challenge.

    Attributes:
        challenge: The challenge that the attempt makes. With ``None``, its networks have to be sure.
        earlier: The doubts of the check's earlier attempts.
        early: Whether less than a whole capture is judged, by a line of its own: at the early look, or
            because the attempt ended before. Its device may have chosen that end.
    """

    challenge: ChallengeKind | None = None
    earlier: tuple[VerdictReason, ...] = ()
    early: bool = False


def unresolved(
    doubts: Collection[VerdictReason], challenge: ChallengeKind | None
) -> tuple[VerdictReason, ...]:
    """Return the doubts that remain after an attempt with this challenge was LIVE; all without one."""
    resolved = frozenset[VerdictReason]() if challenge is None else RESOLVES[challenge]
    return tuple(doubt for doubt in doubts if doubt not in resolved)


def without_doubt(
    found: LivenessResult, terms: DoubtTerms, calibration: NetworkCalibration
) -> LivenessResult:
    """Turn LIVE into INCONCLUSIVE if the networks are not sure, or a doubt remains.

    Args:
        found: The verdict so far.
        terms: The challenge of the attempt, and earlier doubts.
        calibration: The calibration of the scan's networks.
    """
    if found.verdict is not Verdict.LIVE:
        return found
    doubts = unresolved(terms.earlier, terms.challenge)
    line = calibration.sure_early if terms.early else calibration.sure
    sure = line is not None and found.score >= line
    if terms.challenge is None and not sure:
        enough = terms.early and calibration.sure is not None and found.score >= calibration.sure
        reason = VerdictReason.TOO_SHORT if enough else VerdictReason.NOT_SURE
        doubts = tuple(dict.fromkeys((reason, *doubts)))
    return replace(found, verdict=Verdict.INCONCLUSIVE, reasons=doubts) if doubts else found


def may_be_sure_early(scores: Sequence[PadScore], model: FusionModel) -> bool:
    """Return whether an early look can be LIVE at all, by the networks alone, which takes no time.

    They have to be sure, and to have scored enough frames for a judgement of each half.
    """
    medians = network_medians(scores)
    calibration = model.scan_networks.calibration_for(medians)
    if calibration.sure_early is None or not stretch_medians(scores):
        return False
    return highest_score(medians, calibration) >= calibration.sure_early


# The reasons why a capture cannot be LIVE: it does not show enough of the face.
#
# These reasons hold regardless of the signals.
#
# Two parts of the capture are measured with ``CaptureLimits``:
#
# - The evidence frame, with the limits of the policy. A reviewer must be able to recognise the person on it.
# - The medians of the scan, with the range of the clips that the fusion model was fitted to
#   (``ExpressSettings.calibrated``). Outside of it, a score is an extrapolation, not a measurement.
#
# Both turn LIVE into INCONCLUSIVE. In light outside that range the passive signals prove no attack either:
# their SPOOF becomes INCONCLUSIVE, unless frames repeat.

_COVERED_BY = {
    Cover.SUNGLASSES: VerdictReason.SUNGLASSES,
    Cover.EYES: VerdictReason.EYES_NOT_VISIBLE,
    Cover.MASK: VerdictReason.FACE_MASK,
    Cover.MOUTH: VerdictReason.MOUTH_NOT_VISIBLE,
    Cover.FACE: VerdictReason.FACE_OBSTRUCTED,
}

_LINES: Final = ExpressSettings()
_LIGHT = frozenset({VerdictReason.EVIDENCE_TOO_DARK, VerdictReason.EVIDENCE_TOO_BRIGHT})


def evidence_doubts(scan: ScanObservations, limits: CaptureLimits) -> tuple[VerdictReason, ...]:
    """Return why the evidence frame does not show the person well enough; empty if it does."""
    best = best_frame(scan.frames)
    return _doubts([] if best is None else [best], limits)


def reasons_outside_calibration(scan: ScanObservations) -> tuple[VerdictReason, ...]:
    """Return why the medians of a scan lie outside the range of the fit; empty if they lie within."""
    reasons = _doubts(scan.usable, _LINES.calibrated)
    if _median(scan, _black_level) > _LINES.max_black or _median(scan, backlight) > _LINES.max_backlight:
        reasons = (*reasons, VerdictReason.EVIDENCE_TOO_BRIGHT)
    return tuple(dict.fromkeys(reasons))


def undecided_if_unclear(scan: ScanObservations, found: LivenessResult) -> LivenessResult:
    """Turn SPOOF by the passive signals into INCONCLUSIVE where genuine people look like attacks to them.

    That is in darkness, in glare, behind a veil, and if the face leaves no room for its surroundings.
    Repeated frames stay SPOOF.

    Args:
        scan: The measurements of the frames that were judged.
    """
    if found.verdict is not Verdict.SPOOF or found.attack is AttackType.INJECTION:
        return found
    unclear = [reason for reason in reasons_outside_calibration(scan) if reason in _LIGHT]
    if _median(scan, _black_level) > _LINES.clear_black:
        unclear.append(VerdictReason.EVIDENCE_TOO_BRIGHT)
    if _median(scan, _share_of_field) > _LINES.widest_share:
        unclear.append(VerdictReason.FACE_TOO_LARGE)
    if not unclear:
        return found
    return replace(found, verdict=Verdict.INCONCLUSIVE, reasons=tuple(dict.fromkeys(unclear)))


def downgrade_if_covered(scan: ScanObservations, found: LivenessResult) -> LivenessResult:
    """Turn LIVE into INCONCLUSIVE if something covers the face in most frames in which that was measured.

    INCONCLUSIVE gets this as a further reason, and SPOOF stays.
    """
    cover = most_covered([frame.cover for frame in scan.usable])
    return found if cover is None else found.undecided(_COVERED_BY[cover])


def downgrade_if_doubted(found: LivenessResult, doubts: Sequence[VerdictReason]) -> LivenessResult:
    """Return ``found``, or INCONCLUSIVE with the reasons ``doubts`` if it is LIVE and there are any."""
    if found.verdict is not Verdict.LIVE or not doubts:
        return found
    return replace(found, verdict=Verdict.INCONCLUSIVE, reasons=tuple(dict.fromkeys(doubts)))


def _median(scan: ScanObservations, measure: Callable[[FrameObservation], float]) -> float:
    """Return the median of a measurement over the usable frames; 0 without any."""
    return median([measure(frame) for frame in scan.usable] or [0.0])


def _black_level(frame: FrameObservation) -> float:
    return black_level(frame.samples)


def _share_of_field(frame: FrameObservation) -> float:
    if frame.face is None:
        return 0.0
    return face_extent(frame.face).width / field_width(width=frame.width, height=frame.height)


def _doubts(frames: Sequence[FrameObservation], limits: CaptureLimits) -> tuple[VerdictReason, ...]:
    """Return the limits that the medians of the frames break, in the order of the hints."""
    widths = [face_extent(frame.face).width for frame in frames if frame.face is not None]
    sharpness = [frame.sharpness for frame in frames if frame.sharpness is not None]
    luminance = [frame.luminance for frame in frames if frame.luminance is not None]
    if not (widths and sharpness and luminance):
        return (VerdictReason.TOO_FEW_USABLE_FACES,)
    width, sharp, light = median(widths), median(sharpness), median(luminance)
    tests = (
        (VerdictReason.EVIDENCE_TOO_DARK, light < limits.min_luminance),
        (VerdictReason.EVIDENCE_TOO_BRIGHT, light > limits.max_luminance),
        (VerdictReason.FACE_TOO_LARGE, width > limits.max_face_width),
        (VerdictReason.FACE_TOO_SMALL, width < limits.min_face_width),
        (VerdictReason.EVIDENCE_BLURRED, sharp < limits.min_sharpness),
        (VerdictReason.EVIDENCE_TOO_NOISY, sharp > limits.max_sharpness),
    )
    return tuple(reason for reason, applies in tests if applies)
