"""Simulates cameras, codecs and detectors, and presentation attacks: images as if printed or on a screen.

The effects of *capture* are applied to bona fide images and attacks alike, so that size, compression, colour
cast and crop do not distinguish them, and sharpness does so little: a recapture passes two lenses, so that
part of its blur is valid evidence.

The simulation of *recapture* follows the physics of the media. *Print*: ink has a smaller gamut than light,
black is dark grey, tones are dots of a halftone screen (cyan, magenta, yellow, black at 15, 75, 0 and 45
degrees), and the sheet has an edge and is lit unevenly. *Screen*: pixels are a grid of coloured stripes,
which cause moiré when the camera samples them; black emits light, the image is bluish or too contrasted,
glass mirrors lamps, and the device has a bezel. Both are smaller than the scene behind them, so that their
edge may be in the image. A simulation has only the effects that its author modelled. It adds to recorded
attacks and does not replace them.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, Box

_SMALLEST: Final = 24


def captured(image: BgrImage, box: Box, *, random: np.random.Generator) -> tuple[BgrImage, Box]:
    """Return the image as another camera and codec would have recorded it.

    Returns:
        The image, possibly smaller or cropped, and the face's box in it.
    """
    if random.random() < 0.35:
        image, box = _cut_tighter(image, box, random)
    if random.random() < 0.35:
        image, box = _smaller(image, box, random)
    if random.random() < 0.15:
        sigma = random.uniform(0.4, 1.1) * max(0.4, box.height / 160)
        image = _as_image(cv2.GaussianBlur(image, (0, 0), sigma))
    elif random.random() < 0.1:
        image = _moved_while_exposed(image, random)
    elif random.random() < 0.2:
        soft = cv2.GaussianBlur(image, (0, 0), 1.2)
        image = _as_image(cv2.addWeighted(image, 1.6, soft, -0.6, 0))
    if random.random() < 0.6:
        image = _another_tone(image, random)
    if random.random() < 0.3:
        noise = random.normal(0, random.uniform(1, 9), size=image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if random.random() < 0.6:
        image = _compressed(image, int(random.integers(30, 96)))
    return image, box


def turned_about(image: BgrImage, box: Box) -> tuple[BgrImage, Box]:
    """Return the mirror image."""
    width = image.shape[1]
    return np.ascontiguousarray(image[:, ::-1]), Box(width - box.right, box.top, width - box.left, box.bottom)


def jittered(box: Box, *, random: np.random.Generator) -> Box:
    """Return the box as another detector might draw it: up to 18 % larger or smaller, moved by up to 8 %."""
    scale = float(np.exp(random.uniform(-0.18, 0.18)))
    width, height = box.width * scale, box.height * scale
    centre_x = box.centre[0] + random.uniform(-0.08, 0.08) * box.width
    centre_y = box.centre[1] + random.uniform(-0.08, 0.08) * box.height
    return Box(centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2)


def _cut_tighter(image: BgrImage, box: Box, random: np.random.Generator) -> tuple[BgrImage, Box]:
    margin = random.uniform(0.0, 0.5, size=4) * random.uniform(0.1, 1.0)
    left = max(0, round(box.left - margin[0] * box.width))
    top = max(0, round(box.top - margin[1] * box.height))
    right = min(image.shape[1], round(box.right + margin[2] * box.width))
    bottom = min(image.shape[0], round(box.bottom + margin[3] * box.height))
    if right - left < _SMALLEST or bottom - top < _SMALLEST:
        return image, box
    cut = np.ascontiguousarray(image[top:bottom, left:right])
    return cut, Box(box.left - left, box.top - top, box.right - left, box.bottom - top)


def _smaller(image: BgrImage, box: Box, random: np.random.Generator) -> tuple[BgrImage, Box]:
    scale = random.uniform(0.4, 1.0)
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    if min(size) < _SMALLEST:
        return image, box
    kind = int(random.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    across, down = size[0] / image.shape[1], size[1] / image.shape[0]
    made = _as_image(cv2.resize(image, size, interpolation=kind))
    return made, Box(box.left * across, box.top * down, box.right * across, box.bottom * down)


def _moved_while_exposed(image: BgrImage, random: np.random.Generator) -> BgrImage:
    length = int(random.integers(3, 8))
    kernel = np.zeros((length, length), dtype=np.float32)
    angle = random.uniform(0, np.pi)
    middle = (length - 1) / 2
    for step in np.linspace(-middle, middle, 4 * length):
        kernel[round(middle + step * np.sin(angle)), round(middle + step * np.cos(angle))] = 1
    return _as_image(cv2.filter2D(image, -1, kernel / kernel.sum()))


def _another_tone(image: BgrImage, random: np.random.Generator) -> BgrImage:
    """Return the image with another exposure, gamma, white balance and saturation."""
    picture = image.astype(np.float32) / 255
    picture = picture ** np.float32(np.exp(random.uniform(-0.45, 0.45)))
    picture *= np.exp(random.uniform(-0.13, 0.13, size=3)).astype(np.float32) * np.float32(
        np.exp(random.uniform(-0.3, 0.25))
    )
    grey = picture.mean(axis=2, keepdims=True)
    picture = grey + (picture - grey) * np.float32(random.uniform(0.55, 1.3))
    return np.asarray((np.clip(picture, 0, 1) * 255).round(), dtype=np.uint8)


def _compressed(image: BgrImage, quality: int) -> BgrImage:
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _as_image(cv2.imdecode(content, cv2.IMREAD_COLOR))


def _as_image(values: cv2.typing.MatLike | None) -> BgrImage:
    return np.asarray(values, dtype=np.uint8)


_Picture: TypeAlias = NDArray[np.float32]
_INK_ANGLES: Final = (0.0, 75.0, 15.0)


def as_print(image: BgrImage, box: Box, *, random: np.random.Generator) -> BgrImage:
    """Return the image as a photographed print.

    Args:
        image: A bona fide image, at least 16 pixels on each side.
        box: The face; the sheet's edge never crosses it.

    Returns:
        An image of the same size.
    """
    picture = _float32(image.astype(np.float32) / 255)
    if random.random() < 0.15:
        grey = picture.mean(axis=2, keepdims=True)
        picture = np.repeat(grey, 3, axis=2)
    halftoned = random.random() < 0.6
    if halftoned:
        picture = _halftone(picture, random)
    picture = _narrow_gamut(
        picture,
        black=random.uniform(0.04, 0.22),
        white=random.uniform(0.72, 0.97),
        saturation=random.uniform(0.45, 0.95),
        cast=random.uniform(0.9, 1.1, size=3),
    )
    if random.random() < 0.5:
        picture = _uneven_light(picture, random, strength=random.uniform(0.1, 0.35))
    if random.random() < 0.4:
        picture = _gloss(picture, random)
    if random.random() < 0.55:
        picture = _with_edge(picture, box, random, frame=_sheet(random))
    return _finished(_second_lens(picture, box, random))


def as_screen(image: BgrImage, box: Box, *, random: np.random.Generator) -> BgrImage:
    """Return the image as a photographed screen.

    Args:
        image: A bona fide image, at least 16 pixels on each side.
        box: The face; the bezel never crosses it.

    Returns:
        An image of the same size.
    """
    picture = _float32(image.astype(np.float32) / 255)
    traits: list[Callable[[_Picture], _Picture]] = [
        lambda shown: _pixel_grid(shown, random),
        lambda shown: _moire(shown, random),
        lambda shown: _bands(shown, random),
    ]
    for index in random.permutation(len(traits))[: int(random.integers(1, 3))]:
        picture = traits[int(index)](picture)
    contrast = random.uniform(0.9, 1.5)
    picture = _float32((picture - 0.5) * contrast + 0.5 + random.uniform(-0.05, 0.15))
    picture = _narrow_gamut(
        np.clip(picture, 0, 1),
        black=random.uniform(0.02, 0.15),
        white=1.0,
        saturation=random.uniform(0.7, 1.3),
        cast=np.array([random.uniform(1.0, 1.25), random.uniform(0.95, 1.08), random.uniform(0.85, 1.05)]),
    )
    if random.random() < 0.5:
        picture = _gloss(picture, random)
    if random.random() < 0.55:
        bezel = np.full(3, random.uniform(0.0, 0.12) if random.random() < 0.8 else random.uniform(0.7, 1.0))
        picture = _with_edge(picture, box, random, frame=bezel.astype(np.float32))
    return _finished(_second_lens(picture, box, random))


def _halftone(picture: _Picture, random: np.random.Generator) -> _Picture:
    """Add amplitude-modulated dots, one screen per ink, which the camera resolves partly."""
    period = random.uniform(2.0, 5.0)
    softness = random.uniform(3.0, 9.0)
    turn = random.uniform(-10, 10)
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    dotted = np.empty_like(picture)
    for channel, angle in enumerate(_INK_ANGLES):
        radians = np.deg2rad(angle + turn)
        across = (columns * np.cos(radians) + rows * np.sin(radians)) * (2 * np.pi / period)
        down = (-columns * np.sin(radians) + rows * np.cos(radians)) * (2 * np.pi / period)
        screen = (np.cos(across) + np.cos(down)) / 4 + 0.5
        dotted[..., channel] = 1 / (1 + np.exp(-softness * (picture[..., channel] - screen)))
    share = np.float32(random.uniform(0.2, 0.75))
    return _float32(picture * (1 - share) + dotted * share)


def _narrow_gamut(
    picture: _Picture, *, black: float, white: float, saturation: float, cast: NDArray[np.float64]
) -> _Picture:
    grey = picture.mean(axis=2, keepdims=True)
    coloured = grey + (picture - grey) * np.float32(saturation)
    return _float32((black + coloured * (white - black)) * cast.astype(np.float32))


def _uneven_light(picture: _Picture, random: np.random.Generator, *, strength: float) -> _Picture:
    height, width = picture.shape[:2]
    angle = random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    slope = columns * np.float32(np.cos(angle)) + rows * np.float32(np.sin(angle))
    return _float32(picture * (1 + np.float32(strength) * slope)[..., None])


def _gloss(picture: _Picture, random: np.random.Generator) -> _Picture:
    """Add a lamp or a window mirrored by the surface."""
    height, width = picture.shape[:2]
    spot = np.zeros((height, width), dtype=np.float32)
    centre = int(random.integers(0, width)), int(random.integers(0, height))
    axes = max(2, int(width * random.uniform(0.04, 0.3))), max(2, int(height * random.uniform(0.04, 0.2)))
    cv2.ellipse(spot, centre, axes, float(random.uniform(0, 180)), 0, 360, 1.0, -1)
    sigma = max(1.0, min(axes) * random.uniform(0.2, 0.8))
    spot = _float32(cv2.GaussianBlur(spot, (0, 0), sigma))
    tint = random.uniform(0.85, 1.0, size=3).astype(np.float32)
    return _float32(picture + spot[..., None] * tint * np.float32(random.uniform(0.15, 0.7)))


def _pixel_grid(picture: _Picture, random: np.random.Generator) -> _Picture:
    """Add stripes of blue, green and red with dark gaps, sampled at another pitch and angle."""
    period = random.uniform(1.7, 4.5)
    angle = np.deg2rad(random.uniform(-12, 12))
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    across = columns * np.float32(np.cos(angle)) + rows * np.float32(np.sin(angle))
    down = rows * np.float32(np.cos(angle)) - columns * np.float32(np.sin(angle))
    depth = np.float32(random.uniform(0.08, 0.35))
    lines = 1 - depth * (1 + np.cos(down * np.float32(2 * np.pi / period))) / 2
    shown = picture * lines[..., None]
    for channel in range(3):
        phase = np.float32(2 * np.pi * channel / 3)
        shown[..., channel] *= 1 - depth * (1 + np.cos(across * np.float32(2 * np.pi / period) + phase)) / 2
    return _float32(shown * np.float32(1 + depth / 2))


def _moire(picture: _Picture, random: np.random.Generator) -> _Picture:
    """Add slow coloured waves of two grids of nearly equal pitch; the phase bends with the surface."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    angle = random.uniform(0, np.pi)
    waves = random.uniform(6, 60)
    bend = random.uniform(-3, 3, size=3)
    phase = (columns * np.cos(angle) + rows * np.sin(angle)) * waves * 2 * np.pi + (
        bend[0] * columns**2 + bend[1] * rows**2 + bend[2] * columns * rows
    ) * 2 * np.pi
    strength = random.uniform(0.02, 0.12)
    shown = picture.copy()
    for channel in range(3):
        shift = random.uniform(0, 2 * np.pi) if random.random() < 0.7 else 0.0
        shown[..., channel] += np.float32(strength) * np.cos(phase + shift).astype(np.float32)
    return shown


