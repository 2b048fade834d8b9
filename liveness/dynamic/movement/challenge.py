"""Runs the movement challenge: a small oval far off, then a large one close by, and what was seen meanwhile.

The fallback for light in which the screen's cannot be measured. The person moves back until the face fills a
small oval, then comes closer until it fills a large one; both are drawn at random when they are needed. The
way from one to the other is where a head differs from a picture (``movement.perspective``). Where one
approach leaves that unsure the person goes back and comes closer again, and what all approaches show counts
together.

An approach takes 4 to 8 seconds. It shows no flashes, so photosensitive people can do it; it needs somebody
who can move a phone or themselves, so a policy must not make it the only way.
"""

import math
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from liveness.dynamic.challenge.actions import Action, Complete, EndReason, Hint, HintCode, MoveOval, Wait
from liveness.dynamic.challenge.ovals import CHANGES, OvalScript, OvalStep, distance_from
from liveness.dynamic.movement.approach import ApproachTracker, Parallax
from liveness.dynamic.movement.came_closer import Kind, what_came_closer
from liveness.dynamic.movement.perspective import (
    PerspectiveFinding,
    PerspectiveSettings,
    large_enough,
    measure_perspective,
    pool_findings,
)
from liveness.dynamic.movement.settings import MovementSettings
from liveness.errors import ObservationError
from liveness.extent import FaceExtent, face_extent
from liveness.observation import FrameObservation

__all__ = ["HeldOval", "MovementChallenge", "MovementRecord"]

_FILLED: Final = 1.0
"""``distance_from`` an oval up to which a face fills it; it must fill no other better."""
_HELD_SECONDS: Final = 0.4
_HELD_FRAMES: Final = 4
_PATIENCE_SECONDS: Final = 6.0
"""How long a person may take for an oval, once it is in its place."""
_LAST_BEGINS_SECONDS: Final = 11.0
"""After the first oval; an attempt has 20 seconds, and a slow person takes 8 of them for an approach."""
_HINT_AGAIN_SECONDS: Final = 1.5
_WRONG_SIZE: Final = 0.85
"""Face width over the oval's width below which, or above whose inverse, the size is hinted at first."""


@dataclass(frozen=True, slots=True)
class HeldOval:
    """An oval that was filled.

    Attributes:
        step: The oval.
        frames: Indices of the frames in which the face filled it, and none of the others that might have
            been drawn better.
    """

    step: OvalStep
    frames: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MovementRecord:
    """What a movement challenge saw.

    Attributes:
        held: The ovals that were filled, in order.
        shown: How many were shown.
        measured: What each whole approach showed; ``None`` where it showed nothing.
        unfinished: The way so far from a far oval to a near one that was not filled; ``None`` without one.
    """

    held: tuple[HeldOval, ...]
    shown: int
    measured: tuple[PerspectiveFinding | None, ...]
    unfinished: Parallax | None

    @property
    def followed(self) -> bool:
        """Whether all ovals were filled that were shown, and they make whole approaches."""
        return len(self.held) == self.shown and self.shown > 0 and self.shown % CHANGES == 0

    @property
    def verified_bits(self) -> float:
        """Entropy of the ovals that were filled."""
        return sum(oval.step.bits for oval in self.held)

    def seen(self, settings: PerspectiveSettings) -> PerspectiveFinding | None:
        """What all approaches showed together; measures the unfinished one, which takes some 35 ms."""
        rest = None if self.unfinished is None else measure_perspective(self.unfinished, settings)
        return pool_findings([one for one in (*self.measured, rest) if one is not None])


class _Phase(Enum):
    BEFORE = auto()
    MOVING = auto()
    ENDED = auto()


