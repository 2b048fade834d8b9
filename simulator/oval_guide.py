"""What the app asks the person to do with an oval on the screen: come closer, or go back."""

from dataclasses import dataclass

import numpy as np

__all__ = ["OvalGuide"]

_REACTION_SECONDS = (0.25, 0.55)
_SHORTEST_SECONDS = 0.6
_NEAREST, _FARTHEST = 0.45, -0.6
# People stop a little before or after the line.
_MISSED = 0.03


@dataclass(frozen=True, slots=True)
class _Move:
    begin: float
    seconds: float
    face_width: float


class OvalGuide:
    """The ovals of one scan, told while it runs, and how a willing person follows them.

    A person reacts after a quarter to half a second, moves smoothly, and ends up within three per cent.
    """

    def __init__(self, *, seed: int = 0) -> None:
        """Draws nothing yet.

        Args:
            seed: Draws reaction times and how well the oval is met.
        """
        self._rng = np.random.default_rng(seed)
        self._moves: list[_Move] = []

    def ask(self, face_width: float, *, at: float, seconds: float = 0.0) -> None:
        """Shows an oval that a face has to fill.

        Args:
            face_width: Width that the face is to have, as a share of the frame's.
            at: Simulated time in seconds; calls have to be in order of time.
            seconds: How long the oval takes to reach its size.
        """
        begin = at + float(self._rng.uniform(*_REACTION_SECONDS))
        met = face_width * (1 + _MISSED * float(self._rng.uniform(-1, 1)))
        self._moves.append(_Move(begin, max(_SHORTEST_SECONDS, seconds), met))

    def approach(self, time: float, *, face_width: float) -> float:
        """Share of the rest distance by which the distance has shrunk at ``time``.

        Args:
            time: Seconds.
            face_width: Width of the face at rest, as a share of the frame's.
        """
        now = 0.0
        for move in self._moves:
            wanted = float(np.clip(1 - face_width / move.face_width, _FARTHEST, _NEAREST))
            share = float(np.clip((time - move.begin) / move.seconds, 0, 1))
            now += (wanted - now) * share * share * (3 - 2 * share)
        return now
