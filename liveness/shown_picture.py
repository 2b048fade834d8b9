"""Whether a scan shows a picture instead of a person: the trusted image itself, or one picture that is moved.

Both findings compare aligned faces of the scan (``liveness.shown_picture``). What is possible is a doubt,
which turns LIVE into INCONCLUSIVE if the scan had no flash. What is certain is SPOOF.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.observation import ScanObservations
from liveness.selection import spread_of
from liveness.verdict import (
    LivenessResult,
    Signal,
    Verdict,
    VerdictReason,
    assessed,
    not_assessed,
    score_against_line,
)
from vision.face import Points
from vision.geometry import CHIP_EYE_DISTANCE, CHIP_POINTS, CHIP_SHAPE, FaceChip

# How far one face is another one moved and warped: both are aligned, and what is left is measured.
#
# A face that moves in front of a camera shows something new: the light on the skin and its folds change, and
# parts turn out of sight. A picture that is shifted, turned, bent or warped shows nothing new, but for lids,
# pupils and lips if software draws them. A smooth optical flow (DIS, Kroeger et al., ECCV 2016) explains all
# of it, but no new content.

_Plane = NDArray[np.float32]
_Picture = TypeVar("_Picture", NDArray[np.float32], NDArray[np.uint8])


@dataclass(frozen=True, slots=True)
class _Band:
    """The structure of a chip that is compared.

    Attributes:
        grain, grain_side: The standard deviation and the side, pixels, of the average that smooths the chip.
        shading: The side of the average, pixels, that is taken off it.
    """

    grain: float
    grain_side: int
    shading: int


_FINE: Final = _Band(0.8, 5, 11)
_COARSE: Final = _Band(1.5, 11, 13)
"""For two faces of one scan: what is finer is mostly noise, which in a soft photo is as strong as all."""
_CONTRAST: Final = 19
"""The side of the window, pixels, in which the contrast is made equal before the alignment."""
_LEAST_CONTRAST: Final = 4.0
"""Grey levels that are added to the contrast, so that noise on smooth skin stays small."""
_GAIN: Final = 45.0
_SMOOTH: Final = 5
"""The side of the average, pixels, which is taken twice of the flow. It makes the flow as smooth as a warp
is; a finer one would also explain pupils that move."""
_ROUNDS: Final = 2
_FINEST: Final = 1
"""The flow is searched down to half the chip's size."""
_CELL: Final = 8
"""The side of a part, pixels, of which the change is measured."""
_WHOLE: Final = 0.95
"""The share of a part that lies on the face if the part is measured."""
_CHANGED: Final = 0.8
"""The share of the parts that changed less than the one that counts."""
_SPARSE: Final = 7
"""Of the flow on the face, every seventh pixel is used for ``PictureChange.bend``."""
_RELATIVE_GAIN: Final = (0.5, 2.0)
"""The range in which a face may be lighter or of more contrast than the reference."""
_LEAST_STRUCTURE: Final = 1.5
"""Squared grey levels, added to the structure of a part, so that noise on smooth skin is no change."""
_LEAST_WEIGHT: Final = 0.3
"""Squared grey levels, added so that a face without structure gives no infinite ratios."""
_ACROSS, _DOWN, _LOWER = 0.93, 1.2, 0.47
"""Half axes of the ellipse of the face, and its middle below the eyes, eye distances."""
_EYE: Final = (0.42, 0.38)
_MOUTH: Final = (0.62, 0.42)
"""Half axes of the ellipses around an eye and the mouth, eye distances. What lies in them can be drawn into a
picture: lids, pupils, lips. So it proves nothing."""
_MOUTH_LOWER: Final = 0.05
"""How far the middle of the mouth's ellipse lies below its corners, eye distances."""


@dataclass(frozen=True, slots=True)
class PictureChange:
    """The difference of a face from the reference face, after dense alignment.

    Attributes:
        new: The mean squared difference of a part of the face, over that of the part's own fine structure: 0
            for the same picture, about 1 for another one. Of the parts beside eyes and mouth, a fifth changed
            more.
        bend: The movement that no motion of a plane explains, root mean square, eye distances.
    """

    new: float
    bend: float


