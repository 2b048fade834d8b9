"""A server behind the shipped files of ``deploy/edge``: scans, long watches, reconnects, and floods."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub

from server.edge.listeners import SCAN_METHOD
from tests.deploy.edge import PROXIES, Edge, EdgeFiles, has_proxy, require_proxy
from tests.server.floods.http2 import references, send_headers, tiny_fields
from tests.server.live import Picture, fresh_pictures, portrait
from tests.server.raw_device import RawDevice, RawStream

pytestmark = pytest.mark.slow

_ALL = sorted(PROXIES)
_PADDING = 60_000
"""Of each of 26 frames: a scan of more than a megabyte, at which a default of nginx ends it."""
_WATCH_SECONDS = 310.0


def _large_pictures() -> list[Picture]:
    comment = b"\xff\xfe" + (_PADDING + 2).to_bytes(2, "big") + bytes(_PADDING)
    return [
        replace(picture, jpeg=picture.jpeg[:2] + comment + picture.jpeg[2:]) for picture in fresh_pictures()
    ]


async def _upload(edge: Edge) -> service_pb2.UploadTrustedImageResponse:
    async with edge.backend_channel() as channel:
        request = service_pb2.UploadTrustedImageRequest(image=portrait(), policy="patient")
        return await VerificationServiceStub(channel).UploadTrustedImage(request)


async def _finish(edge: Edge, check_id: str) -> service_pb2.FinishCheckResponse:
    async with edge.backend_channel() as channel:
        request = service_pb2.FinishCheckRequest(check_id=check_id)
        return await VerificationServiceStub(channel).FinishCheck(request)


async def _scan(stream: RawStream, pictures: Sequence[Picture]) -> scan_pb2.ScanResult:
    await stream.begin()
    await stream.send_live(pictures)
    await stream.send(stream.end())
    return await stream.result()


async def _succeeded(edge: Edge, files: EdgeFiles, check_id: str) -> None:
    """The server accepted the scan, and the key of TLS that the phone saw as that of the proxy."""
    finished = await _finish(edge, check_id)
    assert finished.result.status == result_pb2.CHECK_STATUS_SUCCESS
    checks = {check.name: check.outcome for check in finished.result.device.checks}
    assert checks["server_key.tls"] == result_pb2.DeviceCheck.OUTCOME_PASS


async def _scan_of_phone(edge: Edge, files: EdgeFiles) -> None:
    upload = await _upload(edge)
    async with edge.phone_channel() as channel:
        device = RawDevice(VerificationServiceStub(channel), upload)
        await _scan(await device.open(server_spki_sha256=files.edge_spki_sha256), _large_pictures())
    await _succeeded(edge, files, upload.check_id)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("proxy", _ALL)
async def test_scans_of_phones_and_pages_pass_and_a_lost_one_is_resumed(tmp_path: Path, proxy: str) -> None:
    require_proxy(proxy)
    files = EdgeFiles(tmp_path, web=True)
    async with files.data.serving() as server, files.edge(proxy, server) as edge:
        await _scan_of_phone(edge, files)

        upload = await _upload(edge)
        async with edge.page() as page:
            device = RawDevice(page, upload)
            await _scan(await device.open(), _large_pictures())
        finished = await _finish(edge, upload.check_id)
        assert finished.result.status == result_pb2.CHECK_STATUS_SUCCESS

        upload = await _upload(edge)
        async with edge.phone_channel() as channel:
            device = RawDevice(VerificationServiceStub(channel), upload)
            stream = await device.open(server_spki_sha256=files.edge_spki_sha256)
            await stream.begin()
            await stream.send_live(_large_pictures()[:4])
            # The proxy ends in the middle of the scan, with all its connections, and comes back.
            await edge.stop()
            await edge.start()
        async with edge.phone_channel() as channel:
            device.rebind(VerificationServiceStub(channel))
            stream = await device.open(resume=True, server_spki_sha256=files.edge_spki_sha256)
            await stream.prove()
            await _scan(stream, _large_pictures())
        await _succeeded(edge, files, upload.check_id)

        # The reason of a refusal arrives; HAProxy before 3.2 replaces the status by CANCELLED (docs/edge.md).
        if proxy != "haproxy":
            async with edge.phone_channel() as channel:
                upload.scan_token = "0" * len(upload.scan_token)
                assert (await RawDevice(VerificationServiceStub(channel), upload).refusal()).reason


async def test_without_its_body_size_nginx_ends_a_scan(tmp_path: Path) -> None:
    require_proxy("nginx")
    files = EdgeFiles(tmp_path)
    default = {"    client_max_body_size 0;\n": ""}
    async with files.data.serving() as server, files.edge("nginx", server, changed=default) as edge:
        with pytest.raises(AssertionError, match="without details"):
            await _scan_of_phone(edge, files)


async def _state(
    watching: "grpc.aio.UnaryStreamCall[service_pb2.WatchCheckRequest, service_pb2.WatchCheckResponse]",
) -> int:
    response = await watching.read()
    assert isinstance(response, service_pb2.WatchCheckResponse)
    return response.progress.state


@pytest.mark.timeout(900)
async def test_a_watch_lasts_longer_than_five_minutes(tmp_path: Path) -> None:
    """Through every proxy that is there, at once; nothing but HTTP/2 pings crosses them in that time."""
    for proxy in ("nginx", "haproxy"):
        require_proxy(proxy)
    files = EdgeFiles(tmp_path)

    async def watch(edge: Edge) -> list[int]:
        upload = await _upload(edge)
        states: list[int] = []
        async with edge.backend_channel() as channel:
            service = VerificationServiceStub(channel)
            request = service_pb2.WatchCheckRequest(check_id=upload.check_id)
            watching = service.WatchCheck(request)
            states.append(await _state(watching))
            waiting = asyncio.create_task(_state(watching))
            await asyncio.wait([waiting], timeout=_WATCH_SECONDS)
            assert not waiting.done()
            async with edge.backend_channel() as other:
                cancel = service_pb2.CancelCheckRequest(check_id=upload.check_id)
                await VerificationServiceStub(other).CancelCheck(cancel)
            states.append(await waiting)
        return states

    async with files.data.serving() as server, AsyncExitStack() as stack:
        names = [proxy for proxy in _ALL if has_proxy(proxy)]
        edges = [await stack.enter_async_context(files.edge(name, server)) for name in names]
        watched = await asyncio.gather(*(watch(edge) for edge in edges))
    assert all(first != last for first, last in watched)
    assert len(watched) >= 2


_MIB = 1024 * 1024
_BLOCK_BYTES = 2 * _MIB
_ATTACKERS = 16
_ATTACKER = "127.0.0.2"


def _resident(pid: int) -> int:
    """Bytes of memory of a process."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) * 1024


