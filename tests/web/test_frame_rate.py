"""The frames a second that a page sends: alone, and beside the server that judges them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cli.conformance.clients import ClientReport
from cli.conformance.conductor import Conductor, Verdict
from cli.conformance.endpoint import Addresses, listening
from cli.conformance.opening import Ticket
from cli.conformance.scan import Scan, Scenario
from server.edge.listeners import SCAN_METHOD
from tests.web.conftest import Browser, Recording, run_script, to_ticket

pytestmark = [pytest.mark.slow, pytest.mark.alone]

_CALM = "live/KwaiVGI__assets__examples__driving__d13.mp4"
_LAPTOP = "live/KwaiVGI__assets__examples__driving__d6.mp4"
_LEAST_RATE = 10.0
_LEAST_RATE_ALONE = 15.0
_FRAMES = 120


async def test_a_page_sends_enough_large_frames_beside_the_server(
    browser: Browser, recording: Callable[..., Recording]
) -> None:
    person = recording(_LAPTOP, size=(1280, 720))
    upload = await browser.upload(person.portrait)
    answer = await browser.scan(upload, person.camera)
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
class _Page:
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
    page_port: int, recording: Callable[[str], Recording], capsys: pytest.CaptureFixture[str]
) -> None:
    page = _Page(page_port, recording(_CALM).camera)
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
