"""The depth of a scene: images in front of a pinhole camera, and heads of three kinds.

A relief is an image with depth; it tells the place in the image that each frame pixel shows. A head is a
dense depth map made from a generic head of 68 landmarks in three dimensions, fitted to those of a photo; or
an ellipsoid with a nose, which uses only the place of the face; or a superellipsoid with the features of a
face, independent of the person.
"""

from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import Points

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
        """Prepare the grids.

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

    def on_picture(
        self, space: tuple[FloatMap, FloatMap, FloatMap], placement: ReliefPose
    ) -> tuple[FloatMap, FloatMap]:
        """Return the projection of ``positions``, in canvas coordinates."""
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
            morph: Movement within the canvas before the rigid one (a smile), x and y in pixels, sampled like
                the depth map.
            lift: Factor on the depth, for a sheet that bends more or less than at rest.
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
            morph: As for ``positions``.
            lift: As for ``positions``.
            pan: Movement of the whole image in pixels, from a turn of the camera.
            depth: As for ``positions``.
        """
        space = self.positions(placement, morph=morph, lift=lift, depth=depth)
        # An approach enlarges everything; without this growth, the movement to invert is small at any
        # distance.
        near = np.float32(1 - placement.approach)
        centre_x, centre_y = (np.float32(value) for value in self._viewport.canvas_centre)
        projected_x, projected_y = self.on_picture(space, placement)
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


# Millimetres; x to the image's right, y down, z towards the camera; the origin lies between the
# eyes. One half of a symmetric adult head of 63 mm eye distance: a table of round numbers, plausible to a
# few millimetres, which is as exact as a generic head can be. Index: (x, y, z).
_HALF: dict[int, tuple[float, float, float]] = {
    0: (-74, 2, -75), 1: (-72, 21, -72), 2: (-68, 41, -68), 3: (-63, 60, -60), 4: (-56, 77, -44),
    5: (-46, 89, -29), 6: (-35, 97, -16), 7: (-21, 102, -1), 8: (0, 105, 7),
    17: (-53, -16, -8), 18: (-46, -21, 1), 19: (-38, -23, 6), 20: (-28, -22, 10), 21: (-17, -20, 12),
    27: (0, -3, 16), 28: (0, 5, 22), 29: (0, 13, 27), 30: (0, 20, 33),
    31: (-16, 41, 12), 32: (-9, 41, 18), 33: (0, 42, 23),
    36: (-45, 1, -8), 37: (-36, -4, 0), 38: (-27, -4, 1), 39: (-18, 1, -2), 40: (-27, 4, 0), 41: (-36, 4, -2),
    48: (-24, 65, 6), 49: (-16, 59, 16), 50: (-8, 55, 21), 51: (0, 57, 23),
    57: (0, 73, 19), 58: (-8, 72, 18), 59: (-16, 70, 14),
    60: (-20, 65, 8), 61: (-8, 62, 17), 62: (0, 62, 19), 66: (0, 64, 18), 67: (-8, 64, 17),
}  # fmt: skip
_MIRRORED = (
    {i: 16 - i for i in range(9, 17)}
    | {i: 43 - i for i in range(22, 27)}
    | {34: 32, 35: 31}
    | {42: 39, 43: 38, 44: 37, 45: 36, 46: 41, 47: 40}
    | {52: 50, 53: 49, 54: 48, 55: 59, 56: 58, 63: 61, 64: 60, 65: 67}
)


def generic_landmarks() -> NDArray[np.float64]:
    """Return the generic head's landmarks: x right, y down, z to the camera, millimetres, shape (68, 3)."""
    shape = np.empty((68, 3))
    for index, position in _HALF.items():
        shape[index] = position
    for index, twin in _MIRRORED.items():
        shape[index] = shape[twin] * (-1, 1, 1)
    return shape


