"""The movement challenge of one attempt: frames to its controller, and the controller's wishes."""

from collections.abc import Callable
from dataclasses import replace

from attempt.actions import Action, Feedback, MoveOval
from attempt.analyst import FrameAnalyst
from attempt.challenge import LEAST_WAIT_SECONDS, MOST_ACTIONS, ChallengeFrame
from attempt.challenge_hints import ChallengeHints
from attempt.frame import Frame
from liveness.dynamic.challenge import Complete, EndReason, Hint, OvalScript, Wait, actions
from liveness.dynamic.model import FlashModel
from liveness.dynamic.movement import MovementChallenge, MovementRecord
from liveness.guidance import Oval

__all__ = ["MovementRun"]


class MovementRun:
    """Implements ``attempt.challenge.AttemptChallenge``."""

    def __init__(self, challenge: MovementChallenge, *, analyst: FrameAnalyst) -> None:
        """Takes the controller, which has drawn nothing yet.

        Args:
            challenge: The controller.
            analyst: Gives the views in which the face is followed.
        """
        self._challenge = challenge
        self._analyst = analyst
        self._end: Complete | None = None
        self._hints = ChallengeHints()
        self._wait_until: float | None = None

    @classmethod
    def drawn(
        cls, random: Callable[[int], bytes], *, rest: Oval, analyst: FrameAnalyst, model: FlashModel
    ) -> "MovementRun":
        """A challenge whose ovals are drawn when they are due.

        Args:
            random: Gives that many unpredictable bytes.
            rest: The oval that the attempt begins with.
            analyst: Gives the views in which the face is followed.
            model: Its lines.
        """
        return cls(MovementChallenge(OvalScript(random, rest=rest), model.movement), analyst=analyst)

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

    def take(self, frame: ChallengeFrame) -> None:
        """Hands a frame to the controller, with a view fine enough to show how its points moved.

        Raises:
            FrameUnusable: Its image does not decode.
        """
        if self.over:
            return
        view, scale = self._analyst.fine_view(frame.seen.frame)
        self._challenge.add(replace(frame.seen.observation, view=view, view_scale=scale))

    def skip(self, frame: Frame, *, origin_us: int, arrival: float) -> None:
        """Nothing: it is over once it is settled."""

    def hint(self, now: float) -> str | None:
        """What brings the face nearer to the oval; ``None`` once it is over."""
        return None if self.over else self._hints.standing(now)

    def due(self, now: float) -> float | None:
        """When the controller is to be asked again; never at once, as it was asked just now."""
        if self.over or self._wait_until is None:
            return None
        return max(self._wait_until, now + LEAST_WAIT_SECONDS)

    def act(self, now: float, *, frame_index: int) -> tuple[Action, ...]:
        """What the controller wants done."""
        said: list[Action] = []
        for wanted in self._wanted(now):
            match wanted:
                case MoveOval():
                    said.append(wanted)
                case Hint(code):
                    self._hints.note(code.value, now)
                    said.append(Feedback(code=code.value, progress=self.progress, frame_index=frame_index))
                case Complete():
                    self._end = wanted
                case Wait(until):
                    self._wait_until = until
        return tuple(said)

    def _wanted(self, now: float) -> tuple[actions.Action, ...]:
        """All that the controller wants at ``now``; where that completes an approach it is measured."""
        wanted: list[actions.Action] = []
        while len(wanted) < MOST_ACTIONS:
            wanted.append(self._challenge.next_action(now=now))
            if isinstance(wanted[-1], Complete | Wait):
                break
        return tuple(wanted)
