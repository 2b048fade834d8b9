"""The oval on display, and the frames in which the face fills it."""

from dataclasses import replace
from typing import Final

from liveness.dynamic.challenge.actions import HintCode
from liveness.dynamic.challenge.ovals import OvalStep, distance_from
from liveness.extent import FaceExtent, face_extent
from liveness.observation import FrameObservation

__all__ = ["ShownOval"]

_FILLED: Final = 1.0
"""The ``distance_from`` an oval up to which a face fills it. The face must not fill another one better."""
_HELD_SECONDS: Final = 0.4
_HELD_FRAMES: Final = 4
_WRONG_SIZE: Final = 0.85
"""The face width over the oval's width below which, or above the inverse of which, the hint is about size."""


class ShownOval:
    """One oval, from the time at which it is sent until the next one is sent."""

    def __init__(self, step: OvalStep, *, moved_at: float) -> None:
        """Starts without frames.

        Args:
            step: The oval.
            moved_at: The time at which it was sent, seconds on the server's monotonic clock.
        """
        self._step = step
        self._arrives = moved_at + step.transition_seconds
        self._run: list[FrameObservation] = []
        self._hint: HintCode | None = None

    @property
    def step(self) -> OvalStep:
        """The oval."""
        return self._step

    @property
    def arrives(self) -> float:
        """The time at which it is in place, seconds on the server's monotonic clock."""
        return self._arrives

    @property
    def hint(self) -> HintCode | None:
        """The hint that helps the face to fill the oval; ``None`` while it does, or before any frame."""
        return self._hint

    @property
    def held(self) -> bool:
        """Whether the face has filled the oval long enough."""
        if len(self._run) < _HELD_FRAMES:
            return False
        return self._run[-1].capture_time - self._run[0].capture_time >= _HELD_SECONDS

    @property
    def run(self) -> tuple[FrameObservation, ...]:
        """The latest consecutive frames in which the face fills the oval; only the last one has its view."""
        return tuple(self._run)

    def discard(self) -> None:
        """Discards the run so far, because the face filled the oval by chance."""
        self._run.clear()

    def add(self, observation: FrameObservation) -> None:
        """Adds the next frame."""
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
            # Only the last view is needed, and with a slow capture clock an oval has many frames.
            self._run[-1] = replace(self._run[-1], view=None)
        self._run.append(observation)


def _fills(step: OvalStep, extent: FaceExtent, observation: FrameObservation) -> bool:
    """Returns whether the face fills the oval better than every other one that could have been drawn."""
    size = {"width": observation.width, "height": observation.height}
    missed = distance_from(step.oval, extent, **size)
    return missed <= min([_FILLED, *(distance_from(other, extent, **size) for other in step.others)])


def _hint(step: OvalStep, extent: FaceExtent, observation: FrameObservation) -> HintCode:
    """Returns the hint that helps the face to fill the oval."""
    share = extent.width / step.oval.placed(width=observation.width, height=observation.height).width
    if share < _WRONG_SIZE:
        return HintCode.MOVE_CLOSER
    if share > 1 / _WRONG_SIZE:
        return HintCode.MOVE_BACK
    return HintCode.CENTER_FACE