@dataclass(frozen=True, slots=True)
class HeadFit:
    """The generic head, fitted to a face.

    Attributes:
        pixels_per_millimetre: Scale at the plane of the eyes.
        rotation: Shape (3, 3), from head to camera axes (x right, y down, z towards the camera).
        centre: Image position of the point between the eyes, shape (2,), pixels.
        depths: Height of each landmark above the plane of the eyes towards the camera, shape (68,),
            pixels.
    """

    pixels_per_millimetre: float
    rotation: NDArray[np.float64]
    centre: NDArray[np.float64]
    depths: NDArray[np.float64]

    def place(self, head_points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the camera positions (x, y, depth) in pixels of ``head_points`` in millimetres, (n, 3)."""
        camera = head_points @ self.rotation.T * self.pixels_per_millimetre
        camera[:, :2] += self.centre
        return camera

    def places(self, size: tuple[int, int], *, step: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the offsets of an image's samples from the point between the eyes, in millimetres.

        Args:
            size: Width and height of the image in pixels.
            step: Distance of the samples in pixels.
        """
        width, height = size
        columns = np.arange(0, width, step, dtype=np.float64)
        rows = np.arange(0, height, step, dtype=np.float64)
        x, y = np.meshgrid(columns, rows)
        scale = self.pixels_per_millimetre
        return (x - self.centre[0]) / scale, (y - self.centre[1]) / scale


def fit_head(landmarks: Points) -> HeadFit:
    """Fit the generic head to ``landmarks`` by a scaled orthographic projection.

    The 2 x 3 projection is found by least squares and made orthonormal by a singular value decomposition
    (the first step of DeMenthon and Davis 1995, "Model-based object pose in 25 lines of code").

    Args:
        landmarks: Shape (68, 2), iBUG 300-W order, pixels.
    """
    shape = generic_landmarks()
    middle = shape.mean(axis=0)
    observed_middle = landmarks.astype(np.float64).mean(axis=0)
    solution, *_ = np.linalg.lstsq(shape - middle, landmarks - observed_middle, rcond=None)
    left, singular, right = np.linalg.svd(solution.T, full_matrices=False)
    rows = left @ right
    rotation = np.vstack([rows, np.cross(rows[0], rows[1])])
    scale = float(singular.mean())
    centre = observed_middle - scale * (rotation[:2] @ middle)
    return HeadFit(
        pixels_per_millimetre=scale,
        rotation=rotation,
        centre=centre,
        depths=scale * (shape @ rotation[2]),
    )


# Points of the head outside the 68 landmarks, in the head's own millimetres (see head_shape):
# forehead, hairline, crown, temples, and the cheeks between the landmark groups.
_FOREHEAD = ((0, -45, 12), (-28, -44, 6), (28, -44, 6), (-52, -40, -18), (52, -40, -18))
_HAIRLINE = ((0, -72, 0), (-35, -68, -12), (35, -68, -12), (-62, -52, -48), (62, -52, -48))
_CROWN = ((0, -112, -75), (-45, -100, -78), (45, -100, -78), (-72, -70, -80), (72, -70, -80))
_SIDES = ((-80, -25, -85), (80, -25, -85), (-80, 20, -88), (80, 20, -88), (-66, -12, -42), (66, -12, -42))
_CHEEKS = ((-40, 25, 3), (40, 25, 3), (-46, 45, -8), (46, 45, -8), (-30, 85, -4), (30, 85, -4))
_NECK = ((0, 125, -35), (-35, 125, -50), (35, 125, -50), (0, 160, -40), (-60, 115, -80), (60, 115, -80))
_ADDED = np.array(_FOREHEAD + _HAIRLINE + _CROWN + _SIDES + _CHEEKS + _NECK, dtype=np.float64)
_SMOOTHING_PIXELS = 4.8
# Rings around the head that hold the depth there, so that the spline does not rise again outside.
_RING_RADII = (150.0, 320.0)
_RING_CENTRE_BELOW_EYES = 15.0
_RING_POINTS = 16
_FAR_DEPTH = -80.0


def head_depth(landmarks: Points, fit: HeadFit, *, size: tuple[int, int], step: int) -> NDArray[np.float32]:
    """Return the depth of a head over an image, towards the camera, in pixels.

    The depth is a thin-plate spline through the landmarks and through points of the generic head, clipped
    to the depths that a head has, and smoothed.

    Args:
        landmarks: Shape (68, 2), pixels.
        fit: The generic head that is fitted to them.
        size: Width and height of the image in pixels.
        step: Distance of the map's samples in pixels; sample (i, j) lies at ``step * (j, i)``.

    Returns:
        Shape (ceil(height / step), ceil(width / step)).
    """
    added = fit.place(_ADDED)
    # The rings are behind the face for every rotation of the head, so they are not rotated.
    rings = _rings() * fit.pixels_per_millimetre + np.array([*fit.centre, 0.0])
    places = np.vstack([landmarks.astype(np.float64), added[:, :2], rings[:, :2]])
    depths = np.concatenate([fit.depths, added[:, 2], rings[:, 2]])
    width, height = size
    columns = np.arange(0, width, step, dtype=np.float64)
    rows = np.arange(0, height, step, dtype=np.float64)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    dense = _thin_plate(places, depths, grid, smoothing=0.02).reshape(len(rows), len(columns))
    scale = fit.pixels_per_millimetre
    dense = np.clip(dense, 1.15 * _FAR_DEPTH * scale, float(depths.max()) * 1.02)
    smooth = cv2.GaussianBlur(dense.astype(np.float32), (0, 0), _SMOOTHING_PIXELS / step)
    return np.asarray(smooth, dtype=np.float32)


_BEYOND_MESH = np.array(_CROWN + _NECK, dtype=np.float64)
"""Points of the generic head that the mesh of a face does not cover, millimetres."""
_MESH_SMOOTHING = 0.002


def mesh_depth(
    mesh: NDArray[np.float64], fit: HeadFit, *, size: tuple[int, int], step: int
) -> NDArray[np.float32]:
    """Return the depth of a head whose face is a mesh, over an image, towards the camera, in pixels.

    It is a thin-plate spline through the points of the mesh, and through the generic head beyond them.

    Args:
        mesh: Shape (n, 3): places in the image and heights from the plane of the eyes, pixels.
        fit: The generic head that is fitted to the face.
        size: Width and height of the image in pixels.
        step: Distance of the map's samples in pixels.
    """
    rings = _rings() * fit.pixels_per_millimetre + np.array([*fit.centre, 0.0])
    known = np.vstack([mesh, fit.place(_BEYOND_MESH), rings])
    x, y = np.meshgrid(np.arange(0, size[0], step), np.arange(0, size[1], step))
    asked = np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float64)
    dense = _thin_plate(known[:, :2], known[:, 2], asked, smoothing=_MESH_SMOOTHING)
    return np.asarray(dense.reshape(x.shape), dtype=np.float32)


