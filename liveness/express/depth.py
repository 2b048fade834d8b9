"""How surely motion shows a head's depth, by both signals of it together."""

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
"""Parallax over the face, and of a nose."""
_SUREST: Final = 0.99


def depth_odds(signals: Iterable[Signal]) -> float:
    """Log odds of a head's depth; 0 where motion says nothing of it.

    Args:
        signals: Express' signals; those that are not of depth are left out.
    """
    scores = (one.score for one in signals if one.name in _DEPTH and one.score is not None)
    held = (min(_SUREST, max(1 - _SUREST, score)) for score in scores)
    return sum(math.log(score / (1 - score)) for score in held)


def measure_depth(scan: ScanObservations, settings: ExpressSettings | None = None) -> float:
    """``depth_odds`` of a scan, or of what was seen of it so far: a few milliseconds of CPU.

    Args:
        scan: Read are the motion segments, and faces and poses of the frames.
        settings: Lines of the signals; the usual ones if None.
    """
    lines = ExpressSettings() if settings is None else settings
    planar = PlanarMotion(motion_steps(scan)).assess(scan, lines)
    return depth_odds((planar, PoseConsistency().assess(scan, lines)))
