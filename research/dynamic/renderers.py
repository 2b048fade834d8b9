"""Models of light, skin and head that render a scan: those that were used for tuning, and others."""

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator import Diffuse, Emission, Geometry

__all__ = ["CALIBRATION_RENDERERS", "HELD_OUT_RENDERERS", "RENDERERS", "Renderers"]


@dataclass(frozen=True, slots=True)
class Renderers:
    """Models of light, skin and head, each combination of which can render a scan.

    Attributes:
        emissions: Models of the screen's light, at least one.
        diffuses: Models of reflection by skin and paper, at least one.
        geometries: Models of the head's shape, at least one.
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

RENDERERS: Final = {"calibrated": CALIBRATION_RENDERERS, "held-out": HELD_OUT_RENDERERS}
"""Both, by the names that commands take."""
