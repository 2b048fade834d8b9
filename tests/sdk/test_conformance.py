"""The Kotlin SDK keeps every rule of ``facegate conformance``, over gRPC and over WebSocket."""

import json

import pytest

from cli.conformance.clients import ClientReport
from cli.conformance.endpoint import Addresses
from cli.conformance.opening import Ticket
from server.edge.listeners import SCAN_METHOD
from tests.cli.conformance.playing import BY_NAME, SLOW, failures, played, played_at_once
from tests.sdk.conftest import KotlinClient, kotlin

pytestmark = pytest.mark.slow

_ORIGIN = "http://localhost:5173"
_SCANS_AT_ONCE = 4
_RATED = ("success", "highest-rate")
"""These need 8 frames a second, which a process with several scans at once may not have the processors for."""


class _Client:
    def __init__(self, client: KotlinClient, *, web: bool) -> None:
        self._client = client
        self._web = web

    async def scan(self, ticket: Ticket, addresses: Addresses) -> ClientReport:
        server = {"web": addresses.web.removesuffix(SCAN_METHOD), "origin": _ORIGIN}
        answer = await self._client.scan(
            **(server if self._web else {"grpc": addresses.device}),
            token=ticket.token,
            key=ticket.fingerprint.hex(),
            flash=True,
        )
        assert answer["silentMs"] < 3000, answer
        assert answer["heldFrames"] == 0
        return ClientReport(has_result="outcome" in answer, said=json.dumps(answer))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("web", [False, True], ids=["gRPC", "WebSocket"])
async def test_it_passes_every_scenario(web: bool) -> None:
    quick = [name for name in BY_NAME if name not in {*SLOW, *_RATED}]
    async with kotlin() as process:
        client = _Client(process, web=web)
        outcomes = await played(_RATED, client, origin=_ORIGIN)
        outcomes |= await played_at_once(
            [*SLOW, *quick], client, servers=_SCANS_AT_ONCE, origin=_ORIGIN
        )
    assert failures(outcomes) == {}
    assert outcomes.keys() == set(BY_NAME)
    assert {outcome.transport for outcome in outcomes.values()} == {"WebSocket" if web else "gRPC"}
