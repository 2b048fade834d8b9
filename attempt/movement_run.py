"""The movement challenge of one attempt: passes frames to its controller, and returns its actions."""

from collections.abc import Callable
from dataclasses import replace

from attempt.analyst import FrameAnalyst
from attempt.challenge import (
    MOST_ACTIONS,
    Action,
    ChallengeFrame,
    ControlledChallenge,
    Feedback,
)
from liveness import Oval, fine_view
from liveness.dynamic import FlashModel
from liveness.dynamic.challenge import Action as ChallengeAction
from liveness.dynamic.challenge import Complete, EndReason, Hint, MoveOval, OvalScript, Wait
from liveness.dynamic.movement import MovementChallenge, MovementRecord


class MovementRun(ControlledChallenge):
    """Ovals to fill. They are not timed, and no light is measured.

    There is no closing step, and filling them is itself the motion that shows a head's depth.
    """

    def __init__(self, challenge: MovementChallenge, *, analyst: FrameAnalyst) -> None:
        """Take a controller that has drawn nothing yet.

        Args:
            analyst: Makes the views in which the face is followed.
        """
        super().__init__()
        self._challenge = challenge
        self._analyst = analyst
        self._end: Complete | None = None

    @classmethod
    def drawn(
        cls,
        random: Callable[[int], bytes],
        *,
        rest: Oval,
        analyst: FrameAnalyst,
        model: FlashModel,
        blink: bool = False,
    ) -> "MovementRun":
        """Create a challenge whose ovals are drawn when they are due.

        Args:
            random: Returns the given number of unpredictable bytes.
            rest: The oval that the attempt begins with.
            analyst: Makes the views in which the face is followed.
            model: The model with the movement's lines.
            blink: Whether a blink is required.
        """
        challenge = MovementChallenge(OvalScript(random, rest=rest), model.movement, blink=blink)
        return cls(challenge, analyst=analyst)

    @property
    def over(self) -> bool:
        """Whether all ovals were filled and no blink is awaited, or one was not filled in time."""
        return self._end is not None

    @property
    def unproven(self) -> bool:
        """See ``MovementChallenge.unproven``."""
        return self._challenge.unproven

    @property
    def gave_up(self) -> bool:
        """Whether an oval was not filled in time."""
        return self._end is not None and self._end.reason is not EndReason.PROVEN

    @property
    def progress(self) -> float:
        """The filled share of all ovals, 0..1; 1 once it is over."""
        return 1.0 if self.over else self._challenge.progress

    @property
    def hints(self) -> tuple[str, ...]:
        """If it gave up, the feedback code that asks to follow the oval, then all hints; otherwise empty."""
        return ("ACTION_NOT_PERFORMED", *self._hints.all) if self.gave_up else ()

    @property
    def awaits_blink(self) -> bool:
        """See ``MovementChallenge.awaits_blink``."""
        return self._challenge.awaits_blink

    @property
    def record(self) -> MovementRecord:
        """The record of the movement, for the judge."""
        return self._challenge.record

    def measure_answer(self, frame: ChallengeFrame) -> None:
        """Pass a frame to the controller, with a view fine enough to show the motion of its points.

        Raises:
            FrameUnusable: The frame's image does not decode.
        """
        if self.over:
            return
        view, scale = fine_view(self._analyst.decoder.luma(frame.seen.frame))
        observation = replace(frame.seen.observation, view=view, view_scale=scale)
        self._challenge.add_movement_frame(observation, blinked=frame.blinked)

    def act(self, now: float, *, frame_index: int) -> tuple[Action, ...]:
        """Return the controller's actions."""
        due_actions: list[Action] = []
        for wanted in self._wanted(now):
            match wanted:
                case MoveOval():
                    due_actions.append(wanted)
                case Hint(code):
                    self._hints.note(code.value, now)
                    due_actions.append(
                        Feedback(code=code.value, progress=self.progress, frame_index=frame_index)
                    )
                case Complete():
                    self._end = wanted
                case Wait(until):
                    self._wait_until = until
        return tuple(due_actions)

    def _wanted(self, now: float) -> tuple[ChallengeAction, ...]:
        """Return the controller's actions at ``now``. If an approach completes, this call measures it."""
        wanted: list[ChallengeAction] = []
        while len(wanted) < MOST_ACTIONS:
            wanted.append(self._challenge.next_action(now=now))
            if isinstance(wanted[-1], Complete | Wait):
                break
        return tuple(wanted)
