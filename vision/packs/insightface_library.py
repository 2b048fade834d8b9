"""Imports insightface without scikit-image.

Of scikit-image, insightface's models use one class, which scales, turns and moves points. With it would come
SciPy, NetworkX and others: 200 MB, and half of the time of the import. The lock files leave them out, and
insightface gets the class from here, everywhere, so that tests run what a server runs.
"""

import sys
import threading
from importlib import import_module
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_NAMES: Final = ("skimage", "skimage.transform")
_importing = threading.Lock()


class SimilarityTransform:
    """The part of ``skimage.transform.SimilarityTransform`` that the model of 106 points uses.

    Attributes:
        params: The matrix, shape (3, 3), for columns (x, y, 1).
    """

    def __init__(
        self, *, scale: float = 1.0, rotation: float = 0.0, translation: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """Scale, then turn, then move.

        Args:
            rotation: Counter-clockwise where y points up, radians.
        """
        across, down = scale * np.cos(rotation), scale * np.sin(rotation)
        x, y = translation
        self.params: NDArray[np.float64] = np.array([[across, -down, x], [down, across, y], [0.0, 0.0, 1.0]])

    def __add__(self, then: "SimilarityTransform") -> "SimilarityTransform":
        """Return this transform followed by another one."""
        both = SimilarityTransform()
        both.params = then.params @ self.params
        return both


def import_insightface() -> Any:
    """Return the package ``insightface``, imported at the first call, which takes half a second."""
    with _importing:
        if (loaded := sys.modules.get("insightface")) is not None:
            return loaded
        theirs = {name: sys.modules.get(name) for name in _NAMES}
        package, module = map(ModuleType, _NAMES)
        module.SimilarityTransform = SimilarityTransform  # type: ignore[attr-defined]
        package.transform = module  # type: ignore[attr-defined]
        sys.modules.update(zip(_NAMES, (package, module), strict=True))
        try:
            return import_module("insightface")
        finally:
            # insightface keeps the class. Others find scikit-image if it is installed, or that it is not.
            for name, before in theirs.items():
                del sys.modules[name]
                if before is not None:
                    sys.modules[name] = before