class MovementChallenge:
    """One movement challenge. Not safe to call from several threads at once.

    Used as ``challenge.flash.FlashChallenge`` is: ``add`` for every frame, ``next_action`` after
    it until it answers ``Wait`` or ``Complete``.
    """

    def __init__(self, script: OvalScript, settings: MovementSettings) -> None:
        """Starts before the first oval.

        Args:
            script: Draws the ovals; none was drawn yet.
            settings: ``FlashModel.movement``.
        """
        self._script = script
        self._settings = settings
        self._phase = _Phase.BEFORE
        self._now = float("-inf")
        self._step: OvalStep | None = None
        self._moved_at = 0.0
        self._run: list[FrameObservation] = []
        self._held: list[HeldOval] = []
        self._tracker = ApproachTracker()
        self._measured: list[PerspectiveFinding | None] = []
        self._settled = False
        self._latest_begin = 0.0
        self._progress = 0.0
        self._hint: HintCode | None = None
        self._told_at = float("-inf")
        self._end = Complete(EndReason.PROVEN)

    @property
    def record(self) -> MovementRecord:
        """What was seen so far."""
        return MovementRecord(
            held=tuple(self._held),
            shown=0 if self._step is None else self._step.number,
            measured=tuple(self._measured),
            unfinished=self._tracker.parallax() if self._approaching else None,
        )

    @property
    def progress(self) -> float:
        """0..1: ovals that were filled over those that are to be; never falls."""
        return self._progress

    @property
    def _approaching(self) -> bool:
        """Whether a far oval was filled, and the near one after it was not."""
        return len(self._held) % CHANGES != 0

    def add(self, observation: FrameObservation) -> None:
        """Take the next frame.

        Args:
            observation: What is known of it, with ``liveness.observe.fine_view`` as its view.
        """
        self._tracker.add(observation)
        if self._step is None or self._phase is not _Phase.MOVING:
            return
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

    def next_action(self, *, now: float) -> Action:
        """What to do at ``now``, seconds of the server's monotonic clock.

        Answers ``MoveOval``, ``Hint``, ``Wait``, and in the end ``Complete``: PROVEN where all ovals were
        filled and no further approach is needed or left, NOT_FOLLOWED where an oval was not filled in time.
        It measures an approach that is complete, which takes some 35 ms.

        Raises:
            ObservationError: ``now`` is no finite number.
        """
        if not math.isfinite(now):
            raise ObservationError("the time of a challenge must be a finite number")
        self._now = max(self._now, now)
        if self._phase is _Phase.ENDED:
            return self._end
        if self._step is None:
            self._phase, self._latest_begin = _Phase.MOVING, self._now + _LAST_BEGINS_SECONDS
            return self._move()
        arrived = self._moved_at + self._step.transition_seconds
        if self._now < arrived:
            # What fits before the oval is in its place is chance.
            self._run.clear()
            return Wait(arrived)
        if self._is_held():
            enough = self._hold(self._step)
            return self._finish(EndReason.PROVEN) if enough else self._move()
        if self._now >= arrived + _PATIENCE_SECONDS:
            return self._finish(EndReason.NOT_FOLLOWED)
        if self._hint is not None and self._now - self._told_at >= _HINT_AGAIN_SECONDS:
            self._told_at = self._now
            return Hint(self._hint)
        return Wait(arrived + _PATIENCE_SECONDS)

    def _is_held(self) -> bool:
        if len(self._run) < _HELD_FRAMES:
            return False
        return self._run[-1].capture_time - self._run[0].capture_time >= _HELD_SECONDS

    def _hold(self, step: OvalStep) -> bool:
        """Notes a filled oval, which begins an approach or ends one; whether that was enough."""
        self._held.append(HeldOval(step, tuple(observation.index for observation in self._run)))
        if self._approaching:
            self._tracker.begin(self._run[-1])
            enough, left = False, 1
        else:
            self._measure()
            enough = self._settled or self._now > self._latest_begin or not self._script.left
            left = 0 if enough else CHANGES
        self._progress = max(self._progress, len(self._held) / (len(self._held) + left))
        return enough

    def _measure(self) -> None:
        """What the approach showed that is complete now."""
        parallax, self._tracker = self._tracker.parallax(), ApproachTracker()
        lines = self._settings
        self._measured.append(None if parallax is None else measure_perspective(parallax, lines.perspective))
        seen = pool_findings([one for one in self._measured if one is not None])
        # A camera whose pictures are too small shows no more the next time.
        small = parallax is not None and not large_enough(parallax, lines.perspective)
        self._settled = small or what_came_closer(seen, lines.came_closer).kind is not Kind.UNSURE

    def _move(self) -> MoveOval:
        self._step = self._script.draw()
        self._moved_at = self._now
        self._run.clear()
        self._hint = None
        return MoveOval(self._step.number, self._step.oval, self._step.transition_seconds)

    def _finish(self, reason: EndReason) -> Complete:
        self._phase = _Phase.ENDED
        self._end = Complete(reason)
        return self._end


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
