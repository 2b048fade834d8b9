"""Simulated regions and weights for these tests, without images of persons."""

import itertools

import numpy as np
from numpy.typing import NDArray

from research.pad_network.material import LARGEST_SOURCE, Region
from vision.face import BgrImage, Box

BOX = Box(40, 30, 120, 130)


def noise_image(seed: int = 0, *, height: int = 160, width: int = 150) -> BgrImage:
    """Smooth noise with tones and edges, and without a face."""
    coarse = np.random.default_rng(seed).integers(0, 256, size=(8, 8, 3)).astype(np.uint8)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    return np.ascontiguousarray(coarse[rows][:, columns])


def unit(*values: float) -> NDArray[np.float32]:
    """A template that starts with ``values``, of length 1."""
    vector = np.zeros(128, dtype=np.float32)
    vector[: len(values)] = values
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def region(
    name: str,
    *,
    source: str = LARGEST_SOURCE,
    session: str = "numbers",
    species: str = "live",
    template: NDArray[np.float32] | None = None,
    seed: int = 0,
) -> Region:
    return Region(
        source=source,
        session=session,
        is_live=species in {"live", "portrait"},
        species=species,
        name=name,
        image=noise_image(seed),
        boxes=(BOX,),
        template=np.zeros(128, dtype=np.float32) if template is None else template,
    )


def student_state(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Weights of the network's shapes, drawn, so that exporting needs no PyTorch."""
    random = np.random.default_rng(seed)
    state: dict[str, NDArray[np.float32]] = {}

    def convolution(name: str, inward: int, outward: int) -> None:
        spread = (2 / (9 * inward)) ** 0.5
        state[f"{name}.0.weight"] = random.normal(0, spread, (outward, inward, 3, 3)).astype(np.float32)
        for part, low, high in (("weight", 0.8, 1.2), ("bias", -0.1, 0.1), ("running_mean", -0.1, 0.1)):
            state[f"{name}.1.{part}"] = random.uniform(low, high, outward).astype(np.float32)
        state[f"{name}.1.running_var"] = random.uniform(0.5, 1.5, outward).astype(np.float32)

    for trunk, channels in (("tight", (4, 6, 8)), ("wide", (4, 6))):
        convolution(f"{trunk}.stem", 3, channels[0])
        for stage, (inward, outward) in enumerate(itertools.pairwise(channels)):
            convolution(f"{trunk}.stages.{stage}.halve", inward, outward)
            convolution(f"{trunk}.stages.{stage}.first", outward, outward)
            convolution(f"{trunk}.stages.{stage}.second", outward, outward)
    for name, inward, outward in (("join", 28, 5), ("last", 5, 1)):
        state[f"{name}.weight"] = random.normal(0, 0.4, (outward, inward)).astype(np.float32)
        state[f"{name}.bias"] = random.normal(0, 0.1, outward).astype(np.float32)
    return state