def _bands(picture: _Picture, random: np.random.Generator) -> _Picture:
    """Add broad dark bands of a screen's refresh or dimming."""
    height = picture.shape[0]
    waves = random.uniform(0.7, 6)
    phase = random.uniform(0, 2 * np.pi)
    rows = np.cos(np.linspace(0, waves * 2 * np.pi, height) + phase)
    return _float32(picture * (1 + random.uniform(0.04, 0.18) * rows).astype(np.float32)[:, None, None])


def _sheet(random: np.random.Generator) -> NDArray[np.float32]:
    return (random.uniform(0.75, 1.0) * random.uniform(0.95, 1.0, size=3)).astype(np.float32)


def _with_edge(
    picture: _Picture, box: Box, random: np.random.Generator, *, frame: NDArray[np.float32]
) -> _Picture:
    """Place the image on a rotated rectangle with a frame, in another scene."""
    height, width = picture.shape[:2]
    side = max(box.width, box.height)
    reach = random.uniform(0.72, 1.5) * side
    centre = np.array(box.centre)
    turn = np.deg2rad(random.uniform(-8, 8))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    proportions = np.array([random.uniform(0.8, 1.1), random.uniform(0.9, 1.35)])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64) * proportions * reach
    corners += random.uniform(-0.05, 0.05, size=(4, 2)) * side
    rim = random.uniform(0.03, 0.3) * side * (random.random() < 0.8)
    inner = _filled(height, width, corners @ rotation.T + centre)
    outer = _filled(height, width, (corners + np.sign(corners) * rim) @ rotation.T + centre)
    behind = _scene(picture, random)
    framed = behind * (1 - outer) + frame * outer
    return _float32(framed * (1 - inner) + picture * inner)


