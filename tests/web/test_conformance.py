"""The browser's SDK, in Chromium, keeps every rule of ``facegate conformance``."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from cli.conformance.clients import ClientReport
from cli.conformance.conductor import Verdict
from cli.conformance.endpoint import Addresses
from cli.conformance.opening import Ticket
from server.edge.listeners import SCAN_METHOD
from tests.cli.conformance.playing import BY_NAME, played
from tests.web.conftest import SDK, to_ticket

pytestmark = pytest.mark.slow

_TRANSPORT = "WebSocket"


class _PageClient:
    """The element in one Chromium, with the camera that Chromium draws."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def scan(self, ticket: Ticket, addresses: Addresses) -> ClientReport:
        answer = await self._made(
            {
                "server": addresses.web.removesuffix(SCAN_METHOD),
                "ticket": to_ticket(ticket.token, ticket.fingerprint),
                "flash": True,
            }
        )
        return ClientReport(has_result="outcome" in answer, said=json.dumps(answer))

    async def _made(self, options: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(options).encode() + b"\n")
        await self._process.stdin.drain()
        answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(page_port: int) -> AsyncIterator[_PageClient]:
    process = await asyncio.create_subprocess_exec(
        "node",
        str(SDK / "e2e" / "conformance.mjs"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"port": page_port}).encode() + b"\n")
    yield _PageClient(process)
    process.stdin.close()
    async with asyncio.timeout(20):
        await process.wait()


@pytest.mark.parametrize("name", BY_NAME)
async def test_a_page_passes(client: _PageClient, page_port: int, name: str) -> None:
    outcomes = await played([name], client, origin=f"http://localhost:{page_port}")
    outcome = outcomes[name]
    assert (outcome.verdict, outcome.detail) == (Verdict.PASSED, "")
    assert outcome.transport == _TRANSPORT
