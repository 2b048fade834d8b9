"""Runs the movement challenge: the face fills a small far oval, then a large near one.

It is the fallback for light in which the screen's light cannot be measured. The person moves back until the
face fills a small oval, then comes closer until it fills a large one. Both ovals are drawn at random when
they are needed. On the way from one to the other, a head differs from a picture (``movement.perspective``).
If one approach does not suffice, the person goes back and comes closer again, and all approaches count
together.

An approach takes 4 to 8 seconds. It shows no flashes, so photosensitive people can do it. It requires a
person who can move the phone or themselves, so a policy must not make it the only alternative.

A rigid mask approaches as a face does. If a blink is required and none was measured when a head has filled
the last oval, the person is asked to blink, and the challenge waits for it. If the face is lost meanwhile,
the wait ends, because another face could return.
"""

from dataclasses import dataclass, replace
from typing import Final

from liveness.dynamic.challenge.actions import (
    Action,
    AskedSign,
    ChallengeClock,
    Complete,
    EndReason,
    Hint,
    MoveOval,
    Wait,
)
from liveness.dynamic.challenge.ovals import CHANGES, OvalScript, OvalStep, distance_from
from liveness.dynamic.movement.perspective import (
    ApproachKind,
    ApproachTracker,
    MovementSettings,
    Parallax,
    PerspectiveFinding,
    PerspectiveSettings,
    classify_approach,
    large_enough,
    measure_perspective,
    pool_findings,
)
from liveness.extent import FaceExtent, face_extent
from liveness.guidance import HintCode
from liveness.observation import FrameObservation

_FILLED: Final = 1.0
"""The ``distance_from`` an oval up to which a face fills it. The face must not fill another one better."""
_HELD_SECONDS: Final = 0.4
_HELD_FRAMES: Final = 4
_WRONG_SIZE: Final = 0.85
"""The face width over the oval's width below which, or above the inverse of which, the hint is about size."""


class ShownOval:
    """One oval, from the time at which it is sent until the next one is sent."""

    def __init__(self, step: OvalStep, *, moved_at: float) -> None:
        """Start without frames.

        Args:
            moved_at: The time at which it was sent, seconds on the server's monotonic clock.
        """
        self.step = step
        """The oval."""
        self.arrives = moved_at + step.transition_seconds
        """The time at which it is in place, seconds on the server's monotonic clock."""
        self._run: list[FrameObservation] = []
        self.hint: HintCode | None = None
        """The hint that helps the face to fill the oval; ``None`` while it does, or before any frame."""

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
        """Discard the run so far, because the face filled the oval by chance."""
        self._run.clear()

    def follow_oval(self, observation: FrameObservation) -> None:
        """Add the next frame."""
        extent = None if observation.face is None else face_extent(observation.face)
        if extent is None or observation.faces != 1:
            self.hint = HintCode.NO_FACE if extent is None else HintCode.MULTIPLE_FACES
            self._run.clear()
            return
        if not _fills(self.step, extent, observation):
            self.hint = _hint(self.step, extent, observation)
            self._run.clear()
            return
        self.hint = None
        if self._run:
            # Only the last view is needed, and with a slow capture clock an oval has many frames.
            self._run[-1] = replace(self._run[-1], view=None)
        self._run.append(observation)


def _fills(step: OvalStep, extent: FaceExtent, observation: FrameObservation) -> bool:
    """Return whether the face fills the oval better than every other one that could have been drawn."""
    size = {"width": observation.width, "height": observation.height}
    missed = distance_from(step.oval, extent, **size)
    return missed <= min([_FILLED, *(distance_from(other, extent, **size) for other in step.others)])


def _hint(step: OvalStep, extent: FaceExtent, observation: FrameObservation) -> HintCode:
    """Return the hint that helps the face to fill the oval."""
    share = extent.width / step.oval.placed(width=observation.width, height=observation.height).width
    if share < _WRONG_SIZE:
        return HintCode.MOVE_CLOSER
    if share > 1 / _WRONG_SIZE:
        return HintCode.MOVE_BACK
    return HintCode.CENTER_FACE


