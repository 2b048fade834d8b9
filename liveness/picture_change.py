"""How far one face is another one moved and warped: both are aligned, and what is left is measured.

A face that moves in front of a camera shows something new: lids, pupils, lips and the light on the skin
change, and parts turn out of sight. A picture that is shifted, turned, bent or warped shows nothing new. A
smooth optical flow (DIS, Kroeger et al., ECCV 2016) explains every such change, but not new content.
"""

from dataclasses import dataclass
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face_chip import CHIP_EYE_DISTANCE, CHIP_POINTS, CHIP_SHAPE, FaceChip

__all__ = ["PictureChange", "ReferenceFace"]

_Plane = NDArray[np.float32]
_Picture = TypeVar("_Picture", NDArray[np.float32], NDArray[np.uint8])

_SHADING: Final = 11
"""The side of the average, pixels, that is taken off a chip: what is left is its fine structure."""
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
_PARTS: Final = 3
"""The number of parts that must have changed. The least of them counts."""
_STRUCTURED: Final = 75
"""The strength of the fine structure is that of the quarter of the face's pixels with the steepest slopes."""
_SPARSE: Final = 7
"""Of the flow on the face, every seventh pixel is used for ``PictureChange.bend``."""
_RELATIVE_GAIN: Final = (0.5, 2.0)
"""The range in which a face may be lighter or of more contrast than the reference."""
_LEAST_STRENGTH: Final = 1.0
_LEAST_WEIGHT: Final = 0.3
"""Squared grey levels, added so that a face without structure gives no infinite ratios."""
_ACROSS, _DOWN, _LOWER = 0.93, 1.2, 0.47
"""Half axes of the ellipse of the face, and its middle below the eyes, eye distances."""


@dataclass(frozen=True, slots=True)
class PictureChange:
    """The difference of a face from the reference face, after dense alignment.

    Attributes:
        new: The mean squared difference of the parts that changed most, over that of the reference's own fine
            structure: 0 for the same picture, about 1 and more for another one.
        bend: The movement that no motion of a plane explains, root mean square, eye distances.
    """

    new: float
    bend: float


