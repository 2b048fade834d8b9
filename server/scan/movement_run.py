"""The movement challenge of one attempt: frames to its controller, the controller's wishes to messages."""

from dataclasses import replace

from liveness.dynamic.challenge import Action, Complete, EndReason, Hint, MoveOval, Wait
from liveness.dynamic.movement import MovementChallenge, MovementRecord
from server.scan.analyst import FrameAnalyst
from server.scan.challenge import ChallengeFrame
from server.scan.challenge_hints import ChallengeHints
from server.scan.messages import FeedbackMessage, FrameMessage, Outbound, OvalChangeMessage
from server.scan.worker_pool import WorkerPool

__all__ = ["MovementRun"]

_MOST_ACTIONS = 8
_LEAST_WAIT_SECONDS = 0.02


class MovementRun:
    """Implements ``server.scan.challenge.AttemptChallenge``."""

    def __init__(self, challenge: MovementChallenge, *, analyst: FrameAnalyst, pool: WorkerPool) -> None:
        """Takes the controller, which has drawn nothing yet.

        Args:
            challenge: The controller.
            analyst: Gives the views in which the face is followed.
            pool: Where it is followed.
        """
        self._challenge = challenge
        self._analyst = analyst
        self._pool = pool
        self._end: Complete | None = None
        self._hints = ChallengeHints()
        self._wait_until: float | None = None

    @property
    def over(self) -> bool:
        """Whether all ovals were filled, or one was not in time."""
        return self._end is not None

    @property
    def settled(self) -> bool:
        """As soon as it is over: it has nothing to show then."""
        return self.over

    @property
    def closing_seconds(self) -> float:
        """None."""
        return 0.0

    @property
    def gave_up(self) -> bool:
        """Whether an oval was not filled in time."""
        return self._end is not None and self._end.reason is not EndReason.PROVEN

    @property
    def progress(self) -> float:
        """Ovals filled over all, 0..1."""
        return 1.0 if self.over else self._challenge.progress

    @property
    def hints(self) -> tuple[str, ...]:
        """What to do better: to follow the oval, where it was not followed."""
        return ("ACTION_NOT_PERFORMED", *self._hints.all) if self.gave_up else ()

    @property
    def measures_light(self) -> bool:
        """It measures motion alone."""
        return False

    @property
    def awaits_depth(self) -> bool:
        """Its approaches show it; nothing is waited for."""
        return False

    @property
    def depth_due(self) -> bool:
        """See ``awaits_depth``."""
        return False

    @property
    def awaits_blink(self) -> bool:
        """It asks for none."""
        return False

    @property
    def record(self) -> MovementRecord:
        """What there is for the judge."""
        return self._challenge.record

    async def take(self, frame: ChallengeFrame) -> None:
        """Hands a frame to the controller, with a view fine enough to show how its points moved."""
        if not self.over:
            await self._pool.run(self._add, frame)

    def glance(self, message: FrameMessage, *, origin_us: int, arrival: float) -> None:
        """Nothing: it is over once it is settled."""

    def _add(self, frame: ChallengeFrame) -> None:
        view, scale = self._analyst.fine_view(frame.message)
        self._challenge.add(replace(frame.seen.observation, view=view, view_scale=scale))

    def hint(self, now: float) -> str | None:
        """What brings the face nearer to the oval; ``None`` once it is over."""
        return None if self.over else self._hints.standing(now)

    def due(self, now: float) -> float | None:
        """When the controller is to be asked again; never at once, as it was asked just now."""
        if self.over or self._wait_until is None:
            return None
        return max(self._wait_until, now + _LEAST_WAIT_SECONDS)

    async def messages(self, now: float, *, frame_index: int) -> tuple[Outbound, ...]:
        """What the controller wants sent."""
        said: list[Outbound] = []
        for action in await self._pool.run(self._actions, now):
            match action:
                case MoveOval() as move:
                    said.append(
                        OvalChangeMessage(
                            oval=move.oval, transition_seconds=move.transition_seconds, change=move.number
                        )
                    )
                case Hint(code):
                    self._hints.note(code.value, now)
                    said.append(
                        FeedbackMessage(code=code.value, progress=self.progress, frame_index=frame_index)
                    )
                case Complete() as end:
                    self._end = end
                case Wait(until):
                    self._wait_until = until
        return tuple(said)

    def _actions(self, now: float) -> tuple[Action, ...]:
        """All that the controller wants at ``now``; where that completes an approach it is measured."""
        wanted: list[Action] = []
        while len(wanted) < _MOST_ACTIONS:
            wanted.append(self._challenge.next_action(now=now))
            if isinstance(wanted[-1], Complete | Wait):
                break
        return tuple(wanted)