class ReferenceFace:
    """A face with which others are compared. It keeps biometric data."""

    def __init__(self, chip: FaceChip, band: _Band = _FINE) -> None:
        self._band = band
        self._face = _Structure(chip, band)
        self._structure = _of_parts(np.square(self._face.fine)) + _LEAST_STRUCTURE
        self._weight = _averaged(self._face.slope) + _LEAST_WEIGHT
        self._weights = _averaged(_averaged(self._weight))
        self._finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._finder.setFinestScale(_FINEST)

    def change(self, chip: FaceChip) -> PictureChange:
        """Return how far another chip differs; this takes about 3 ms."""
        other = _Structure(chip, self._band)
        flow = self._flow(other)
        moved = _moved(other.fine, flow, cv2.INTER_CUBIC)
        ours, theirs = self._face.fine[_FACE], moved[_FACE]
        gain = float(np.clip((ours @ theirs) / (theirs @ theirs + 1e-6), *_RELATIVE_GAIN))
        changed = _of_parts(np.square(self._face.fine - np.float32(gain) * moved)) / self._structure
        shift = flow[_FACE][::_SPARSE].T.ravel() / CHIP_EYE_DISTANCE
        bent = shift - _PLANE_MOTION @ (_PLANE_MOTION.T @ shift)
        return PictureChange(
            new=float(np.quantile(changed, _CHANGED)),
            bend=float(np.sqrt(2 * np.square(bent).mean())),
        )

    def _flow(self, other: "_Structure") -> _Plane:
        """Return the smooth flow, pixels, shape (rows, columns, 2), from this face to the other one."""
        flow = _NO_FLOW
        for _ in range(_ROUNDS):
            near = _moved(other.even, flow, cv2.INTER_LINEAR)
            further = np.asarray(self._finder.calc(self._face.even, near, _NO_FLOW.copy()), np.float32)
            weighted = (flow + further) * self._weight[..., None]
            flow = _averaged(_averaged(weighted)) / self._weights[..., None]
        return flow


class _Structure:
    """The fine structure of a chip, the same with even contrast in 8 bits, and its squared slope."""

    def __init__(self, chip: FaceChip, band: _Band) -> None:
        grey = chip.astype(np.float32)
        smooth = cv2.GaussianBlur(grey, (band.grain_side, band.grain_side), band.grain)
        self.fine = np.asarray(smooth, np.float32) - _box(grey, band.shading)
        contrast = np.sqrt(np.maximum(_box(np.square(self.fine), _CONTRAST), 0)) + np.float32(_LEAST_CONTRAST)
        self.even = np.clip(127.5 + _GAIN * self.fine / contrast, 0, 255).astype(np.uint8)
        across = np.asarray(cv2.Sobel(self.fine, cv2.CV_32F, 1, 0, scale=1 / 8), np.float32)
        down = np.asarray(cv2.Sobel(self.fine, cv2.CV_32F, 0, 1, scale=1 / 8), np.float32)
        self.slope = _box(np.square(across) + np.square(down), 3)


def _box(values: _Plane, side: int) -> _Plane:
    return np.asarray(cv2.boxFilter(values, cv2.CV_32F, (side, side)), np.float32)


