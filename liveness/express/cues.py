"""The cues of recapture in one frame: the crops that they are measured in, their values, and a score.

Each frame gives two crops at a fixed scale, for cues that must not depend on resolution: a close one in
colour and a wide one in grey. The frame is halved once for both.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.express.settings import CueLine
from liveness.extent import FaceExtent, face_extent
from vision.face import BgrImage, DetectedFace, Points

CROP_FACE: Final = 96
"""The face width in a close crop, pixels."""

WIDE_FACE: Final = 40
"""The face width in a wide crop, pixels."""

_CLOSE: Final = 1.0
"""The half width and half height of a close crop, face extents."""

_ACROSS, _ABOVE, _BELOW = 2.1, 0.4, 0.9
"""The extent of a wide crop, face widths: from the face's middle to either side, above its top, below its
chin."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """The part of a frame around a face, of twice its width and height, cut at the frame's border.

    Attributes:
        picture: The crop, shape (height, width, 3), BGR, 0..255.
        luma: Its luma, shape (height, width), 0..255.
        extent: The face's extent in ``picture``, 96 pixels wide; may reach beyond its border.
        five_points: ``DetectedFace.five_points`` in pixels of ``picture``.
        frame_width: Width of the extent in the frame's own pixels.
    """

    picture: BgrImage
    luma: NDArray[np.uint8]
    extent: FaceExtent
    five_points: Points
    frame_width: float

    def place(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
        """Return rows and columns of ``picture`` between edges in face extents from the face's middle."""
        height, width = self.luma.shape
        x, y = self.extent.width, self.extent.height
        columns = [round(min(max(0.0, self.extent.x + at * x), width)) for at in (left, right)]
        rows = [round(min(max(0.0, self.extent.y + at * y), height)) for at in (top, bottom)]
        return slice(*rows), slice(*columns)

    @property
    def face(self) -> tuple[slice, slice]:
        """The rows and columns from ear to ear and from hairline to chin."""
        return self.place(-0.5, -0.5, 0.5, 0.5)

    @property
    def inside(self) -> float:
        """The share of the extent, 0..1, that lies inside the frame."""
        return self.luma[self.face].size / (self.extent.width * self.extent.height)


@dataclass(frozen=True, slots=True, eq=False)
class WideCrop:
    """A face and the room at its sides, cut at the frame's border.

    Attributes:
        luma: Shape (height, width), 0..255: 4.2 face widths across, from 0.4 above the face to 0.9 below it.
        extent: The face's extent in ``luma``, 40 pixels wide; its middle is inside.
        frame_width: Width of the extent in the frame's own pixels.
    """

    luma: NDArray[np.uint8]
    extent: FaceExtent
    frame_width: float


@dataclass(frozen=True, slots=True, eq=False)
class CueCrops:
    """Both crops of one frame."""

    close: FaceCrop
    wide: WideCrop


def cut_crops(image: BgrImage, face: DetectedFace) -> CueCrops | None:
    """Return both crops; ``None`` if the face's middle lies outside the frame or the crop is too small.

    Args:
        image: The frame, shape (height, width, 3), BGR, 0..255.
    """
    extent = face_extent(face)
    height, width = image.shape[:2]
    if not (0 <= extent.x < width and 0 <= extent.y < height and extent.width > 0):
        return None
    close = _window(
        extent, across=_CLOSE * extent.width, above=_CLOSE * extent.height, below=_CLOSE * extent.height
    ).within(width, height)
    wide = _window(
        extent,
        across=_ACROSS * extent.width,
        above=extent.height / 2 + _ABOVE * extent.width,
        below=extent.height / 2 + _BELOW * extent.width,
    ).within(width, height)
    if min(close.right - close.left, close.bottom - close.top) < 2:
        return None
    both = close.joined(wide)
    halvings = max(0, math.floor(math.log2(extent.width / CROP_FACE)))
    shared = _Shared(_halved(image[both.top : both.bottom, both.left : both.right], halvings), both, halvings)
    picture, near = shared.cut(close, extent, CROP_FACE)
    corner = np.array([extent.x, extent.y], np.float32)
    middle = np.array([near.x, near.y], np.float32)
    grey = _grey(shared.picture)
    luma, far = replace(shared, picture=grey).cut(wide, extent, WIDE_FACE)
    return CueCrops(
        close=FaceCrop(
            picture=picture,
            luma=_grey(picture),
            extent=near,
            five_points=(face.five_points - corner) * np.float32(CROP_FACE / extent.width) + middle,
            frame_width=extent.width,
        ),
        wide=WideCrop(luma=luma, extent=far, frame_width=extent.width),
    )


