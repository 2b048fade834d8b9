"""Films of one photo in which software also changes the skin: what is shown of the photo at a time.

Written apart from the measure that has to find them, in many ways: textures that fade in and out, that follow
one another without an end, or that drift over the photo, wrinkles, details, light; the photo mixed with its
mirror image, with itself filtered, or with another frame of its person.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import griddata

from simulator.motion import Sway
from vision.face import BgrImage, Points
from vision.geometry import similarity_transform

Shown = Callable[[float], BgrImage]
_Plane = NDArray[np.float32]
Layer = Callable[[float], _Plane]
"""What is added to the skin at a time, grey levels."""

_SPACING: Final = 4
"""The spacing of the pixels at which a warp between two faces is computed."""


def mirrored(picture: BgrImage) -> BgrImage:
    """Returns a picture's mirror image."""
    return np.asarray(picture[:, ::-1].copy(), np.uint8)


def filtered(picture: BgrImage) -> BgrImage:
    """Returns a picture with more local contrast."""
    lab = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2LAB), np.uint8)
    lab[..., 0] = cv2.createCLAHE(4.0, (8, 8)).apply(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), np.uint8)


def placed_onto(picture: BgrImage, found: Points, place: Points) -> BgrImage:
    """Returns a picture moved, turned and scaled so that points of its face lie at those of another."""
    moved = cv2.warpAffine(
        picture,
        similarity_transform(found, place),
        (picture.shape[1], picture.shape[0]),
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, np.uint8)


def morphed_onto(picture: BgrImage, found: Points, place: Points) -> BgrImage:
    """Returns a picture warped so that the landmarks of its face lie at those of another."""
    height, width = picture.shape[:2]
    border = [(x, y) for x in (0, width / 2, width - 1) for y in (0, height / 2, height - 1)]
    border.remove((width / 2, height / 2))
    rows, columns = np.mgrid[:height:_SPACING, :width:_SPACING]
    offsets = griddata(
        np.concatenate([place, border]),
        np.concatenate([found - place, np.zeros((len(border), 2))]),
        (columns, rows),
        fill_value=0,
    )
    whole = cv2.resize(offsets.astype(np.float32), (width, height))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    warped = cv2.remap(
        picture, x + whole[..., 0], y + whole[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.uint8)


def mixed(shown: Shown, other: BgrImage, *, seed: int) -> Shown:
    """Returns what is shown, mixed with another picture by a share that sways."""
    rng = np.random.default_rng(seed)
    most, pace, phase = rng.uniform(0.4, 1.0), rng.uniform(0.15, 0.7), rng.uniform(0, 2 * np.pi)

    def show(time: float) -> BgrImage:
        share = most * (0.5 + 0.5 * np.sin(2 * np.pi * pace * time + phase))
        return np.asarray(cv2.addWeighted(shown(time), 1 - share, other, share, 0), np.uint8)

    return show


def _fading(skin: _Plane, marks: Points, width: float, rng: np.random.Generator) -> Layer:
    textures = [_texture(rng, skin.shape, width, 0.004, 0.02) for _ in range(rng.integers(1, 4))]
    paces, strength = rng.uniform(0.15, 0.8, len(textures)), rng.uniform(3, 10)
    return lambda time: np.asarray(
        sum(
            np.float32(strength * np.sin(2 * np.pi * pace * time + at)) * texture
            for at, (pace, texture) in enumerate(zip(paces, textures, strict=True))
        ),
        np.float32,
    )


def _endless(skin: _Plane, marks: Points, width: float, rng: np.random.Generator) -> Layer:
    every, strength = rng.uniform(0.4, 1.5), rng.uniform(3, 9)
    textures = [_texture(rng, skin.shape, width, 0.004, 0.02) for _ in range(int(7 / every) + 2)]

    def layer(time: float) -> _Plane:
        at = int(time / every)
        turn = np.pi / 2 * (time / every - at)
        along, over = (np.float32(strength * part(turn)) for part in (np.cos, np.sin))
        return np.asarray(along * textures[at] + over * textures[at + 1], np.float32)

    return layer


def _drifting(skin: _Plane, marks: Points, width: float, rng: np.random.Generator) -> Layer:
    height, breadth = skin.shape
    texture = _texture(rng, (height + 200, breadth + 200), width, 0.006, 0.03) * np.float32(rng.uniform(3, 9))
    across, down = (Sway(rng, rms=20, lowest=0.1, highest=0.5) for _ in range(2))

    def layer(time: float) -> _Plane:
        left, top = (round(float(np.clip(100 + sway(time), 0, 199))) for sway in (across, down))
        return texture[top : top + height, left : left + breadth]

    return layer


def _wrinkles(skin: _Plane, marks: Points, width: float, rng: np.random.Generator) -> Layer:
    drawn = []
    for _ in range(3):
        lines = np.zeros_like(skin)
        for x, y in marks[rng.integers(0, len(marks), rng.integers(6, 20))]:
            angle, reach = rng.uniform(0, np.pi), rng.uniform(0.04, 0.15) * width
            aside = reach * np.array([np.cos(angle), np.sin(angle)])
            ends = np.round(np.add([x, y], [-aside, aside])).astype(np.int32)
            cv2.polylines(lines, [ends], False, float(rng.choice([-1, -1, 1])), 2, cv2.LINE_AA)
        drawn.append(np.asarray(cv2.GaussianBlur(lines, (0, 0), 0.006 * width), np.float32))
    sways = [Sway(rng, rms=rng.uniform(6, 20), lowest=0.15, highest=1.2) for _ in drawn]
    return lambda time: np.asarray(
        sum(np.float32(sway(time)) * lines for sway, lines in zip(sways, drawn, strict=True)), np.float32
    )


def _texture(
    rng: np.random.Generator, shape: tuple[int, ...], width: float, finest: float, coarsest: float
) -> _Plane:
    radius = width * float(np.exp(rng.uniform(np.log(finest), np.log(coarsest))))
    texture = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), radius)
    return np.asarray(texture / texture.std(), np.float32)


