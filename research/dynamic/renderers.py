"""Which models of light, skin and head render a scan: those that everything was tuned with, and others."""

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator import Diffuse, Emission, Geometry

__all__ = ["CALIBRATION_RENDERERS", "HELD_OUT_RENDERERS", "Renderers"]


@dataclass(frozen=True, slots=True)
class Renderers:
    """Models that are combined with one another.

    Attributes:
        emissions: How the screen's light is added up, at least one.
        diffuses: How skin and paper answer it, at least one.
        geometries: Where a head's shape comes from, at least one.
    """

    emissions: tuple[Emission, ...]
    diffuses: tuple[Diffuse, ...]
    geometries: tuple[Geometry, ...]

    @property
    def names(self) -> frozenset[str]:
        """Every combination, as ``points/lambert/relief``."""
        return frozenset(map("/".join, itertools.product(self.emissions, self.diffuses, self.geometries)))

    def draw(self, rng: np.random.Generator) -> str:
        """One of the combinations, each equally likely."""
        models = self.emissions, self.diffuses, self.geometries
        return "/".join(str(rng.choice([str(one) for one in model])) for model in models)


CALIBRATION_RENDERERS: Final = Renderers(
    (Emission.POINTS, Emission.AREA),
    (Diffuse.LAMBERT, Diffuse.WRAPPED),
    (Geometry.RELIEF, Geometry.ELLIPSOID),
)
"""Each of these was tuned with."""

HELD_OUT_RENDERERS: Final = Renderers((Emission.DIRECTED,), (Diffuse.COATED,), (Geometry.SCULPTED,))
"""Another of each kind, made when all lines stood: no line was set on them."""