@dataclass(frozen=True, slots=True)
class _Window:
    """A part of a frame in whole pixels; ``right`` and ``bottom`` are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def within(self, width: int, height: int) -> "_Window":
        return _Window(max(0, self.left), max(0, self.top), min(width, self.right), min(height, self.bottom))

    def joined(self, other: "_Window") -> "_Window":
        return _Window(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


def _window(extent: FaceExtent, *, across: float, above: float, below: float) -> _Window:
    return _Window(
        round(extent.x - across), round(extent.y - above), round(extent.x + across), round(extent.y + below)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Shared:
    """The image from which both crops are cut: ``window`` of the frame, halved; grey or colour."""

    picture: NDArray[np.uint8]
    window: _Window
    halvings: int

    def cut(self, window: _Window, extent: FaceExtent, unit: int) -> tuple[NDArray[np.uint8], FaceExtent]:
        """Return ``window`` at ``unit`` pixels per face width, and the face's extent in it."""
        factor = 2**self.halvings
        left = (window.left - self.window.left) // factor
        top = (window.top - self.window.top) // factor
        right = -((self.window.left - window.right) // factor)
        bottom = -((self.window.top - window.bottom) // factor)
        scale = unit / extent.width
        at = FaceExtent(
            x=(extent.x - self.window.left - left * factor) * scale,
            y=(extent.y - self.window.top - top * factor) * scale,
            width=extent.width * scale,
            height=extent.height * scale,
        )
        return shrink(self.picture[top:bottom, left:right], scale * factor), at


def shrink(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Return ``picture``, grey or colour, at ``scale`` of its size.

    The image is halved by averages, which is cheap and leaves no aliases. Only the rest of the scale, more
    than a half, is interpolated.

    Args:
        picture: Shape (height, width) or (height, width, 3).
        scale: Above 0; above 1 enlarges.
    """
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    halvings = max(0, math.floor(-math.log2(scale)))
    halved = _halved(picture, halvings)
    return cv2.resize(halved, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _halved(picture: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    for _ in range(times):
        height, width = picture.shape[:2]
        if min(height, width) < 2:
            break
        # With an odd last row or column, OpenCV computes weights for each pixel, which is slow.
        even = picture[: height // 2 * 2, : width // 2 * 2]
        size = width // 2, height // 2
        picture = cv2.resize(even, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return picture


def _grey(picture: BgrImage) -> NDArray[np.uint8]:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)


COLOURLESS: Final = "colourless"
"""The mark of a frame without colours in ``FrameCues.values``; its value is 1."""


@dataclass(frozen=True, slots=True)
class FrameCues:
    """The single-frame cues of recapture of one frame.

    Attributes:
        frame_index: The frame's index in the scan.
        values: The measured value in the cue's own unit, by the cue's name, which is also its signal's; a cue
            that could not be measured in this frame is missing. A frame without colours has ``COLOURLESS``,
            too.
    """

    frame_index: int
    values: Mapping[str, float]

    @property
    def colourless(self) -> bool:
        """Whether the frame is grey, as an infrared or monochrome camera gives it."""
        return COLOURLESS in self.values


_LIVE_LOG_ODDS = math.log(0.8 / 0.2)
"""The log odds of the score at the value that is typical of live frames (``CueLine.live``): a score of
0.8."""
_FURTHEST = 30.0
"""The limit of the log odds of a score, so that the exponential does not overflow."""


@dataclass(frozen=True, slots=True)
class CueSummary:
    """A cue over the frames in which it could be measured.

    Attributes:
        value: The median, in the cue's own unit. With a median, a minority of the frames cannot decide.
        frames: The number of these frames.
    """

    value: float
    frames: int

    @property
    def counted(self) -> str:
        """The number of frames, such as "3 frames"."""
        return "1 frame" if self.frames == 1 else f"{self.frames} frames"


def summarise_cue(cues: Sequence[FrameCues], name: str) -> CueSummary | None:
    """Return the summary of the cue ``name``; ``None`` if no frame has it."""
    values = [frame.values[name] for frame in cues if name in frame.values]
    return CueSummary(value=float(np.median(values)), frames=len(values)) if values else None


def score_of_cue(value: float, lines: CueLine) -> float:
    """Return a logistic score, 0..1: 0.5 on the line, 0.8 at the value of a typical live frame.

    Args:
        value: The measured value, in the cue's unit.
        lines: The line and the live value, in the cue's unit.
    """
    exponent = _LIVE_LOG_ODDS * (value - lines.line) / (lines.live - lines.line)
    return 1 / (1 + math.exp(-min(_FURTHEST, max(-_FURTHEST, exponent))))
