"""The subject that the screen lights, by kind of scan.

Also the instruments worn on a face: a rigid mask, and a cut-out print with holes for the eyes.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.simulator.app_guide import AppGuide, RestingFace
from lab.simulator.flash_settings import FlashKind, FlashScanSettings, Geometry
from lab.simulator.geometry import (
    HeadFit,
    ReliefPose,
    ellipsoid_depth,
    head_depth,
    mesh_depth,
    sculpted_depth,
)
from lab.simulator.light.scene import Follow, LitPerson, Subject, never
from lab.simulator.light.surface import AlbedoPaint, Material
from lab.simulator.person import DepthSource, Layout, Person
from lab.simulator.photo import Photo
from lab.simulator.scene import ExpressionSettings
from lab.simulator.sheets import HandHeld, LitSheet, ScreenReplay, WavedPrint, ink
from liveness import FaceExtent
from vision.face import BgrImage, Points
from vision.geometry import similarity_transform

_RESIN_SATURATION = 0.85
_BEND_RADIUS_MM = 160.0
_FALLS_BACK_MM = -80.0


class MaskPaint:
    """Colours of a printed resin mask: the person's albedo, a little paler."""

    def __init__(self) -> None:
        """Prepare the person's own albedo."""
        self._albedo = AlbedoPaint()

    def __call__(self, picture: BgrImage, layout: Layout) -> BgrImage:
        """Return the albedo of the mask."""
        colours = self._albedo(picture, layout).astype(np.float32)
        grey = cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)[..., None]
        return np.clip(grey + _RESIN_SATURATION * (colours - grey), 0, 255).astype(np.uint8)


class InkPaint:
    """Colours of a home printer: the photo with its shading, in ink on paper."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Make a paint; ``rng`` draws the grain of the paper."""
        self._rng = rng

    def __call__(self, picture: BgrImage, layout: Layout) -> BgrImage:
        """Return the albedo of the print."""
        return ink(picture, self._rng)


