"""Channels, calls, and what is sent on them."""

import asyncio
import hashlib
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from facegate.v1 import analysis_service_pb2_grpc, scan_pb2, verification_service_pb2_grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from hypothesis import given
from hypothesis import strategies as st

from facegate_client import (
    AnalysisClient,
    ApiKey,
    CallRefusedError,
    ConnectionFailedError,
    CredentialsError,
    FaceScanner,
    Orchestrator,
    ReconnectPolicy,
    ScanTicket,
    StreamLostError,
    TlsSettings,
    certificate_spki_sha256,
    generated_source,
    is_loopback,
    open_channel,
    server_spki_sha256,
)
from facegate_client.attempt import SendGate, StopSignal
from facegate_client.stream_call import StreamCall
from tests.client.fake_server import FakeServer, serving
from tests.client.fakes import FAST, cutting, pictures, scanned


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def leaf(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("localhost", "127.0.0.1")


def _server(leaf: trustme.LeafCert, clients: trustme.CA | None = None) -> grpc.ServerCredentials:
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    return grpc.ssl_server_credentials(
        [(leaf.private_key_pem.bytes(), chain)],
        root_certificates=clients.cert_pem.bytes() if clients else None,
        require_client_auth=clients is not None,
    )


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("127.0.0.1:1", True),
        ("127.8.9.1:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("10.0.0.1:1", False),
        ("0.0.0.0:1", False),
        ("localhost.example:1", False),
        ("example.org:1", False),
    ],
)
def test_loopback_is_distinguished(target: str, expected: bool) -> None:
    assert is_loopback(target) == expected


@pytest.mark.parametrize(
    "target",
    [
        "",
        "localhost",
        ":1",
        "localhost:",
        "localhost:http",
        "localhost:-1",
        "localhost:65536",
        "http://localhost:1",
        "a b:1",
        "a\r\nb:1",
    ],
)
async def test_anything_but_a_host_and_port_is_refused(target: str) -> None:
    with pytest.raises(CredentialsError, match="is not host:port: give"):
        open_channel(target)


async def test_plaintext_is_for_loopback_only() -> None:
    with pytest.raises(CredentialsError, match="loopback"):
        open_channel("example.org:443")
    assert await server_spki_sha256("127.0.0.1:1", None) == b""


async def test_a_scan_over_tls_states_the_server_key(authority: trustme.CA, leaf: trustme.LeafCert) -> None:
    fake, tls = FakeServer(), TlsSettings(root_certificates=authority.cert_pem.bytes())
    async with serving(fake, _server(leaf)) as target:
        spki = await server_spki_sha256(target, tls)
        await scanned(fake, target=target, tls=tls, server_spki_sha256=spki)
    certificate = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
    der = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert fake.starts[0].server_spki_sha256 == spki == hashlib.sha256(der).digest()


@pytest.mark.usefixtures("short_waits")
async def test_mutual_tls_is_spoken(authority: trustme.CA, leaf: trustme.LeafCert) -> None:
    fake, own = FakeServer(), authority.issue_cert("orchestrator.example")
    roots = authority.cert_pem.bytes()
    tls = TlsSettings(
        root_certificates=roots,
        client_certificate=b"".join(blob.bytes() for blob in own.cert_chain_pems),
        client_key=own.private_key_pem.bytes(),
    )
    async with serving(fake, _server(leaf, authority)) as target:
        async with open_channel(target, tls=tls) as channel:
            await Orchestrator(channel=channel).upload_trusted_image(b"1")
        async with open_channel(target, tls=TlsSettings(root_certificates=roots)) as channel:
            with pytest.raises(ConnectionFailedError):
                await Orchestrator(channel=channel).upload_trusted_image(b"1", timeout_s=60)
    assert len(fake.uploads) == 1


@pytest.mark.usefixtures("short_waits")
async def test_foreign_authority_is_not_trusted(leaf: trustme.LeafCert) -> None:
    tls = TlsSettings(root_certificates=trustme.CA().cert_pem.bytes())
    async with serving(FakeServer(), _server(leaf)) as target:
        with pytest.raises(ConnectionFailedError):
            await server_spki_sha256(target, tls)
        async with open_channel(target, tls=tls) as channel:
            with pytest.raises(ConnectionFailedError):
                await Orchestrator(channel=channel).upload_trusted_image(b"1", timeout_s=60)


async def test_expected_name_may_differ_from_the_address(authority: trustme.CA) -> None:
    leaf = authority.issue_cert("scan.example")
    roots = authority.cert_pem.bytes()
    fake = FakeServer()
    async with serving(fake, _server(leaf)) as target:
        named = TlsSettings(root_certificates=roots, server_name="scan.example")
        assert len(await server_spki_sha256(target, named)) == 32
        async with open_channel(target, tls=named) as channel:
            await Orchestrator(channel=channel).upload_trusted_image(b"1")
        with pytest.raises(ConnectionFailedError):
            await server_spki_sha256(target, TlsSettings(root_certificates=roots))


