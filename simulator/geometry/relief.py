"""An image with depth in front of a pinhole camera: the place in the image that each frame pixel shows."""

from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Relief", "ReliefPose", "Sight", "Viewport"]

FloatMap = NDArray[np.float32]
_STEP = 4
_ITERATIONS = 4


@dataclass(frozen=True, slots=True)
class ReliefPose:
    """A small rigid movement away from the image's position at rest.

    Attributes:
        yaw: Degrees; positive turns the front to the image's right.
        pitch: Degrees; positive turns the front up.
        roll: Degrees; positive is clockwise in the image.
        shift_x: Pixels to the image's right, at the plane of depth 0.
        shift_y: Pixels down.
        approach: How much closer it is, as a share of the distance at rest.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    approach: float = 0.0

    def moved(self, by: "ReliefPose") -> "ReliefPose":
        """Return the sum of two movements, which is exact enough for small ones."""
        return ReliefPose(*(getattr(self, one.name) + getattr(by, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Viewport:
    """The place of the frame in a canvas that reaches beyond it.

    Attributes:
        width: Frame width in pixels.
        height: Frame height in pixels.
        margin: Pixels by which the canvas reaches beyond the frame on every side.
        focal: Focal length in pixels; also the rest distance of the plane of depth 0, so that one canvas
            pixel on that plane is one frame pixel at rest.
    """

    width: int
    height: int
    margin: int
    focal: float

    @property
    def canvas_size(self) -> tuple[int, int]:
        """Width and height of the canvas."""
        return self.width + 2 * self.margin, self.height + 2 * self.margin

    @property
    def canvas_centre(self) -> tuple[float, float]:
        """The camera's axis on the canvas."""
        width, height = self.canvas_size
        return (width - 1) / 2, (height - 1) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """How the camera sees an image with depth at one moment.

    Attributes:
        map_x: For each frame pixel, the x on the canvas that it shows.
        map_y: The same for y.
        space: Position of each sample of the grid; see `Relief.positions`.
        lens: Height of the lens in the same axes.
    """

    map_x: FloatMap
    map_y: FloatMap
    space: tuple[FloatMap, FloatMap, FloatMap]
    lens: float


