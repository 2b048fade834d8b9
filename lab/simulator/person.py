"""A person in a room: a photo converted to a head with depth that moves, blinks and opens its mouth.

The person is cut out of the photo: a soft mask, and colours without the old background.
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.simulator.backdrop import Backdrop
from lab.simulator.behaviour import Behaviour, PersonState
from lab.simulator.face_parts import Expression, Eyelids, Mouth, MouthPlace
from lab.simulator.geometry import HeadFit, Relief, Sight, Viewport, fit_head, head_depth
from lab.simulator.photo import Photo
from lab.simulator.scene import SceneSettings
from liveness import FaceExtent, face_extent
from vision.face import BgrImage, Box, DetectedFace, Points

_WORK_WIDTH = 200
_ITERATIONS = 4
_GRABCUT_SEED = 1
_SPREAD_SCALE = 1 / 3
_SURE = 0.92
_NO_RECTANGLE = (0, 0, 1, 1)  # GrabCut ignores it when it starts from a mask


def person_mask(image: BgrImage, landmarks: Points) -> NDArray[np.float32]:
    """Return how far each pixel belongs to the person, 0..1, shape (height, width).

    GrabCut (Rother et al. 2004) runs on a small copy, from the head and shoulders that the landmarks
    suggest. The part connected to the face is kept, holes are filled, and the edge is softened.

    Args:
        image: Upright photo, the eyes about level.
        landmarks: Shape (68, 2), pixels.
    """
    height, width = image.shape[:2]
    scale = _WORK_WIDTH / width
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    labels = _first_guess(small.shape[:2], landmarks.astype(np.float64) * scale)
    cv2.setRNGSeed(_GRABCUT_SEED)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, labels, _NO_RECTANGLE, background, foreground, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    person = _tidy(person, landmarks * scale)
    soft = cv2.GaussianBlur(person.astype(np.float32), (0, 0), 1.6)
    large = cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC)
    # Moves the soft edge inwards: losing some hair is better than a halo of the old background.
    edge = np.clip((large - 0.45) / 0.4, 0, 1)
    return np.asarray(edge * edge * (3 - 2 * edge), dtype=np.float32)


def spread_inside_colours(image: BgrImage, mask: NDArray[np.float32]) -> BgrImage:
    """Return ``image`` with the person's colours continued beyond the person's edge."""
    # Where hair may be: twice as wide as the face, from well above the brows down to the shoulders.
    # GrabCut needs some sure background, however large the head is.
    height, width = mask.shape
    small = (max(1, round(width * _SPREAD_SCALE)), max(1, round(height * _SPREAD_SCALE)))
    inside = cv2.resize((mask > _SURE).astype(np.float32), small, interpolation=cv2.INTER_AREA)
    inside = np.asarray(inside > _SURE, dtype=np.float32)
    colours = cv2.resize(image, small, interpolation=cv2.INTER_AREA).astype(np.float32) * inside[..., None]
    filled, weight = np.zeros_like(colours), np.zeros_like(inside)
    for sigma in (1.0, 2.5, 7.0, 20.0):
        near = cv2.GaussianBlur(inside, (0, 0), sigma)
        blurred = cv2.GaussianBlur(colours, (0, 0), sigma) / np.maximum(near, 1e-4)[..., None]
        use = np.clip(near / 0.05, 0, 1) * (1 - weight)
        filled += blurred * use[..., None]
        weight += use
    filled /= np.maximum(weight, 1e-4)[..., None]
    spread = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    sure = (mask > _SURE).astype(np.float32)
    keep = (cv2.GaussianBlur(sure, (0, 0), 0.8) * sure)[..., None]
    return np.asarray(np.clip(image * keep + spread * (1 - keep), 0, 255), dtype=np.uint8)


def _first_guess(shape: tuple[int, ...], points: NDArray[np.float64]) -> NDArray[np.uint8]:
    height, width = shape[:2]
    eyes = points[36:48].mean(axis=0)
    chin = points[8]
    face_width = float(np.linalg.norm(points[16] - points[0]))
    face_height = float(chin[1] - eyes[1])
    labels = np.full((height, width), cv2.GC_BGD, np.uint8)
    middle_x = float(points[:, 0].mean())
    # Where hair may be: twice as wide as the face, from well above the brows down to the shoulders.
    _ellipse(
        labels,
        (middle_x, eyes[1] - 0.05 * face_height),
        (1.05 * face_width, 1.75 * face_height),
        cv2.GC_PR_BGD,
    )
    shoulders = np.array(
        [
            (middle_x - 0.45 * face_width, chin[1] - 0.1 * face_height),
            (middle_x + 0.45 * face_width, chin[1] - 0.1 * face_height),
            (middle_x + 2.0 * face_width, chin[1] + 1.2 * face_height),
            (middle_x + 2.0 * face_width, height + 5),
            (middle_x - 2.0 * face_width, height + 5),
            (middle_x - 2.0 * face_width, chin[1] + 1.2 * face_height),
        ]
    )
    cv2.fillPoly(labels, [np.round(shoulders).astype(np.int32)], cv2.GC_PR_BGD)
    trunk = shoulders * (1, 1) + 0.0
    trunk[:, 0] = middle_x + 0.62 * (trunk[:, 0] - middle_x)
    cv2.fillPoly(labels, [np.round(trunk).astype(np.int32)], cv2.GC_PR_FGD)
    _ellipse(
        labels,
        (middle_x, eyes[1] - 0.1 * face_height),
        (0.62 * face_width, 1.15 * face_height),
        cv2.GC_PR_FGD,
    )
    # GrabCut needs some sure background, however large the head is.
    labels[:2, :] = cv2.GC_BGD
    hull = cv2.convexHull(np.vstack([points, points[17:27] - (0, 0.35 * face_height)]).astype(np.float32))
    cv2.fillConvexPoly(labels, np.round(hull).astype(np.int32), cv2.GC_FGD)
    neck = np.array(
        [
            points[5],
            points[11],
            (points[10][0], chin[1] + 0.5 * face_height),
            (points[6][0], chin[1] + 0.5 * face_height),
        ]
    )
    cv2.fillPoly(labels, [np.round(neck).astype(np.int32)], cv2.GC_FGD)
    return labels


def _ellipse(
    labels: NDArray[np.uint8], centre: tuple[float, float], radii: tuple[float, float], value: int
) -> None:
    where = (round(centre[0]), round(centre[1]))
    cv2.ellipse(labels, where, (round(radii[0]), round(radii[1])), 0, 0, 360, value, -1)


def _tidy(person: NDArray[np.uint8], points: Points) -> NDArray[np.uint8]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    opened = cv2.morphologyEx(person, cv2.MORPH_OPEN, kernel)
    _, parts = cv2.connectedComponents(opened)
    nose_x, nose_y = np.round(points[30]).astype(int)
    height, width = person.shape
    part = parts[np.clip(nose_y, 0, height - 1), np.clip(nose_x, 0, width - 1)]
    kept = (parts == part).astype(np.uint8)
    closed = cv2.morphologyEx(kept, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    # Where hair may be: twice as wide as the face, from well above the brows down to the shoulders.
    # GrabCut needs some sure background, however large the head is.
    # Pixels that the outside cannot reach from the top corners are a hole in the person.
    flooded = np.zeros((height + 2, width + 2), np.uint8)
    flooded[1:-1, 1:-1] = closed
    flooded[-1, :] = 1
    cv2.floodFill(flooded, None, (0, 0), 2)
    result: NDArray[np.uint8] = (flooded[1:-1, 1:-1] != 2).astype(np.uint8)
    return result


_FACE_MILLIMETRES = 145.0
_PIVOT_MILLIMETRES = (0.0, 85.0, -95.0)
_SKIN_GRAIN = 2.2
_FOLDS = 0.012
"""The width of the skin's folds, face widths."""
_FOLD_LIGHT = 5.0
"""How much the light on them changes while the head turns, grey levels."""
_FOLD_TURN = 2.0
"""The turn that changes it, degrees."""


