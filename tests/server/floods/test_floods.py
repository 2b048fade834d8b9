"""A server with callers of several tenants, of which one calls endlessly."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import sleep
from typing import Any, Final, TypeAlias
from uuid import uuid4

import aiohttp
import grpc
import pytest
from facegate.v1 import analysis_service_pb2 as analysis_pb2
from facegate.v1 import scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from prometheus_client import CollectorRegistry

from facegate_client.stream_call import answer_of
from matcher.portrait import accept_portrait
from matcher.portrait_report import Portrait
from server.edge.listeners import WATCH_METHOD, Listener
from server.running.assembly import Tuning
from server.telemetry.metrics import Metrics
from tests.hostile.refusals import assert_documented
from tests.server.analysis.uploads import genuine, numbered
from tests.server.api_keys import Keyed, write_keys
from tests.server.floods.http2 import Connection, Gone
from tests.server.live import FAST, LiveServer, over_web, pictures, portrait, serving, settings_for, until
from tests.server.models_once import remembering_pack
from tests.server.raw_device import Ended, RawDevice, RawStream
from tests.server.refusals import refusal_of
from vision.face import BgrImage, DetectedFace
from vision.packs.interfaces import FaceDetector

LOUD: Final = "loud"
QUIET: Final = "quiet"
SANDBOX: Final = "quiet-sandbox"
"""A sandbox caller of the quiet tenant."""
_AT_ONCE: Final = 12


@dataclass(frozen=True, slots=True)
class Tenants(Keyed):
    """A server, and the keys of its callers."""

    async def upload(self, caller: str) -> service_pb2.UploadTrustedImageResponse:
        return await self.live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(image=portrait(), request_id=str(uuid4())),
            metadata=self.metadata(caller),
        )


class _Slow:
    """A detector that is slow for each image, like one without a cache, and waits for ``go_on``, if given."""

    def __init__(self, model: FaceDetector, seconds: float, go_on: threading.Event | None) -> None:
        self._model, self._seconds, self._go_on = model, seconds, go_on

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        sleep(self._seconds)
        assert self._go_on is None or self._go_on.wait(60)
        return self._model.detect(image)


@asynccontextmanager
async def tenants(
    folder: Path,
    *,
    detection_seconds: float = 0.0,
    go_on: threading.Event | None = None,
    tuning: Tuning = FAST,
    **tables: Any,
) -> AsyncIterator[Tenants]:
    """Serve until the block ends; ``tables`` are settings."""
    listeners, keys = write_keys(
        folder,
        {
            caller: f'roles = ["orchestrator"]\ntenant = "{caller.partition("-")[0]}"\n'
            f"sandbox = {str(caller == SANDBOX).lower()}"
            for caller in (LOUD, QUIET, SANDBOX)
        },
    )
    pack = remembering_pack()
    pack = replace(pack, detector=_Slow(pack.detector, detection_seconds, go_on))
    settings = settings_for(folder, listeners=listeners, **tables)
    async with serving(settings, pack=pack, tuning=tuning) as live:
        yield Tenants(live, keys)


async def cancelled(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: a call that ends at the same moment may swallow one cancellation."""
    while not all(task.done() for task in tasks):
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=0.5)