def _filled(height: int, width: int, corners: NDArray[np.float64]) -> NDArray[np.float32]:
    mask = np.zeros((height, width), dtype=np.float32)
    cv2.fillConvexPoly(mask, np.round(corners * 16).astype(np.int32), 1.0, lineType=cv2.LINE_8, shift=4)
    return _float32(cv2.GaussianBlur(mask, (0, 0), 0.8))[..., None]


def _scene(picture: _Picture, random: np.random.Generator) -> _Picture:
    """Return the scene behind a sheet or a device: a plain tone, or the image out of focus and rotated."""
    if random.random() < 0.5:
        tone = np.clip(random.uniform(0.05, 0.9) + random.uniform(-0.1, 0.1, size=3), 0, 1).astype(np.float32)
        plain = np.broadcast_to(tone, picture.shape).astype(np.float32)
        return _uneven_light(plain, random, strength=random.uniform(0, 0.3))
    turned = picture[::-1, ::-1] if random.random() < 0.5 else picture[:, ::-1]
    blurred = cv2.GaussianBlur(np.ascontiguousarray(turned), (0, 0), max(2.0, picture.shape[1] / 40))
    return _float32(blurred * np.float32(random.uniform(0.4, 1.1)))


def _second_lens(picture: _Picture, box: Box, random: np.random.Generator) -> _Picture:
    """Blur the image, because a recapture passes two lenses and two sensors."""
    if random.random() < 0.4:
        return picture
    sigma = random.uniform(0.5, 2.0) * max(0.4, box.height / 160)
    return _float32(cv2.GaussianBlur(picture, (0, 0), sigma))


def _finished(picture: _Picture) -> BgrImage:
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)


def _float32(values: NDArray[Any] | cv2.typing.MatLike) -> _Picture:
    return np.asarray(values, dtype=np.float32)
