"""A selfie of the person, printed on paper: on a stand, or waved by a hand."""

import cv2
import numpy as np

from liveness import FaceExtent
from simulator.attacks.sheet import Sheet, SheetLook, crop_around_face
from simulator.behaviour import PersonState
from simulator.geometry.relief import ReliefPose
from simulator.motion import Sway, Tremor
from simulator.person import Person, viewport_of
from simulator.photo import Photo
from simulator.scene import SceneSettings
from simulator.wandering import Wandering
from vision.face import BgrImage

__all__ = ["StaticPrint", "WavedPrint", "ink"]

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
        """Prints the selfie and places it on the stand, rotated by a few degrees."""
        sheet, picture, _ = _print_selfie(photo, settings, rng)
        sheet.place_picture(picture)
        askew = ReliefPose(
            yaw=float(rng.uniform(-4, 4)), pitch=float(rng.uniform(-6, 2)), roll=float(rng.uniform(-1.5, 1.5))
        )
        self._scene = sheet.show(askew).scene

    def show(self, time: float) -> BgrImage:
        """Render the scene, which is constant."""
        return self._scene


class WavedPrint:
    """One hand moves and bends the print, the other holds the phone."""

    def __init__(self, photo: Photo, settings: SceneSettings, rng: np.random.Generator) -> None:
        """Prints the selfie and draws the hand's movements."""
        self._sheet, picture, self._outline = _print_selfie(photo, settings, rng)
        self._sheet.place_picture(picture)
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

    @property
    def sheet(self) -> Sheet:
        """The paper."""
        return self._sheet

    @property
    def outline(self) -> FaceExtent:
        """The printed face at rest, frame pixels."""
        return self._outline

    def render(self, time: float, *, moved: ReliefPose) -> SheetLook:
        """Render the print alone at ``time`` seconds, ``moved`` to follow an oval."""
        placement = self._hand.at(time).moved(moved)
        return self._sheet.render(placement, lift=_MEAN_BEND + self._bend(time), pan=self._pan(time))

    def show(self, time: float) -> BgrImage:
        """Render the scene at ``time`` seconds."""
        lift = _MEAN_BEND + self._bend(time)
        return self._sheet.show(self._hand.at(time), lift=lift, pan=self._pan(time)).scene