async def test_slow_network_is_waited_for() -> None:
    fake = FakeServer()
    async with (
        serving(fake) as target,
        cutting(target, silent_s=1.0) as (proxy, through),
        open_channel(through) as channel,
    ):
        await Orchestrator(channel=channel).upload_trusted_image(b"1")
    assert proxy.connections == 1
    assert len(fake.uploads) == 1


async def test_unreadable_authorities_are_refused() -> None:
    with pytest.raises(CredentialsError):
        await server_spki_sha256("127.0.0.1:1", TlsSettings(root_certificates=b"no pem"))


def test_fingerprint_is_the_same_from_pem_and_der(leaf: trustme.LeafCert) -> None:
    pem = leaf.cert_chain_pems[0].bytes()
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    assert certificate_spki_sha256(pem) == certificate_spki_sha256(der)
    with pytest.raises(CredentialsError):
        certificate_spki_sha256(b"neither")


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(CredentialsError):
        TlsSettings(client_certificate=b"pem")


@pytest.mark.parametrize("value", ["", "a b", "a\nb", "ü", "\x7f"])
def test_api_key_that_cannot_travel_is_refused(value: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        ApiKey(value)
    assert not value or value not in str(caught.value) or value == "a"


def test_api_key_is_never_shown() -> None:
    assert "secret" not in repr(ApiKey("secret"))


# Calls whose tasks are cancelled, and calls that the server refuses while a message is on its way.
#
# The server is grpc's of threads: it answers while the client's event loop stands still.

_Handler = Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]

_LARGE = b"x" * 300_000
"""More than a call's flow control window: it is on its way until the server reads it."""
_OPTIONS = (("grpc.http2.bdp_probe", 0),)
"""As the real listeners have it, so that the window does not grow."""
_CALLS = 20


def _stand_still(seconds: float) -> None:
    """Keep the event loop from working, as a busy machine does."""
    time.sleep(seconds)


