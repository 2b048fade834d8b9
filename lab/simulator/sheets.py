"""Flat images in front of the camera: rectangles that move, bend a little, and hide the room.

A *print*: a selfie of the person on paper, on a stand or waved by a hand. A *screen*: a recording of a
genuine scan that a hand holds in front of the camera. Either also under the screen's light.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.simulator.backdrop import Backdrop
from lab.simulator.behaviour import PersonState, Wandering
from lab.simulator.camera import Camera
from lab.simulator.geometry import Relief, ReliefPose, Sight, Viewport
from lab.simulator.light.scene import Follow, SubjectView
from lab.simulator.light.surface import Material
from lab.simulator.motion import Sway, Tremor
from lab.simulator.person import Person, viewport_of
from lab.simulator.photo import Photo
from lab.simulator.scene import SceneSettings
from liveness import FaceExtent
from vision.face import BgrImage

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


def crop_around_face(
    picture: BgrImage, *, face_centre: tuple[float, float], face_pixels: float, face_share: float
) -> BgrImage:
    """Return the largest 3:4 part of ``picture`` around a face in which the face fills ``face_share``.

    Args:
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
        """Prepare the layers.

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
        self.backdrop = Backdrop(rng, viewport)
        """The room behind the sheet."""
        self.relief = Relief(
            viewport=viewport,
            depth=_bow(viewport, bend, half_width=wide / 2 + edge) if bend else None,
            pivot=(left + wide / 2, top + 1.1 * tall, 0.0),
        )
        """The sheet's shape."""

    def place_picture(self, picture: BgrImage) -> None:
        """Put ``picture``, stretched to the sheet's size, on the sheet."""
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

    def render(
        self, placement: ReliefPose, *, lift: float = 1.0, pan: tuple[float, float] = (0.0, 0.0)
    ) -> SheetLook:
        """Render the sheet alone.

        Args:
            placement: Movement of the sheet from rest.
            lift: Factor on the bend.
            pan: Movement of the whole image by the tremor of the camera, pixels.
        """
        sight = self.relief.look_up(placement, lift=lift, pan=pan)
        layer = cv2.remap(
            self._layer, sight.map_x, sight.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
        return SheetLook(
            layer=np.asarray(layer, dtype=np.uint8),
            sight=sight,
            placement=placement,
            pan=pan,
        )

    def before_the_room(self, seen: SheetLook) -> tuple[BgrImage, NDArray[np.float32]]:
        """Return a rendered sheet before the room, and the share of each pixel that it covers, 0..1."""
        cover = cv2.extractChannel(seen.layer, 3).astype(np.float32) * np.float32(1 / 255)
        scene = cv2.blendLinear(
            cv2.cvtColor(seen.layer, cv2.COLOR_BGRA2BGR), self.backdrop.show(pan=seen.pan), cover, 1 - cover
        )
        return np.asarray(scene, dtype=np.uint8), cover


def _bow(viewport: Viewport, bend: float, *, half_width: float) -> NDArray[np.float32]:
    """Return the depth of a sheet bowed around a vertical axis: a parabola, ``bend`` pixels high."""
    rows, columns = Relief.grid_shape(viewport)
    x = np.arange(columns, dtype=np.float32) * Relief.grid_step() - viewport.canvas_centre[0]
    across = np.clip(x / half_width, -1.5, 1.5)
    return np.ascontiguousarray(np.broadcast_to(bend * (1 - across**2), (rows, columns)), dtype=np.float32)


_PAPER = (236, 238, 240)
# Darkest ink and brightest paper as shares of full scale, and the saturation that ink keeps.
_INK, _WHITE, _SATURATION = 0.09, 0.93, 0.88
_PAPER_GRAIN = 1.5
_MEAN_BEND, _BEND_SWAY = 0.5, 0.4


def _print_selfie(
    photo: Photo, settings: SceneSettings, rng: np.random.Generator
) -> tuple[Sheet, BgrImage, FaceExtent]:
    """Return the sheet with the selfie, the selfie, and the place of the face at rest."""
    victim = Person(photo, settings, rng)
    selfie = crop_around_face(
        victim.show(PersonState(head=ReliefPose())),
        face_centre=victim.face_centre,
        face_pixels=victim.face_pixels,
        face_share=settings.sheet.face_share,
    )
    tall, wide = selfie.shape[:2]
    sheet = Sheet(
        rng,
        viewport=viewport_of(settings),
        size=(wide, tall),
        bend=settings.sheet.bend * wide,
        edge_colour=_PAPER,
        edge=round(settings.sheet.border * wide),
    )
    return sheet, ink(selfie, rng), sheet.outline_of(victim.outline, around=victim.face_centre)


def ink(picture: BgrImage, rng: np.random.Generator) -> BgrImage:
    """Return ``picture`` in the colours of a home printer, with the grain of paper, which ``rng`` draws."""
    colours = picture.astype(np.float32)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)[..., None]
    colours = grey + _SATURATION * (colours - grey)
    colours = 255 * _INK + (_WHITE - _INK) * colours
    colours += (_PAPER_GRAIN * rng.standard_normal(picture.shape[:2])).astype(np.float32)[..., None]
    return np.clip(cv2.GaussianBlur(colours, (0, 0), 0.6), 0, 255).astype(np.uint8)


