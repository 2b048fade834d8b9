"""The Kotlin SDK keeps every rule of ``facegate conformance``, over gRPC and over WebSocket."""

import asyncio
import json
import ssl
from dataclasses import dataclass

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

from facegate_client import certificate_spki_sha256
from lab.conformance.clients import ClientReport
from lab.conformance.conductor import Conductor
from lab.conformance.endpoint import Addresses, Certificate, listening
from lab.conformance.opening import Ticket
from lab.tests.conformance.playing import BY_NAME, SLOW, failures, played, played_at_once
from server.edge.listeners import SCAN_METHOD
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


@dataclass(frozen=True)
class _Tls:
    """A server's certificate, and the authority that signed it."""

    certificate: Certificate
    authority: str

    @classmethod
    def issued(cls, name: str) -> "_Tls":
        authority = trustme.CA()
        issued = authority.issue_cert(name)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(["h2", "http/1.1"])
        issued.configure_cert(context)
        certificate = Certificate(pem=issued.private_key_and_cert_chain_pem.bytes(), context=context)
        return cls(certificate, authority.cert_pem.bytes().decode())


@pytest.mark.parametrize("web", [False, True], ids=["gRPC", "WebSocket"])
async def test_it_scans_over_tls_and_states_the_key_of_the_servers_certificate_by_grpc(web: bool) -> None:
    tls = _Tls.issued("127.0.0.1")
    ticket = Ticket(
        token="conformance-token",
        private_key=ec.generate_private_key(ec.SECP256R1()),
        server_spki_sha256=certificate_spki_sha256(tls.certificate.pem),
    )
    conductor = Conductor(ticket, wait_s=60.0)
    serving = listening(conductor.add_stream, certificate=tls.certificate, origins=[_ORIGIN])
    async with kotlin() as process, serving as addresses:
        client = _Client(process, web=web, certificate=tls.authority)
        names = ("success", "lost-line")
        outcomes = [
            outcome async for outcome in conductor.run(map(BY_NAME.__getitem__, names), addresses, client)
        ]
    assert failures({outcome.scenario.name: outcome for outcome in outcomes}) == {}


@pytest.mark.parametrize("web", [False, True], ids=["gRPC", "WebSocket"])
@pytest.mark.parametrize("other", ["authority", "host"])
async def test_it_says_nothing_to_a_server_with_another_certificate(web: bool, other: str) -> None:
    tls = _Tls.issued("127.0.0.1" if other == "authority" else "other.example")
    trusted = _Tls.issued("127.0.0.1").authority if other == "authority" else tls.authority
    said = bytearray()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(4096):
                said.extend(data)
        except OSError:
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls.certificate.context)
    port = listener.sockets[0].getsockname()[1]
    server = {"web": f"wss://127.0.0.1:{port}", "origin": _ORIGIN} if web else {"grpc": f"127.0.0.1:{port}"}
    async with kotlin() as process:
        answer = await process.scan(**server, certificate=trusted, token="token", key="00" * 32)
    listener.close()
    assert answer["error"] == "ConnectionFailedException", answer
    assert said == b""


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
