"""The same scenarios over WebSocket, with the reference client on a page's transport."""

from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from facegate.v1 import verification_service_pb2_grpc as service_pb2_grpc

from cli.conformance.clients import ClientReport, ReferenceClient
from cli.conformance.endpoint import Addresses
from cli.conformance.opening import Ticket
from server.edge.listeners import SCAN_METHOD
from tests.cli.conformance.playing import failures, played
from tests.server.web_call import WebCall, WebStub

_ORIGIN = "https://shop.example"
_QUICK = ("success", "lost-line", "refused")
_OTHERS = (
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


@pytest.mark.parametrize("names", [_QUICK, pytest.param(_OTHERS, marks=pytest.mark.slow)])
async def test_a_page_passes_over_websocket(names: tuple[str, ...]) -> None:
    outcomes = await played(names, _PageClient(), origin=_ORIGIN)
    assert failures(outcomes) == {}
    assert {one.transport for one in outcomes.values()} == {"WebSocket"}
