"""Answers of an ellipsoid with a nose, and of sheets, under the screen."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.flash_shape.geometry import geometry_of
from research.flash_shape.record import AnsweredScan
from research.flash_shape.statistics import stretch_of

__all__ = ["answered", "head_scan", "predicted"]

_STEPS: Final = 6


def _mesh() -> NDArray[np.float64]:
    x, y = (part.ravel() for part in np.meshgrid(np.linspace(-1.1, 1.1, 21), np.linspace(-0.9, 1.9, 23)))
    round_head = 1.4 * np.sqrt(np.maximum(0.05, 1 - (x / 1.3) ** 2 - ((y - 0.4) / 1.9) ** 2))
    nose = 0.3 * np.exp(-((x / 0.15) ** 2) / 2 - ((y - 0.45) / 0.25) ** 2 / 2)
    return np.stack([x, y, round_head + nose], axis=1)


def head_scan(**changes: object) -> AnsweredScan:
    """A scan whose cells all answer alike."""
    places = np.argwhere(np.ones((14, 10), bool))
    scan = AnsweredScan(
        name="genuine/genuine/indoor/0a/0",
        kind="genuine",
        ambient="indoor",
        person="0a",
        renderer="points/lambert/relief",
        strength=0.3,
        relief=0.2,
        uneven=0.4,
        error=0.05,
        parts=np.ones((_STEPS, len(places))),
        powers=np.ones(_STEPS),
        spread=np.full(len(places), 0.05),
        places=places,
        mesh=_mesh(),
        eye_distance=0.25,
    )
    return replace(scan, **changes)  # type: ignore[arg-type]  # of one field each, by the caller


def answered(scan: AnsweredScan, pattern: NDArray[np.float64], *, noise: float = 0.0) -> AnsweredScan:
    """The scan with differences of the light by ``pattern``, shape (k,), and with errors of each step."""
    rng = np.random.default_rng(1)
    errors = noise * rng.standard_normal((_STEPS, len(pattern)))
    return replace(scan, parts=1 + (pattern - pattern.mean() + errors) / stretch_of(scan.strength))


def predicted(scan: AnsweredScan) -> NDArray[np.float64]:
    """The logarithm of the light that falls on the head."""
    return geometry_of(scan).light