class Approaches:
    """Follows the face from each far oval to the next near one."""

    def __init__(self, settings: MovementSettings) -> None:
        self._settings = settings
        self._tracker = ApproachTracker()
        self._measured: list[PerspectiveFinding | None] = []
        self._kind = ApproachKind.UNSURE
        self.settled = False
        """Whether another approach would add nothing."""

    @property
    def measured(self) -> tuple[PerspectiveFinding | None, ...]:
        """The finding of each whole approach; ``None`` if it could not be measured."""
        return tuple(self._measured)

    @property
    def of_a_head(self) -> bool:
        """Whether all whole approaches together are those of a head."""
        return self._kind is ApproachKind.HEAD

    @property
    def unfinished(self) -> Parallax | None:
        """The approach that is not complete; ``None`` if none has begun."""
        return self._tracker.parallax()

    def follow_approach(self, observation: FrameObservation) -> None:
        """Add the next frame, which must have its view."""
        self._tracker.track_frame(observation)

    def begin(self, observation: FrameObservation) -> None:
        """Begin an approach at this frame, whose face fills a far oval."""
        self._tracker.begin(observation)

    def complete(self) -> None:
        """Measure the approach once the near oval is filled, which takes about 35 ms."""
        lines = self._settings
        parallax, self._tracker = self._tracker.parallax(), ApproachTracker()
        self._measured.append(None if parallax is None else measure_perspective(parallax, lines.perspective))
        seen = pool_findings([one for one in self._measured if one is not None])
        # A camera whose frames are too small shows no more in another approach.
        small = parallax is not None and not large_enough(parallax, lines.perspective)
        self._kind = classify_approach(seen, lines.came_closer).kind
        self.settled = small or self._kind is not ApproachKind.UNSURE


_PATIENCE_SECONDS: Final = 6.0
"""The time that a person has for an oval once it is in place, seconds."""
_LAST_BEGINS_SECONDS: Final = 11.0
"""The latest begin of an approach, seconds after the first oval. An attempt has 20 seconds, and a slow person
takes 8 of them for an approach."""
_BLINK_SECONDS: Final = 5.0
"""The longest wait for a requested blink, seconds, as in the flash."""
_HINT_AGAIN_SECONDS: Final = 1.5
"""The least time between two hints, seconds, so that the person can act on one before the next."""


@dataclass(frozen=True, slots=True)
class HeldOval:
    """An oval that was filled.

    Attributes:
        frames: The indices of the frames in which the face filled it, and filled it better than every other
            oval that could have been drawn.
    """

    step: OvalStep
    frames: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MovementRecord:
    """The measurements of a movement challenge.

    Attributes:
        held: The ovals that were filled, in order.
        shown: The number of ovals that were shown.
        measured: The finding of each whole approach; ``None`` if it could not be measured.
        unfinished: The approach from a far oval to a near one that was not filled yet; ``None`` without one.
    """

    held: tuple[HeldOval, ...]
    shown: int
    measured: tuple[PerspectiveFinding | None, ...]
    unfinished: Parallax | None

    @property
    def followed(self) -> bool:
        """Whether all ovals that were shown were filled, and they form whole approaches."""
        return len(self.held) == self.shown and self.shown > 0 and self.shown % CHANGES == 0

    @property
    def verified_bits(self) -> float:
        """The entropy of the ovals that were filled, bits."""
        return sum(oval.step.bits for oval in self.held)

    def seen(self, settings: PerspectiveSettings) -> PerspectiveFinding | None:
        """Return the finding of all approaches together. An unfinished one takes about 35 ms to measure."""
        rest = None if self.unfinished is None else measure_perspective(self.unfinished, settings)
        return pool_findings([one for one in (*self.measured, rest) if one is not None])