class StaticPrint:
    """The print leans on a stand; nothing moves."""

    def __init__(self, photo: Photo, settings: SceneSettings, rng: np.random.Generator) -> None:
        """Print the selfie and place it on the stand, rotated by a few degrees."""
        sheet, picture, _ = _print_selfie(photo, settings, rng)
        sheet.place_picture(picture)
        askew = ReliefPose(
            yaw=float(rng.uniform(-4, 4)), pitch=float(rng.uniform(-6, 2)), roll=float(rng.uniform(-1.5, 1.5))
        )
        self._scene, _ = sheet.before_the_room(sheet.render(askew))

    def show(self, time: float) -> BgrImage:
        """Render the scene, which is constant."""
        return self._scene


class WavedPrint:
    """One hand moves and bends the print, the other holds the phone."""

    def __init__(self, photo: Photo, settings: SceneSettings, rng: np.random.Generator) -> None:
        """Print the selfie and draw the hand's movements."""
        self.sheet, picture, self.outline = _print_selfie(photo, settings, rng)
        self.sheet.place_picture(picture)
        knobs = settings.sheet
        shift = knobs.shift * settings.width
        self._hand = Wandering(
            rng,
            rms=ReliefPose(
                yaw=knobs.yaw_degrees,
                pitch=knobs.pitch_degrees,
                roll=knobs.roll_degrees,
                shift_x=shift,
                shift_y=shift,
                approach=knobs.approach,
            ),
            lowest=0.2,
            highest=1.5,
        )
        self._bend = Sway(rng, rms=_BEND_SWAY, lowest=0.2, highest=1.2)
        self._pan = Tremor(rng, rms=settings.motion.tremor * settings.width)

    def render(self, time: float, *, moved: ReliefPose) -> SheetLook:
        """Render the print alone at ``time`` seconds, ``moved`` to follow an oval."""
        placement = self._hand.at(time).moved(moved)
        return self.sheet.render(placement, lift=_MEAN_BEND + self._bend(time), pan=self._pan(time))

    def show(self, time: float) -> BgrImage:
        """Render the scene at ``time`` seconds."""
        return self.sheet.before_the_room(self.render(time, moved=ReliefPose()))[0]


class HandHeld(Protocol):
    """A sheet in a moving hand."""

    sheet: Sheet
    outline: FaceExtent
    """The face on it at rest, frame pixels."""

    def render(self, time: float, *, moved: ReliefPose) -> SheetLook:
        """Render the sheet without its background.

        Some sheets keep state, so call this with increasing times.

        Args:
            time: Seconds.
            moved: Pose of the hand that follows an oval.
        """
        ...


class LitSheet:
    """A hand-held sheet as a subject: it reflects light as a plane or a slight bow."""

    def __init__(
        self, held: HandHeld, *, material: Material, follow: Follow, millimetres_per_pixel: float
    ) -> None:
        """Make a subject of a sheet.

        Args:
            material: Paper, or the glass of a screen that emits light.
            follow: Movement of the hand that follows an oval.
            millimetres_per_pixel: Millimetres per pixel at the sheet's plane at rest; it defines the
                distance.
        """
        self._held = held
        self.material = material
        """Paper or glass."""
        self._follow = follow
        self.millimetres_per_pixel = millimetres_per_pixel
        """Millimetres per pixel at the sheet's plane at rest."""
        self.relief, self.backdrop = held.sheet.relief, held.sheet.backdrop

    def render(self, time: float) -> SubjectView:
        """Return the sheet at ``time`` seconds."""
        seen = self._held.render(time, moved=self._follow(time))
        return SubjectView(layer=seen.layer, sight=seen.sight, placement=seen.placement, pan=seen.pan)


_BEZEL = (16, 15, 14)
_BEZEL_SHARE = 0.03
_UNITY = 128
_BANDS_PER_FRAME = 1.6
_VIDEO_RATE = 30.0


