"""The oval on display, and the frames in which the face fills it."""

from dataclasses import replace
from typing import Final

from liveness.dynamic.challenge.actions import HintCode
from liveness.dynamic.challenge.ovals import OvalStep, distance_from
from liveness.extent import FaceExtent, face_extent
from liveness.observation import FrameObservation

__all__ = ["ShownOval"]

_FILLED: Final = 1.0
"""``distance_from`` an oval up to which a face fills it; it must fill no other better."""
_HELD_SECONDS: Final = 0.4
_HELD_FRAMES: Final = 4
_WRONG_SIZE: Final = 0.85
"""Face width over the oval's width below which, or above whose inverse, the size is hinted at first."""


class ShownOval:
    """One oval from when it is sent until the next one is."""

    def __init__(self, step: OvalStep, *, moved_at: float) -> None:
        """Starts with no frame.

        Args:
            step: The oval.
            moved_at: When it was sent, seconds of the server's monotonic clock.
        """
        self._step = step
        self._arrives = moved_at + step.transition_seconds
        self._run: list[FrameObservation] = []
        self._hint: HintCode | None = None

    @property
    def step(self) -> OvalStep:
        """What it is."""
        return self._step

    @property
    def arrives(self) -> float:
        """When it is in its place, seconds of the server's monotonic clock."""
        return self._arrives

    @property
    def hint(self) -> HintCode | None:
        """What brings the face nearer to filling it; ``None`` while it does, or before any frame."""
        return self._hint

    @property
    def held(self) -> bool:
        """Whether the face has filled it for long enough."""
        if len(self._run) < _HELD_FRAMES:
            return False
        return self._run[-1].capture_time - self._run[0].capture_time >= _HELD_SECONDS

    @property
    def run(self) -> tuple[FrameObservation, ...]:
        """The frames in a row, up to now, in which the face fills it; only the last has its view."""
        return tuple(self._run)

    def forget(self) -> None:
        """Begin the run anew: what fit so far is chance."""
        self._run.clear()

    def add(self, observation: FrameObservation) -> None:
        """Take the next frame."""
        extent = None if observation.face is None else face_extent(observation.face)
        if extent is None or observation.faces != 1:
            self._hint = HintCode.NO_FACE if extent is None else HintCode.MULTIPLE_FACES
            self._run.clear()
            return
        if not _fills(self._step, extent, observation):
            self._hint = _hint(self._step, extent, observation)
            self._run.clear()
            return
        self._hint = None
        if self._run:
            # Only the last view is needed, and a slow capture clock makes many frames of an oval.
            self._run[-1] = replace(self._run[-1], view=None)
        self._run.append(observation)


def _fills(step: OvalStep, extent: FaceExtent, observation: FrameObservation) -> bool:
    """Whether the face fills the oval, and no other that might have been drawn better."""
    size = {"width": observation.width, "height": observation.height}
    missed = distance_from(step.oval, extent, **size)
    return missed <= min([_FILLED, *(distance_from(other, extent, **size) for other in step.others)])


def _hint(step: OvalStep, extent: FaceExtent, observation: FrameObservation) -> HintCode:
    """What brings the face nearer to filling the oval."""
    share = extent.width / (step.oval.width * observation.width)
    if share < _WRONG_SIZE:
        return HintCode.MOVE_CLOSER
    if share > 1 / _WRONG_SIZE:
        return HintCode.MOVE_BACK
    return HintCode.CENTER_FACE