@asynccontextmanager
async def calling_on_and_on(call: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Keep twelve calls running, each made anew as soon as it is answered or refused."""

    served = 0

    async def on_and_on() -> None:
        nonlocal served
        while True:
            try:
                await call()
                served += 1
            except grpc.RpcError:
                await asyncio.sleep(0.005)

    loops = [asyncio.create_task(on_and_on()) for _ in range(_AT_ONCE)]
    try:
        await until(lambda: served > 0)
        yield
        assert not any(loop.done() for loop in loops)
    finally:
        await cancelled(loops)


# What callers can hold: connections, streams, and the places of other tenants.

# The resources that unauthenticated callers can hold on a listener, over real sockets.


@asynccontextmanager
async def _listening(*, connections: int = 100) -> AsyncIterator[Listener]:
    listener = Listener(
        name="device",
        host="127.0.0.1",
        port=0,
        credentials=None,
        max_message_bytes=64 * 1024,
        max_connections=connections,
        grace_seconds=1.0,
        servicers=[],
        other="service",
        reflection_enabled=False,
        streaming=True,
        metrics=Metrics(CollectorRegistry()),
    )
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop(0)


async def test_connections_beyond_the_limit_are_closed_as_they_come() -> None:
    async with _listening(connections=2) as listener:
        held = [await Connection.dial(listener.target) for _ in range(2)]
        for connection in held:
            await connection.wait_ready()
        late = await Connection.dial(listener.target)
        await asyncio.wait_for(late.wait_ended(), 60)
        assert not any(connection.ended for connection in held)
        await held.pop().close()
        async with asyncio.timeout(60):
            while True:
                again = await Connection.dial(listener.target)
                try:
                    await again.wait_ready()
                    break
                except ConnectionError:
                    await again.close()
        for connection in (*held, late, again):
            await connection.close()


async def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.edge.listeners._HANDSHAKE_MS", 200)
    async with _listening() as listener:
        host, _, port = listener.target.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        async with asyncio.timeout(60):
            while await reader.read(1000):
                pass
        writer.close()


async def test_health_checks_keep_no_connection_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.edge.listeners._AGE_OF_PHONES_MS", 1_000)
    async with _listening() as listener:
        connection = await Connection.dial(listener.target)
        await connection.wait_ready()
        async with asyncio.timeout(60):
            while not connection.ended:
                await asyncio.sleep(0.2)
                with suppress(ConnectionError, Gone):
                    stream = await connection.call("/grpc.health.v1.Health/Check")
                    await connection.begin_message(stream, 0)
        await connection.close()


async def test_a_message_that_never_ends_is_refused_unread() -> None:
    async with _listening() as listener:
        connection = await Connection.dial(listener.target)
        for method in (
            "facegate.v1.VerificationService/FinishCheck",
            "grpc.health.v1.Health/Nothing",
            "a.B/C",
        ):
            stream = await connection.call(f"/{method}")
            await connection.begin_message(stream, 60_000)
            await asyncio.wait_for(connection.wait_over(stream), 60)
        assert not connection.ended
        await connection.close()


async def test_pings_that_come_too_often_end_the_connection_as_the_pages_state() -> None:
    async with _listening() as listener:
        connection = await Connection.dial(listener.target)
        await connection.wait_ready()
        async with asyncio.timeout(60):
            # One is on time, two are too early.
            for _ in range(3):
                await connection.ping()
            assert not connection.ended
            await connection.ping()
            await connection.wait_ended()
        assert connection.goaway == b"too_many_pings"
        await connection.close()


# Streams that open and send nothing.

SCAN = "/facegate.v1.VerificationService/ScanFace"
_SILENT = 8
_Over: TypeAlias = Callable[[], Awaitable[None]]


@asynccontextmanager
async def _silent_calls(live: LiveServer) -> AsyncIterator[_Over]:
    """Open streams of gRPC and send nothing; yield what waits for their end."""
    attacker = await Connection.dial(live.server.device_target)
    numbers = [await attacker.call(SCAN) for _ in range(_SILENT)]

    async def over() -> None:
        for number in numbers:
            await attacker.wait_over(number)

    yield over
    await attacker.close()


@asynccontextmanager
async def _silent_sockets(live: LiveServer) -> AsyncIterator[_Over]:
    """Open WebSockets and send nothing; yield what waits for their end."""
    async with over_web(live) as paged:
        assert paged.web is not None
        calls = [paged.web.ScanFace() for _ in range(_SILENT)]
        for call in calls:
            await call.socket()

        async def over() -> None:
            for call in calls:
                with pytest.raises(grpc.RpcError):
                    await call.read()
                assert call.close_reason == "STREAM_IDLE"

        yield over


@pytest.mark.parametrize("silent", [_silent_calls, _silent_sockets], ids=["grpc", "web"])
async def test_streams_without_a_token_keep_no_phone_out(
    tmp_path: Path, silent: Callable[[LiveServer], AbstractAsyncContextManager[_Over]]
) -> None:
    settings = settings_for(tmp_path, web=True, limits={"max_scans": 1})
    async with serving(settings) as live, silent(live), over_web(live) as paged:
        forger = RawDevice(paged.device, await live.upload())
        forger.token = "A" * len(forger.token)
        forged = await forger.refusal()
        assert forged.reason == "TOKEN_INVALID"
        for number, stub in enumerate((live.device, paged.device), start=1):
            stream = await RawDevice(stub, await live.upload()).open()
            result = await stream.run_attempt(pictures())
            assert result.attempt == 1, number
            assert await stream.outcome() is None
            await live.unattended()


@pytest.mark.parametrize("silent", [_silent_calls, _silent_sockets], ids=["grpc", "web"])
async def test_streams_that_send_nothing_within_a_second_are_closed(
    tmp_path: Path, silent: Callable[[LiveServer], AbstractAsyncContextManager[_Over]]
) -> None:
    async with serving(settings_for(tmp_path, web=True), patient=False) as live, silent(live) as over:
        async with asyncio.timeout(60):
            await over()
        text = await _metrics(live.server.admin_port)
        sent_away = 'facegate_streams_sent_away_total{awaited="scan_start",cause="too_late"}'
        assert f"{sent_away} {_SILENT}.0" in text
        assert 'facegate_streams_waiting{awaited="scan_start"} 0.0' in text


async def _metrics(port: int) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        return await answer.text()


# One tenant calls endlessly, and all calls of another are served.

_CALLS = 20
_DETECTION_SECONDS = 0.05


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls wait for a place longer than a busy machine needs for those before them."""
    monkeypatch.setattr("server.running.capacity.WAIT_SECONDS", 60.0)


async def _got_through(call: Callable[[], Awaitable[object]]) -> int:
    """The number of twenty sequential calls, each made once, that were served."""
    served = 0
    for _ in range(_CALLS):
        try:
            await call()
            served += 1
        except (grpc.RpcError, Ended) as error:
            print(error)
    return served


async def _upload(served: Tenants, caller: str) -> object:
    return await served.upload(caller)


async def _analyse_image(served: Tenants, caller: str) -> object:
    request = analysis_pb2.AnalyzeImageRequest(image=portrait())
    return await served.live.analysis.AnalyzeImage(request, metadata=served.metadata(caller))


async def _analyse_video(served: Tenants, caller: str) -> object:
    config = analysis_pb2.AnalyzeVideoConfig(kind=analysis_pb2.AnalyzeVideoConfig.KIND_FRAMES)
    messages: list[Any] = [analysis_pb2.AnalyzeVideoRequest(config=config)]
    messages += [analysis_pb2.AnalyzeVideoRequest(frame=frame) for frame in numbered(genuine(8))]
    call = served.live.analysis.AnalyzeVideo(iter(messages), metadata=served.metadata(caller))
    return await answer_of(call)


@pytest.mark.slow
@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("call", "flooder", "seconds"),
    [
        (_upload, LOUD, _DETECTION_SECONDS),
        (_upload, SANDBOX, _DETECTION_SECONDS),
        (_analyse_image, LOUD, _DETECTION_SECONDS),
        pytest.param(_analyse_video, LOUD, 0.0, marks=pytest.mark.long),
    ],
)
async def test_work_of_one_caller_keeps_no_other_out(
    tmp_path: Path, call: Callable[[Tenants, str], Awaitable[object]], flooder: str, seconds: float
) -> None:
    async with (
        tenants(tmp_path, detection_seconds=seconds) as served,
        calling_on_and_on(lambda: call(served, flooder)),
    ):
        assert await _got_through(lambda: call(served, QUIET)) == _CALLS