def _rings() -> NDArray[np.float64]:
    """Return points around the head, millimetres, shape (n, 3)."""
    angles = np.linspace(0, 2 * np.pi, _RING_POINTS, endpoint=False)
    level = np.full(_RING_POINTS, _FAR_DEPTH)
    return np.vstack(
        [
            np.stack(
                [radius * np.cos(angles), radius * np.sin(angles) + _RING_CENTRE_BELOW_EYES, level], axis=1
            )
            for radius in _RING_RADII
        ]
    )


def _thin_plate(
    places: NDArray[np.float64],
    values: NDArray[np.float64],
    queries: NDArray[np.float64],
    *,
    smoothing: float,
) -> NDArray[np.float64]:
    """Interpolate by a thin-plate spline (Bookstein 1989) with a small smoothing term."""
    middle, spread = places.mean(axis=0), float(places.std())
    known, asked = (places - middle) / spread, (queries - middle) / spread
    count = len(known)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(known, known) + smoothing * np.eye(count)
    system[:count, count] = 1
    system[:count, count + 1 :] = known
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.concatenate([values, np.zeros(3)]))
    smooth = _kernel(asked, known) @ weights[:count]
    plane: NDArray[np.float64] = weights[count] + asked @ weights[count + 1 :]
    return plane + smooth


