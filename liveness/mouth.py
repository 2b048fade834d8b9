"""Whether the person opened the mouth on request.

A rigid mask with holes for living eyes is lit as a face is, blinks, and has a head's depth. It cannot open
its mouth. A mask with a hole for living lips can: their gap does not tell it from a face.

Opening the mouth by itself proves nothing, because people talk. Therefore only an opening after the request
counts, from a shut mouth on, and only if it goes farther than that of talking people. A mouth that is shut in
one frame and open in the next was not opened: a picture took its place.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["MouthRequest", "mouth_opened", "mouth_signal"]

_NAME: Final = "mouth_opened"
_LABEL: Final = "Mouth opened on request"
_LEAST_OPENED: Final = 1.2
"""The least opening beyond the person's rest, centimetres on the canonical face. Rigid masks stay below 0.2,
people who talk below 1.15 (``research/face_actions/NOTES.md``)."""
_REACTION_SECONDS: Final = 0.3
"""How long after the last frame before the request the person is still at rest, seconds: nobody reads and
reacts sooner."""
_SHUT: Final = 0.4
"""The most by which a shut mouth differs from the person's rest, centimetres."""
_FEWEST_FRAMES: Final = 2
"""The number of consecutive measured frames that must show the opening; a single one may be noise."""


@dataclass(frozen=True, slots=True)
class MouthRequest:
    """The demand of a policy that the person opens the mouth on request.

    Attributes:
        asked_at: Capture time of the last frame before the request, seconds since the attempt's first frame;
            ``None`` if the attempt ended before.
    """

    asked_at: float | None


def mouth_opened(scan: ScanObservations, request: MouthRequest) -> bool:
    """Returns whether the mouth was opened after the request.

    Args:
        scan: The measurements of the attempt.
        request: The request.
    """
    return _farthest_opening(scan, request) >= _LEAST_OPENED


def mouth_signal(scan: ScanObservations, request: MouthRequest) -> Signal:
    """Returns the signal of the opened mouth. It has no weight: the policy's demand alone counts.

    Args:
        scan: The measurements of the attempt.
        request: The request.
    """
    if request.asked_at is None:
        reason = "The attempt ended before the person was asked to open the mouth."
        return not_assessed(name=_NAME, label=_LABEL, reason=reason)
    found = _farthest_opening(scan, request)
    detail = (
        f"The lips parted by {found:.1f} cm more than at rest, as on a face of average size; the request is "
        f"met from {_LEAST_OPENED:.1f} cm on."
    )
    return assessed(name=_NAME, label=_LABEL, score=found / (2 * _LEAST_OPENED), detail=detail)


def _farthest_opening(scan: ScanObservations, request: MouthRequest) -> float:
    """Returns the farthest opening that counts, centimetres beyond rest; 0 if there is none."""
    if request.asked_at is None:
        return 0.0
    earliest = request.asked_at + _REACTION_SECONDS
    gaps = [(frame.capture_time, frame.mouth) for frame in scan.usable if frame.mouth is not None]
    before = [gap for time, gap in gaps if time < earliest]
    if not before:
        return 0.0
    rest = float(np.median(before))
    farthest, shut, partly, held = 0.0, False, False, 0.0
    frames = 0
    for opened in (gap - rest for time, gap in gaps if time >= request.asked_at):
        if opened < _SHUT:
            shut, partly, frames = True, False, 0
        elif opened < _LEAST_OPENED:
            partly, frames = shut, 0
        elif partly:
            held = opened if frames == 0 else min(held, opened)
            frames += 1
            if frames == _FEWEST_FRAMES:
                farthest, frames = max(farthest, held), 0
        else:
            shut = False
    return farthest