def viewport_of(settings: SceneSettings) -> Viewport:
    """Return the frame and the lens of ``settings``."""
    half_angle = np.deg2rad(settings.camera.field_of_view_degrees) / 2
    return Viewport(
        width=settings.width,
        height=settings.height,
        margin=settings.width // 5,
        focal=settings.width / 2 / float(np.tan(half_angle)),
    )


@dataclass(frozen=True, slots=True)
class Layout:
    """The place of a person on the canvas.

    Attributes:
        landmarks: Shape (68, 2), canvas pixels.
        fit: The generic head that is fitted to them.
        depth: Height of the canvas towards the camera in pixels, on the relief's grid.
        mask: Share of each canvas pixel that is the person, 0..1.
    """

    landmarks: Points
    fit: HeadFit
    depth: NDArray[np.float32]
    mask: NDArray[np.float32]


class DepthSource(Protocol):
    """Gives the depth of a head over a canvas; see `head_depth`."""

    def __call__(
        self, landmarks: Points, fit: HeadFit, *, size: tuple[int, int], step: int
    ) -> NDArray[np.float32]:
        """Return the height towards the camera in pixels, one sample every ``step`` pixels."""
        ...


class Recolour(Protocol):
    """Changes the colours of the photo on the canvas, before its eyes are animated."""

    def __call__(self, picture: BgrImage, layout: Layout) -> BgrImage:
        """Return the canvas in new colours, of the same shape."""
        ...


