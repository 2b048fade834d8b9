"""The browser's SDK, in Chromium and in Firefox, keeps the rules of ``facegate conformance``."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from lab.conformance.clients import ClientReport
from lab.conformance.conductor import Verdict
from lab.conformance.endpoint import Addresses
from lab.conformance.opening import Ticket
from lab.tests.conformance.playing import BY_NAME, SLOW, failures, played, played_at_once
from server.edge.listeners import SCAN_METHOD
from tests.web.conftest import FIREFOX, SDK, run_script, to_ticket

pytestmark = [pytest.mark.slow, pytest.mark.alone]

_TRANSPORT = "WebSocket"
_SCANS_AT_ONCE = 3
_RATED = ("success", "highest-rate")
"""These need 8 frames a second, which a page with several scans at once may not have the processors for."""


class _PageClient:
    """The element in one Chromium, with the camera that Chromium draws. It makes several scans at once."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self._ids = count()
        self._answers: dict[int, asyncio.Future[ClientReport]] = {}

    async def scan(self, ticket: Ticket, addresses: Addresses) -> ClientReport:
        number = next(self._ids)
        options = {
            "id": number,
            "server": addresses.web.removesuffix(SCAN_METHOD),
            "ticket": to_ticket(ticket.token, ticket.fingerprint),
            "flash": True,
        }
        answer: asyncio.Future[ClientReport] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._input.write(json.dumps(options).encode() + b"\n")
        await self._input.drain()
        return await answer

    async def read_answers(self) -> None:
        """Hand each answer to its scan, until the browser ends."""
        async for said in self._output:
            answer = json.loads(said)
            report = ClientReport(has_result="outcome" in answer, said=said.decode())
            self._answers[answer["id"]].set_result(report)


@asynccontextmanager
async def _page(port: int) -> AsyncIterator[_PageClient]:
    process = await asyncio.create_subprocess_exec(
        "node",
        str(SDK / "e2e" / "conformance.mjs"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"port": port}).encode() + b"\n")
    client = _PageClient(process)
    reading = asyncio.create_task(client.read_answers())
    try:
        yield client
    finally:
        process.stdin.close()
        async with asyncio.timeout(60):
            await process.wait()
        await reading


@pytest.mark.timeout(1200)
async def test_a_page_passes_every_scenario(page_port: int) -> None:
    quick = [name for name in BY_NAME if name not in {*SLOW, *_RATED}]
    origin = f"http://localhost:{page_port}"
    async with _page(page_port) as client:
        outcomes = await played(_RATED, client, origin=origin)
        outcomes |= await played_at_once([*SLOW, *quick], client, servers=_SCANS_AT_ONCE, origin=origin)
    assert failures(outcomes) == {}
    assert outcomes.keys() == set(BY_NAME)
    assert {outcome.transport for outcome in outcomes.values()} == {_TRANSPORT}


# The element in Firefox, with the camera that Firefox draws.


@dataclass
class _Firefox:
    """The element in a new Firefox for each scan."""

    port: int
    answer: dict[str, Any] = field(default_factory=dict)

    async def scan(self, ticket: Ticket, addresses: Addresses) -> ClientReport:
        server = addresses.web.removesuffix(SCAN_METHOD)
        options = {"server": server, "ticket": to_ticket(ticket.token, ticket.fingerprint), "flash": True}
        job = {"port": self.port, "options": options}
        # Node.js 20 has WebSocket only with this option.
        self.answer = await run_script("firefox", job, options=["--experimental-websocket"])
        return ClientReport(has_result="outcome" in self.answer, said=str(self.answer))


@pytest.mark.skipif(not FIREFOX.exists(), reason="Firefox is not installed (FIREFOX)")
@pytest.mark.parametrize("name", ["success", "flash", "lost-line", "end-too-late"])
async def test_the_element_scans_in_firefox(page_port: int, name: str) -> None:
    firefox = _Firefox(page_port)
    outcomes = await played([name], firefox, origin=f"http://localhost:{page_port}")
    assert (outcomes[name].verdict, outcomes[name].detail) == (Verdict.PASSED, ""), firefox.answer
    assert firefox.answer["width"] > 0
    assert "Firefox/" in firefox.answer["agent"]
    assert ("outcome" in firefox.answer) == (name != "end-too-late")
