"""The movement challenge of an attempt: the ovals that are sent, and its end."""

from attempt.analyst import FrameAnalyst, SeenFrame
from attempt.challenge import Action, ChallengeFrame, Feedback
from attempt.frame import FrameLimits
from attempt.movement_run import MovementRun
from liveness.dynamic.challenge import MoveOval
from liveness.dynamic.challenge.ovals import OvalScript
from liveness.dynamic.movement import MovementChallenge
from liveness.guidance import Oval
from tests.attempt.frames import frame_of
from tests.liveness.builders import HEIGHT, WIDTH, face_at, observation
from tests.liveness.dynamic.movement.perspectives import SETTINGS
from tests.liveness.dynamic.random_source import seeded
from tests.server.live import pictures
from tests.server.models_once import remembering_pack

_RATE = 15.0


class _Person:
    """A person who fills each oval as soon as it comes, or stays in place."""

    def __init__(self, *, follows: bool) -> None:
        challenge = MovementChallenge(OvalScript(seeded(4), rest=Oval()), SETTINGS)
        analyst = FrameAnalyst(pack=remembering_pack(), limits=FrameLimits())
        self.run = MovementRun(challenge, analyst=analyst)
        self.follows = follows
        self.place = Oval()
        self.sent: list[Action] = []
        self.now = 50.0

    def play(self, *, longest: float = 30.0) -> None:
        index = 0
        while not self.run.over and self.now < 50 + longest:
            self._frame(index)
            said = self.run.act(self.now, frame_index=index)
            self.sent += said
            for message in said:
                if isinstance(message, MoveOval) and self.follows:
                    self.place = message.oval
            index += 1
            self.now += 1 / _RATE

    def _frame(self, index: int) -> None:
        place, picture = self.place, pictures()[0]
        face = face_at(place.centre_x * WIDTH, place.centre_y * HEIGHT, place.width * WIDTH)
        seen = SeenFrame(
            frame=frame_of(index, image=picture.jpeg, width=picture.width, height=picture.height),
            pixels=None,
            observation=observation(index, face=face),
        )
        self.run.measure_answer(
            ChallengeFrame(
                seen=seen,
                capture_time=self.now - 50,
                origin_us=0,
                arrival=self.now,
                guidance=None,
                blinked=False,
                captured=True,
                round_trip=0.0,
            )
        )

    @property
    def ovals(self) -> list[MoveOval]:
        return [message for message in self.sent if isinstance(message, MoveOval)]


def test_ovals_come_one_at_a_time_and_are_followed() -> None:
    # These frames show no depth, so the challenge repeats the approach until the time is over.
    person = _Person(follows=True)
    assert person.run.due(person.now) is None
    person.play()
    assert [change.number for change in person.ovals] == [1, 2, 3, 4, 5, 6]
    for far, near in zip(person.ovals[::2], person.ovals[1::2], strict=True):
        assert far.oval.width < Oval().width < near.oval.width
    assert person.run.over
    assert not person.run.gave_up
    assert person.run.progress == 1.0
    assert person.run.hints == ()
    assert person.run.record.followed
    assert person.run.due(person.now) is None


def test_a_person_that_does_not_follow_ends_the_run() -> None:
    person = _Person(follows=False)
    person.play()
    assert [change.number for change in person.ovals] == [1]
    codes = {message.code for message in person.sent if isinstance(message, Feedback)}
    assert codes == {"MOVE_BACK"}
    assert person.run.gave_up
    assert person.run.hints == ("ACTION_NOT_PERFORMED", "MOVE_BACK")


def test_between_frames_it_is_asked_again_but_not_at_once() -> None:
    person = _Person(follows=True)
    person.play(longest=0.1)
    due = person.run.due(person.now)
    assert due is not None
    assert due > person.now
