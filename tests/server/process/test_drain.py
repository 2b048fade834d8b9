"""SIGTERM: running scans finish, new ones go elsewhere, and the process ends with 0."""

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from server.domain.terms import CheckState
from tests.server.live import pictures
from tests.server.process.server_process import DataFolder, ServerProcess
from tests.server.raw_device import RawDevice
from tests.server.refusals import refused

_CALLERS = 32


async def _draining(server: ServerProcess) -> None:
    for _ in range(400):
        if '"event": "draining"' in await server.written():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never drained")


@pytest.mark.slow
async def test_a_running_scan_finishes(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    async with home.serving() as server:
        upload = await server.upload(str(uuid4()))
        other = await server.upload(str(uuid4()))
        stream = await RawDevice(server.device, upload).open()
        await stream.begin()
        await stream.send_frames(pictures()[:5])
        await stream.taken(5)

        server.terminate()
        await _draining(server)
        late = await RawDevice(server.device, other).refusal()
        stub: Any = health_pb2_grpc.HealthStub(server.service_channel)
        health = await stub.Check(health_pb2.HealthCheckRequest())
        await stream.send_frames(pictures()[5:10])
        await stream.taken(10)
        await stream.send(stream.end())
        result = await stream.result()
        assert await stream.outcome() is None

        assert await server.ended() == 0
        log = await server.written()
    assert (late.code, late.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
    assert late.retry_seconds
    assert health.status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert result.status == scan_pb2.SCAN_STATUS_FAILURE
    assert '"event": "stopped"' in log
    assert "drain_timed_out" not in log
    assert "Traceback" not in log
    async with home.database() as database:
        assert (await database.record(upload.check_id)).state is CheckState.DECIDED
        assert (await database.record(other.check_id)).state is CheckState.CREATED


@pytest.mark.slow
async def test_a_scan_that_takes_too_long_is_cut_off_and_may_be_resumed(tmp_path: Path) -> None:
    home = DataFolder(tmp_path, drain_seconds=1.0)
    async with home.serving() as server:
        upload, other = await server.upload(str(uuid4())), await server.upload(str(uuid4()))
        device = RawDevice(server.device, upload)
        for stream in (await device.open(), await RawDevice(server.device, other).open()):
            await stream.begin()
            await stream.send_frames(pictures()[:5])
            await stream.taken(5)
        server.terminate()
        assert await server.ended() == 0
        assert "drain_timed_out" in await server.written()
    async with home.database() as database:
        record = await database.record(upload.check_id)
        assert record.state is CheckState.WAITING
        assert record.lease_until is None
    async with home.serving() as server:
        device.rebind(server.device)
        again = await device.resume()
        assert (await again.run_attempt(pictures()[:9])).attempt == 2
        # A device that does not reconnect has not failed.
        request = service_pb2.FinishCheckRequest(check_id=other.check_id, close_now=True)
        result = (await server.service.FinishCheck(request)).result
    assert result.status == result_pb2.CHECK_STATUS_NOT_DECIDED
    assert list(result.reasons) == [result_pb2.FAILURE_REASON_INTERRUPTED]
    assert result.attempts[0].ended_by == result_pb2.AttemptSummary.ENDED_BY_SERVER_STOPPED


@pytest.mark.slow
async def test_a_device_between_attempts_must_come_back(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    async with home.serving() as server:
        upload = await server.upload(str(uuid4()), policy="test")
        stream = await RawDevice(server.device, upload).open()
        await stream.begin()
        await stream.send_frames(pictures()[:4])
        await stream.taken(4)
        server.terminate()
        await _draining(server)
        await stream.send(stream.end())
        assert (await stream.result()).another_attempt
        assert await stream.outcome() is None
        assert stream.goodbyes() == ["DRAINING"]
        assert await server.ended() == 0


@pytest.mark.slow
async def test_a_call_that_comes_while_the_server_stops_learns_why(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    ends: Counter[str] = Counter()
    async with home.serving() as server:
        upload = await server.upload(str(uuid4()))
        request = service_pb2.FinishCheckRequest(check_id=upload.check_id)
        begun = asyncio.Event()

        async def call_on_and_on() -> None:
            while True:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await server.service.FinishCheck(request)
                error = caught.value
                names = [name for name, _ in error.trailing_metadata() or ()]
                has_details = "grpc-status-details-bin" in names
                reason = refused(error).reason if has_details else error.code().name
                begun.set()
                if reason != "NOT_SCANNED_YET":
                    ends[reason] += 1
                    return

        callers = [asyncio.create_task(call_on_and_on()) for _ in range(_CALLERS)]
        await begun.wait()
        server.terminate()
        await asyncio.gather(*callers)
        assert await server.ended() == 0
    # A call may still arrive at the moment at which grpc closes the connection.
    assert ends["NOT_SERVING"] >= _CALLERS - 2, ends
    assert ends.total() == _CALLERS


@pytest.mark.slow
async def test_an_occupied_port_is_reported(tmp_path: Path) -> None:
    first = DataFolder(tmp_path / "one")
    async with first.serving() as server:
        second = DataFolder(
            tmp_path / "two",
            listeners={"device": {"port": 0}, "service": {"port": 0}, "admin": {"port": server.admin_port}},
        )
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("facegate")),
            "serve",
            "--config",
            str(second.config),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 2
        assert b"cannot start" in output
        assert b"Traceback" not in output
