"""The challenge for light in which the screen's cannot be measured: the person comes closer.

Start with ``challenge.MovementChallenge``, which runs it, and ``judge.judge_movement``, which says what it
proves. ``approach`` follows the face from far to near, ``perspective`` and ``relief_fit`` ask whether it
changes as a head must, ``zoom`` whether the room stays behind, ``came_closer`` sums up.
"""

from liveness.dynamic.movement.challenge import MovementChallenge, MovementRecord
from liveness.dynamic.movement.judge import MovementResult, judge_movement
from liveness.dynamic.movement.perspective import PerspectiveFinding
from liveness.dynamic.movement.settings import MovementSettings

__all__ = [
    "MovementChallenge",
    "MovementRecord",
    "MovementResult",
    "MovementSettings",
    "PerspectiveFinding",
    "judge_movement",
]
