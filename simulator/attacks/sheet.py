"""A flat image in front of the camera: a rectangle that moves, bends a little, and hides the room."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness import FaceExtent
from simulator.backdrop import Backdrop
from simulator.geometry.relief import Relief, ReliefPose, Sight, Viewport
from vision.face import BgrImage

__all__ = ["Sheet", "SheetLook", "SheetView", "crop_around_face"]

_EDGE_SOFTNESS = 0.7


@dataclass(frozen=True, slots=True)
class SheetLook:
    """A sheet alone, as the lens sees it, and its placement.

    Attributes:
        layer: Colours, and coverage (0..255) as the fourth channel, of the frame's size.
        sight: The part of the sheet's canvas that the frame shows.
        placement: Movement of the sheet from rest.
        pan: Movement of the whole image by the tremor of the camera, pixels.
    """

    layer: NDArray[np.uint8]
    sight: Sight
    placement: ReliefPose
    pan: tuple[float, float]


@dataclass(frozen=True, slots=True)
class SheetView:
    """A sheet as the lens sees it.

    Attributes:
        scene: Sheet and room.
        map_x: For each frame pixel, the x on the sheet's canvas that it shows.
        map_y: The same for y.
        cover: Share of each frame pixel that the sheet covers, 0..1.
    """

    scene: BgrImage
    map_x: NDArray[np.float32]
    map_y: NDArray[np.float32]
    cover: NDArray[np.float32]


def crop_around_face(
    picture: BgrImage, *, face_centre: tuple[float, float], face_pixels: float, face_share: float
) -> BgrImage:
    """Return the largest 3:4 part of ``picture`` around a face in which the face fills ``face_share``.

    Args:
        picture: A frame with one face.
        face_centre: Middle of the face, pixels.
        face_pixels: Width of the face.
        face_share: The face's share of the part's width. If ``picture`` is too small, the part is smaller and
            the share larger.
    """
    height, width = picture.shape[:2]
    wide = round(min(face_pixels / face_share, width, height * 3 / 4))
    tall = round(wide * 4 / 3)
    left = round(float(np.clip(face_centre[0] - wide / 2, 0, width - wide)))
    top = round(float(np.clip(face_centre[1] - tall / 2, 0, height - tall)))
    return picture[top : top + tall, left : left + wide]


class Sheet:
    """A flat or slightly bent sheet that shows an image near the middle of the frame, and the room behind."""

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        viewport: Viewport,
        size: tuple[int, int],
        bend: float,
        edge_colour: tuple[int, int, int],
        edge: int,
    ) -> None:
        """Prepares the layers.

        Args:
            rng: Draws the room and the place.
            viewport: Frame and lens.
            size: Width and height of the image on the sheet at rest, frame pixels.
            bend: Bow of the sheet's middle towards the camera, pixels.
            edge_colour: Colour of the edge around the image, blue-green-red.
            edge: Width of that edge, pixels.
        """
        self._viewport = viewport
        canvas_width, canvas_height = viewport.canvas_size
        wide, tall = size
        left = round((canvas_width - wide) / 2 + float(rng.uniform(-0.015, 0.015)) * viewport.width)
        top = round((canvas_height - tall) / 2 + float(rng.uniform(-0.015, 0.015)) * viewport.height)
        # The part outside the canvas is invisible and is not kept.
        self._rows = slice(max(0, top), min(canvas_height, top + tall))
        self._columns = slice(max(0, left), min(canvas_width, left + wide))
        self._cut = (self._rows.start - top, self._columns.start - left)
        self._size = size
        self._middle = (left + wide / 2 - viewport.margin, top + tall / 2 - viewport.margin)
        self._layer = np.zeros((canvas_height, canvas_width, 4), np.uint8)
        corner, opposite = (left - edge, top - edge), (left + wide + edge - 1, top + tall + edge - 1)
        cv2.rectangle(self._layer, corner, opposite, (*edge_colour, 255), -1)
        alpha = cv2.GaussianBlur(cv2.extractChannel(self._layer, 3), (0, 0), _EDGE_SOFTNESS)
        self._layer[..., :3] = edge_colour
        self._layer[..., 3] = alpha
        self._backdrop = Backdrop(rng, viewport)
        self._relief = Relief(
            viewport=viewport,
            depth=_bow(viewport, bend, half_width=wide / 2 + edge) if bend else None,
            pivot=(left + wide / 2, top + 1.1 * tall, 0.0),
        )

    def place_picture(self, picture: BgrImage) -> None:
        """Puts ``picture``, stretched to the sheet's size, on the sheet."""
        shrinking = picture.shape[1] > self._size[0]
        fitted = cv2.resize(
            picture, self._size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
        )
        rows = slice(self._cut[0], self._cut[0] + self._rows.stop - self._rows.start)
        columns = slice(self._cut[1], self._cut[1] + self._columns.stop - self._columns.start)
        self._layer[self._rows, self._columns, :3] = fitted[rows, columns]

    @property
    def width(self) -> int:
        """Width of the image on the sheet at rest, pixels."""
        return self._size[0]

    def outline_of(self, outline: FaceExtent, *, around: tuple[float, float]) -> FaceExtent:
        """Return the extent at rest of a face that ``crop_around_face`` cut out and ``place_picture`` placed.

        Args:
            outline: Extent of the face in the original image, pixels.
            around: Middle of the face in the original image, which is the centre of the cut.
        """
        return FaceExtent(
            x=self._middle[0] + outline.x - around[0],
            y=self._middle[1] + outline.y - around[1],
            width=outline.width,
            height=outline.height,
        )

    @property
    def relief(self) -> Relief:
        """The sheet's shape."""
        return self._relief

    @property
    def backdrop(self) -> Backdrop:
        """The room behind the sheet."""
        return self._backdrop

    def render(
        self, placement: ReliefPose, *, lift: float = 1.0, pan: tuple[float, float] = (0.0, 0.0)
    ) -> SheetLook:
        """Render the sheet alone.

        Args:
            placement: Movement of the sheet from rest.
            lift: Factor on the bend.
            pan: Movement of the whole image by the tremor of the camera, pixels.
        """
        sight = self._relief.look_up(placement, lift=lift, pan=pan)
        layer = cv2.remap(
            self._layer, sight.map_x, sight.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
        return SheetLook(
            layer=np.asarray(layer, dtype=np.uint8),
            sight=sight,
            placement=placement,
            pan=pan,
        )

    def show(
        self, placement: ReliefPose, *, lift: float = 1.0, pan: tuple[float, float] = (0.0, 0.0)
    ) -> SheetView:
        """Render the sheet and the room; arguments as for ``render``."""
        seen = self.render(placement, lift=lift, pan=pan)
        cover = cv2.extractChannel(seen.layer, 3).astype(np.float32) * np.float32(1 / 255)
        scene = cv2.blendLinear(
            cv2.cvtColor(seen.layer, cv2.COLOR_BGRA2BGR), self._backdrop.show(pan=pan), cover, 1 - cover
        )
        return SheetView(
            scene=np.asarray(scene, dtype=np.uint8),
            map_x=seen.sight.map_x,
            map_y=seen.sight.map_y,
            cover=cover,
        )


def _bow(viewport: Viewport, bend: float, *, half_width: float) -> NDArray[np.float32]:
    """Return the depth of a sheet bowed around a vertical axis: a parabola, ``bend`` pixels high."""
    rows, columns = Relief.grid_shape(viewport)
    x = np.arange(columns, dtype=np.float32) * Relief.grid_step() - viewport.canvas_centre[0]
    across = np.clip(x / half_width, -1.5, 1.5)
    return np.ascontiguousarray(np.broadcast_to(bend * (1 - across**2), (rows, columns)), dtype=np.float32)
