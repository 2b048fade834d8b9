"""The movement challenge, in which the person comes closer: the fallback if other light drowns the flash.

Start with ``challenge.MovementChallenge``, which runs it, and ``judge.judge_movement``, which judges it.
``approach`` follows the face from far to near, and ``perspective`` tests whether it changes as a solid head
does.
"""

from liveness.dynamic.movement.challenge import MovementChallenge, MovementRecord
from liveness.dynamic.movement.judge import MovementResult
from liveness.dynamic.movement.perspective import MovementSettings, PerspectiveFinding

__all__ = [
    "MovementChallenge",
    "MovementRecord",
    "MovementResult",
    "MovementSettings",
    "PerspectiveFinding",
]
