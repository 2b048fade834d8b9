"""What an attempt wants done by the device, and told to the person."""

from dataclasses import dataclass
from typing import TypeAlias

from liveness.dynamic.challenge import MoveOval, Reveal

__all__ = ["Action", "Feedback", "MoveOval", "PauseCapture", "Reveal"]


@dataclass(frozen=True, slots=True)
class Feedback:
    """A hint: code name, progress 0..1, frame index."""

    code: str
    progress: float
    frame_index: int


@dataclass(frozen=True, slots=True)
class PauseCapture:
    """The capture is interrupted, with a feedback code that says why, or goes on."""

    paused: bool
    reason: str


Action: TypeAlias = Feedback | Reveal | MoveOval | PauseCapture