class ScreenReplay:
    """Shows the recording at its own rate through screen pixels, glow and refresh bands."""

    def __init__(self, photo: Photo, settings: SceneSettings, rng: np.random.Generator) -> None:
        """Prepare the recorded person, the screen and the hand."""
        self._settings = settings
        self._victim = Person(photo, settings, rng)
        self._recorder = Camera(settings.camera, rng, width=settings.width, height=settings.height)
        tall, wide = self._crop(np.zeros((settings.height, settings.width, 3), np.uint8)).shape[:2]
        self.sheet = Sheet(
            rng,
            viewport=viewport_of(settings),
            size=(wide, tall),
            bend=0.0,
            edge_colour=_BEZEL,
            edge=round(_BEZEL_SHARE * wide),
        )
        """The screen's surface."""
        self.outline = self.sheet.outline_of(self._victim.outline, around=self._victim.face_centre)
        self._grid = _pixel_grid(settings.screen.grid_contrast)
        self._grid_scale = np.float32(3 / settings.screen.pixel_pitch)
        self._askew = float(rng.uniform(-1.5, 1.5))
        knobs, still = settings.sheet, settings.screen.steadiness
        shift = still * knobs.shift * settings.width
        self._hand = Wandering(
            rng,
            rms=ReliefPose(
                yaw=still * knobs.yaw_degrees,
                pitch=still * knobs.pitch_degrees,
                roll=still * knobs.roll_degrees,
                shift_x=shift,
                shift_y=shift,
                approach=still * knobs.approach,
            ),
        )
        self._pan = Tremor(rng, rms=settings.motion.tremor * settings.width)
        self._shown = -1

    def render(self, time: float, *, moved: ReliefPose) -> SheetLook:
        """Render the light of the screen alone; times must rise from call to call.

        Args:
            time: Seconds.
            moved: Movement of the hand that follows an oval.
        """
        self._play(time)
        placement, pan = self._held_at(time)
        seen = self.sheet.render(placement.moved(moved), pan=pan)
        alone = np.asarray(cv2.cvtColor(seen.layer, cv2.COLOR_BGRA2BGR), dtype=np.uint8)
        lit = self._through_pixels(alone, seen.sight, time)
        return replace(seen, layer=np.dstack([lit, seen.layer[..., 3]]))

    def show(self, time: float) -> BgrImage:
        """Render the scene at ``time`` seconds; times must rise from call to call."""
        self._play(time)
        placement, pan = self._held_at(time)
        seen = self.sheet.render(placement, pan=pan)
        scene, cover = self.sheet.before_the_room(seen)
        lit = self._through_pixels(scene, seen.sight, time)
        return np.asarray(cv2.blendLinear(lit, scene, cover, 1 - cover), dtype=np.uint8)

    def _held_at(self, time: float) -> tuple[ReliefPose, tuple[float, float]]:
        held = self._hand.at(time)
        return replace(held, roll=self._askew + held.roll), self._pan(time)

    def _play(self, time: float) -> None:
        number = int(time * _VIDEO_RATE)
        if number == self._shown:
            return
        self._shown = number
        recorded_at = number / _VIDEO_RATE
        frame = self._recorder.take(self._victim.show(self._victim.state_at(recorded_at)), recorded_at)
        selfie = self._crop(frame)
        black = self._settings.screen.black_level
        self.sheet.place_picture(
            np.asarray(cv2.convertScaleAbs(selfie, alpha=1 - black / 255, beta=black), dtype=np.uint8)
        )

    def _crop(self, frame: BgrImage) -> BgrImage:
        return crop_around_face(
            frame,
            face_centre=self._victim.face_centre,
            face_pixels=self._victim.face_pixels,
            face_share=self._settings.sheet.face_share,
        )

    def _through_pixels(self, picture: BgrImage, sight: Sight, time: float) -> BgrImage:
        grid = cv2.remap(
            self._grid,
            sight.map_x * self._grid_scale,
            sight.map_y * self._grid_scale,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        lit = cv2.multiply(picture, grid, scale=1 / _UNITY).astype(np.float32)
        screen = self._settings.screen
        height = picture.shape[0]
        # The rolling shutter reads one row at a time while the screen's brightness oscillates.
        rows = np.arange(height, dtype=np.float32) / height * _BANDS_PER_FRAME
        bands = 1 + screen.flicker * np.cos(2 * np.pi * (rows + screen.refresh_hertz * time))
        lit *= bands.astype(np.float32)[:, None, None]
        return np.minimum(lit, 255).astype(np.uint8)


def _pixel_grid(contrast: float) -> NDArray[np.uint8]:
    """Return a tile of screen pixels, 3 x 3 samples each: stripes of red, green, blue, and a dark line.

    128 is unity; the mean is unity, so that the grid changes no colour on average.
    """
    stripes = np.full((3, 3, 3), 1 - contrast / 2)
    for column, channel in enumerate((2, 1, 0)):
        stripes[:, column, channel] = 1 + contrast
    lines = np.array([1 + contrast / 2, 1 + contrast / 2, 1 - contrast])[:, None, None]
    tile = np.tile(stripes * lines, (64, 64, 1))
    return np.round(tile * _UNITY).astype(np.uint8)
