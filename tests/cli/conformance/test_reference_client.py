"""The reference client passes every scenario, also over WebSocket on a page's transport."""

from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from facegate.v1 import verification_service_pb2_grpc as service_pb2_grpc

from cli.conformance.clients import ClientReport, ReferenceClient
from cli.conformance.endpoint import Addresses
from cli.conformance.opening import Ticket
from server.edge.listeners import SCAN_METHOD
from tests.cli.conformance.playing import BY_NAME, SLOW, failures, played, played_at_once
from tests.server.web_call import WebCall, WebStub

_TIMED = ("success", "highest-rate", "pauses", "adjustment", "attempt-duration")
"""The rules of these are about seconds, which a busy machine exceeds."""
_QUICK = [name for name in BY_NAME if name not in {*SLOW, *_TIMED[1:]}]


@pytest.mark.slow
@pytest.mark.alone
async def test_the_reference_client_passes_the_timed_scenarios() -> None:
    outcomes = await played(_TIMED)
    assert failures(outcomes) == {}
    assert outcomes.keys() == set(_TIMED)


@pytest.mark.slow
async def test_the_reference_client_passes_the_quick_scenarios() -> None:
    outcomes = await played_at_once(_QUICK, servers=4)
    assert failures(outcomes) == {}
    assert outcomes.keys() == set(_QUICK)


@pytest.mark.slow
async def test_the_reference_client_passes_the_slow_scenarios() -> None:
    outcomes = await played_at_once(SLOW, servers=len(SLOW))
    assert failures(outcomes) == {}
    assert outcomes.keys() == set(SLOW)


_ORIGIN = "https://shop.example"
_QUICK_OF_A_PAGE = ("success", "lost-line", "refused")
_OTHERS_OF_A_PAGE = (
    "credit-frames",
    "challenge-signature",
    "later-version",
    "lost-before-challenge",
    "proxy-failed",
    "end-without-result",
    "not-serving",
    "superseded",
)


@dataclass(frozen=True, slots=True)
class _PageStub(WebStub):
    calls: list[WebCall] = field(default_factory=list)

    def ScanFace(self, *, timeout: float = 0.0, **_: Any) -> WebCall:
        self.calls.append(WebCall(self))
        return self.calls[-1]

    def close(self) -> None:
        for call in self.calls:
            if call._socket is not None:
                call._socket._response.close()


class _PageClient(ReferenceClient):
    async def scan(self, ticket: Ticket, addresses: Addresses) -> ClientReport:
        async with aiohttp.ClientSession() as session:
            stub = _PageStub(session, addresses.web.removesuffix(SCAN_METHOD), _ORIGIN)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(service_pb2_grpc, "VerificationServiceStub", lambda _channel: stub)
                try:
                    return await super().scan(ticket, addresses)
                finally:
                    stub.close()


@pytest.mark.parametrize("names", [_QUICK_OF_A_PAGE, pytest.param(_OTHERS_OF_A_PAGE, marks=pytest.mark.slow)])
async def test_a_page_passes_over_websocket(names: tuple[str, ...]) -> None:
    outcomes = await played(names, _PageClient(), origin=_ORIGIN)
    assert failures(outcomes) == {}
    assert {one.transport for one in outcomes.values()} == {"WebSocket"}
