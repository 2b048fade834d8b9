"""A face under the screen's light and other light, at the frames' full resolution, with shadows.

The simulator's own light maps have a quarter of the resolution, which is coarser than light spreads in skin.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from research.skin_scatter.materials import Stuff
from simulator import FlashScanSettings, Photo
from simulator.flash_subjects import living_person
from simulator.geometry.relief import Relief, ReliefPose
from simulator.light.ambient import Ambient
from simulator.light.area_light import AreaLight
from simulator.light.colour import linear_table
from simulator.light.lit_surface import normals_of
from simulator.light.material import Material, diffuse_answer, gloss_answer
from simulator.person import viewport_of

__all__ = ["LitFace", "lit_face", "softened"]

Plane: TypeAlias = NDArray[np.float32]
_BANDS: Final = 8
_ACROSS: Final = (-1 / 3, 0.0, 1 / 3)
_MARCH: Final = np.geomspace(1.0, 70.0, 22)
"""Distances from a place towards the light at which something may be in its way, millimetres."""
_CLEAR: Final = 0.4
"""By how much a surface must be above the ray to shade it fully, millimetres."""
_PADDING: Final = 64
_BORDER: Final = 24


@dataclass(frozen=True, slots=True, eq=False)
class LitFace:
    """The rows of a frame that show a face, without material and camera. Maps have shape (h, w).

    Attributes:
        albedo: Shape (h, w, 3), linear blue-green-red.
        screen: Matt illuminance by the screen for 1 cd/m2, lux.
        gloss: The same of a gloss of reflectance 1, by sharpness.
        other: Illuminance by other light, lux.
        colour: Colour of the other light, blue-green-red, shape (3,).
        skin: Where the statistic counts: without eyes, brows, mouth and outline.
        millimetres: Millimetres per pixel.
    """

    albedo: Plane
    screen: Plane
    gloss: dict[int, Plane]
    other: Plane
    colour: NDArray[np.float64]
    skin: NDArray[np.bool_]
    millimetres: float


def lit_face(
    photo: Photo, settings: FlashScanSettings, *, roughness: float, rng: np.random.Generator
) -> LitFace:
    """Light a face that looks at the phone.

    Args:
        photo: The person.
        settings: Frame, distance, screen, other light, and the models of light, reflection and head.
        roughness: Standard deviation of the slope of fine relief (pores, wrinkles; a mask has its model's).
        rng: Draws the pose, the fine relief, and the other light.
    """
    person, view = living_person(photo, settings, rng), viewport_of(settings.as_scan())
    state = person.state_at(0.0)
    layer = person.render(type(state)(head=ReliefPose())).layer
    marks = person.landmarks - np.float32(view.margin)
    rows = slice(
        max(0, int(marks[:, 1].min()) - 2 * _BORDER), min(view.height, int(marks[:, 1].max()) + _BORDER)
    )
    scale = np.float32(person.millimetres_per_pixel)
    frame_y, frame_x = np.mgrid[rows, 0 : view.width].astype(np.float32)
    step, beyond = np.float32(Relief.grid_step()), np.float32(view.margin)
    # A spline, because the edges of a grid's cells would be details of the light.
    places_on_grid = (frame_y + beyond) / step, (frame_x + beyond) / step
    depth = np.asarray(map_coordinates(person.relief.positions(ReliefPose())[2], places_on_grid), np.float32)
    depth += _fine_relief(depth.shape, roughness, rng)
    ray_x = (frame_x - np.float32((view.width - 1) / 2)) / np.float32(view.focal)
    ray_y = (frame_y - np.float32((view.height - 1) / 2)) / np.float32(view.focal)
    away = np.float32(view.focal) - depth
    places = np.stack([ray_x * away, ray_y * away, -away]) * scale
    normals = normals_of(places[0], places[1], places[2])
    light = AreaLight(phone=settings.phone, bands=_BANDS, emission=settings.renderer.emission)
    vectors = light.vectors(places[0], places[1], places[2])
    middle = (view.width - 1) / 2, (view.height - 1) / 2 - rows.start
    vectors *= _seen(places, light, focal=float(view.focal), middle=middle)
    lit = vectors / np.maximum(np.sqrt((vectors * vectors).sum(axis=1, keepdims=True)), 1e-12)
    half = lit - places / np.sqrt((places * places).sum(axis=0))
    half /= np.maximum(np.sqrt((half * half).sum(axis=1, keepdims=True)), 1e-6)
    shine = {
        sharpness: gloss_answer(Material(gloss=1.0, sharpness=sharpness), vectors, half, normals).sum(axis=0)
        for sharpness in (3, 4, 5)
    }
    ambient = Ambient(settings.ambient, rng)
    return LitFace(
        albedo=np.asarray(
            linear_table()[layer[rows, :, :3]] * (layer[rows, :, 3:] / np.float32(255)), np.float32
        ),
        screen=diffuse_answer(settings.renderer.diffuse, vectors, normals).sum(axis=0),
        gloss=shine,
        other=ambient.irradiance(np.moveaxis(normals, 0, -1)),
        colour=ambient.colour,
        skin=_counted(marks - np.array((0, rows.start), np.float32), depth.shape),
        millimetres=float(scale),
    )


def softened(light: Plane, stuff: Stuff, millimetres: float) -> Plane:
    """Return the illuminance as it leaves a material, shape (h, w, 3): spread under the surface by colour.

    It is the illuminance that spreads, not its product with the albedo: the photo shows colours as they look,
    which skin has softened already, and those of masks are on the surface.

    Args:
        light: Illuminance that enters, shape (h, w).
        stuff: The material.
        millimetres: Millimetres per pixel. Slanting parts are not stretched.
    """
    wide = np.pad(light.astype(np.float64), _PADDING, mode="symmetric")
    down, across = np.fft.fftfreq(wide.shape[0]), np.fft.rfftfreq(wide.shape[1])
    frequency = np.hypot(down[:, None], across) * (2 * np.pi / millimetres)
    spectrum = np.fft.rfft2(wide)
    kept = slice(_PADDING, -_PADDING)
    spread = [np.fft.irfft2(spectrum * one(frequency), s=wide.shape)[kept, kept] for one in stuff.transfers]
    return np.stack(spread, axis=-1).astype(np.float32)


def _fine_relief(shape: tuple[int, ...], roughness: float, rng: np.random.Generator) -> Plane:
    """Return heights in pixels with details of one and three pixels."""
    noise = rng.standard_normal((2, *shape), dtype=np.float32)
    height = cv2.GaussianBlur(noise[0], (0, 0), 1.0) + 6 * cv2.GaussianBlur(noise[1], (0, 0), 3.0)
    return np.asarray(height * np.float32(roughness / np.gradient(height, axis=0).std()), np.float32)


def _seen(
    places: NDArray[np.float32], light: AreaLight, *, focal: float, middle: tuple[float, float]
) -> NDArray[np.float32]:
    """Return the share of each band that is not behind a part of the face, shape (bands, 1, h, w)."""
    shares = []
    for below in light.middles().tolist():
        share = np.zeros(places.shape[1:], np.float32)
        for side in _ACROSS:
            towards = np.array([side * light.phone.width_mm, below, 0.0], np.float32)[:, None, None] - places
            towards = towards / np.sqrt((towards * towards).sum(axis=0))
            above = np.full(share.shape, np.inf, np.float32)
            for distance in _MARCH.tolist():
                at = places + np.float32(distance) * towards
                zoom = np.float32(focal) / -at[2]
                look = at[0] * zoom + np.float32(middle[0]), at[1] * zoom + np.float32(middle[1])
                surface = cv2.remap(places[2], *look, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                above = np.minimum(above, at[2] - surface)
            share += np.clip(1 + above / np.float32(_CLEAR), 0, 1)
        shares.append(share / len(_ACROSS))
    return np.asarray(np.stack(shares)[:, None], np.float32)


def _counted(marks: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the skin inside the outline of the landmarks, which are iBUG's 68, shape (68, 2)."""
    tall = float(marks[8, 1] - marks[36:48, 1].mean())
    skin = np.zeros(shape, np.uint8)
    outline = np.vstack([marks, marks[17:27] - np.array((0, 0.3 * tall), np.float32)])
    cv2.fillConvexPoly(skin, cv2.convexHull(np.round(outline).astype(np.int32)), 1)
    skin = np.asarray(cv2.erode(skin, np.ones((11, 11), np.uint8)), np.uint8)
    for part in (slice(36, 42), slice(42, 48), slice(48, 60), slice(17, 22), slice(22, 27)):
        middle = marks[part].mean(axis=0)
        grown = middle + 1.4 * (marks[part] - middle)
        around = np.concatenate([grown + np.array((0, y), np.float32) for y in (-6, 0, 6)])
        cv2.fillConvexPoly(skin, cv2.convexHull(np.round(around).astype(np.int32)), 0)
    return skin > 0