class ReferenceFace:
    """A face with which others are compared. It keeps biometric data."""

    def __init__(self, chip: FaceChip) -> None:
        """Takes the chip of the face."""
        self._face = _Structure(chip)
        structure, slope = self._face.fine[_FACE], self._face.slope[_FACE]
        strong = np.percentile(slope, _STRUCTURED)
        self._strength = float(np.square(structure[slope >= strong]).mean()) + _LEAST_STRENGTH
        self._weight = _averaged(self._face.slope) + _LEAST_WEIGHT
        self._weights = _averaged(_averaged(self._weight))
        self._finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._finder.setFinestScale(_FINEST)

    def change(self, chip: FaceChip) -> PictureChange:
        """Returns how far another chip differs; takes about 3 ms."""
        other = _Structure(chip)
        flow = self._flow(other)
        moved = _moved(other.fine, flow, cv2.INTER_CUBIC)
        ours, theirs = self._face.fine[_FACE], moved[_FACE]
        gain = float(np.clip((ours @ theirs) / (theirs @ theirs + 1e-6), *_RELATIVE_GAIN))
        squared = np.square(self._face.fine - np.float32(gain) * moved)
        parts = np.sort(
            _box(squared, _CELL)[_CELL // 2 :: _CELL // 2, _CELL // 2 :: _CELL // 2][_WHOLE_PARTS]
        )
        shift = flow[_FACE][::_SPARSE].T.ravel() / CHIP_EYE_DISTANCE
        bent = shift - _PLANE_MOTION @ (_PLANE_MOTION.T @ shift)
        return PictureChange(
            new=float(parts[-_PARTS]) / self._strength,
            bend=float(np.sqrt(2 * np.square(bent).mean())),
        )

    def _flow(self, other: "_Structure") -> _Plane:
        """Returns the smooth flow, pixels, shape (rows, columns, 2), from this face to the other one."""
        flow = _NO_FLOW
        for _ in range(_ROUNDS):
            near = _moved(other.even, flow, cv2.INTER_LINEAR)
            further = np.asarray(self._finder.calc(self._face.even, near, _NO_FLOW.copy()), np.float32)
            weighted = (flow + further) * self._weight[..., None]
            flow = _averaged(_averaged(weighted)) / self._weights[..., None]
        return flow


class _Structure:
    """The fine structure of a chip, the same with even contrast in 8 bits, and its squared slope."""

    def __init__(self, chip: FaceChip) -> None:
        grey = chip.astype(np.float32)
        self.fine = np.asarray(cv2.GaussianBlur(grey, (5, 5), 0.8), np.float32) - _box(grey, _SHADING)
        contrast = np.sqrt(np.maximum(_box(np.square(self.fine), _CONTRAST), 0)) + np.float32(_LEAST_CONTRAST)
        self.even = np.clip(127.5 + _GAIN * self.fine / contrast, 0, 255).astype(np.uint8)
        across = np.asarray(cv2.Sobel(self.fine, cv2.CV_32F, 1, 0, scale=1 / 8), np.float32)
        down = np.asarray(cv2.Sobel(self.fine, cv2.CV_32F, 0, 1, scale=1 / 8), np.float32)
        self.slope = _box(np.square(across) + np.square(down), 3)


def _box(values: _Plane, side: int) -> _Plane:
    return np.asarray(cv2.boxFilter(values, cv2.CV_32F, (side, side)), np.float32)


def _averaged(values: _Plane) -> _Plane:
    return _box(values, _SMOOTH)


def _moved(picture: _Picture, flow: _Plane, interpolation: int) -> _Picture:
    """Returns a picture as seen from the places to which the flow leads."""
    places = _PLACES + flow
    found = cv2.remap(picture, places[..., 0], places[..., 1], interpolation, borderMode=cv2.BORDER_REPLICATE)
    return found.astype(picture.dtype, copy=False)


def _face_mask() -> NDArray[np.bool_]:
    middle = CHIP_POINTS[:2].mean(axis=0) + np.array([0, _LOWER * CHIP_EYE_DISTANCE])
    axes = (round(_ACROSS * CHIP_EYE_DISTANCE), round(_DOWN * CHIP_EYE_DISTANCE))
    drawn = np.zeros(CHIP_SHAPE, np.uint8)
    cv2.ellipse(drawn, (round(float(middle[0])), round(float(middle[1]))), axes, 0, 0, 360, 1, -1)
    return drawn.astype(bool)


def _plane_motions(face: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns an orthonormal basis of a plane's motions: affine ones, and perspective to the first order."""
    points = np.argwhere(face)[::_SPARSE, ::-1] / CHIP_EYE_DISTANCE
    x, y = (points - points.mean(axis=0)).T
    one, none = np.ones_like(x), np.zeros_like(x)
    across = np.column_stack([one, x, y, none, none, none, x * x, x * y])
    down = np.column_stack([none, none, none, one, x, y, x * y, y * y])
    return np.asarray(np.linalg.qr(np.concatenate([across, down]))[0], np.float64)


_FACE: Final = _face_mask()
_PLANE_MOTION: Final = _plane_motions(_FACE)
_WHOLE_PARTS: Final = (
    _box(_FACE.astype(np.float32), _CELL)[_CELL // 2 :: _CELL // 2, _CELL // 2 :: _CELL // 2] > _WHOLE
)
"""The parts that lie on the face."""
_NO_FLOW: Final = np.zeros((*CHIP_SHAPE, 2), np.float32)
"""The flow between equal chips, pixels."""
_PLACES: Final = np.dstack(np.meshgrid(np.arange(CHIP_SHAPE[1]), np.arange(CHIP_SHAPE[0]))).astype(np.float32)
"""The place of each pixel of a chip: column and row."""
