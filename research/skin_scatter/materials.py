"""How far light travels under a surface, by colour: skin, and what masks are made of.

A material is the transfer function of each colour: the share that is left of an illuminance that varies as a
sine, by its frequency in radians per millimetre. Published values differ by factors of up to 5.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Kind", "Stuff", "Transfer", "absorption_of", "dipole", "draw_stuff", "exponential", "gaussians"]

Floats: TypeAlias = NDArray[np.float64]
Transfer: TypeAlias = Callable[[Floats], Floats]
_INDEX: Final = 1.4
_INWARD: Final = -1.440 / _INDEX**2 + 0.710 / _INDEX + 0.668 + 0.0636 * _INDEX
_MISMATCH: Final = (1 + _INWARD) / (1 - _INWARD)
"""A of Jensen et al. 2001: how much the change of the index of refraction keeps light inside."""


class Kind(StrEnum):
    """What is in front of the camera, always in the person's shape and colours."""

    SKIN = "skin"
    PAINT = "opaque paint"
    PAPER = "paper"
    RESIN = "painted resin"
    LATEX = "tinted latex"
    SILICONE = "silicone made like skin"


@dataclass(frozen=True, slots=True)
class Stuff:
    """A material.

    Attributes:
        transfers: Of blue, green and red.
        gloss: Reflectance at vertical incidence, 0..1.
        sharpness: As of ``simulator.light.material.Material``.
    """

    transfers: tuple[Transfer, ...]
    gloss: float
    sharpness: int


# Blue, green, red: reduced scattering and absorption per millimetre of skin1, skin2 and marble in table 1 of
# Jensen et al. 2001, "A practical model for subsurface light transport".
_SKINS: Final = (((1.01, 0.88, 0.74), (0.48, 0.17, 0.032)), ((1.79, 1.59, 1.09), (0.145, 0.070, 0.013)))
_MARBLE: Final = ((3.00, 2.62, 2.19), (0.0071, 0.0041, 0.0021))
# d'Eon and Luebke 2007, GPU Gems 3, chapter 14: a fit to skin of three layers; variances are in mm2.
_LAYERS: Final = (0.0064, 0.0484, 0.187, 0.567, 1.99, 7.41)
_LAYERED: Final = (
    (0.649, 0.344, 0.0, 0.007, 0.0, 0.0),
    (0.455, 0.336, 0.198, 0.007, 0.004, 0.0),
    (0.233, 0.100, 0.118, 0.113, 0.358, 0.078),
)
# Jacques 2013, "Optical properties of biological tissues: a review": skin scatters 4.6 per millimetre at
# 500 nm, by the power -1.42 of the wavelength (drawn: 3.0 to 6.9, 0.7 to 2.5); absorption per millimetre of
# blood at 70 % saturation, of which skin contains 0.3 to 2 %, and of the rest of the skin.
_WAVES: Final = (460.0, 540.0, 620.0)
_BLOOD: Final = (20.0, 27.0, 1.4)
_BLOODLESS: Final = (0.06, 0.03, 0.02)


def dipole(scatter: float, absorb: float) -> Transfer:
    """Return the transfer function of a thick, even material (Jensen et al. 2001).

    It is the Fourier transform of the light that leaves the surface, of a source one mean free path below it
    and its image above.

    Args:
        scatter: Reduced scattering, per millimetre.
        absorb: Absorption, per millimetre.
    """
    total = scatter + absorb

    def leaving(frequency: Floats) -> Floats:
        decay = np.sqrt(3 * absorb * total + frequency**2) / total
        return np.asarray(np.exp(-decay) + np.exp(-(1 + 4 * _MISMATCH / 3) * decay))

    return lambda frequency: leaving(frequency) / leaving(np.zeros(1))


def gaussians(variances: tuple[float, ...], weights: tuple[float, ...]) -> Transfer:
    """Return the transfer function of a sum of Gaussians with variances in square millimetres."""
    each = tuple(zip(variances, weights, strict=True))
    return lambda frequency: np.asarray(sum(part * np.exp(-size * frequency**2 / 2) for size, part in each))


