"""Combines the two signals that measure the depth of a head by its motion."""

import math
from collections.abc import Iterable
from typing import Final

from liveness.express.motion_steps import motion_steps
from liveness.express.planar_motion import PlanarMotion
from liveness.express.pose_consistency import PoseConsistency
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal

__all__ = ["depth_odds", "measure_depth"]

_DEPTH: Final = frozenset({PlanarMotion.name, PoseConsistency.name})
"""The signals of depth: parallax over the whole face, and parallax of the nose."""
_SUREST: Final = 0.99
"""The limit of a score, so that one signal of depth does not decide alone."""


def depth_odds(signals: Iterable[Signal]) -> float:
    """Returns the log odds that the motion shows the depth of a head; 0 if no signal of depth is assessed.

    Args:
        signals: Express' signals; those that do not measure depth are ignored.
    """
    scores = (one.score for one in signals if one.name in _DEPTH and one.score is not None)
    held = (min(_SUREST, max(1 - _SUREST, score)) for score in scores)
    return sum(math.log(score / (1 - score)) for score in held)


def measure_depth(scan: ScanObservations, settings: ExpressSettings | None = None) -> float:
    """Returns ``depth_odds`` of a scan, which may still be running. Takes a few milliseconds of CPU.

    Args:
        scan: The scan; its motion segments and its frames' faces and poses are read.
        settings: Lines of the signals; the defaults of ``ExpressSettings`` if None.
    """
    lines = ExpressSettings() if settings is None else settings
    planar = PlanarMotion(motion_steps(scan)).assess(scan, lines)
    return depth_odds((planar, PoseConsistency().assess(scan, lines)))