class MovementChallenge:
    """One movement challenge. Not safe to call from several threads at once.

    Its use is that of ``challenge.flash.FlashChallenge``: call ``add_movement_frame`` for every frame, and
    ``next_action`` after it until this returns ``Wait`` or ``Complete``.
    """

    def __init__(self, script: OvalScript, settings: MovementSettings, *, blink: bool = False) -> None:
        """Start before the first oval.

        Args:
            script: Draws the ovals; none was drawn yet.
            settings: ``FlashModel.movement``.
            blink: Whether a blink is required.
        """
        self._script = script
        self._clock = ChallengeClock()
        self._approaches = Approaches(settings)
        self._shown: ShownOval | None = None
        self._held: list[HeldOval] = []
        self._blink = AskedSign(HintCode.BLINK, patience_seconds=_BLINK_SECONDS if blink else 0.0)
        self._done = self._lost = False
        self.progress = 0.0
        """The filled ovals over all that are expected, 0..1; never falls."""
        self._hinted_at = float("-inf")
        self._end: Complete | None = None

    @property
    def record(self) -> MovementRecord:
        """The measurements so far."""
        return MovementRecord(
            held=tuple(self._held),
            shown=0 if self._shown is None else self._shown.step.number,
            measured=self._approaches.measured,
            unfinished=self._approaches.unfinished if self._approaching else None,
        )

    @property
    def awaits_blink(self) -> bool:
        """Whether the person was asked to blink and no blink was measured yet."""
        return self._blink.pending and self._end is None

    @property
    def unproven(self) -> bool:
        """Whether the challenge ended without a blink that it waited for."""
        return self._blink.pending and self._end is not None

    @property
    def _approaching(self) -> bool:
        """Whether a far oval was filled, and the next near one was not yet."""
        return len(self._held) % CHANGES != 0

    def add_movement_frame(self, observation: FrameObservation, *, blinked: bool = False) -> None:
        """Add the next frame.

        Args:
            observation: The measurements of the frame, with ``liveness.observe.fine_view`` as its view.
            blinked: Whether the frames so far show a blink.
        """
        self._blink.record_sign(blinked)
        if self._done:
            self._lost = self._lost or observation.faces != 1
            return
        self._approaches.follow_approach(observation)
        if self._shown is not None and self._end is None:
            self._shown.follow_oval(observation)

    def next_action(self, *, now: float) -> Action:
        """Return the action to perform at ``now``, seconds on the server's monotonic clock.

        The action is ``MoveOval``, ``Hint``, ``Wait``, and at the end ``Complete``: PROVEN if all ovals were
        filled and no further approach is needed or left, with or without a blink; NOT_FOLLOWED if an oval was
        not filled in time. The call measures an approach that is complete, which takes about 35 ms.

        Raises:
            ObservationError: ``now`` is not a finite number.
        """
        self._clock.advance(now)
        now, shown = self._clock.now, self._shown
        if self._end is not None:
            return self._end
        if self._done:
            return self._await_blink()
        if shown is None:
            return self._move()
        if now < shown.arrives:
            # A fit before the oval is in place is chance.
            shown.discard()
            return Wait(shown.arrives)
        if shown.held:
            self._done = self._hold(shown)
            return self._await_blink() if self._done else self._move()
        late = shown.arrives + _PATIENCE_SECONDS
        if now >= late:
            return self._finish(EndReason.NOT_FOLLOWED)
        return self._hint(shown.hint) or Wait(late)

    def _await_blink(self) -> Action:
        """Once no further oval follows: waits for a blink that is missing, and then ends."""
        hopeless = self._lost or not self._approaches.of_a_head
        until = None if hopeless else self._blink.wait_until(self._clock.now)
        if until is None:
            return self._finish(EndReason.PROVEN)
        return self._hint(self._blink.asks) or Wait(until)

    def _hint(self, code: HintCode | None) -> Hint | None:
        if code is None or self._clock.now - self._hinted_at < _HINT_AGAIN_SECONDS:
            return None
        self._hinted_at = self._clock.now
        return Hint(code)

    def _hold(self, shown: ShownOval) -> bool:
        """Record a filled oval, which begins or ends an approach; return whether it was the last one."""
        run = shown.run
        self._held.append(HeldOval(shown.step, tuple(observation.index for observation in run)))
        if self._approaching:
            self._approaches.begin(run[-1])
            enough, left = False, 1
        else:
            self._approaches.complete()
            too_late = self._clock.now > self._clock.began + _LAST_BEGINS_SECONDS
            enough = self._approaches.settled or too_late or not self._script.left
            left = 0 if enough else CHANGES
        self.progress = max(self.progress, len(self._held) / (len(self._held) + left))
        return enough

    def _move(self) -> MoveOval:
        step = self._script.draw()
        self._shown = ShownOval(step, moved_at=self._clock.now)
        return MoveOval(step.number, step.oval, step.transition_seconds)

    def _finish(self, reason: EndReason) -> Complete:
        self._end = Complete(reason)
        return self._end