def _parts(values: _Plane) -> _Plane:
    """Return the averages over all parts, which overlap by half."""
    return _box(values, _CELL)[_CELL // 2 :: _CELL // 2, _CELL // 2 :: _CELL // 2]


def _of_parts(values: _Plane) -> _Plane:
    """Return the averages over the parts that lie on the face, beside eyes and mouth."""
    return np.asarray(_parts(values)[_WHOLE_PARTS], np.float32)


def _averaged(values: _Plane) -> _Plane:
    return _box(values, _SMOOTH)


def _moved(picture: _Picture, flow: _Plane, interpolation: int) -> _Picture:
    """Return a picture as seen from the places to which the flow leads."""
    places = _PLACES + flow
    found = cv2.remap(picture, places[..., 0], places[..., 1], interpolation, borderMode=cv2.BORDER_REPLICATE)
    return found.astype(picture.dtype, copy=False)


def _ellipse(middle: Points, axes: tuple[float, float]) -> NDArray[np.bool_]:
    """Return the pixels of a chip in an ellipse: its middle, pixels, and its half axes, eye distances."""
    drawn = np.zeros(CHIP_SHAPE, np.uint8)
    across, down = (round(axis * CHIP_EYE_DISTANCE) for axis in axes)
    cv2.ellipse(drawn, (round(float(middle[0])), round(float(middle[1]))), (across, down), 0, 0, 360, 1, -1)
    return drawn.astype(bool)


def _below(points: Points, by: float) -> Points:
    """Return the place that lies below the middle of points by so many eye distances."""
    return np.asarray(points.mean(axis=0) + np.array([0, by * CHIP_EYE_DISTANCE]), np.float32)


def _plane_motions(face: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return an orthonormal basis of a plane's motions: affine ones, and perspective to the first order."""
    points = np.argwhere(face)[::_SPARSE, ::-1] / CHIP_EYE_DISTANCE
    x, y = (points - points.mean(axis=0)).T
    one, none = np.ones_like(x), np.zeros_like(x)
    across = np.column_stack([one, x, y, none, none, none, x * x, x * y])
    down = np.column_stack([none, none, none, one, x, y, x * y, y * y])
    return np.asarray(np.linalg.qr(np.concatenate([across, down]))[0], np.float64)


_FACE: Final = _ellipse(_below(CHIP_POINTS[:2], _LOWER), (_ACROSS, _DOWN))
_DRAWN: Final = (
    _ellipse(CHIP_POINTS[0], _EYE)
    | _ellipse(CHIP_POINTS[1], _EYE)
    | _ellipse(_below(CHIP_POINTS[3:], _MOUTH_LOWER), _MOUTH)
)
_PLANE_MOTION: Final = _plane_motions(_FACE)
_WHOLE_PARTS: Final = _parts((_FACE & ~_DRAWN).astype(np.float32)) > _WHOLE
"""The parts that lie on the face, beside eyes and mouth."""
_NO_FLOW: Final = np.zeros((*CHIP_SHAPE, 2), np.float32)
"""The flow between equal chips, pixels."""
_PLACES: Final = np.dstack(np.meshgrid(np.arange(CHIP_SHAPE[1]), np.arange(CHIP_SHAPE[0]))).astype(np.float32)
"""The place of each pixel of a chip: column and row."""


_FACES: Final = 8
"""The number of faces of the scan, spread over it, of which the middle one is compared with the others."""
_COMPARED: Final = 5
"""The number of faces, spread over the scan, that are compared with the trusted image."""
_TELLING: Final = 3
"""If so many of them differ, their median does, too."""
_FEWEST: Final = 4
"""The least number of aligned faces to compare."""

_SAME_IMAGE, _SURELY_SAME = 0.15, 0.10
"""The change up to which a face may be, and is, the trusted image (median; docs/accuracy.md)."""
_ONE_PICTURE, _SURELY_ONE = 2.6, 0.65
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
        reason: The reason if it does.
        certain: Whether it is beyond doubt.
    """

    signal: Signal
    reason: VerdictReason
    possible: bool = False
    certain: bool = False


def measure_moved_picture(scan: ScanObservations) -> PictureChange | None:
    """Return the medians over the scan: the change for each eye distance of bend, and the bend.

    ``None`` if too few faces are known.
    """
    faces = spread_of(_chips(scan), _FACES)
    if len(faces) < _FEWEST:
        return None
    middle = len(faces) // 2
    reference = ReferenceFace(faces[middle], _COARSE)
    changes = [reference.change(face) for at, face in enumerate(faces) if at != middle]
    return PictureChange(
        new=float(np.median([change.new / (change.bend + _NO_BEND) for change in changes])),
        bend=float(np.median([change.bend for change in changes])),
    )


def find_moved_picture(scan: ScanObservations) -> PictureFinding:
    """Return whether all faces of the scan are one picture, however it is warped."""
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
    """Return whether the faces of the scan are the trusted image itself, as it is or mirrored.

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
    if changed >= _SAME_IMAGE:
        mirrored = ReferenceFace(np.ascontiguousarray(trusted.chip[:, ::-1]))
        changes = [mirrored.change(face).new for face in faces[:_TELLING]]
        if min(changes) < _SAME_IMAGE:
            changes += [mirrored.change(face).new for face in faces[_TELLING:]]
            changed = min(changed, float(np.median(changes)))
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
    """Return a result with a finding: SPOOF if it is certain; if it is possible, LIVE becomes INCONCLUSIVE.

    Args:
        found: The result so far.
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
