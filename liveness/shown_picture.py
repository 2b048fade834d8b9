"""Whether a scan shows a picture instead of a person: the trusted image itself, or one picture that is moved.

Both findings compare aligned faces of the scan (``liveness.picture_change``). What is possible is a doubt,
which turns LIVE into INCONCLUSIVE if the scan had no flash. What is certain is SPOOF.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from liveness.express.scoring import score_against_line
from liveness.observation import ScanObservations
from liveness.picture_change import PictureChange, ReferenceFace
from liveness.selection import spread_of
from liveness.signal import Signal, assessed, not_assessed
from liveness.verdict import LivenessResult, Verdict, VerdictReason
from vision.face_chip import FaceChip

__all__ = [
    "LEAST_BEND",
    "PictureFinding",
    "TrustedFace",
    "find_moved_picture",
    "find_trusted_image",
    "measure_moved_picture",
    "with_picture",
]

_FACES: Final = 8
"""The number of faces of the scan, spread over it, of which the middle one is compared with the others."""
_COMPARED: Final = 5
"""The number of faces, spread over the scan, that are compared with the trusted image."""
_FEWEST: Final = 4
"""The least number of aligned faces to compare."""

_SAME_IMAGE, _SURELY_SAME = 0.15, 0.10
"""The change up to which a face may be, and is, the trusted image (median; docs/accuracy.md)."""
_ONE_PICTURE, _SURELY_ONE = 7.5, 1.5
"""The change for each eye distance of bend up to which a scan may show, and shows, one picture (median;
docs/accuracy.md)."""
LEAST_BEND: Final = 0.012
"""The bend, eye distances, from which on a face moves so much that a living one must change. People who hold
still have up to 0.005, and change as little as a picture."""
_NO_BEND: Final = 0.001
"""Added to the bend, so that noise over no bend is no change."""
_STEEPNESS: Final = 4.0
"""The factor from the logarithm of a change over its line to log odds."""
_TOO_FEW: Final = "Too few aligned faces to compare them."
_UNKNOWN: Final = "The pixels of the trusted image are not known."


@dataclass(frozen=True, slots=True, eq=False)
class TrustedFace:
    """The face of the trusted image.

    Attributes:
        chip: The aligned face.
        document: Whether it is the portrait of an identity document. A selfie of the same minute can look
            like the scan of its own person; such a portrait cannot.
    """

    chip: FaceChip
    document: bool


@dataclass(frozen=True, slots=True)
class PictureFinding:
    """The finding whether a scan shows a picture.

    Attributes:
        signal: The measurement.
        reason: The reason if it does.
        possible: Whether it is possible.
        certain: Whether it is beyond doubt.
    """

    signal: Signal
    reason: VerdictReason
    possible: bool = False
    certain: bool = False


def measure_moved_picture(scan: ScanObservations) -> PictureChange | None:
    """Returns the medians over the scan: the change for each eye distance of bend, and the bend.

    ``None`` if too few faces are known.
    """
    faces = spread_of(_chips(scan), _FACES)
    if len(faces) < _FEWEST:
        return None
    middle = len(faces) // 2
    reference = ReferenceFace(faces[middle])
    changes = [reference.change(face) for at, face in enumerate(faces) if at != middle]
    return PictureChange(
        new=float(np.median([change.new / (change.bend + _NO_BEND) for change in changes])),
        bend=float(np.median([change.bend for change in changes])),
    )


def find_moved_picture(scan: ScanObservations) -> PictureFinding:
    """Returns whether all faces of the scan are one picture, however it is warped."""
    name, label = "one_picture", "More than one picture that is moved"
    change = measure_moved_picture(scan)
    if change is None:
        signal = not_assessed(name=name, label=label, reason=_TOO_FEW)
        return PictureFinding(signal, VerdictReason.ONE_PICTURE_MOVED)
    possible = change.new < _ONE_PICTURE
    moved = f"while the face bent by {100 * change.bend:.1f} % of the eye distance"
    return PictureFinding(
        assessed(
            name=name,
            label=label,
            score=score_against_line(change.new, _ONE_PICTURE, _STEEPNESS),
            detail=f"Little new appeared {moved}, as in one picture ({change.new:.1f})."
            if possible
            else f"New structure appeared {moved} ({change.new:.1f}).",
        ),
        VerdictReason.ONE_PICTURE_MOVED,
        possible=possible,
        certain=change.new < _SURELY_ONE and change.bend >= LEAST_BEND,
    )


def find_trusted_image(scan: ScanObservations, trusted: TrustedFace | None) -> PictureFinding:
    """Returns whether the faces of the scan are the trusted image itself.

    Args:
        scan: The attempt.
        trusted: The face of the trusted image; ``None`` if it is not known.
    """
    name, label = "trusted_image", "Not the trusted image itself"
    faces = spread_of(_chips(scan), _COMPARED)
    if trusted is None or len(faces) < _FEWEST:
        signal = not_assessed(name=name, label=label, reason=_UNKNOWN if trusted is None else _TOO_FEW)
        return PictureFinding(signal, VerdictReason.SHOWS_TRUSTED_IMAGE)
    reference = ReferenceFace(trusted.chip)
    changed = float(np.median([reference.change(face).new for face in faces]))
    possible = changed < _SAME_IMAGE
    return PictureFinding(
        assessed(
            name=name,
            label=label,
            score=score_against_line(changed, _SAME_IMAGE, _STEEPNESS),
            detail=f"The face differs from the trusted image by {100 * changed:.0f} % of its fine structure"
            + (", as the same image does." if possible else "."),
        ),
        VerdictReason.SHOWS_TRUSTED_IMAGE,
        possible=possible,
        certain=trusted.document and changed < _SURELY_SAME,
    )


def with_picture(found: LivenessResult, finding: PictureFinding, *, doubts: bool) -> LivenessResult:
    """Returns a result with a finding: SPOOF if it is certain; if it is possible, LIVE becomes INCONCLUSIVE.

    Args:
        found: The result so far.
        finding: The finding.
        doubts: Whether a possible picture counts, and not only a certain one.
    """
    shown = replace(found, signals=(*found.signals, finding.signal))
    if finding.certain:
        others = found.reasons if found.verdict is Verdict.SPOOF else ()
        return replace(shown, verdict=Verdict.SPOOF, reasons=(finding.reason, *others))
    if not (finding.possible and doubts) or found.verdict is Verdict.SPOOF:
        return shown
    others = found.reasons if found.verdict is Verdict.INCONCLUSIVE else ()
    return replace(shown, verdict=Verdict.INCONCLUSIVE, reasons=(*others, finding.reason))


def _chips(scan: ScanObservations) -> Sequence[FaceChip]:
    return [frame.chip for frame in scan.usable if frame.chip is not None]