class Relief:
    """Inverse warps of one image with depth.

    The forward movement is computed on every fourth pixel and inverted by fixed-point iteration. The
    iteration converges if the movement, without the common growth of an approach, changes more slowly than
    its starting place. This holds for the few degrees by which heads and sheets turn here.
    """

    def __init__(
        self,
        *,
        viewport: Viewport,
        depth: FloatMap | None,
        pivot: tuple[float, float, float],
        stiffness: FloatMap | None = None,
    ) -> None:
        """Prepares the grids.

        Args:
            viewport: The place of the frame on the canvas.
            depth: Height above the plane of the canvas towards the camera in pixels, sampled by
                ``grid_shape``; None is flat.
            pivot: The fixed point of rotations: x, y on the canvas and depth.
            stiffness: The share of a rotation that each place follows, 0..1, sampled like ``depth``; None is
                1 everywhere. A torso turns less than its head.
        """
        self._viewport = viewport
        self._pivot = pivot
        rows, columns = self.grid_shape(viewport)
        self._x, self._y = np.meshgrid(
            np.arange(columns, dtype=np.float32) * _STEP, np.arange(rows, dtype=np.float32) * _STEP
        )
        self._depth = np.zeros((rows, columns), np.float32) if depth is None else depth
        self._stiffness = stiffness
        centre_x, centre_y = viewport.canvas_centre
        self._ray_x = (self._x - centre_x) / np.float32(viewport.focal)
        self._ray_y = (self._y - centre_y) / np.float32(viewport.focal)
        # One cell of margin, so that enlarging the map does not extrapolate inside the frame.
        self._out_columns = -(-viewport.width // _STEP) + 2
        self._out_rows = -(-viewport.height // _STEP) + 2
        offset = (_STEP - 1) / 2 - _STEP + viewport.margin
        self._frame_x, self._frame_y = np.meshgrid(
            np.arange(self._out_columns, dtype=np.float32) * _STEP + offset,
            np.arange(self._out_rows, dtype=np.float32) * _STEP + offset,
        )

    @staticmethod
    def grid_shape(viewport: Viewport) -> tuple[int, int]:
        """Return rows and columns of a depth map for ``viewport``; sample (i, j) lies at ``4 * (j, i)``."""
        width, height = viewport.canvas_size
        return -(-height // _STEP), -(-width // _STEP)

    @staticmethod
    def grid_step() -> int:
        """Return the distance of depth samples in pixels."""
        return _STEP

    def project(
        self, placement: ReliefPose, *, morph: tuple[FloatMap, FloatMap] | None = None, lift: float = 1.0
    ) -> tuple[FloatMap, FloatMap]:
        """Return the projection of each sample of the grid, in canvas coordinates.

        Args:
            placement: The movement from rest.
            morph: Movement within the canvas before the rigid one (a smile), x and y in pixels, sampled like
                the depth map.
            lift: Factor on the depth, for a sheet that bends more or less than at rest.
        """
        return self._on_picture(self.positions(placement, morph=morph, lift=lift), placement)

    def _on_picture(
        self, space: tuple[FloatMap, FloatMap, FloatMap], placement: ReliefPose
    ) -> tuple[FloatMap, FloatMap]:
        centre_x, centre_y = (np.float32(value) for value in self._viewport.canvas_centre)
        focal = np.float32(self._viewport.focal)
        x, y, z = space
        zoom = focal / (focal * np.float32(1 - placement.approach) - z)
        return x * zoom + centre_x, y * zoom + centre_y

    def positions(
        self,
        placement: ReliefPose,
        *,
        morph: tuple[FloatMap, FloatMap] | None = None,
        lift: float = 1.0,
        depth: FloatMap | None = None,
    ) -> tuple[FloatMap, FloatMap, FloatMap]:
        """Return the position in space of each sample of the grid.

        The unit is the width of a pixel at the plane of depth 0.

        Args:
            placement: The movement from rest. Its approach is not applied here, because it moves the camera.
            morph: As for ``project``.
            lift: As for ``project``.
            depth: Replaces the depth at rest, for a face whose jaw is lowered; None keeps it.

        Returns:
            x to the right and y down from the camera's axis, z from the plane of depth 0 towards the camera,
            which is at ``focal * (1 - approach)``.
        """
        focal = np.float32(self._viewport.focal)
        centre_x, centre_y = (np.float32(value) for value in self._viewport.canvas_centre)
        pivot_x, pivot_y, pivot_z = (np.float32(value) for value in self._pivot)
        pivot_x, pivot_y = pivot_x - centre_x, pivot_y - centre_y
        depth = self._depth if depth is None else depth
        away = focal - depth
        x, y = self._ray_x * away - pivot_x, self._ray_y * away - pivot_y
        z = depth * np.float32(lift) - pivot_z
        if morph is not None:
            x, y = x + morph[0], y + morph[1]
        x, y, z = self._turn(x, y, z, placement)
        return (
            x + (pivot_x + np.float32(placement.shift_x)),
            y + (pivot_y + np.float32(placement.shift_y)),
            z + pivot_z,
        )

    def _turn(
        self, x: FloatMap, y: FloatMap, z: FloatMap, placement: ReliefPose
    ) -> tuple[FloatMap, FloatMap, FloatMap]:
        """Rotate by pitch, yaw and roll around the pivot; axes x right, y down, z towards the camera."""
        yaw, pitch, roll = np.deg2rad(
            np.array((placement.yaw, placement.pitch, placement.roll), dtype=np.float32)
        )
        turned_y, leant = y * np.cos(pitch) - z * np.sin(pitch), y * np.sin(pitch) + z * np.cos(pitch)
        turned_x, turned_z = x * np.cos(yaw) + leant * np.sin(yaw), leant * np.cos(yaw) - x * np.sin(yaw)
        if self._stiffness is not None:
            # The torso turns less than the head, but leans with it.
            turned_x = x + self._stiffness * (turned_x - x)
            turned_y = y + self._stiffness * (turned_y - y)
            turned_z = z + self._stiffness * (turned_z - z)
        rolled_x = turned_x * np.cos(roll) - turned_y * np.sin(roll)
        rolled_y = turned_x * np.sin(roll) + turned_y * np.cos(roll)
        return rolled_x, rolled_y, turned_z

    def look_up(
        self,
        placement: ReliefPose,
        *,
        morph: tuple[FloatMap, FloatMap] | None = None,
        lift: float = 1.0,
        pan: tuple[float, float] = (0.0, 0.0),
        depth: FloatMap | None = None,
    ) -> Sight:
        """Return the place on the canvas that each frame pixel shows (the maps of ``cv2.remap``).

        Args:
            placement: The movement away from rest.
            morph: As for ``project``.
            lift: As for ``project``.
            pan: Movement of the whole image in pixels, from a turn of the camera.
            depth: As for ``positions``.
        """
        space = self.positions(placement, morph=morph, lift=lift, depth=depth)
        # An approach enlarges everything; without this growth, the movement to invert is small at any
        # distance.
        near = np.float32(1 - placement.approach)
        centre_x, centre_y = (np.float32(value) for value in self._viewport.canvas_centre)
        projected_x, projected_y = self._on_picture(space, placement)
        shrunk_x, shrunk_y = (projected_x - centre_x) * near, (projected_y - centre_y) * near
        moved = np.dstack((shrunk_x + centre_x - self._x, shrunk_y + centre_y - self._y))
        target_x = (self._frame_x - np.float32(pan[0]) - centre_x) * near + centre_x
        target_y = (self._frame_y - np.float32(pan[1]) - centre_y) * near + centre_y
        source_x, source_y = target_x, target_y
        for _ in range(_ITERATIONS):
            step = cv2.remap(
                moved, source_x / _STEP, source_y / _STEP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            source_x, source_y = target_x - step[..., 0], target_y - step[..., 1]
        return Sight(
            map_x=self._enlarge(source_x),
            map_y=self._enlarge(source_y),
            space=space,
            lens=self._viewport.focal * (1 - placement.approach),
        )

    def _enlarge(self, small: FloatMap) -> FloatMap:
        size = (self._out_columns * _STEP, self._out_rows * _STEP)
        large = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
        view = self._viewport
        return np.asarray(large[_STEP : _STEP + view.height, _STEP : _STEP + view.width], dtype=np.float32)