@asynccontextmanager
async def _serving_by_threads(add: Callable[[grpc.Server], None]) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server with the services that ``add`` gives it."""
    server = grpc.server(ThreadPoolExecutor(_CALLS), options=_OPTIONS)
    add(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        async with open_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await asyncio.to_thread(server.stop(0).wait)


@asynccontextmanager
async def _calling(handler: _Handler) -> AsyncIterator[Callable[[], StreamCall[bytes, bytes]]]:
    """Yield a function that opens a call to ``handler``."""
    handlers: dict[str, Any] = {"Talk": grpc.stream_stream_rpc_method_handler(handler)}
    generic = grpc.method_handlers_generic_handler("Test", handlers)
    async with _serving_by_threads(lambda server: server.add_generic_rpc_handlers([generic])) as channel:
        talk: Any = channel.stream_stream("/Test/Talk")
        yield lambda: StreamCall(talk())


async def test_a_call_outlives_a_task_that_is_cancelled_while_it_sends() -> None:
    reads = threading.Event()

    def echo(requests: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"open"
        reads.wait(60)
        yield from requests

    async with _calling(echo) as call:
        calls = [call() for _ in range(_CALLS)]
        for stream in calls:
            sending = asyncio.create_task(stream.send(_LARGE))
            assert await stream.receive() == b"open"
            assert not sending.done()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
        reads.set()
        for stream in calls:
            await stream.send(b"after it")
            await stream.half_close()
            assert [await stream.receive() for _ in range(3)] == [_LARGE, b"after it", None]


async def test_a_message_is_not_lost_with_the_task_that_waited_for_it() -> None:
    answers = threading.Event()

    def answer(_: Iterator[bytes], __: grpc.ServicerContext) -> Iterator[bytes]:
        answers.wait(60)
        yield b"one"
        yield b"two"

    async with _calling(answer) as call:
        stream = call()
        waiting = asyncio.create_task(stream.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        answers.set()
        assert [await stream.receive() for _ in range(4)] == [b"one", b"two", None, None]


async def test_the_status_of_a_call_that_is_refused_while_it_sends_is_the_servers() -> None:
    def refuse(_: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"goodbye"
        context.set_trailing_metadata((("why", "test"),))
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "refused")

    async with _calling(refuse) as call:
        failed, pause_s = 0, 0.02
        for _ in range(_CALLS):
            stream = call()
            await stream._call.wait_for_connection()
            # The whole answer arrives, and Python does not know it yet.
            _stand_still(pause_s)
            try:
                await stream.send(b"a message")
            except StreamLostError:
                failed += 1
            # On a busy machine, the answer takes longer.
            pause_s = 0.02 if failed else min(1.5 * pause_s, 4.0)
            assert await stream.receive() == b"goodbye"
            for _ in range(2):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stream.receive()
                assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
                assert ("why", "test") in tuple(caught.value.trailing_metadata() or ())
        assert failed > 0, "no message was on its way"


async def test_a_call_that_this_side_cancelled_is_over() -> None:
    def never(requests: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        yield from requests

    async with _calling(never) as call:
        stream = call()
        receiving = asyncio.create_task(stream.receive())
        await stream._call.wait_for_connection()
        stream.cancel()
        with pytest.raises(StreamLostError):
            await receiving
        with pytest.raises(StreamLostError):
            await stream.send(b"")
        with pytest.raises(StreamLostError):
            await stream.receive()


class _Refusing:
    """Refuses every call before it reads anything."""

    def __getattr__(self, name: str) -> Any:
        return _refuse


def _refuse(_: Any, context: grpc.ServicerContext) -> None:
    status = status_pb2.Status(code=code_pb2.PERMISSION_DENIED, message="refused by the test")
    status.details.add().Pack(error_details_pb2.ErrorInfo(domain="facegate.org", reason="PERMISSION_DENIED"))
    context.abort_with_status(rpc_status.to_status(status))


def _add_refusing(server: grpc.Server) -> None:
    refusing: Any = _Refusing()
    verification_service_pb2_grpc.add_VerificationServiceServicer_to_server(refusing, server)
    analysis_service_pb2_grpc.add_AnalysisServiceServicer_to_server(refusing, server)


async def _be_late() -> None:
    """Make the event loop late for every event."""
    while True:
        _stand_still(0.02)
        await asyncio.sleep(0)


async def test_a_refused_scan_is_never_reported_as_an_internal_error() -> None:
    async with _serving_by_threads(_add_refusing) as channel:
        late = asyncio.create_task(_be_late())
        try:
            for _ in range(5):
                scanner = FaceScanner(
                    channel=channel,
                    ticket=ScanTicket(token="t", challenge_key_sha256=bytes(32)),
                    source=generated_source(pictures(1), pace="fast"),
                    settings=replace(FAST, reconnect=ReconnectPolicy(limit=0, first_limit=0)),
                )
                with pytest.raises(CallRefusedError) as caught:
                    await scanner.scan()
                assert caught.value.refusal.reason == "PERMISSION_DENIED"
        finally:
            late.cancel()


async def test_a_refused_upload_is_never_reported_as_an_internal_error() -> None:
    """Of 1,000 uploads, grpc.aio reports about five as INTERNAL."""
    async with _serving_by_threads(_add_refusing) as channel:
        client = AnalysisClient(channel=channel)
        for _ in range(200):
            uploads = (client.analyze_frames([bytes(20_000)] * 5) for _ in range(5))
            for error in await asyncio.gather(*uploads, return_exceptions=True):
                assert isinstance(error, CallRefusedError), error
                assert error.refusal.reason == "PERMISSION_DENIED"


Cause = scan_pb2.AttemptEndBody
steps = st.lists(
    st.one_of(
        st.tuples(st.just("credit"), st.integers(0, 5), st.integers(0, 5000)),
        st.tuples(st.just("send"), st.integers(1, 3000), st.just(0)),
        st.tuples(st.just("pause"), st.integers(0, 1), st.just(0)),
    ),
    max_size=40,
)


@given(steps)
def test_never_more_is_sent_than_was_granted(sequence: list[tuple[str, int, int]]) -> None:
    gate = SendGate(scan_pb2.Credit(frames=2, bytes=2000))
    frames, size, paused = 2, 2000, False
    for kind, first, second in sequence:
        if kind == "credit":
            gate.add(scan_pb2.Credit(frames=first, bytes=second))
            frames, size = frames + first, size + second
        elif kind == "pause":
            gate.pause(bool(first))
            paused = bool(first)
        else:
            allowed = not paused and frames >= 1 and size >= first
            assert gate.has_room(first) == allowed
            assert gate.take_credit(first) == allowed
            if allowed:
                frames, size = frames - 1, size - first


async def test_waiting_ends_with_credit() -> None:
    gate, stop = SendGate(scan_pb2.Credit()), StopSignal()
    waiting = asyncio.create_task(gate.wait_for_room(100, stop))
    gate.add(scan_pb2.Credit(frames=1, bytes=99))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    gate.add(scan_pb2.Credit(bytes=1))
    assert await waiting
    assert gate.take_credit(100)


async def test_waiting_lasts_over_a_pause() -> None:
    gate, stop = SendGate(scan_pb2.Credit(frames=1, bytes=10)), StopSignal()
    gate.pause(True)
    waiting = asyncio.create_task(gate.wait_for_room(1, stop))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    gate.pause(False)
    assert await waiting


def test_first_cause_stays() -> None:
    stop = StopSignal()
    assert not stop.is_set
    stop.set(Cause.CAUSE_CANCELLED)
    stop.set(Cause.CAUSE_COMPLETE)
    assert stop.cause == Cause.CAUSE_CANCELLED