def exponential(distance: float) -> Transfer:
    """Return the transfer function of paper or paint: light decays in ``distance`` mm; 0 is opaque."""
    return lambda frequency: np.asarray((1 + (distance * frequency) ** 2) ** -1.5)


def draw_stuff(kind: Kind, *, held_out: bool, colour: Floats, rng: np.random.Generator) -> Stuff:
    """Draw a material of a kind.

    Args:
        kind: What it is.
        held_out: Whether from the sources on which no statistic is set.
        colour: Mean albedo of the person, blue-green-red, shape (3,): the colour of latex.
        rng: Draws the values.
    """
    if kind in (Kind.SKIN, Kind.SILICONE):
        transfers = _other_skin(rng) if held_out else _measured(_SKINS[int(rng.integers(2))], rng)
    elif kind is Kind.RESIN:
        clear = (2.0,) * 3, (float(np.exp(rng.uniform(math.log(0.003), math.log(0.03)))),) * 3
        transfers = _measured(_MARBLE if held_out else clear, rng)
    elif kind is Kind.LATEX:
        density = float(rng.uniform(0.8, 2.0) if held_out else rng.uniform(2.0, 5.0))
        transfers = tuple(dipole(density, absorption_of(min(0.8, one), density)) for one in colour.tolist())
    else:
        distance, redder = float(rng.uniform(*{Kind.PAINT: (0.0, 0.0), Kind.PAPER: (0.1, 0.3)}[kind])), 1.0
        if held_out:
            # Longer waves go farther in paper, too, and some light enters thin paint.
            distance, redder = (distance + 0.05) * float(rng.uniform(0.7, 1.5)), float(rng.uniform(1.0, 1.15))
        transfers = tuple(exponential(distance * redder**step) for step in (-1, 0, 1))
    if kind is Kind.SKIN:
        return Stuff(transfers, gloss=0.028 * float(rng.uniform(0.5, 1.5)), sharpness=4)
    return Stuff(transfers, gloss=float(rng.uniform(0.0, 0.045)), sharpness=int(rng.integers(3, 6)))


def absorption_of(albedo: float, scatter: float) -> float:
    """Return the absorption, per millimetre, at which a thick material reflects ``albedo``, 0..0.9.

    The diffuse reflectance is that of Jensen and Buhler 2002, "A rapid hierarchical rendering technique for
    translucent materials".
    """
    low, high = 0.0, 1.0
    for _ in range(60):
        share = (low + high) / 2
        root = math.sqrt(3 * (1 - share))
        reflected = share / 2 * (1 + math.exp(-4 / 3 * _MISMATCH * root)) * math.exp(-root)
        low, high = (share, high) if reflected < albedo else (low, share)
    return scatter * (1 - low) / max(low, 1e-3)


def _measured(
    values: tuple[tuple[float, ...], tuple[float, ...]], rng: np.random.Generator
) -> tuple[Transfer, ...]:
    """Return dipoles of scattering and absorption, each of which is off by a factor of up to 1.5."""
    denser, darker = np.exp(rng.uniform(-0.4, 0.4, 2)).tolist()
    return tuple(dipole(denser * a, darker * b) for a, b in zip(*values, strict=True))


def _other_skin(rng: np.random.Generator) -> tuple[Transfer, ...]:
    if rng.integers(2):
        wider = float(np.exp(rng.uniform(-0.8, 0.8)))
        return tuple(gaussians(tuple(wider * one for one in _LAYERS), weights) for weights in _LAYERED)
    at_500, slope = rng.uniform(3.0, 6.9), rng.uniform(0.7, 2.5)
    filled = float(np.exp(rng.uniform(math.log(0.003), math.log(0.02))))
    scatter = [float(at_500 * (wave / 500.0) ** -slope) for wave in _WAVES]
    absorb = [filled * blood + rest for blood, rest in zip(_BLOOD, _BLOODLESS, strict=True)]
    return tuple(dipole(a, b) for a, b in zip(scatter, absorb, strict=True))
