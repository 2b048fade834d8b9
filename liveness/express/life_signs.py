"""Finds signs of life: motion that a still sheet or an object does not have.

They are required for LIVE and do not count for it, because a replayed person has them too.
"""

from collections.abc import Iterable
from typing import Final

from liveness.express.micro_motion import MicroMotion
from liveness.express.motion_steps import motion_steps
from liveness.express.planar_motion import PlanarMotion
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal

__all__ = ["has_sign_of_life", "life_signs"]

_SIGNS: Final = frozenset({PlanarMotion.name, MicroMotion.name})
_NEITHER: Final = 0.5
"""The score that counts for neither side."""


def life_signs(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """Returns the signals that can be signs of life and were assessed.

    A blink is not one of them: a mask with eye holes has it too.

    Args:
        signals: Express' signals; the others are ignored.
    """
    return tuple(one for one in signals if one.name in _SIGNS and one.score is not None)


def has_sign_of_life(scan: ScanObservations, settings: ExpressSettings | None = None) -> bool:
    """Returns whether a scan, which may still be running, shows a sign of life; some milliseconds of CPU.

    Args:
        scan: The scan; its motion segments and its frames' faces are read.
        settings: Lines of the signals; the defaults of ``ExpressSettings`` if None.
    """
    lines = ExpressSettings() if settings is None else settings
    steps = motion_steps(scan)
    found = life_signs((PlanarMotion(steps).assess(scan, lines), MicroMotion(steps).assess(scan, lines)))
    return any(one.score is not None and one.score >= _NEITHER for one in found)
