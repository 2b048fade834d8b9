"""The listeners: their methods and permissions, and the one for pages."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import aiohttp
import grpc
import pytest
import pytest_asyncio
import trustme
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from grpc_health.v1 import health_pb2
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from server.base.errors import Reason, Refusal
from server.configuration.settings import Tls, WebListener
from server.edge.device_servicer import DeviceServicer
from server.edge.listeners import SCAN_METHOD, SCOPES, SERVICES, Health
from server.edge.scan_codec import MAX_SCAN_MESSAGE_BYTES
from server.edge.web_listener import SUBPROTOCOL, RefusedOrigins
from server.edge.web_listener import WebListener as WebPort
from server.telemetry.metrics import Metrics
from tests.server.live import (
    OTHER_ORIGIN,
    PAGE_ORIGIN,
    LiveServer,
    fresh_pictures,
    over_web,
    pictures,
    serving,
    settings_for,
    until,
)
from tests.server.raw_device import RawDevice, RawStream
from tests.server.web_call import WebCall

# The methods of the listeners, and their required permissions.


def test_every_method_but_those_of_devices_needs_a_scope() -> None:
    # A method without one is open to every known caller, whatever its role.
    contract = {
        f"/{service.full_name}/{method.name}"
        for service in SERVICES
        for method in service.methods
        if not hasattr(DeviceServicer, method.name)
    }
    assert contract == set(SCOPES)


_Status = health_pb2.HealthCheckResponse


class _Watcher:
    """A context that records the messages written to it."""

    def __init__(self) -> None:
        self.statuses: asyncio.Queue[int] = asyncio.Queue()

    async def write(self, state: health_pb2.HealthCheckResponse) -> None:
        self.statuses.put_nowait(state.status)


def _request(service: str = "") -> health_pb2.HealthCheckRequest:
    return health_pb2.HealthCheckRequest(service=service)


async def test_health_is_not_serving_before_the_start() -> None:
    health, nothing = Health(["a.Service"]), SimpleNamespace()
    context: Any = nothing
    for service in ("", "a.Service"):
        assert (await health.Check(_request(service), context)).status == _Status.NOT_SERVING
    health.set_serving(serving=True)
    for service in ("", "a.Service"):
        assert (await health.Check(_request(service), context)).status == _Status.SERVING


async def test_every_change_is_reported() -> None:
    health, watcher = Health([]), _Watcher()
    context: Any = watcher
    watching = asyncio.create_task(health.Watch(_request(), context))
    statuses = [await watcher.statuses.get()]
    for serves in (True, False):
        health.set_serving(serving=serves)
        statuses.append(await watcher.statuses.get())
    assert statuses == [_Status.NOT_SERVING, _Status.SERVING, _Status.NOT_SERVING]
    watching.cancel()


async def test_a_service_that_is_not_here_is_unknown() -> None:
    watcher = _Watcher()
    context: Any = watcher
    watching = asyncio.create_task(Health([]).Watch(_request("other"), context))
    assert await watcher.statuses.get() == _Status.SERVICE_UNKNOWN
    watching.cancel()


async def test_the_oldest_watch_gives_way() -> None:
    health = Health([], most_watches=2)
    watchers = [_Watcher() for _ in range(3)]
    tasks = []
    for watcher in watchers:
        context: Any = watcher
        tasks.append(asyncio.create_task(health.Watch(_request(), context)))
        await watcher.statuses.get()
    with pytest.raises(Refusal) as caught:
        await tasks[0]
    assert caught.value.reason is Reason.OVERLOADED
    health.set_serving(serving=True)
    for watcher in watchers[1:]:
        assert await watcher.statuses.get() == _Status.SERVING
    for task in tasks[1:]:
        task.cancel()


async def test_a_watcher_that_reads_nothing_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.edge.listeners._WRITE_SECONDS", 0.05)

    class Deaf:
        async def write(self, _state: object) -> None:
            await asyncio.Event().wait()

    health, watcher = Health([]), _Watcher()
    deaf: Any = Deaf()
    context: Any = watcher
    stuck = asyncio.create_task(health.Watch(_request(), deaf))
    watching = asyncio.create_task(health.Watch(_request(), context))
    assert await watcher.statuses.get() == _Status.NOT_SERVING
    health.set_serving(serving=True)
    assert await watcher.statuses.get() == _Status.SERVING
    with pytest.raises(Refusal) as caught:
        await stuck
    assert caught.value.reason is Reason.STREAM_IDLE
    watching.cancel()


# The web listener: who may open a stream, how it ends, and that a scan over it is the same scan.


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def paged(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    async with serving(settings_for(tmp_path_factory.mktemp("server"), web=True)) as live:
        yield live


def web_call(live: LiveServer) -> WebCall:
    """A stream on which nothing has been sent."""
    assert live.web is not None
    return live.web.ScanFace()


async def read_all(call: WebCall) -> None:
    """Read until the end of a stream."""
    while await call.read() is not grpc.aio.EOF:
        pass


def web_port(*, max_connections: int, metrics: Metrics) -> WebPort:
    """A listener without a server, for pages of one origin."""
    return WebPort(
        host="127.0.0.1",
        port=0,
        tls=None,
        origins=[PAGE_ORIGIN],
        max_message_bytes=1024,
        max_connections=max_connections,
        serve=AsyncMock(),
        idle=AsyncMock(),
        metrics=metrics,
    )


async def handshake(live: LiveServer, *, query: str = "", **headers: str) -> int:
    """The HTTP status of a handshake."""
    url = f"http://{live.server.web_target}{SCAN_METHOD}{query}"
    wanted = {"Origin": PAGE_ORIGIN, "Sec-WebSocket-Protocol": SUBPROTOCOL} | headers
    async with aiohttp.ClientSession() as session:
        try:
            socket = await session.ws_connect(url, headers={k: v for k, v in wanted.items() if v})
        except aiohttp.WSServerHandshakeError as error:
            return error.status
        await socket.close()
        return 101


async def _succeeds(live: LiveServer, stream: RawStream, check_id: str) -> None:
    """Scan the person of the check."""
    await stream.run_attempt(fresh_pictures())
    assert await stream.outcome() is None
    assert (await live.finish(check_id)).result.status == result_pb2.CHECK_STATUS_SUCCESS


async def test_a_whole_scan_succeeds_over_a_web_socket(paged: LiveServer) -> None:
    upload = await paged.upload()
    async with over_web(paged) as web:
        stream = await RawDevice(web.device, upload).open()
        await _succeeds(paged, stream, upload.check_id)


async def test_a_refusal_has_the_same_details_as_over_grpc(paged: LiveServer) -> None:
    upload = await paged.upload()
    forged = service_pb2.UploadTrustedImageResponse(check_id=upload.check_id, scan_token="A" * 71)
    over_grpc = await RawDevice(paged.device, forged).refusal()
    async with over_web(paged) as web:
        answer = await RawDevice(web.device, forged).refusal()
    assert answer == over_grpc
    assert answer.code is grpc.StatusCode.UNAUTHENTICATED
    assert answer.reason == "TOKEN_INVALID"


async def test_a_lost_connection_is_resumed_over_either_transport(paged: LiveServer) -> None:
    upload = await paged.upload(policy="resumable")
    async with over_web(paged) as web:
        device = RawDevice(web.device, upload)
        lost = await device.open()
        await lost.begin()
        await lost.send_frames(pictures()[:2])
        await lost.taken(2)
        lost.call.cancel()
        await paged.unattended()
        device.rebind(paged.device)
        over_grpc = await device.resume()
        await over_grpc.begin()
        over_grpc.call.cancel()
        await paged.unattended()
        device.rebind(web.device)
        stream = await device.resume()
        await _succeeds(paged, stream, upload.check_id)


async def test_a_newer_stream_ends_the_older_one_of_the_other_transport(paged: LiveServer) -> None:
    upload = await paged.upload(policy="resumable")
    async with over_web(paged) as web:
        device = RawDevice(web.device, upload)
        older = await device.open()
        await older.begin()
        device.rebind(paged.device)
        newer = await device.resume()
        refusal = await older.refusal()
        assert refusal.reason == "SUPERSEDED"
        assert refusal.code is grpc.StatusCode.ABORTED
        newer.call.cancel()
    await paged.unattended()


async def test_a_policy_may_allow_fewer_pages_than_the_server(paged: LiveServer) -> None:
    upload = await paged.upload(policy="one-page")
    async with over_web(paged, origin=OTHER_ORIGIN) as other:
        refusal = await RawDevice(other.device, upload).refusal()
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ORIGIN_NOT_ALLOWED")
    assert refusal.metadata == {"origin": OTHER_ORIGIN}
    # Nothing is used up, nor bound to the refused page's key.
    async with over_web(paged) as web:
        stream = await RawDevice(web.device, upload).open()
        await stream.begin()
        stream.call.cancel()
    await paged.unattended()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 101),
        ({"Origin": ""}, 403),
        ({"Origin": "https://localhost:5173"}, 403),
        ({"Origin": PAGE_ORIGIN.upper()}, 403),
        ({"Origin": f"{PAGE_ORIGIN}, {PAGE_ORIGIN}"}, 403),
        ({"Sec-WebSocket-Protocol": ""}, 400),
        ({"Sec-WebSocket-Protocol": "facegate.v2"}, 400),
        ({"Sec-WebSocket-Protocol": f"chat, {SUBPROTOCOL}"}, 101),
        ({"query": "?token=secret"}, 400),
    ],
)
async def test_only_listed_pages_open_streams(paged: LiveServer, change: dict[str, str], status: int) -> None:
    assert await handshake(paged, **change) == status
    await paged.unattended()


async def test_a_refused_origin_is_logged_once_and_counted() -> None:
    registry = CollectorRegistry()
    listener = web_port(max_connections=8, metrics=Metrics(registry))
    await listener.start()
    try:
        url = f"http://{listener.target}{SCAN_METHOD}"
        with capture_logs() as logs:
            async with aiohttp.ClientSession() as session:
                for _ in range(3):
                    async with session.get(url, headers={"Origin": OTHER_ORIGIN}) as answer:
                        assert answer.status == 403
        # The server of other tests may write a checkpoint meanwhile.
        refused = [line["origin"] for line in logs if line["event"] == "origin_refused"]
        assert refused == [OTHER_ORIGIN]
        reason = {"reason": "ORIGIN_NOT_ALLOWED"}
        assert registry.get_sample_value("facegate_refusals_total", reason) == 3
    finally:
        await listener.stop(0)


async def test_the_port_serves_nothing_else(paged: LiveServer) -> None:
    address, headers = f"http://{paged.server.web_target}", {"Origin": PAGE_ORIGIN}
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/metrics", f"{SCAN_METHOD}/", "/.well-known/jwks.json"):
            async with session.get(address + path, headers=headers) as answer:
                assert answer.status == 404, path


@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        ("hello", 4000 + 3, "INVALID_FIELD"),
        (b"\xff\xff\xff", 4000 + 3, "INVALID_FIELD"),
        # A stranger may not send a large message.
        (bytes(40_000), aiohttp.WSCloseCode.ABNORMAL_CLOSURE, None),
    ],
    ids=["text", "no message", "too large"],
)
async def test_a_stream_that_does_not_begin_with_a_message_is_closed(
    paged: LiveServer, sent: str | bytes, code: int, reason: str | None
) -> None:
    async with over_web(paged) as web:
        call = web_call(web)
        socket = await call.socket()
        if isinstance(sent, str):
            await socket.send_str(sent)
        else:
            await socket.send_bytes(sent)
        with pytest.raises(grpc.RpcError):
            await call.read()
        assert call.close_code == code
        if reason is not None:
            assert call.close_reason == reason


async def test_a_stream_that_does_not_begin_is_closed_over_either_transport(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, web=True)
    async with serving(settings, patient=False) as live, over_web(live) as web:
        silent = RawDevice(live.device, await live.upload()).connect()
        call = web_call(web)
        await call.socket()
        with pytest.raises(grpc.RpcError):
            await call.read()
        assert (call.close_code, call.close_reason) == (4000 + 4, "STREAM_IDLE")
        refusal = await silent.refusal()
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "STREAM_IDLE")


async def test_a_message_that_is_too_large_is_not_read(paged: LiveServer) -> None:
    upload = await paged.upload()
    async with over_web(paged) as web:
        stream = await RawDevice(web.device, upload).open()
        call = stream.call
        assert isinstance(call, WebCall)
        await (await call.socket()).send_bytes(bytes(MAX_SCAN_MESSAGE_BYTES + 1))
        with pytest.raises(grpc.RpcError):
            await read_all(call)
        assert call.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_a_half_close_before_the_first_message_is_no_error(paged: LiveServer) -> None:
    async with over_web(paged) as web:
        call = web_call(web)
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF


async def test_a_flood_of_pings_ends_the_stream(paged: LiveServer) -> None:
    upload = await paged.upload()
    async with over_web(paged) as web:
        stream = await RawDevice(web.device, upload).open()
        call = stream.call
        assert isinstance(call, WebCall)
        socket = await call.socket()
        for _ in range(100):
            await socket.ping()
        refusal = await stream.refusal()
        assert refusal.reason == "UNEXPECTED_MESSAGE"


@pytest.mark.parametrize("headers", [0, 12], ids=["slow", "too many"])
async def test_a_connection_that_sends_no_request_is_closed(
    monkeypatch: pytest.MonkeyPatch, headers: int
) -> None:
    monkeypatch.setattr("server.edge.web_listener._HANDSHAKE_SECONDS", 0.2)
    listener = web_port(max_connections=2, metrics=Metrics(CollectorRegistry()))
    await listener.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        many = f"X-Many: {'x' * 4_000}\r\n" * headers
        writer.write(f"GET / HTTP/1.1\r\nHost: x\r\n{many}X-Slow: ".encode())
        with suppress(ConnectionResetError):
            async with asyncio.timeout(60):
                assert await reader.read() == b""
        writer.close()
    finally:
        await listener.stop(0)


async def test_a_first_message_beside_its_handshake_is_limited_too(paged: LiveServer) -> None:
    host, port = str(paged.server.web_target).rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"GET {SCAN_METHOD} HTTP/1.1\r\nHost: x\r\nOrigin: {PAGE_ORIGIN}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
    )
    writer.write(head.encode() + b"\x82\xff" + (40_000).to_bytes(8, "big") + bytes(4 + 40_000))
    with suppress(ConnectionResetError):
        async with asyncio.timeout(60):
            # If the message comes a moment later, the handshake is answered; no stream says why it ends.
            assert (await reader.read())[-4:] in (b"", b"\r\n\r\n")
    writer.close()
    await paged.unattended()


async def test_connections_beyond_the_limit_are_closed_as_they_come() -> None:
    listener = web_port(max_connections=2, metrics=Metrics(CollectorRegistry()))
    await listener.start()
    try:
        held = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(2)]
        for _, writer in held:
            writer.write(f"GET {SCAN_METHOD} HTTP/1.1\r\nHost: x\r\n".encode())
        server = listener._runner.server
        assert server is not None
        await until(lambda: len(server.connections) == 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        with suppress(ConnectionResetError):
            async with asyncio.timeout(60):
                assert await reader.read() == b""
        assert not any(reader.at_eof() for reader, _ in held)
        for one in (writer, *(writer for _, writer in held)):
            one.close()
    finally:
        await listener.stop(0)


async def test_tls_serves_the_certificate_of_the_files_and_reads_them_again(tmp_path: Path) -> None:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    certificate, key = tmp_path / "tls.pem", tmp_path / "tls.key"

    def issue() -> None:
        issued = authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.touch(mode=0o600)
        key.write_bytes(issued.private_key_pem.bytes())

    issue()
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    plain = settings_for(tmp_path, web=True)
    tls = Tls(certificate=certificate, key=key)
    listeners = plain.listeners.model_copy(update={"web": WebListener(port=0, tls=tls)})
    settings = plain.model_copy(update={"listeners": listeners})
    async with serving(settings) as live, aiohttp.ClientSession() as session:
        port = str(live.server.web_target).rsplit(":", 1)[1]

        async def shown() -> bytes:
            socket = await session.ws_connect(
                f"https://localhost:{port}{SCAN_METHOD}",
                protocols=(SUBPROTOCOL,),
                origin=PAGE_ORIGIN,
                ssl=trusted,
            )
            assert socket.protocol == SUBPROTOCOL
            held = socket.get_extra_info("ssl_object").getpeercert(binary_form=True)
            await socket.close()
            assert isinstance(held, bytes)
            return held

        before = await shown()
        # A pair that does not match changes nothing, not even for a moment.
        fitting = key.read_bytes()
        issue()
        new = key.read_bytes()
        key.write_bytes(fitting)
        for _ in range(20):
            assert await shown() == before
            await asyncio.sleep(0.03)
        key.write_bytes(new)

        async def renewed() -> bool:
            return await shown() != before

        await until(renewed)


class _Scene:
    def __init__(self) -> None:
        self.now = datetime(2027, 3, 1, tzinfo=UTC)
        self.refused = RefusedOrigins(lambda: self.now)

    def refuse(self, *origins: str) -> list[tuple[str, int]]:
        """The lines about these refusals: origin and count."""
        with capture_logs() as logs:
            for origin in origins:
                self.refused.log_refusal(origin)
        assert {(line["event"], line["log_level"]) for line in logs} <= {("origin_refused", "warning")}
        assert all("device_integrity.web.origins" in line["remedy"] for line in logs)
        return [(line["origin"], line["count"]) for line in logs]


def test_an_origin_is_named_once_and_then_counted() -> None:
    scene = _Scene()
    one, other = "https://pay.example", "https://www.example"
    assert scene.refuse(one, one, one, other) == [(one, 1), (other, 1)]
    scene.now += timedelta(seconds=61)
    assert scene.refuse(one) == [(one, 2)]
    scene.now += timedelta(seconds=61)
    assert scene.refuse(other) == [(one, 1), (other, 1)]


def test_a_flood_of_origins_is_bounded() -> None:
    scene = _Scene()
    lines = []
    for second in range(600):
        lines += scene.refuse(*(f"https://{second}-{number}.example" for number in range(50)))
        scene.now += timedelta(seconds=1)
    assert len(lines) <= 11 * 9
    assert ("several", 50 * 60 - 8) in lines


@pytest.mark.parametrize("origin", ["", "null", "https://" + "a" * 3000])
def test_an_origin_is_cut(origin: str) -> None:
    assert _Scene().refuse(origin) == [(origin[:200], 1)]
