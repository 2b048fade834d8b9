"""The Kotlin SDK keeps every rule of ``facegate conformance``, over gRPC and over WebSocket."""

import json
import ssl

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

from cli.conformance.clients import ClientReport
from cli.conformance.conductor import Conductor
from cli.conformance.endpoint import Addresses, Certificate, listening
from cli.conformance.opening import Ticket
from facegate_client import certificate_spki_sha256
from server.edge.listeners import SCAN_METHOD
from tests.cli.conformance.playing import BY_NAME, SLOW, failures, played, played_at_once
from tests.sdk.conftest import KotlinClient, kotlin

pytestmark = pytest.mark.slow

_ORIGIN = "http://localhost:5173"
_SCANS_AT_ONCE = 4
_RATED = ("success", "highest-rate")
"""These need 8 frames a second, for which several scans at once may leave too few processors."""


class _Client:
    def __init__(self, client: KotlinClient, *, web: bool, certificate: str | None = None) -> None:
        self._client = client
        self._web = web
        self._tls = {} if certificate is None else {"certificate": certificate}

    async def scan(self, ticket: Ticket, addresses: Addresses) -> ClientReport:
        server = {"web": addresses.web.removesuffix(SCAN_METHOD), "origin": _ORIGIN}
        answer = await self._client.scan(
            **(server if self._web else {"grpc": addresses.device}),
            **self._tls,
            token=ticket.token,
            key=ticket.fingerprint.hex(),
            flash=True,
        )
        assert answer["silentMs"] < 3000, answer
        assert answer["heldFrames"] == 0
        return ClientReport(has_result="outcome" in answer, said=json.dumps(answer))


async def test_it_states_the_key_of_the_servers_certificate() -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued.configure_cert(context)
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    certificate = Certificate(chain=chain, key=issued.private_key_pem.bytes(), context=context)
    ticket = Ticket(
        token="conformance-token",
        private_key=ec.generate_private_key(ec.SECP256R1()),
        server_spki_sha256=certificate_spki_sha256(certificate.chain),
    )
    conductor = Conductor(ticket, wait_s=20.0)
    trusted = authority.cert_pem.bytes().decode()
    async with kotlin() as process, listening(conductor.add_stream, certificate=certificate) as addresses:
        client = _Client(process, web=False, certificate=trusted)
        names = ("success", "lost-line")
        outcomes = [
            outcome async for outcome in conductor.run(map(BY_NAME.__getitem__, names), addresses, client)
        ]
    assert failures({outcome.scenario.name: outcome for outcome in outcomes}) == {}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("web", [False, True], ids=["gRPC", "WebSocket"])
async def test_it_passes_every_scenario(web: bool) -> None:
    quick = [name for name in BY_NAME if name not in {*SLOW, *_RATED}]
    async with kotlin() as process:
        client = _Client(process, web=web)
        outcomes = await played(_RATED, client, origin=_ORIGIN)
        outcomes |= await played_at_once([*SLOW, *quick], client, servers=_SCANS_AT_ONCE, origin=_ORIGIN)
    assert failures(outcomes) == {}
    assert outcomes.keys() == set(BY_NAME)
    assert {outcome.transport for outcome in outcomes.values()} == {"WebSocket" if web else "gRPC"}