_LAYERS: Final = MappingProxyType(
    {"fading": _fading, "endless": _endless, "drifting": _drifting, "wrinkles": _wrinkles}
)


def _with_layer(name: str, shown: Shown, marks: Points, *, seed: int) -> Shown:
    rng = np.random.default_rng([seed, *name.encode()])
    width = float(np.ptp(marks[:, 0]))
    skin = np.zeros(shown(0).shape[:2], np.float32)
    cv2.fillConvexPoly(skin, cv2.convexHull(marks).astype(np.int32), 1.0)
    skin = np.asarray(cv2.GaussianBlur(skin, (0, 0), 0.08 * width), np.float32)
    layer = _LAYERS[name](skin, marks, width, rng)
    return lambda time: np.asarray(np.clip(shown(time) + (skin * layer(time))[..., None], 0, 255), np.uint8)


def _detailed(shown: Shown, marks: Points, *, seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    radius, sway = float(np.ptp(marks[:, 0])) * rng.uniform(0.008, 0.03), Sway(rng, rms=0.5, highest=1.0)

    def show(time: float) -> BgrImage:
        now = shown(time).astype(np.float32)
        more = np.float32(0.5 + sway(time)) * (now - cv2.GaussianBlur(now, (0, 0), radius))
        return np.asarray(np.clip(now + more, 0, 255), np.uint8)

    return show


def _lit(shown: Shown, marks: Points, *, seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    shape, width = shown(0).shape[:2], float(np.ptp(marks[:, 0]))
    shades = [_texture(rng, shape, width, 0.05, 0.25) for _ in range(2)]
    sways = [Sway(rng, rms=rng.uniform(0.05, 0.15), lowest=0.15) for _ in shades]

    def show(time: float) -> BgrImage:
        light = 1 + sum(np.float32(sway(time)) * shade for sway, shade in zip(sways, shades, strict=True))
        return np.asarray(np.clip(shown(time) * np.asarray(light)[..., None], 0, 255), np.uint8)

    return show


def changed_skin(name: str, shown: Shown, *, marks: Points, seed: int) -> Shown:
    """Returns what is shown of a photo, with skin that changes in one of the ways of ``SKINS``.

    Args:
        marks: Landmarks of the face, pixels of the photo.
    """
    if name == "details":
        return _detailed(shown, marks, seed=seed)
    if name == "light":
        return _lit(shown, marks, seed=seed)
    return _with_layer(name, shown, marks, seed=seed)


SKINS: Final = (*_LAYERS, "details", "light")