@dataclass(frozen=True, slots=True)
class PersonView:
    """The person alone, as the lens sees the person.

    Attributes:
        layer: Shape (height, width, 4) of the frame: BGR, and in the fourth channel how much of each pixel
            the person covers, 0..255.
        sight: The point of the canvas that each pixel of the frame shows.
    """

    layer: NDArray[np.uint8]
    sight: Sight


class Person:
    """One person in one room, ready to be rendered.

    The steps, in the order of the code: the photo is placed on a canvas larger than the frame, with level
    eyes; the person is cut out; the generic head gives depth; ``show`` warps person and room and joins them.
    """

    def __init__(
        self,
        photo: Photo,
        settings: SceneSettings,
        rng: np.random.Generator,
        *,
        depth_of: DepthSource = head_depth,
        recolour: Recolour | None = None,
        chin_moves: bool = True,
        folds: bool = True,
    ) -> None:
        """Prepare the layers, which takes about a second.

        Args:
            settings: The frame, the lens and the movements.
            rng: Draws the place in the frame, the room and the movements.
            depth_of: Source of the head's depth.
            recolour: Changes the photo's colours; None keeps them.
            chin_moves: Whether the jaw opens the mouth, or only the lips behind a rigid chin.
            folds: Whether the light on the skin's folds changes as the head turns; on a moved photo it stays.
        """
        self._viewport = viewport_of(settings)
        share = settings.face_width or float(rng.uniform(0.47, 0.58))
        picture, landmarks = _lay_out(photo, self._viewport, share, rng)
        self.face_pixels = share * settings.width
        """Width of the face at rest, pixels."""
        self.landmarks = landmarks
        """The person's landmarks at rest, canvas pixels, shape (68, 2)."""
        fit = fit_head(landmarks)
        mask = person_mask(picture, landmarks)
        depth = depth_of(landmarks, fit, size=self._viewport.canvas_size, step=Relief.grid_step())
        colours = spread_inside_colours(picture, mask)
        if recolour is not None:
            colours = recolour(colours, Layout(landmarks=landmarks, fit=fit, depth=depth, mask=mask))
        colours = _add_grain(colours, rng)
        self._layer = np.dstack([colours, np.round(mask * 255).astype(np.uint8)])
        self._unlit = np.zeros_like(mask)
        self._eyelids = Eyelids(self._layer, landmarks)
        self._mouth = Mouth(MouthPlace.of_68(landmarks), chin_moves=chin_moves)
        self._depth = depth
        self.relief, self._expression = _head(landmarks, fit, depth, self._viewport)
        self.backdrop = Backdrop(rng, self._viewport, nearest=settings.nearest_wall)
        """The room behind."""
        eye_distance = float(np.linalg.norm(landmarks[42:48].mean(axis=0) - landmarks[36:42].mean(axis=0)))
        self._behaviour = Behaviour(settings, rng, eye_distance=eye_distance)
        # Drawn by themselves, so that what is drawn after the person does not depend on them.
        (skin,) = rng.spawn(1)
        drawn = 2 if folds else 0
        self._folds = tuple(_folds(mask.shape, skin, width=_FOLDS * self.face_pixels) for _ in range(drawn))

    @property
    def millimetres_per_pixel(self) -> float:
        """Millimetres per pixel at the plane of the eyes at rest."""
        return _FACE_MILLIMETRES / self.face_pixels

    @property
    def face_centre(self) -> tuple[float, float]:
        """Middle of the face at rest, frame pixels."""
        x, y = self.landmarks.mean(axis=0) - self._viewport.margin
        return float(x), float(y)

    @property
    def outline(self) -> FaceExtent:
        """The face at rest from ear to ear and from hairline to chin, frame pixels."""
        marks = self.landmarks - np.float32(self._viewport.margin)
        five = np.stack(
            [marks[36:42].mean(axis=0), marks[42:48].mean(axis=0), marks[30], marks[48], marks[54]]
        )
        low, high = five.min(axis=0), five.max(axis=0)
        around = Box(float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        return face_extent(DetectedFace(box=around, confidence=1.0, five_points=five.astype(np.float32)))

    def relief_with(self, depth_of: DepthSource) -> Relief:
        """Return the shape of the person with the depth of another source."""
        fit = fit_head(self.landmarks)
        depth = depth_of(self.landmarks, fit, size=self._viewport.canvas_size, step=Relief.grid_step())
        return _head(self.landmarks, fit, depth, self._viewport)[0]

    def state_at(self, time: float) -> PersonState:
        """Return the state of the person at ``time`` seconds."""
        return self._behaviour.at(time)

    def render(self, state: PersonState) -> PersonView:
        """Return the person alone, without the room."""
        self._eyelids.draw(self._layer, closure=state.closure, gaze=state.gaze)
        morph = self._expression.field(mouth=state.mouth, jaw=state.jaw, brows=state.brows)
        depth = self._mouth.lowered(self._depth, state.gap, step=Relief.grid_step())
        sight = self.relief.look_up(state.head, morph=morph, pan=state.pan, depth=depth)
        layer = cv2.remap(
            self._lit(self._mouth.opened(self._layer, state.gap), state),
            sight.map_x,
            sight.map_y,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return PersonView(layer=np.asarray(layer, dtype=np.uint8), sight=sight)

    def _lit(self, layer: NDArray[np.uint8], state: PersonState) -> NDArray[np.uint8]:
        """Return the layer in the light on the folds of the skin of a turned head, which no photo shows."""
        if not self._folds:
            return layer
        turned, raised = _FOLD_LIGHT * np.sin(np.array((state.head.yaw, state.head.pitch)) / _FOLD_TURN)
        light = cv2.addWeighted(self._folds[0], turned, self._folds[1], raised, 0)
        colours = cv2.merge((light, light, light, self._unlit))
        return np.asarray(cv2.add(layer, colours, dtype=cv2.CV_8U), np.uint8)

    def show(self, state: PersonState) -> BgrImage:
        """Return the frame with person and room, before any camera effect."""
        seen = self.render(state).layer
        cover = cv2.extractChannel(seen, 3).astype(np.float32) * np.float32(1 / 255)
        person = cv2.cvtColor(seen, cv2.COLOR_BGRA2BGR)
        room = self.backdrop.show(pan=state.pan, camera=state.head)
        return np.asarray(cv2.blendLinear(person, room, cover, 1 - cover), dtype=np.uint8)


def _lay_out(
    photo: Photo, viewport: Viewport, share: float, rng: np.random.Generator
) -> tuple[BgrImage, Points]:
    """Return the photo with level eyes at the requested size and place, and its landmarks there."""
    left, right = photo.eye_centres.astype(np.float64)
    angle = float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))
    size_now = fit_head(photo.landmarks).pixels_per_millimetre * _FACE_MILLIMETRES
    scale = share * viewport.width / size_now
    face = photo.landmarks.astype(np.float64)
    middle = (face.min(axis=0) + face.max(axis=0)) / 2
    lay = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), angle, scale)
    target_x = viewport.margin + viewport.width * (0.5 + float(rng.uniform(-0.015, 0.015)))
    target_y = viewport.margin + viewport.height * (0.52 + float(rng.uniform(-0.02, 0.02)))
    lay[:, 2] += (target_x - middle[0], target_y - middle[1])
    picture = cv2.warpAffine(
        photo.pixels, lay, viewport.canvas_size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    landmarks = face @ lay[:, :2].T + lay[:, 2]
    return np.asarray(picture, dtype=np.uint8), landmarks.astype(np.float32)


def _add_grain(picture: BgrImage, rng: np.random.Generator) -> BgrImage:
    """Add a faint pattern to the skin, for the pores and hairs that an enlarged photo lacks."""
    grain = cv2.GaussianBlur(rng.standard_normal(picture.shape[:2]).astype(np.float32), (0, 0), 1.0)
    grain = grain * np.float32(_SKIN_GRAIN / grain.std())
    return np.asarray(np.clip(picture + grain[..., None], 0, 255), dtype=np.uint8)


def _folds(shape: tuple[int, ...], rng: np.random.Generator, *, width: float) -> NDArray[np.float32]:
    """Return a random relief of skin, of mean 0 and standard deviation 1."""
    folds = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), width)
    return np.asarray(folds / np.float32(folds.std()), np.float32)


def _head(
    landmarks: Points, fit: HeadFit, depth: NDArray[np.float32], viewport: Viewport
) -> tuple[Relief, Expression]:
    step = Relief.grid_step()
    rows, columns = Relief.grid_shape(viewport)
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32) * step, np.arange(rows, dtype=np.float32) * step)
    chin = float(landmarks[8, 1])
    reach = 60 * fit.pixels_per_millimetre
    below: NDArray[np.float32] = np.clip((y - chin - 0.1 * reach) / reach, 0, 1).astype(np.float32)
    stiffness = (1 - 0.85 * (below * below * (3 - 2 * below))).astype(np.float32)
    pivot = fit.pixels_per_millimetre * np.array(_PIVOT_MILLIMETRES)
    relief = Relief(
        viewport=viewport,
        depth=depth,
        pivot=(float(pivot[0] + fit.centre[0]), float(pivot[1] + fit.centre[1]), float(pivot[2])),
        stiffness=stiffness,
    )
    return relief, Expression(landmarks, grid=(x, y))