def _kernel(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    across = left[:, None, 0] - right[None, :, 0]
    down = left[:, None, 1] - right[None, :, 1]
    squared = across**2 + down**2
    result: NDArray[np.float64] = 0.5 * squared * np.log(np.maximum(squared, 1e-12))
    return result


# Millimetres, in the axes of head_shape: centre below the eyes, half axes, and the nose as a ridge.
_CENTRE = (0.0, 22.0, -82.0)
_RADII = (80.0, 118.0, 92.0)
_NOSE_TIP = (0.0, 30.0)
_NOSE_HEIGHT = 19.0
_NOSE_WIDTH = 9.0
_NOSE_ABOVE, _NOSE_BELOW = 19.0, 7.0
_FLOOR = -82.0


def ellipsoid_depth(
    landmarks: Points, fit: HeadFit, *, size: tuple[int, int], step: int
) -> NDArray[np.float32]:
    """Return the depth of a generic ellipsoid over an image, towards the camera, in pixels.

    The rotation of the head in the photo moves the ellipsoid but does not rotate its axes, which is enough
    for photos from the front.

    Args:
        landmarks: Not used; part of the signature that depth sources share.
        fit: Gives place and scale.
        size: Width and height of the image in pixels.
        step: Distance of the samples in pixels.
    """
    scale = fit.pixels_per_millimetre
    x, y = fit.places(size, step=step)
    inside = 1 - ((x - _CENTRE[0]) / _RADII[0]) ** 2 - ((y - _CENTRE[1]) / _RADII[1]) ** 2
    head = _CENTRE[2] + _RADII[2] * np.sqrt(np.maximum(inside, 0))
    along = np.where(y < _NOSE_TIP[1], _NOSE_ABOVE, _NOSE_BELOW)
    nose = np.exp(-(((x - _NOSE_TIP[0]) / _NOSE_WIDTH) ** 2) / 2 - ((y - _NOSE_TIP[1]) / along) ** 2 / 2)
    return np.asarray(np.maximum(head + _NOSE_HEIGHT * nose, _FLOOR) * scale, dtype=np.float32)


# Millimetres, in the axes of head_shape: centre below the eyes and half axes. The exponent flattens the face
# and rounds its sides off more sharply than an ellipsoid, whose exponent is 2.
_SCULPTED_CENTRE = (0.0, 20.0, -78.0)
_SCULPTED_RADII = (76.0, 120.0, 86.0)
_EXPONENT = 2.4
# Bumps and hollows: place aside (on both sides) and below the eyes, spread across and down, height.
_FEATURES = (
    (0.0, -18.0, 38.0, 7.0, 4.0),  # brows
    (31.0, 2.0, 13.0, 9.0, -7.0),  # sockets
    (0.0, 8.0, 7.0, 14.0, 10.0),  # bridge of the nose
    (0.0, 32.0, 10.0, 8.0, 18.0),  # its tip
    (11.0, 38.0, 7.0, 6.0, 6.0),  # its wings
    (42.0, 28.0, 16.0, 14.0, 4.0),  # cheekbones
    (0.0, 63.0, 20.0, 8.0, 10.0),  # lips
    (0.0, 96.0, 18.0, 9.0, 16.0),  # chin
)


def sculpted_depth(
    landmarks: Points, fit: HeadFit, *, size: tuple[int, int], step: int
) -> NDArray[np.float32]:
    """Return the depth of a generic head over an image, towards the camera, in pixels.

    As with ``ellipsoid_depth``, a rotation of the head in the photo shifts the generic head, but does not
    rotate it.

    Args:
        landmarks: Not used; part of the signature that depth sources share.
        fit: The place and the scale of the head in the photo.
        size: Width and height of the image in pixels.
        step: Distance of the samples in pixels.
    """
    scale = fit.pixels_per_millimetre
    x, y = fit.places(size, step=step)
    inside = (
        1
        - np.abs((x - _SCULPTED_CENTRE[0]) / _SCULPTED_RADII[0]) ** _EXPONENT
        - np.abs((y - _SCULPTED_CENTRE[1]) / _SCULPTED_RADII[1]) ** _EXPONENT
    )
    head = _SCULPTED_CENTRE[2] + _SCULPTED_RADII[2] * np.maximum(inside, 0) ** (1 / _EXPONENT)
    for aside, below, across, down, high in _FEATURES:
        beside = (np.abs(x) - aside) / across
        head = head + high * np.exp(-(beside**2) / 2 - ((y - below) / down) ** 2 / 2)
    return np.asarray(np.maximum(head, _FLOOR) * scale, dtype=np.float32)
