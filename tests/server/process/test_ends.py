"""The end of a server process: kill -9, SIGTERM, and attacks that leave a scan."""

import asyncio
import os
import random
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from facegate_client.result_keys import fetch_key_set
from facegate_client.result_signature import verify_response
from lab.simulator.scene import ScanKind
from server.domain.terms import AttemptOutcome, CheckState
from tests.server.live import Picture, pictures, until
from tests.server.policy_files import write_patient_policy
from tests.server.process.server_process import DataFolder, ServerProcess
from tests.server.raw_device import Ended, RawDevice, RawStream
from tests.server.refusals import refusal_of, refused

# kill -9 in every state, and a restart over the same data: no acknowledged state is lost.

FEW, COUNTED = 4, 9


async def _capture(stream: RawStream, frames: int) -> None:
    await stream.begin()
    await stream.send_frames(pictures()[:frames])
    await stream.taken(frames)


async def _whole(device: RawDevice) -> scan_pb2.ScanResult:
    stream = await device.open()
    result = await stream.run_attempt(pictures()[:COUNTED])
    assert await stream.outcome() is None
    return result


def _reasons(answer: service_pb2.FinishCheckResponse) -> list[str]:
    return [
        result_pb2.FailureReason.Name(reason).removeprefix("FAILURE_REASON_")
        for reason in answer.result.reasons
    ]