@pytest.mark.usefixtures("patient")
async def test_unary_calls_of_one_tenant_keep_no_other_out(tmp_path: Path) -> None:
    async with tenants(tmp_path, tuning=replace(FAST, max_unary=2)) as served:
        checks = {caller: (await served.upload(caller)).check_id for caller in (LOUD, QUIET)}

        async def ask(caller: str) -> object:
            request = service_pb2.GetCheckRequest(check_id=checks[caller])
            return await served.live.service.GetCheck(request, metadata=served.metadata(caller))

        async with calling_on_and_on(lambda: ask(LOUD)):
            assert await _got_through(lambda: ask(QUIET)) == _CALLS


async def _begun(served: Tenants, upload: service_pb2.UploadTrustedImageResponse) -> RawStream:
    stream = await RawDevice(served.live.device, upload).open()
    await stream.begin()
    return stream


@pytest.mark.slow
async def test_scans_of_one_tenant_keep_no_other_out(tmp_path: Path) -> None:
    async with tenants(tmp_path, limits={"max_scans": 4}) as served:
        uploads = [await served.upload(LOUD) for _ in range(12)]

        async def hold(upload: service_pb2.UploadTrustedImageResponse) -> None:
            device = RawDevice(served.live.device, upload)
            bound = False
            while True:
                try:
                    stream = await (device.resume() if bound else device.open())
                    bound = True
                    await stream.begin()
                    await asyncio.sleep(1.0)
                    await stream.vanish()
                except Ended:
                    await asyncio.sleep(0.01)

        loops = [asyncio.create_task(hold(upload)) for upload in uploads]
        try:
            await until(lambda: served.live.server.scans == 3)

            async def scan() -> None:
                stream = await _begun(served, await served.upload(QUIET))
                await stream.vanish()
                # Until the server knows, there is no place for the next one.
                await until(lambda: served.live.server.scans <= 3)

            assert await _got_through(scan) == _CALLS
            whole = await RawDevice(served.live.device, await served.upload(QUIET)).open()
            assert (await whole.run_attempt(pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS
        finally:
            await cancelled(loops)


async def test_portraits_that_take_long_hold_no_frame_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tenants(tmp_path) as served:
        device = RawDevice(served.live.device, await served.upload(QUIET))

        begun, scanned = threading.Event(), threading.Event()

        def slow(*args: Any, **kwargs: Any) -> Portrait:
            begun.set()
            scanned.wait()
            return accept_portrait(*args, **kwargs)

        monkeypatch.setattr("server.checks.intake.accept_portrait", slow)
        uploads = [asyncio.ensure_future(served.upload(LOUD)) for _ in range(_AT_ONCE)]
        try:
            await until(begun.is_set)
            stream = await device.open()
            assert (await stream.run_attempt(pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS
        finally:
            scanned.set()
            await asyncio.gather(*uploads, return_exceptions=True)


async def test_a_scan_that_its_tenants_share_refuses_uses_nothing_up(tmp_path: Path) -> None:
    async with tenants(tmp_path, limits={"max_scans": 4}) as served:
        held = [await _begun(served, await served.upload(LOUD)) for _ in range(3)]
        fourth = RawDevice(served.live.device, await served.upload(LOUD))
        refusal = await fourth.refusal()
        assert_documented(refusal)
        assert refusal.reason == "OVERLOADED"
        assert refusal.retry_seconds
        assert 1 <= float(refusal.metadata.pop("retrySeconds")) <= 30
        assert refusal.metadata == {"limit": "4", "tenantLimit": "3"}
        assert "this tenant" in refusal.message
        text = await served.live.metrics()
        assert 'facegate_places_in_use{kind="scans"} 3.0' in text
        assert 'facegate_places_refused_total{cause="tenant_limit",kind="scans"}' in text
        # Others have the remaining place.
        other = await _begun(served, await served.upload(QUIET))
        await other.vanish()
        for stream in held:
            await stream.vanish()
        await served.live.unattended()
        # Another device may still use the token, and no attempt is used up.
        another = RawDevice(served.live.device, await served.upload(LOUD))
        another.token, another.pinned = fourth.token, fourth.pinned
        stream = await another.open()
        assert stream.challenge.attempts_remaining == 3
        assert (await stream.run_attempt(pictures())).attempt == 1


async def test_watches_of_one_tenant_keep_no_other_out(tmp_path: Path) -> None:
    async with tenants(tmp_path, tuning=replace(FAST, max_watches=4)) as served:
        checks = {caller: (await served.upload(caller)).check_id for caller in (LOUD, QUIET)}
        calls = []

        async def watch(caller: str) -> None:
            request = service_pb2.WatchCheckRequest(check_id=checks[caller])
            call = served.live.service.WatchCheck(request, metadata=served.metadata(caller))
            calls.append(call)
            assert isinstance(await call.read(), service_pb2.WatchCheckResponse)

        for _ in range(3):
            await watch(LOUD)
        refusal = await refusal_of(watch(LOUD))
        assert_documented(refusal)
        assert refusal.metadata == {"limit": "4", "tenantLimit": "3", "retrySeconds": "1.0"}
        # Its message is not even read: those of one tenant must not keep the server busy.
        raw: Any = served.live.service_channel.unary_stream(
            WATCH_METHOD, request_serializer=None, response_deserializer=None
        )
        refusal = await refusal_of(raw(b"\xff", metadata=served.metadata(LOUD)).read())
        assert refusal.reason == "OVERLOADED"
        await watch(QUIET)
        for call in calls:
            call.cancel()


@pytest.mark.slow
async def test_a_quota_binds_its_tenant_and_its_sandbox_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.running.capacity.WAIT_SECONDS", 0.0)
    limits = {"tenants": {QUIET: {"share": 0.25}}}
    go_on = threading.Event()
    async with tenants(tmp_path, go_on=go_on, limits=limits) as served:
        first = asyncio.ensure_future(served.upload(QUIET))

        async def runs() -> bool:
            return 'facegate_places_in_use{kind="uploads"} 1.0' in await served.live.metrics()

        await until(runs)
        refusal = await refusal_of(served.upload(QUIET))
        assert_documented(refusal)
        assert refusal.metadata == {"limit": "4", "tenantLimit": "1", "retrySeconds": "1.0"}
        others = asyncio.gather(served.upload(SANDBOX), served.upload(LOUD), served.upload(LOUD))

        async def all_run() -> bool:
            return 'facegate_places_in_use{kind="uploads"} 4.0' in await served.live.metrics()

        await until(all_run)
        go_on.set()
        await asyncio.gather(first, others)


async def test_a_tenant_alone_may_scan_as_much_as_the_server_takes_on(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, limits={"max_scans": 4})) as live:
        streams = [await RawDevice(live.device, await live.upload()).open() for _ in range(4)]
        for stream in streams:
            await stream.vanish()