def _cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def _flood(target: str, edge: Edge, name: str, pid: int, block: bytes) -> tuple[int, float]:
    """The growth in bytes, and CPU seconds, of a server's process that one flood of header blocks costs."""
    before, begun = _resident(pid), _cpu_seconds(pid)
    most = before
    flood = asyncio.create_task(
        send_headers(
            target,
            block,
            connections=_ATTACKERS,
            tls=edge.client_context(alpn="h2"),
            name=name,
            source=_ATTACKER,
        )
    )
    quiet = 0
    last = begun
    # The server works on what it has received after the flood, until its CPU time stands still.
    while not flood.done() or quiet < 5:
        await asyncio.sleep(0.1)
        most = max(most, _resident(pid))
        now = _cpu_seconds(pid)
        quiet = quiet + 1 if now - last < 0.03 else 0
        last = now
    assert await flood > 0
    return most - before, _cpu_seconds(pid) - begun


@pytest.mark.timeout(300)
@pytest.mark.parametrize("proxy", _ALL)
async def test_floods_of_headers_end_at_the_edge(tmp_path: Path, proxy: str) -> None:
    require_proxy(proxy)
    files = EdgeFiles(tmp_path)
    async with files.data.serving() as server, files.edge(proxy, server) as edge:
        await _scan_of_phone(edge, files)
        pid = server.process.pid
        target = f"127.0.0.1:{edge.phones_port}"
        for make in (tiny_fields, references):
            block = make(SCAN_METHOD, _BLOCK_BYTES)
            grown, seconds = await _flood(target, edge, "scan.example.com", pid, block)
            direct = await _flood(server.device_target, edge, "facegate.internal", pid, block)
            assert seconds <= direct[1] / 4
            if make is tiny_fields:
                assert grown <= direct[0] / 4
            # Phones of other addresses scan.
            await _scan_of_phone(edge, files)
