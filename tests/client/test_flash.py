"""A device with a screen: steps in order and for long enough, frames that name the displayed step."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from facegate.v1 import feedback_pb2, scan_pb2
from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings
from hypothesis import strategies as st

from facegate_client import (
    FaceScanner,
    ProtocolViolatedError,
    ScanEvents,
    ScanTicket,
    generated_source,
    open_channel,
)
from facegate_client.flash_screen import SHORTEST_HOLD_S, FlashShow
from tests.client.conftest import FAST, pictures
from tests.client.fake_screen import FakeScreen
from tests.client.fake_server import FakeServer, serving
from tests.client.stream_plan import Send, StreamPlan

_FLASH = scan_pb2.CAPABILITY_FLASH


def _step(number: int, *, hold_ms: int = 350, last: bool = False) -> scan_pb2.FlashStep:
    return scan_pb2.FlashStep(
        step=number,
        color=scan_pb2.Rgb(red=255, green=108, blue=108),
        transition=scan_pb2.TRANSITION_FLAT,
        minimum_hold=Duration(nanos=hold_ms * 1_000_000),
        last=last,
    )


async def _scan(
    fake: FakeServer, screen: FakeScreen | None, *, frames: int = 60, events: ScanEvents | None = None
) -> None:
    async with serving(fake) as target, open_channel(target) as channel:
        await FaceScanner(
            channel=channel,
            ticket=ScanTicket(token=fake.token, challenge_key_sha256=fake.challenge_key_sha256),
            source=generated_source(pictures(frames, fps=20.0), pace="realtime"),
            screen=screen,
            events=events,
            settings=FAST,
        ).scan()


def _revealing(after: Sequence[int]) -> StreamPlan:
    """Reveals step n after a set number of frames, and grants credit until a frame names the last step."""

    async def act(frames: int, send: Send) -> None:
        if frames in after:
            number = after.index(frames) + 1
            last = number == len(after)
            await send(scan_pb2.ScanFaceResponse(flash_step=_step(number, last=last)))

    return StreamPlan(plan=scan_pb2.PLAN_FLASH, act=act, frames_wanted=after[-1] + 12)


async def test_a_declined_flash_is_not_shown_and_gets_no_frames() -> None:
    fake, screen = FakeServer(_revealing([2, 11])), FakeScreen()
    async with serving(fake) as target, open_channel(target) as channel:
        await FaceScanner(
            channel=channel,
            ticket=ScanTicket(token=fake.token, challenge_key_sha256=fake.challenge_key_sha256),
            source=generated_source(pictures(20, fps=20.0), pace="realtime"),
            screen=screen,
            settings=replace(FAST, decline_flash=True, max_attempts=1),
        ).scan()
    assert fake.violations == []
    assert fake.frames == []
    assert fake.ends[0].cause == scan_pb2.AttemptEndBody.CAUSE_CANCELLED


async def test_frames_state_the_displayed_step_and_its_time() -> None:
    fake, screen = FakeServer(_revealing([2, 11])), FakeScreen()
    await _scan(fake, screen)
    assert fake.violations == []
    headers = [frame.header for frame in fake.frames]
    numbers = [header.flash_step for header in headers]
    assert numbers[:2] == [0, 0]
    assert sorted(set(numbers)) == [0, 1, 2]
    assert numbers == sorted(numbers)
    for number in (1, 2):
        since = {header.flash_step_since_us for header in headers if header.flash_step == number}
        assert len(since) == 1
        first = next(header for header in headers if header.flash_step == number)
        assert 0 <= first.capture_time_us - since.pop() < 150_000
    assert all(header.flash_step_since_us == 0 for header in headers if header.flash_step == 0)


async def test_every_colour_is_held_and_the_screen_returns_to_normal() -> None:
    # The server requests a short hold; the device keeps its minimum.
    fake, screen = FakeServer(_revealing([2, 3, 4])), FakeScreen()
    await _scan(fake, screen)
    assert fake.violations == []
    assert screen.received[0][0] == 1
    assert screen.received[-1][0] == 0
    shown = [(number, at) for number, at in screen.received if number]
    assert all(later - at >= SHORTEST_HOLD_S - 0.001 for (_, at), (_, later) in pairwise(shown))


async def test_a_device_states_the_abilities_of_its_screen() -> None:
    for screen, expected in (
        (None, set()),
        (FakeScreen(oval=False), {_FLASH}),
        (FakeScreen(), {_FLASH, scan_pb2.CAPABILITY_OVAL_CHANGE}),
    ):
        fake = FakeServer(StreamPlan(frames_wanted=2))
        await _scan(fake, screen, frames=4)
        start = fake.starts[0]
        always = {scan_pb2.CAPABILITY_CAPTURE_ADJUSTMENT, scan_pb2.CAPABILITY_READY}
        assert set(start.capabilities) - always == expected
        assert start.HasField("screen") is (screen is not None)


async def test_the_oval_moves_where_it_was_announced() -> None:
    async def act(frames: int, send: Send) -> None:
        if frames == 2:
            change = scan_pb2.OvalChange(oval=scan_pb2.Oval(width=0.8, height=0.9), change=1)
            await send(scan_pb2.ScanFaceResponse(oval_change=change))

    plan = StreamPlan(plan=scan_pb2.PLAN_MOVEMENT, act=act, frames_wanted=6)
    screen = FakeScreen()
    await _scan(FakeServer(plan), screen, frames=20)
    assert [change.change for change in screen.ovals] == [1]
    with pytest.raises(ProtocolViolatedError, match="PLAN_MOVEMENT"):
        await _scan(FakeServer(plan), FakeScreen(oval=False), frames=20)


async def test_a_device_announces_once_that_a_person_reads_its_hints() -> None:
    for screen, watched in (
        (None, False),
        (None, True),
        (FakeScreen(read=True), False),
        (FakeScreen(read=True), True),
    ):
        fake, events = FakeServer(StreamPlan(frames_wanted=2)), ScanEvents()
        events.shows_hints = watched
        await _scan(fake, screen, frames=4, events=events)
        announced = list(fake.starts[0].capabilities)
        for gesture in (scan_pb2.CAPABILITY_OPEN_MOUTH, scan_pb2.CAPABILITY_TURN_HEAD):
            assert announced.count(gesture) == (screen is not None or watched)


@pytest.mark.parametrize("plan", [scan_pb2.PLAN_EXPRESS, scan_pb2.PLAN_FLASH, scan_pb2.PLAN_MOVEMENT])
async def test_hints_are_shown_in_attempts_of_every_plan(plan: scan_pb2.Plan.ValueType) -> None:
    async def act(frames: int, send: Send) -> None:
        if frames == 2:
            hint = feedback_pb2.Feedback(code=feedback_pb2.FEEDBACK_CODE_BLINK)
            await send(scan_pb2.ScanFaceResponse(feedback=hint))

    screen = FakeScreen()
    await _scan(FakeServer(StreamPlan(plan=plan, act=act, frames_wanted=6)), screen, frames=20)
    assert feedback_pb2.FEEDBACK_CODE_BLINK in [hint.code for hint in screen.hints]


async def test_steps_out_of_order_or_far_too_fast_are_a_violation() -> None:
    show = FlashShow(FakeScreen())
    show.add(_step(3))
    with pytest.raises(ProtocolViolatedError, match="step 3 came after step 3"):
        show.add(_step(3))
    show.add(_step(4))
    show.add(_step(5))
    with pytest.raises(ProtocolViolatedError, match="faster than"):
        show.add(_step(6))
    show.close()


async def test_nothing_is_shown_after_the_end() -> None:
    screen = FakeScreen()
    show = FlashShow(screen)
    show.add(_step(1))
    show.add(_step(2))
    show.close()
    await asyncio.sleep(SHORTEST_HOLD_S + 0.05)
    assert [number for number, _ in screen.received] == [1, 0]
    show.close()
    assert [number for number, _ in screen.received] == [1, 0]


class _Clock(asyncio.SelectorEventLoop):
    """An event loop in virtual time: timers fire at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1.0), st.integers(0, 900)), min_size=1, max_size=12))
def test_never_more_than_three_changes_a_second(steps: list[tuple[float, int]]) -> None:
    loop = _Clock()

    async def scenario() -> list[float]:
        screen = FakeScreen()
        show = FlashShow(screen)
        for number, (gap, hold_ms) in enumerate(steps, start=1):
            for _ in range(40):
                loop.now += gap / 40
                await asyncio.sleep(0)
            try:
                show.add(_step(number, hold_ms=hold_ms))
            except ProtocolViolatedError:
                break
        for _ in range(400):
            loop.now += 0.01
            await asyncio.sleep(0)
        return [at for _, at in screen.received]

    try:
        received = loop.run_until_complete(scenario())
    finally:
        loop.close()
    assert all(later - at >= SHORTEST_HOLD_S - 1e-9 for at, later in pairwise(received))
