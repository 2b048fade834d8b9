"""Pages before a server that a test conducts: they are asked for gestures, and send enough frames."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from facegate.v1 import feedback_pb2, scan_pb2

from lab.conformance.clients import ClientReport
from lab.conformance.conductor import Conductor, Verdict
from lab.conformance.endpoint import Addresses, listening
from lab.conformance.opening import Ticket
from lab.conformance.scan import Scan, Scenario
from lab.conformance.strict_stream import Response, StrictStream
from server.edge.listeners import SCAN_METHOD
from tests.web.conftest import Browser, Recordings, run_script, to_ticket

pytestmark = [pytest.mark.slow, pytest.mark.alone]

_CLOSING = (128, 128, 128)
_STEPS = (_CLOSING, (200, 60, 60), _CLOSING)
_WAIT_SECONDS = 5.0


@dataclass
class _Page:
    """The element in Chromium, with the camera that Chromium draws."""

    port: int
    flash: bool
    asked: str
    answer: dict[str, Any] = field(default_factory=dict)

    async def scan(self, ticket: Ticket, addresses: Addresses) -> ClientReport:
        options = {
            "server": addresses.web.removesuffix(SCAN_METHOD),
            "ticket": to_ticket(ticket.token, ticket.fingerprint),
            "flash": self.flash,
        }
        viewport = {"width": 390, "height": 844}
        job = {"port": self.port, "options": options, "lookFor": self.asked, "viewport": viewport}
        self.answer = await run_script("walk", job)
        return ClientReport(has_result="outcome" in self.answer, said=str(self.answer))


async def _show_colours(stream: StrictStream) -> None:
    for number, (red, green, blue) in enumerate(_STEPS, start=1):
        colour = scan_pb2.Rgb(red=red, green=green, blue=blue)
        step = scan_pb2.FlashStep(step=number, color=colour, last=number == len(_STEPS))
        step.transition = scan_pb2.TRANSITION_FLAT
        step.minimum_hold.FromMilliseconds(400)
        await stream.send(Response(flash_step=step))
        while number not in stream.flash.since_us:
            await stream.receive_frames(1)
        await stream.receive_frames(2)


async def _move_oval(stream: StrictStream) -> None:
    oval = scan_pb2.Oval(center_x=0.5, center_y=0.5, width=0.4, height=0.4)
    change = scan_pb2.OvalChange(oval=oval, change=1)
    change.transition_duration.FromMilliseconds(300)
    await stream.send(Response(oval_change=change))
    await stream.receive_frames(8)


async def _wait_for_motion(stream: StrictStream) -> None:
    await stream.receive_frames(8)


_CAPTURES: dict[scan_pb2.Plan.ValueType, Callable[[StrictStream], Awaitable[None]]] = {
    scan_pb2.PLAN_EXPRESS: _wait_for_motion,
    scan_pb2.PLAN_FLASH: _show_colours,
    scan_pb2.PLAN_MOVEMENT: _move_oval,
}


@pytest.mark.parametrize(
    ("plan", "code", "asked"),
    [
        (scan_pb2.PLAN_EXPRESS, "OPEN_MOUTH", "Open your mouth wide, then close it."),
        (scan_pb2.PLAN_FLASH, "TURN_LEFT", "← Turn your head to your left, then back."),
        (scan_pb2.PLAN_MOVEMENT, "TURN_RIGHT", "→ Turn your head to your right, then back."),
    ],
    ids=["express", "flash", "movement"],
)
async def test_the_page_asks_and_goes_on(
    page_port: int, plan: scan_pb2.Plan.ValueType, code: str, asked: str
) -> None:
    announced: list[int] = []

    async def ask(scan: Scan) -> None:
        announced.extend(scan.start.capabilities)
        stream = await scan.open()
        book = await stream.begin_attempt(frames=16, octets=4_194_304, plan=plan)
        await _CAPTURES[plan](stream)
        asked_at, gesture = book.times[-1], feedback_pb2.FeedbackCode.Value(f"FEEDBACK_CODE_{code}")
        await stream.send(Response(feedback=feedback_pb2.Feedback(code=gesture, progress=0.9)))
        while book.times[-1] - asked_at < _WAIT_SECONDS:
            await stream.receive_frames(1)
        await stream.complete_capture()
        await stream.send_result()

    page = _Page(page_port, flash=plan == scan_pb2.PLAN_FLASH, asked=asked)
    ticket = Ticket(token="conformance-token", private_key=ec.generate_private_key(ec.SECP256R1()))
    conductor = Conductor(ticket, wait_s=60.0)
    asking = Scenario(name="gesture", purpose="an attempt that goes on for 5 seconds", script=ask)
    async with listening(conductor.add_stream, origins=[f"http://localhost:{page_port}"]) as addresses:
        (outcome,) = [outcome async for outcome in conductor.run([asking], addresses, page)]
    assert (outcome.verdict, outcome.detail) == (Verdict.PASSED, "")
    assert {scan_pb2.CAPABILITY_OPEN_MOUTH, scan_pb2.CAPABILITY_TURN_HEAD} <= set(announced)
    hinted = page.answer["hinted"]
    assert hinted["visible"]
    assert asked in page.answer["spoken"]
    assert page.answer["oval"] == pytest.approx(hinted["oval"], abs=1.0)
    closing = "rgb({}, {}, {})".format(*_CLOSING)
    assert (hinted.get("colour"), page.answer["colours"][-1:]) == (
        (closing, [closing]) if page.flash else (None, [])
    )
    assert (page.answer["violations"], page.answer["problems"]) == ([], [])


# The frames a second that a page sends: alone, and beside the server that judges them.


_CALM = "live/KwaiVGI__assets__examples__driving__d13.mp4"
_LAPTOP = "live/KwaiVGI__assets__examples__driving__d6.mp4"
_LEAST_RATE = 10.0
_LEAST_RATE_ALONE = 15.0
_FRAMES = 120


async def test_a_page_sends_enough_large_frames_beside_the_server(
    browser: Browser, recording: Recordings
) -> None:
    _, answer = await browser.check(recording(_LAPTOP, size=(1280, 720)))
    assert answer["outcome"]["status"] == "success"
    assert min(answer["rates"]) >= _LEAST_RATE


async def _grant_credit(scan: Scan) -> None:
    """Return the credit of every frame at once, and do nothing else with it."""
    stream = await scan.open()
    await stream.begin_attempt(frames=16, octets=4_194_304)
    await stream.receive_frames(_FRAMES)
    await stream.complete_capture()
    await stream.send_result()


@dataclass
class _PlainPage:
    """A page that scans once, without the element."""

    port: int
    camera: Path
    answer: dict[str, Any] = field(default_factory=dict)

    async def scan(self, ticket: Ticket, addresses: Addresses) -> ClientReport:
        server = addresses.web.removesuffix(SCAN_METHOD)
        self.answer = await run_script(
            "drive",
            {
                "port": self.port,
                "page": "scan.html",
                "call": "scan",
                "video": str(self.camera),
                "options": {"server": server, "ticket": to_ticket(ticket.token, ticket.fingerprint)},
            },
        )
        return ClientReport(has_result="outcome" in self.answer, said=str(self.answer))


async def test_a_page_alone_sends_enough_frames(
    page_port: int, recording: Recordings, capsys: pytest.CaptureFixture[str]
) -> None:
    page = _PlainPage(page_port, recording(_CALM).camera)
    ticket = Ticket(token="conformance-token", private_key=ec.generate_private_key(ec.SECP256R1()))
    conductor = Conductor(ticket, wait_s=60.0)
    granting = Scenario(name="credit", purpose="a server that only grants credit", script=_grant_credit)
    async with listening(conductor.add_stream, origins=[f"http://localhost:{page_port}"]) as addresses:
        (outcome,) = [outcome async for outcome in conductor.run([granting], addresses, page)]
    assert (outcome.verdict, outcome.detail) == (Verdict.PASSED, "")
    (rate,) = page.answer["rates"]
    with capsys.disabled():
        print(f"\nthe page alone: {rate:.1f} frames a second")
    assert rate >= _LEAST_RATE_ALONE