@pytest.mark.slow
@pytest.mark.long
async def test_every_state_survives_a_kill(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    states = ("uploaded", "challenged", "few", "counted", "returning", "ended", "answered", "finished")
    requests = {state: str(uuid4()) for state in states}
    async with home.serving() as server:
        uploads = {state: await server.upload(requests[state]) for state in states}
        devices = {state: RawDevice(server.device, uploads[state]) for state in states}
        answered = await _whole(devices["answered"])
        await _whole(devices["finished"])
        verdict = await server.finish(uploads["finished"].check_id)
        await devices["challenged"].open()
        for state, frames in (("few", FEW), ("counted", COUNTED), ("returning", COUNTED)):
            await _capture(await devices[state].open(), frames)
        ending = await devices["ended"].open()
        await _capture(ending, COUNTED)
        keys = home.key_files()
        await ending.send(ending.end())
        await server.kill()
        first_log = await server.written()

    old, fresh = home.data / "objects" / "evidence" / "old", home.data / "objects" / "evidence" / "fresh"
    for path in (old, fresh):
        await asyncio.to_thread(path.write_bytes, b"what a crash left between the object and its row")
    await asyncio.to_thread(os.utime, old, (time.time() - 7200,) * 2)

    async with home.serving() as server:
        assert home.key_files() == keys
        for state in states:
            # The same answer to the same request: check, token, deadlines, fingerprint.
            repeated = await server.upload(requests[state])
            if state in ("answered", "finished"):
                # The decision destroys the measurements of the portrait.
                uploads[state].portrait.Clear()
            if state == "ended":
                # The server may have decided before it was killed.
                for each in (uploads[state], repeated):
                    each.portrait.Clear()
            assert repeated == uploads[state]
        published = await fetch_key_set(f"http://127.0.0.1:{server.admin_port}/.well-known/jwks.json")

        again = await server.finish(uploads["finished"].check_id)
        assert again.result == verdict.result
        assert again.evidence_frame == verdict.evidence_frame
        assert again.audit_images == verdict.audit_images
        assert again.result_jws.split(".")[:2] == verdict.result_jws.split(".")[:2]
        verify_response(again, published, check_id=uploads["finished"].check_id, accept_sandbox=True)
        verify_response(verdict, published, check_id=uploads["finished"].check_id, accept_sandbox=True)

        # The device got FAILURE before the kill, and it stays FAILURE, with its evidence.
        assert answered.status == scan_pb2.SCAN_STATUS_FAILURE
        answer = await server.finish(uploads["answered"].check_id)
        assert _reasons(answer)[0] == "CONDITIONS"
        assert answer.evidence_frame.image
        verify_response(answer, published, check_id=uploads["answered"].check_id, accept_sandbox=True)

        # A device reconnects with its key at once, and finishes.
        device = devices["returning"]
        device.rebind(server.device)
        with pytest.raises(Ended, match="CHECK_CLOSED"):
            # Its only attempt counted already: the policy allows one.
            await device.open(resume=True)
        device = devices["few"]
        device.rebind(server.device)
        stream = await device.resume()
        result = await stream.run_attempt(pictures()[:COUNTED])
        assert result.attempt == 2
        assert result.status == scan_pb2.SCAN_STATUS_FAILURE
        assert await stream.outcome() is None
        answer = await server.finish(uploads["few"].check_id)
        assert _reasons(answer)[0] == "CONDITIONS"
        assert [attempt.outcome for attempt in answer.result.attempts] == [
            result_pb2.AttemptSummary.OUTCOME_INTERRUPTED,
            result_pb2.AttemptSummary.OUTCOME_DECIDED,
        ]

        for state in ("challenged", "counted", "returning"):
            answer = await server.finished(uploads[state].check_id)
            assert answer.result.status == result_pb2.CHECK_STATUS_NOT_DECIDED, state
            assert _reasons(answer) == ["INTERRUPTED"], state
            assert not answer.result.HasField("liveness")
            assert not answer.result.HasField("match")
            verify_response(answer, published, check_id=uploads[state].check_id, accept_sandbox=True)
        # The end of this attempt was not reported: either its verdict was durable, or it was interrupted.
        answer = await server.finished(uploads["ended"].check_id)
        assert _reasons(answer)[0] in {"CONDITIONS", "INTERRUPTED"}

        assert (await refusal_of(server.finish(uploads["uploaded"].check_id))).reason == "NOT_SCANNED_YET"
        untouched = devices["uploaded"]
        untouched.rebind(server.device)
        assert (await _whole(untouched)).status == scan_pb2.SCAN_STATUS_FAILURE

        await until(lambda: not old.exists())
        async with home.database() as database:
            for state in states:
                record = await database.record(uploads[state].check_id)
                assert record.lease_until is None
                assert all(
                    attempt.outcome is not None
                    for attempt in await database.attempts(uploads[state].check_id)
                )
            objects = await asyncio.to_thread(home.objects)
            orphans = objects - await database.repository.referenced(objects)
        assert "evidence/old" not in objects
        assert "evidence/fresh" in orphans
        # The unfinished write of a verdict may have left its images; a later sweep deletes them.
        assert len(orphans) <= 1 + 3
        log = first_log + await server.written()
        server.terminate()
        assert await server.ended() == 0
    _says_nothing_secret(log, uploads, devices)


def _says_nothing_secret(
    log: str, uploads: dict[str, service_pb2.UploadTrustedImageResponse], devices: dict[str, RawDevice]
) -> None:
    assert '"event": "serving"' in log
    for name, upload in uploads.items():
        assert upload.scan_token not in log, name
        assert upload.scan_token[-40:] not in log, name
    for device in devices.values():
        number = device.session_key.private_numbers().private_value
        assert f"{number:x}" not in log
    for picture in pictures()[:COUNTED]:
        part = picture.jpeg[400:430]
        assert part.hex() not in log
        assert b64encode(picture.jpeg[399:429]).decode() not in log
        assert repr(part)[2:-1] not in log
    assert "array(" not in log
    assert "float32" not in log


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_kill_at_any_moment_of_a_scan_loses_nothing_acknowledged(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    moments = random.Random(5)
    for round_number in range(3):
        request_id = str(uuid4())
        acknowledged: list[scan_pb2.ScanResult] = []
        async with home.serving() as server:
            upload = await server.upload(request_id)
            device = RawDevice(server.device, upload)
            scanning = asyncio.ensure_future(_scan(device, acknowledged))
            await asyncio.sleep(moments.uniform(0.02, 1.6))
            await server.kill()
            await asyncio.gather(scanning, return_exceptions=True)
        async with home.serving() as server:
            repeated = await server.upload(request_id)
            async with home.database() as database:
                state = (await database.record(upload.check_id)).state
            if state is CheckState.DECIDED:
                # The decision destroys the measurements of the portrait.
                upload.portrait.Clear()
            assert repeated == upload, round_number
            if acknowledged:
                assert state is CheckState.DECIDED
                assert _reasons(await server.finish(upload.check_id))[0] == "CONDITIONS"
            elif state is CheckState.CREATED:
                device.rebind(server.device)
                assert (await _whole(device)).status == scan_pb2.SCAN_STATUS_FAILURE
            else:
                answer = await server.finished(upload.check_id)
                assert _reasons(answer)[0] in {"INTERRUPTED", "CONDITIONS"}
            assert not [name for name in home.key_files() if name.startswith(".") or name.endswith(".tmp")]


async def _scan(device: RawDevice, acknowledged: list[scan_pb2.ScanResult]) -> None:
    stream = await device.open()
    acknowledged.append(await stream.run_attempt(pictures()[:COUNTED]))


@pytest.mark.slow
@pytest.mark.long
async def test_repeated_kills_use_up_reconnects_and_never_attempts_that_did_not_count(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    request_id = str(uuid4())
    async with home.serving() as server:
        upload = await server.upload(request_id)
        device = RawDevice(server.device, upload)
        await _capture(await device.open(), FEW)
        await server.kill()
    for _ in range(2):
        async with home.serving() as server:
            device.rebind(server.device)
            await _capture(await device.resume(), FEW)
            await server.kill()
    async with home.serving() as server:
        device.rebind(server.device)
        stream = await device.resume()
        assert stream.challenge.attempts_remaining == 1
        result = await stream.run_attempt(pictures()[:COUNTED])
        assert result.attempt == 4
        answer = await server.finish(upload.check_id)
        assert answer.result.transcript.streams == 4
        async with home.database() as database:
            outcomes = [attempt.outcome for attempt in await database.attempts(upload.check_id)]
        assert outcomes == [AttemptOutcome.INTERRUPTED] * 3 + [AttemptOutcome.DECIDED]


@pytest.mark.slow
async def test_the_scan_of_a_killed_server_may_be_resumed_after_its_lease(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    write_patient_policy(home.folder / "policies", "resumable", resume_seconds=300)
    async with home.serving() as server:
        upload = await server.upload(str(uuid4()), policy="resumable")
        device = RawDevice(server.device, upload)
        await _capture(await device.open(), FEW)
        await server.kill()
    async with home.serving() as server:
        async with home.database() as database:
            record = await database.record(upload.check_id)
        assert record.lease_until is not None
        await asyncio.sleep(max(0.0, (record.lease_until - datetime.now(UTC)).total_seconds()) + 0.1)
        refusal = await refusal_of(server.finish(upload.check_id))
        assert (refusal.reason, refusal.metadata["state"]) == ("SCAN_IN_PROGRESS", "INTERRUPTED")
        device.rebind(server.device)
        stream = await device.resume()
        assert (await stream.run_attempt(pictures()[:COUNTED])).attempt == 2
        # It leaves by itself: on a busy machine it may be late to renew so short a lease, and a call that
        # closes its check then would call it interrupted.
        await stream.half_close()
        assert await stream.outcome() is None
        assert (await server.finish(upload.check_id)).result.transcript.streams == 2


# SIGTERM: running scans finish, new ones go elsewhere, and the process ends with 0.

_CALLERS = 32


async def _draining(server: ServerProcess) -> None:
    for _ in range(3000):
        if '"event": "draining"' in await server.written():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never drained")


@pytest.mark.slow
async def test_a_running_scan_finishes(tmp_path: Path) -> None:
    home = DataFolder(tmp_path, drain_seconds=240.0)
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


_PATIENT = (
    "from server.edge import listeners; listeners._QUIET_SECONDS = 5.0; "
    "import sys; from cli.main import main; sys.argv[0] = 'facegate'; main()"
)
"""A server whose listeners wait longer for calls before they close: a busy machine holds callers up."""


@pytest.mark.slow
async def test_a_call_that_comes_while_the_server_stops_learns_why(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    ends: Counter[str] = Counter()
    async with home.serving(program=(sys.executable, "-c", _PATIENT)) as server:
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


# Attacks on `facegate serve` that withhold the end of an attempt and reconnect, in real time.

_ENOUGH, _WHOLE = 36, 64
_PRINT = pictures(kind=ScanKind.STATIC_PHOTO, count=_ENOUGH)
_SOMEBODY_ELSE = pictures("red-shirt", count=_ENOUGH)
_GENUINE = pictures(count=_WHOLE)
_FLASH = [scan_pb2.CAPABILITY_FLASH]
_Summary = result_pb2.AttemptSummary


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    home = DataFolder(tmp_path_factory.mktemp("left"), lease_seconds=15.0)
    _render()
    async with home.serving() as process:
        yield process


def _render() -> None:
    """Render now what is shown, because the server's attempts have their time."""
    for shown in (_PRINT, _SOMEBODY_ELSE, _GENUINE):
        assert len(shown)


async def _left(
    server: ServerProcess, shown: Sequence[Picture], mode: scan_pb2.Mode.ValueType
) -> tuple[str, RawDevice]:
    """A check with a device that sent frames, withheld the end and dropped the connection."""
    upload = await server.upload(str(uuid4()), policy="test", mode=mode)
    device = RawDevice(server.device, upload)
    stream = await device.open(capabilities=_FLASH)
    await stream.begin()
    await stream.send_live(shown)
    await stream.taken(len(shown))
    await stream.vanish()
    return upload.check_id, device


async def _replay(device: RawDevice) -> RawStream:
    """A reconnect with a whole genuine scan, as far as the server accepts it."""
    stream = device.connect()
    with suppress(Ended):
        await stream.start(resume=True, capabilities=_FLASH)
        await stream.prove()
        await stream.begin()
        await stream.send_live(_GENUINE)
        await stream.send(stream.end())
        await stream.outcome()
    return stream


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shown", "mode", "reason", "verdict"),
    [
        pytest.param(
            _PRINT,
            scan_pb2.MODE_EXPRESS,
            result_pb2.FAILURE_REASON_SPOOF,
            result_pb2.LIVENESS_VERDICT_SPOOF,
            marks=pytest.mark.slow,
        ),
        (_SOMEBODY_ELSE, scan_pb2.MODE_EXPRESS, result_pb2.FAILURE_REASON_NOT_SAME_PERSON, None),
        pytest.param(
            _SOMEBODY_ELSE,
            scan_pb2.MODE_DYNAMIC,
            result_pb2.FAILURE_REASON_NOT_SAME_PERSON,
            None,
            marks=pytest.mark.slow,
        ),
    ],
    ids=["print", "another person", "another person in DYNAMIC"],
)
async def test_the_replay_that_follows_an_attack_comes_too_late(
    server: ServerProcess,
    shown: Sequence[Picture],
    mode: scan_pb2.Mode.ValueType,
    reason: result_pb2.FailureReason.ValueType,
    verdict: result_pb2.LivenessVerdict.ValueType | None,
) -> None:
    check_id, device = await _left(server, shown, mode)
    # At once, while the server still judges the frames: the replay would be a good attempt.
    replay = await _replay(device)
    assert not [message for message in replay.seen if message.WhichOneof("message") == "scan_result"]
    assert (await device.refusal()).reason == "CHECK_CLOSED"
    result = (await server.finish(check_id)).result
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert reason in result.reasons
    first = result.attempts[0]
    assert (first.mode, first.outcome) == (mode, _Summary.OUTCOME_DECIDED)
    assert first.ended_by in {_Summary.ENDED_BY_CONNECTION_LOST, _Summary.ENDED_BY_SUPERSEDED}
    assert first.verdict == result.liveness.verdict
    if verdict is not None:
        assert first.verdict == verdict


@pytest.mark.slow
async def test_a_scan_resumes_after_a_lost_connection_and_passes(server: ServerProcess) -> None:
    check_id, device = await _left(server, _GENUINE[:_ENOUGH], scan_pb2.MODE_EXPRESS)
    again = await _replay(device)
    assert again.seen[-1].scan_result.status == scan_pb2.SCAN_STATUS_SUCCESS
    result = (await server.finish(check_id)).result
    assert result.status == result_pb2.CHECK_STATUS_SUCCESS
    assert [(each.outcome, each.verdict) for each in result.attempts] == [
        (_Summary.OUTCOME_INTERRUPTED, result_pb2.LIVENESS_VERDICT_LIVE),
        (_Summary.OUTCOME_DECIDED, result_pb2.LIVENESS_VERDICT_LIVE),
    ]
    assert result.attempts[1].ended_by == _Summary.ENDED_BY_SIGNED
    assert result.attempts[0].plan == result.attempts[1].plan == scan_pb2.PLAN_EXPRESS


@pytest.mark.slow
async def test_an_attempt_of_a_killed_server_is_marked(tmp_path: Path) -> None:
    home = DataFolder(tmp_path, lease_seconds=15.0)
    _render()
    async with home.serving() as server:
        upload = await server.upload(str(uuid4()), policy="test")
        device = RawDevice(server.device, upload)
        stream = await device.open()
        await stream.begin()
        await stream.send_live(_GENUINE[:12])
        await stream.taken(12)
        await server.kill()
    async with home.serving() as server:
        device.rebind(server.device)
        # The lease of the dead server may still be held, which costs a wait but gives no success.
        again = await _replay(device)
        assert again.seen[-1].scan_result.status == scan_pb2.SCAN_STATUS_SUCCESS
        result = (await server.finish(upload.check_id)).result
        assert [each.ended_by for each in result.attempts] == [
            _Summary.ENDED_BY_SERVER_STOPPED,
            _Summary.ENDED_BY_SIGNED,
        ]


# After kill -9 of a server, or its orderly end, no decoder outlives it.


def _decoders_of(server: int) -> list[int]:
    children = Path(f"/proc/{server}/task").glob("*/children")
    found = [int(pid) for listed in children for pid in listed.read_text().split()]
    return [pid for pid in found if b"vision.isolation.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def _gone(processes: list[int]) -> None:
    for _ in range(3000):
        if not any(_runs(pid) for pid in processes):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"decoders outlived their server: {processes}")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.slow
async def test_decoders_end_with_their_server(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    async with home.serving() as server:
        await server.ready()
        decoders = _decoders_of(server.process.pid)
        assert decoders
        assert "decoders_isolated" in await server.written()
        await server.kill()
    await _gone(decoders)
    async with home.serving() as server:
        await server.ready()
        decoders = _decoders_of(server.process.pid)
        assert decoders
        server.terminate()
        assert await server.ended() == 0
    await _gone(decoders)
