"""Measures whether ``sharpness`` orders sharp, blurred and moved photos."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from matcher.conformance.detail import sharpness
from matcher.conformance.interface import PortraitView
from vision.face import BgrImage

__all__ = ["blurred", "moved", "ordered_pairs", "print_sharpness"]

_BLURS: Final = (0.0, 0.8, 1.6, 2.0, 3.0, 4.0)
"""Standard deviations of a Gaussian, pixels of a portrait with an eye distance of 113 pixels."""
_MOVES: Final = (7, 11)
"""Lengths of a movement, same unit."""
_NOISES: Final = (0.0, 2.0, 4.0)
"""Standard deviations of the sensor's noise, grey levels."""
_SHARP: Final = ("blur 0", "blur 0.8")
_WORSE: Final = {
    "blurred (2 to 4)": ("blur 2", "blur 3", "blur 4"),
    "moved (7 or 11)": ("move 7", "move 11"),
}


def blurred(image: BgrImage, deviation: float) -> BgrImage:
    """Return an image as if out of focus."""
    return cv2.GaussianBlur(image, (0, 0), deviation).astype(np.uint8) if deviation else image


def moved(image: BgrImage, length: int, *, degrees: float) -> BgrImage:
    """Return an image as if person or camera had moved in a straight line, ``length`` pixels (odd)."""
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1
    turn = cv2.getRotationMatrix2D((length // 2, length // 2), degrees, 1)
    turned = cv2.warpAffine(line, turn, (length, length))
    return cv2.filter2D(image, -1, turned / turned.sum()).astype(np.uint8)


def ordered_pairs(sharp: NDArray[np.float64], worse: NDArray[np.float64]) -> float:
    """Return the share of pairs in which the sharp photo measures more than the worse; ties count half."""
    above = (sharp[:, None] > worse[None, :]).mean()
    return float(above + (sharp[:, None] == worse[None, :]).mean() / 2)


def print_sharpness(portraits: Sequence[PortraitView], console: Console, *, seed: int) -> None:
    """Measure every portrait in every state, with noise, and print the results.

    Args:
        portraits: Portraits with an eye distance of 113 pixels.
        console: Console for the output.
        seed: Seed of the noise and of the directions of movement.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[list[float]]] = {}
    for portrait in track(portraits, description="sharpness", console=Console(stderr=True)):
        states = {f"blur {deviation:g}": blurred(portrait.image, deviation) for deviation in _BLURS}
        degrees = float(rng.uniform(0, 180))
        states |= {f"move {length}": moved(portrait.image, length, degrees=degrees) for length in _MOVES}
        for name, image in states.items():
            found.setdefault(name, []).append([_measured(portrait, image, noise, rng) for noise in _NOISES])
    values = {name: np.array(rows) for name, rows in found.items()}
    table = Table(
        "state", "no noise: median", "10 of 100 below", "all noises: median", title=f"{len(portraits)} photos"
    )
    for name, rows in values.items():
        bare = rows[:, 0]
        figures = (np.median(bare), np.quantile(bare, 0.1), np.median(rows))
        table.add_row(name, *(f"{value:.3f}" for value in figures))
    console.print(table)
    sharp = np.concatenate([values[name].ravel() for name in _SHARP])
    for kind, names in _WORSE.items():
        worse = np.concatenate([values[name].ravel() for name in names])
        console.print(f"Sharp (blur 0 or 0.8) above {kind}: {ordered_pairs(sharp, worse):.1%} of all pairs.")


def _measured(portrait: PortraitView, image: BgrImage, noise: float, rng: np.random.Generator) -> float:
    noisy = image + noise * rng.standard_normal(image.shape)
    pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return sharpness(replace(portrait, image=pixels)).measured or 0.0
