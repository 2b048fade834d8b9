"""The movement challenge of an attempt: which ovals are sent, and how it ends."""

from collections.abc import AsyncIterator

import pytest

from liveness.dynamic.challenge.ovals import OvalScript
from liveness.dynamic.movement.challenge import MovementChallenge
from liveness.guidance import Oval
from server.scan.analyst import FrameAnalyst, SeenFrame
from server.scan.challenge import ChallengeFrame
from server.scan.messages import CaptureBudget, FeedbackMessage, Outbound, OvalChangeMessage
from server.scan.movement_run import MovementRun
from server.scan.worker_pool import WorkerPool
from tests.liveness.builders import HEIGHT, WIDTH, face_at, observation
from tests.liveness.dynamic.random_source import seeded
from tests.server.live import pictures, remembering_pack
from tests.server.scan.records import frame_message

_RATE = 15.0


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(workers=1)
    yield pool
    pool.close()


class _Person:
    """Fills each oval as soon as it comes, or stays where they are."""

    def __init__(self, pool: WorkerPool, *, follows: bool) -> None:
        challenge = MovementChallenge(OvalScript(seeded(4), rest=Oval()))
        analyst = FrameAnalyst(pack=remembering_pack(), budget=CaptureBudget())
        self.run = MovementRun(challenge, analyst=analyst, pool=pool)
        self.follows = follows
        self.place = Oval()
        self.sent: list[Outbound] = []
        self.now = 50.0

    async def play(self, *, longest: float = 30.0) -> None:
        index = 0
        while not self.run.over and self.now < 50 + longest:
            await self._frame(index)
            said = await self.run.messages(self.now, frame_index=index)
            self.sent += said
            for message in said:
                if isinstance(message, OvalChangeMessage) and self.follows:
                    self.place = message.oval
            index += 1
            self.now += 1 / _RATE

    async def _frame(self, index: int) -> None:
        place, picture = self.place, pictures()[0]
        face = face_at(place.centre_x * WIDTH, place.centre_y * HEIGHT, place.width * WIDTH)
        seen = SeenFrame(
            message=frame_message(index, image=picture.jpeg, width=picture.width, height=picture.height),
            pixels=None,
            observation=observation(index, face=face),
        )
        await self.run.take(
            ChallengeFrame(
                message=seen.message,
                seen=seen,
                capture_time=self.now - 50,
                origin_us=0,
                arrival=self.now,
                guidance=None,
                blinked=False,
                captured=True,
            )
        )

    @property
    def ovals(self) -> list[OvalChangeMessage]:
        return [message for message in self.sent if isinstance(message, OvalChangeMessage)]


async def test_ovals_come_one_at_a_time_and_are_followed(pool: WorkerPool) -> None:
    # These frames show no depth, so the person is asked to come closer as often as there is time for.
    person = _Person(pool, follows=True)
    assert person.run.due(person.now) is None
    await person.play()
    assert [change.change for change in person.ovals] == [1, 2, 3, 4, 5, 6]
    for far, near in zip(person.ovals[::2], person.ovals[1::2], strict=True):
        assert far.oval.width < Oval().width < near.oval.width
    assert person.run.over
    assert not person.run.gave_up
    assert person.run.progress == 1.0
    assert person.run.hints == ()
    assert person.run.record.followed
    assert person.run.due(person.now) is None


async def test_who_does_not_follow_is_told_and_it_ends(pool: WorkerPool) -> None:
    person = _Person(pool, follows=False)
    await person.play()
    assert [change.change for change in person.ovals] == [1]
    told = {message.code for message in person.sent if isinstance(message, FeedbackMessage)}
    assert told == {"MOVE_BACK"}
    assert person.run.gave_up
    assert person.run.hints == ("ACTION_NOT_PERFORMED", "MOVE_BACK")


async def test_between_frames_it_is_asked_again_but_not_at_once(pool: WorkerPool) -> None:
    person = _Person(pool, follows=True)
    await person.play(longest=0.1)
    due = person.run.due(person.now)
    assert due is not None
    assert due > person.now
