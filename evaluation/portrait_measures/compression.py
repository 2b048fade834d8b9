"""What compression does to faces: the tables behind ``compression_artifacts``, and its errors elsewhere."""

import io
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from matcher.conformance.compression_artifacts import (
    UNBLOCKED,
    blockiness,
    similarity_from_blocks,
    similarity_from_file,
)
from matcher.conformance.face_crop import face_crop
from matcher.conformance.interface import PortraitView
from matcher.conformance.jpeg_tables import mean_luma_step
from vision.face import BgrImage

__all__ = ["as_jpeg", "as_jpeg2000", "in_first_half", "print_compression", "structural_similarity"]

_QUALITIES: Final = (100, 97, 92, 85, 75, 60, 45, 30, 20, 12, 6)
_RATES: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0)
_TRIED_QUALITIES: Final = (90, 50, 10)
_TRIED_RATES: Final = (4.0, 2.0, 0.5, 0.15)
_MIDDLE: Final = slice(184, 432)
"""Rows and columns of the aligned face that are compared (the part that OFIQ's network sees)."""
_WINDOW: Final = (11, 11)
_WINDOW_DEVIATION: Final = 1.5


def in_first_half(group: str) -> bool:
    """Whether the tables are made from a group's photos; the others show the errors."""
    return zlib.crc32(group.encode()) % 2 == 0


def structural_similarity(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean structural similarity of two grey pictures, -1..1.

    Source: Z. Wang et al., IEEE TIP 13(4), 2004: Gaussian window of 11 x 11 pixels, deviation 1.5, K1 0.01,
    K2 0.03; only where the whole window lies inside.
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
    """A JPEG file at one of libjpeg's qualities, chroma at half the resolution."""
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def as_jpeg2000(image: BgrImage, bits: float) -> bytes:
    """A JPEG 2000 file, irreversible, of so many bits per pixel at most."""
    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
    picture.save(file, "JPEG2000", quality_mode="rates", quality_layers=[24 / bits], irreversible=True)
    return file.getvalue()


def print_compression(
    first: Sequence[PortraitView], second: Sequence[PortraitView], console: Console
) -> None:
    """Tables from one half of the portraits, and the shipped estimates' errors on the other."""
    tables = [_ladder(portrait) for portrait in track(first, "tables", console=Console(stderr=True))]
    jpeg, jpeg2000 = (np.mean([ladder[part] for ladder in tables], axis=0) for part in (0, 1))
    table = Table("JPEG quality", "luma step", "similarity", "blockiness", title=f"{len(first)} portraits")
    for quality, (step, similarity, blocks) in zip(_QUALITIES, jpeg, strict=True):
        table.add_row(str(quality), f"{step:.1f}", f"{similarity:.3f}", f"{blocks:.3f}")
    console.print(table)
    table = Table("JPEG 2000, bits per pixel asked for", "got", "similarity")
    for rate, (bits, similarity) in zip(_RATES, jpeg2000, strict=True):
        table.add_row(f"{rate:g}", f"{bits:.3f}", f"{similarity:.3f}")
    console.print(table)
    tried = [_errors(portrait) for portrait in track(second, "errors", console=Console(stderr=True))]
    names = [f"JPEG {quality}, {way}" for quality in _TRIED_QUALITIES for way in ("file", "blocks")]
    names += [f"JPEG 2000 at {rate:g}, file" for rate in _TRIED_RATES]
    table = Table("compression, estimate from", "mean error", title=f"{len(second)} other portraits")
    for name, error in zip(names, np.mean([errors for errors, _ in tried], axis=0), strict=True):
        table.add_row(name, f"{error:.3f}")
    console.print(table)
    steps = np.concatenate([blocks for _, blocks in tried])
    console.print(
        f"Never cut into blocks: {int((steps >= UNBLOCKED).sum())} of {steps.size} pictures measure "
        f"{UNBLOCKED:g} or more; the largest is {steps.max():.3f}."
    )


def _ladder(portrait: PortraitView) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Luma step, similarity, blockiness at each quality; bits per pixel, similarity at each rate."""
    jpeg, jpeg2000 = [], []
    for quality in _QUALITIES:
        file = as_jpeg(portrait.image, quality)
        image = _decoded(file)
        jpeg.append((mean_luma_step(file) or 0.0, _similarity(portrait, image), _blocks(portrait, image)))
    for rate in _RATES:
        file = as_jpeg2000(portrait.image, rate)
        jpeg2000.append((8 * len(file) / _area(portrait), _similarity(portrait, _decoded(file))))
    return np.array(jpeg), np.array(jpeg2000)


def _errors(portrait: PortraitView) -> tuple[NDArray[np.float64], list[float]]:
    """Absolute errors of the estimates; the blockiness of what was never cut into blocks."""
    errors, unblocked = [], [_blocks(portrait, portrait.image)]
    for quality in _TRIED_QUALITIES:
        file = as_jpeg(portrait.image, quality)
        image = _decoded(file)
        true = _similarity(portrait, image)
        errors.append(abs(similarity_from_file(file, pixels=_area(portrait)) - true))
        errors.append(abs(similarity_from_blocks(_face(portrait, image)) - true))
    for rate in _TRIED_RATES:
        file = as_jpeg2000(portrait.image, rate)
        image = _decoded(file)
        true = _similarity(portrait, image)
        errors.append(abs(similarity_from_file(file, pixels=_area(portrait)) - true))
        unblocked.append(_blocks(portrait, image))
    return np.array(errors), unblocked


def _similarity(portrait: PortraitView, image: BgrImage) -> float:
    aligned = [each.aligned for each in (portrait, replace(portrait, image=image))]
    one, other = (
        cv2.cvtColor(face.image[_MIDDLE, _MIDDLE], cv2.COLOR_BGR2GRAY).astype(np.uint8)
        for face in aligned
        if face is not None
    )
    return structural_similarity(one, other)


def _face(portrait: PortraitView, image: BgrImage) -> BgrImage:
    crop = None if portrait.aligned is None else face_crop(image, portrait.aligned)
    if crop is None:
        raise ValueError("a portrait without a face inside it")
    return crop.pixels


def _blocks(portrait: PortraitView, image: BgrImage) -> float:
    found = blockiness(_face(portrait, image))
    if found is None:
        raise ValueError("a face too small for blocks")
    return found


def _area(portrait: PortraitView) -> int:
    height, width = portrait.image.shape[:2]
    return int(height * width)


def _decoded(file: bytes) -> BgrImage:
    return np.asarray(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)