def bent_sheet_depth(
    landmarks: Points, fit: HeadFit, *, size: tuple[int, int], step: int
) -> NDArray[np.float32]:
    """Return the depth of a sheet bent over a face around a vertical axis, towards the camera, in pixels.

    Args:
        landmarks: Not used; part of the signature that depth sources share.
        fit: Gives place and scale.
        size: Width and height of the image in pixels.
        step: Distance of the samples in pixels.
    """
    width, height = size
    x = (np.arange(0, width, step, dtype=np.float64) - fit.centre[0]) / fit.pixels_per_millimetre
    bow = np.sqrt(np.maximum(_BEND_RADIUS_MM**2 - x * x, 0)) - _BEND_RADIUS_MM
    rows = -(-height // step)
    row = np.maximum(bow, _FALLS_BACK_MM) * fit.pixels_per_millimetre
    return np.ascontiguousarray(np.broadcast_to(row, (rows, len(row))), dtype=np.float32)


_SKIN_GLOSS = 0.028
# Exponents of gloss are powers of two; see `Material`.
_SKIN_SHARPNESS, _PAPER_SHARPNESS, _RESIN_SHARPNESS, _GLASS_SHARPNESS = 4, 5, 5, 8
_DEPTHS: dict[Geometry, DepthSource] = {
    Geometry.RELIEF: head_depth,
    Geometry.ELLIPSOID: ellipsoid_depth,
    Geometry.SCULPTED: sculpted_depth,
}


def genuine_depth(settings: FlashScanSettings) -> DepthSource:
    """Return the shape that a genuine person's head has."""
    return _DEPTHS[settings.renderer.geometry]


def living_person(photo: Photo, settings: FlashScanSettings, rng: np.random.Generator) -> Person:
    """Return the person of the photo, in albedo."""
    return Person(
        photo,
        settings.as_scan(),
        rng,
        depth_of=genuine_depth(settings),
        recolour=AlbedoPaint(melanin=settings.skin.melanin),
    )


def skin_of(settings: FlashScanSettings) -> Material:
    """Return the material of living skin."""
    return Material(
        diffuse=settings.renderer.diffuse,
        gloss=_SKIN_GLOSS * settings.skin.gloss,
        sharpness=_SKIN_SHARPNESS,
    )


def presented(
    photo: Photo, settings: FlashScanSettings, rng: np.random.Generator, guide: AppGuide
) -> Subject:
    """Return the subject in front of the camera; for an injection the living person of the attacker's video.

    Args:
        photo: The person, or the victim of the attack.
        rng: Source of the draws that differ between two scans.
        guide: Prompts to come closer, to blink, to turn the head, or to open the mouth.
    """
    match settings.kind:
        case FlashKind.PRINT:
            return _print(photo, settings, rng, guide)
        case FlashKind.SCREEN_REPLAY:
            return _replay(photo, settings, rng, guide)
        case FlashKind.RIGID_MASK:
            stiff = ExpressionSettings(blink_depth=0.0, mouth=0.0, brows=0.0, gaze=0.0)
            return _mask(photo, settings, stiff, rng, guide)
        case FlashKind.MASK_WITH_EYES | FlashKind.MASK_WITH_EYES_AND_MOUTH:
            return _mask(photo, settings, _eyes_alone(settings.expression), rng, guide)
        case FlashKind.CUT_OUT_PRINT:
            return _cut_out(photo, settings, rng, guide)
        case _:
            return in_hand(living_person(photo, settings, rng), settings, guide)


def in_hand(person: Person, settings: FlashScanSettings, guide: AppGuide) -> LitPerson:
    """Return a person with skin who follows the prompts."""
    return LitPerson(
        person,
        material=skin_of(settings),
        follow=_follow(guide, person, settings),
        closure=_closure(guide, settings.expression),
        opening=guide.opening,
    )


def moved_photo(photo: Photo, settings: FlashScanSettings, rng: np.random.Generator) -> Person:
    """Return the person of the photo as software moves it: in the photo's own light, as a head's surface."""
    return Person(photo, settings.as_scan(), rng, depth_of=photo_depth(photo, settings), folds=False)


def photo_depth(photo: Photo, settings: FlashScanSettings) -> DepthSource:
    """Return the depth of the photo's mesh, or without one that of a genuine scan."""
    mesh = photo.mesh
    if mesh is None:
        return genuine_depth(settings)

    def depth(landmarks: Points, fit: HeadFit, *, size: tuple[int, int], step: int) -> NDArray[np.float32]:
        laid = similarity_transform(photo.landmarks, landmarks)
        places = mesh[:, :2] @ laid[:, :2].T + laid[:, 2]
        scale = math.hypot(laid[0, 0], laid[1, 0])
        return mesh_depth(np.column_stack([places, scale * mesh[:, 2]]), fit, size=size, step=step)

    return depth


def attackers_depth(own: DepthSource, share: float) -> DepthSource:
    """Return a depth between a generic ellipsoid's (0) and the face's own (1), by the attacker's skill."""

    def depth(landmarks: Points, fit: HeadFit, *, size: tuple[int, int], step: int) -> NDArray[np.float32]:
        known = own(landmarks, fit, size=size, step=step)
        generic = ellipsoid_depth(landmarks, fit, size=size, step=step)
        return np.asarray(share * known + (1 - share) * generic, dtype=np.float32)

    return depth


def _print(photo: Photo, settings: FlashScanSettings, rng: np.random.Generator, guide: AppGuide) -> Subject:
    paper = Material(
        diffuse=settings.renderer.diffuse, gloss=settings.instrument.print_gloss, sharpness=_PAPER_SHARPNESS
    )
    held = WavedPrint(photo, settings.as_scan(), rng)
    return _held(held, paper, settings, guide, width_mm=settings.instrument.print_width_mm)


def _replay(photo: Photo, settings: FlashScanSettings, rng: np.random.Generator, guide: AppGuide) -> Subject:
    glass = Material(
        gloss=settings.instrument.display_gloss,
        sharpness=_GLASS_SHARPNESS,
        emission=settings.instrument.display_luminance,
    )
    held = ScreenReplay(photo, settings.as_scan(), rng)
    return _held(held, glass, settings, guide, width_mm=settings.instrument.display_width_mm)


def _held(
    held: HandHeld, material: Material, settings: FlashScanSettings, guide: AppGuide, *, width_mm: float
) -> Subject:
    shown = _resting(held.outline, held.sheet.width * settings.sheet.face_share, settings)

    def follow(time: float) -> ReliefPose:
        return guide.placement(time, face=shown)

    return LitSheet(held, material=material, follow=follow, millimetres_per_pixel=width_mm / held.sheet.width)


def _follow(guide: AppGuide, person: Person, settings: FlashScanSettings) -> Follow:
    """Return the movement with which this subject follows the oval."""
    face = _resting(person.outline, person.face_pixels, settings)

    def follow(time: float) -> ReliefPose:
        return guide.placement(time, face=face)

    return follow


def _closure(guide: AppGuide, expression: ExpressionSettings) -> Callable[[float], float]:
    """Return how far a prompt closes the eyes: as far as a spontaneous blink."""

    def closure(time: float) -> float:
        return expression.blink_depth * guide.closure(time)

    return closure


def _resting(outline: FaceExtent, face_pixels: float, settings: FlashScanSettings) -> RestingFace:
    return RestingFace(
        width=face_pixels / settings.width,
        outline_width=outline.width / settings.width,
        x=outline.x / settings.width,
        y=outline.y / settings.height,
        frame=(settings.width, settings.height),
    )


def _eyes_alone(expression: ExpressionSettings) -> ExpressionSettings:
    """Return the expression of a living person of whom only the eyes, and lips on request, move."""
    return replace(expression, mouth=0.0, brows=0.0)


def _mask(
    photo: Photo,
    settings: FlashScanSettings,
    expression: ExpressionSettings,
    rng: np.random.Generator,
    guide: AppGuide,
) -> Subject:
    worn = Person(
        photo,
        settings.as_scan(expression=expression),
        rng,
        depth_of=genuine_depth(settings),
        recolour=MaskPaint(),
        chin_moves=False,
    )
    resin = Material(
        diffuse=settings.renderer.diffuse, gloss=settings.instrument.mask_gloss, sharpness=_RESIN_SHARPNESS
    )
    return LitPerson(
        worn,
        material=resin,
        follow=_follow(guide, worn, settings),
        closure=_closure(guide, expression),
        opening=guide.opening if settings.kind is FlashKind.MASK_WITH_EYES_AND_MOUTH else never,
        corneas=settings.kind is not FlashKind.RIGID_MASK,
    )


def _cut_out(photo: Photo, settings: FlashScanSettings, rng: np.random.Generator, guide: AppGuide) -> Subject:
    expression = _eyes_alone(settings.expression)
    worn = Person(
        photo,
        settings.as_scan(expression=expression),
        rng,
        depth_of=bent_sheet_depth,
        recolour=InkPaint(rng),
    )
    paper = Material(
        diffuse=settings.renderer.diffuse, gloss=settings.instrument.print_gloss, sharpness=_PAPER_SHARPNESS
    )
    return LitPerson(
        worn,
        material=paper,
        follow=_follow(guide, worn, settings),
        closure=_closure(guide, expression),
    )
