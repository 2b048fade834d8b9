"""Makes the tables of ``compression_artifacts``, and measures their errors on other portraits."""

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from matcher.conformance.detail import UNBLOCKED, blockiness, mean_luma_step
from matcher.conformance.face_region import face_crop
from matcher.conformance.interface import PortraitView
from vision.face import BgrImage

__all__ = [
    "Ladder",
    "as_jpeg",
    "as_jpeg2000",
    "in_first_half",
    "ladder_of",
    "mean_errors",
    "print_compression",
    "structural_similarity",
]

_QUALITIES: Final = (100, 97, 92, 85, 75, 60, 45, 30, 20, 12, 6)
_RATES: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0)
_MIDDLE: Final = slice(184, 432)
"""Rows and columns of the aligned face that are compared (the input of OFIQ's network)."""
_WINDOW: Final = (11, 11)
_WINDOW_DEVIATION: Final = 1.5


def in_first_half(group: str) -> bool:
    """Return whether a group's photos belong to the first half; photos of one person stay together."""
    return zlib.crc32(group.encode()) % 2 == 0


def structural_similarity(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the mean structural similarity of two grey images, -1..1.

    Source: Z. Wang et al., IEEE TIP 13(4), 2004: Gaussian window of 11 x 11 pixels, deviation 1.5, K1 0.01,
    K2 0.03; only positions with the whole window inside.
    """
    x, y = one.astype(np.float64), other.astype(np.float64)

    def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(values, _WINDOW, _WINDOW_DEVIATION), dtype=np.float64)

    mean_x, mean_y = smooth(x), smooth(y)
    spread = smooth(x * x) - mean_x**2 + smooth(y * y) - mean_y**2
    together = smooth(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * together + c2)
    likeness /= (mean_x**2 + mean_y**2 + c1) * (spread + c2)
    edge = _WINDOW[0] // 2
    return float(likeness[edge:-edge, edge:-edge].mean())


def as_jpeg(image: BgrImage, quality: int) -> bytes:
    """Encode a JPEG file at one of libjpeg's qualities, with chroma at half the resolution."""
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def as_jpeg2000(image: BgrImage, bits: float) -> bytes:
    """Encode a JPEG 2000 file, irreversible, of at most ``bits`` bits per pixel."""
    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
    picture.save(file, "JPEG2000", quality_mode="rates", quality_layers=[24 / bits], irreversible=True)
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Ladder:
    """The effect of compression on one portrait, or on several on average.

    Attributes:
        jpeg: Shape (11, 3): luma step, similarity and blockiness at each quality.
        jpeg2000: Shape (9, 2): bits per pixel and similarity at each rate.
        unblocked: Shape (10,): blockiness of the portrait itself and of each JPEG 2000.
    """

    jpeg: NDArray[np.float64]
    jpeg2000: NDArray[np.float64]
    unblocked: NDArray[np.float64]


def ladder_of(portrait: PortraitView) -> Ladder:
    """Compress one portrait at every quality and rate."""
    jpeg, jpeg2000, unblocked = [], [], [_blocks(portrait, portrait.image)]
    for quality in _QUALITIES:
        file = as_jpeg(portrait.image, quality)
        image = _decoded(file)
        jpeg.append((mean_luma_step(file) or 0.0, _similarity(portrait, image), _blocks(portrait, image)))
    height, width = portrait.image.shape[:2]
    for rate in _RATES:
        file = as_jpeg2000(portrait.image, rate)
        image = _decoded(file)
        jpeg2000.append((8 * len(file) / (height * width), _similarity(portrait, image)))
        unblocked.append(_blocks(portrait, image))
    return Ladder(np.array(jpeg), np.array(jpeg2000), np.array(unblocked))


def mean_errors(tried: Sequence[Ladder], tables: Ladder) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the absolute errors of the estimates from tables.

    Args:
        tried: Portraits that were not used for the tables.
        tables: The mean of other portraits.

    Returns:
        Shape (n, 11, 2): errors of each portrait and quality, from the file and from the blocks; and shape
        (n, 9): errors of each rate, from the file.
    """
    jpeg, jpeg2000 = [], []
    steps, similarities, blocks = tables.jpeg.T
    for each in tried:
        step, true, seen = each.jpeg.T
        from_file = np.interp(np.log(step), np.log(steps), similarities)
        from_blocks = np.where(seen < UNBLOCKED, 1.0, np.interp(seen, blocks, similarities))
        jpeg.append(np.abs(np.column_stack([from_file, from_blocks]) - true[:, None]))
        bits, true = each.jpeg2000.T
        rates, similarities_2000 = tables.jpeg2000.T
        jpeg2000.append(np.abs(np.interp(np.log(bits), np.log(rates), similarities_2000) - true))
    return np.array(jpeg), np.array(jpeg2000)


def print_compression(
    first: Sequence[PortraitView], second: Sequence[PortraitView], console: Console
) -> None:
    """Print the tables of all portraits, and the errors of each half's tables on the other half."""
    halves = [
        [ladder_of(portrait) for portrait in track(half, "compression", console=Console(stderr=True))]
        for half in (first, second)
    ]
    if not all(halves):
        raise ValueError("compression needs portraits in both halves")
    everything = [*halves[0], *halves[1]]
    tables = _mean(everything)
    tried = [mean_errors(halves[at], _mean(halves[1 - at])) for at in (0, 1)]
    jpeg, jpeg2000 = (np.concatenate([errors[part] for errors in tried]).mean(axis=0) for part in (0, 1))
    counts = f"{len(first)} and {len(second)}"
    console.print(f"{len(everything)} portraits; errors of {counts} by the other half's tables.")
    table = Table("JPEG quality", "luma step", "similarity", "blockiness", "error from file", "from blocks")
    for quality, row, errors in zip(_QUALITIES, tables.jpeg, jpeg, strict=True):
        figures = [f"{value:.3f}" for value in (*row[1:], *errors)]
        table.add_row(str(quality), f"{row[0]:.1f}", *figures)
    console.print(table)
    table = Table("JPEG 2000, bits per pixel asked for", "got", "similarity", "error from file")
    for rate, row, error in zip(_RATES, tables.jpeg2000, jpeg2000, strict=True):
        table.add_row(f"{rate:g}", *(f"{value:.3f}" for value in (*row, error)))
    console.print(table)
    steps = np.concatenate([ladder.unblocked for ladder in everything])
    console.print(
        f"Never cut into blocks: {int((steps >= UNBLOCKED).sum())} of {steps.size} pictures measure "
        f"{UNBLOCKED:g} or more; the largest is {steps.max():.3f}."
    )


def _mean(ladders: Sequence[Ladder]) -> Ladder:
    parts = ("jpeg", "jpeg2000", "unblocked")
    return Ladder(*(np.mean([getattr(each, part) for each in ladders], axis=0) for part in parts))


def _similarity(portrait: PortraitView, image: BgrImage) -> float:
    aligned = [each.aligned for each in (portrait, replace(portrait, image=image))]
    one, other = (
        cv2.cvtColor(face.image[_MIDDLE, _MIDDLE], cv2.COLOR_BGR2GRAY).astype(np.uint8)
        for face in aligned
        if face is not None
    )
    return structural_similarity(one, other)


def _blocks(portrait: PortraitView, image: BgrImage) -> float:
    crop = None if portrait.aligned is None else face_crop(image, portrait.aligned)
    found = None if crop is None else blockiness(crop.pixels)
    if found is None:
        raise ValueError("a portrait's face is outside of it, or too small for blocks")
    return found


def _decoded(file: bytes) -> BgrImage:
    return np.asarray(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)
