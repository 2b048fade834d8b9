"""Actions for the device, and feedback for the person."""

from dataclasses import dataclass
from typing import TypeAlias

from liveness.dynamic.challenge import MoveOval, Reveal

__all__ = ["Action", "Feedback", "MoveOval", "PauseCapture", "Reveal"]


@dataclass(frozen=True, slots=True)
class Feedback:
    """A hint to the person: code name, progress 0..1, index of the frame."""

    code: str
    progress: float
    frame_index: int


@dataclass(frozen=True, slots=True)
class PauseCapture:
    """Pauses the capture, with a feedback code that states the reason, or resumes it."""

    paused: bool
    reason: str


Action: TypeAlias = Feedback | Reveal | MoveOval | PauseCapture
