"""Models of light, skin and head that render a scan: those that were used for tuning, and others."""

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator import Diffuse, Emission, Geometry

__all__ = ["CALIBRATION_RENDERERS", "HELD_OUT_RENDERERS", "Renderers"]


@dataclass(frozen=True, slots=True)
class Renderers:
    """Models that are combined with each other.

    Attributes:
        emissions: How the screen's light is summed, at least one.
        diffuses: How skin and paper reflect it, at least one.
        geometries: Sources of a head's shape, at least one.
    """

    emissions: tuple[Emission, ...]
    diffuses: tuple[Diffuse, ...]
    geometries: tuple[Geometry, ...]

    @property
    def names(self) -> frozenset[str]:
        """Return every combination, as ``points/lambert/relief``."""
        return frozenset(map("/".join, itertools.product(self.emissions, self.diffuses, self.geometries)))

    def draw(self, rng: np.random.Generator) -> str:
        """Draw one of the combinations, each equally likely."""
        models = self.emissions, self.diffuses, self.geometries
        return "/".join(str(rng.choice([str(one) for one in model])) for model in models)


CALIBRATION_RENDERERS: Final = Renderers(
    (Emission.POINTS, Emission.AREA),
    (Diffuse.LAMBERT, Diffuse.WRAPPED),
    (Geometry.RELIEF, Geometry.ELLIPSOID),
)
"""The models that were used for tuning."""

HELD_OUT_RENDERERS: Final = Renderers((Emission.DIRECTED,), (Diffuse.COATED,), (Geometry.SCULPTED,))
"""Another model of each kind, made after all lines were set; no line was set on them."""
