"""A recording of a genuine scan on a screen that a hand holds in front of the camera."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness import FaceExtent
from simulator.attacks.sheet import Sheet, SheetLook, crop_around_face
from simulator.camera import Camera
from simulator.geometry.relief import ReliefPose
from simulator.motion import Tremor
from simulator.person import Person, viewport_of
from simulator.photo import Photo
from simulator.scene import SceneSettings
from simulator.wandering import Wandering
from vision.face import BgrImage

__all__ = ["ScreenReplay"]

_BEZEL = (16, 15, 14)
_BEZEL_SHARE = 0.03
_UNITY = 128
_BANDS_PER_FRAME = 1.6
_VIDEO_RATE = 30.0


class ScreenReplay:
    """Shows the recording at its own rate through screen pixels, glow and refresh bands."""

    def __init__(self, photo: Photo, settings: SceneSettings, rng: np.random.Generator) -> None:
        """Prepares the recorded person, the screen and the hand."""
        self._settings = settings
        self._victim = Person(photo, settings, rng)
        self._recorder = Camera(settings.camera, rng, width=settings.width, height=settings.height)
        tall, wide = self._crop(np.zeros((settings.height, settings.width, 3), np.uint8)).shape[:2]
        self._sheet = Sheet(
            rng,
            viewport=viewport_of(settings),
            size=(wide, tall),
            bend=0.0,
            edge_colour=_BEZEL,
            edge=round(_BEZEL_SHARE * wide),
        )
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

    @property
    def sheet(self) -> Sheet:
        """The screen's surface."""
        return self._sheet

    @property
    def outline(self) -> FaceExtent:
        """The face shown at rest, frame pixels."""
        return self._sheet.outline_of(self._victim.outline, around=self._victim.face_centre)

    def render(self, time: float, *, moved: ReliefPose) -> SheetLook:
        """Render the light of the screen alone; times must rise from call to call.

        Args:
            time: Seconds.
            moved: Movement of the hand that follows an oval.
        """
        self._play(time)
        placement, pan = self._held_at(time)
        seen = self._sheet.render(placement.moved(moved), pan=pan)
        lit = self._through_pixels(
            np.asarray(cv2.cvtColor(seen.layer, cv2.COLOR_BGRA2BGR), dtype=np.uint8),
            seen.sight.map_x,
            seen.sight.map_y,
            time,
        )
        return replace(seen, layer=np.dstack([lit, seen.layer[..., 3]]))

    def show(self, time: float) -> BgrImage:
        """Render the scene at ``time`` seconds; times must rise from call to call."""
        self._play(time)
        placement, pan = self._held_at(time)
        view = self._sheet.show(placement, pan=pan)
        lit = self._through_pixels(view.scene, view.map_x, view.map_y, time)
        return np.asarray(cv2.blendLinear(lit, view.scene, view.cover, 1 - view.cover), dtype=np.uint8)

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
        self._sheet.place_picture(
            np.asarray(cv2.convertScaleAbs(selfie, alpha=1 - black / 255, beta=black), dtype=np.uint8)
        )

    def _crop(self, frame: BgrImage) -> BgrImage:
        return crop_around_face(
            frame,
            face_centre=self._victim.face_centre,
            face_pixels=self._victim.face_pixels,
            face_share=self._settings.sheet.face_share,
        )

    def _through_pixels(
        self, picture: BgrImage, map_x: NDArray[np.float32], map_y: NDArray[np.float32], time: float
    ) -> BgrImage:
        grid = cv2.remap(
            self._grid,
            map_x * self._grid_scale,
            map_y * self._grid_scale,
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
