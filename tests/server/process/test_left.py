"""Attacks on `facegate serve` that withhold the end of an attempt and reconnect, in real time."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from facegate.v1 import result_pb2, scan_pb2

from simulator.scene import ScanKind
from tests.server.live import Picture, pictures
from tests.server.process.server_process import DataFolder, ServerProcess
from tests.server.raw_device import Ended, RawDevice, RawStream

_ENOUGH, _WHOLE = 36, 64
_PRINT = pictures(kind=ScanKind.STATIC_PHOTO, count=_ENOUGH)
_SOMEBODY_ELSE = pictures("red-shirt", count=_ENOUGH)
_GENUINE = pictures(count=_WHOLE)
_FLASH = [scan_pb2.CAPABILITY_FLASH]
_Summary = result_pb2.AttemptSummary


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    home = DataFolder(tmp_path_factory.mktemp("left"), limits={"lease_seconds": 15.0})
    async with home.serving() as process:
        yield process


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
    home = DataFolder(tmp_path, limits={"lease_seconds": 15.0})
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
