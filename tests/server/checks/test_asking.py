"""GetCheck, WatchCheck, CancelCheck, and FinishCheck while a scan may go on, against a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from server.api_keys import new_api_key
from server.domain.state import CheckState
from server.verdict import FailureReason
from tests.server.live import (
    LiveServer,
    Refused,
    pictures,
    portrait,
    refused,
    serving,
    settings_for,
    until,
    write_policy,
)
from tests.server.raw_device import Ended, RawDevice, RawStream

_C = grpc.StatusCode
_State = service_pb2.CheckProgress.State
_SOMEBODY_ELSE = pictures("red-shirt", count=36)
"""As many pictures as an attempt that is left early needs to decide."""


async def _refused(call: Any) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refused(caught.value)


def _named(progress: service_pb2.CheckProgress) -> str:
    return _State.Name(progress.state).removeprefix("STATE_")


async def _progress(live: LiveServer, check_id: str) -> service_pb2.CheckProgress:
    answer = await live.service.GetCheck(service_pb2.GetCheckRequest(check_id=check_id))
    assert answer.progress.check_id == check_id
    return answer.progress


async def _state(live: LiveServer, check_id: str) -> str:
    return _named(await _progress(live, check_id))


async def _cancel(live: LiveServer, check_id: str) -> service_pb2.CheckProgress:
    return (await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=check_id))).progress


def _finish(live: LiveServer, check_id: str, *, close_now: bool = False) -> Any:
    return live.service.FinishCheck(service_pb2.FinishCheckRequest(check_id=check_id, close_now=close_now))


def _reasons(answer: service_pb2.FinishCheckResponse) -> list[str]:
    return [result_pb2.FailureReason.Name(r).removeprefix("FAILURE_REASON_") for r in answer.result.reasons]


async def _scanning(
    live: LiveServer, frames: int, *, policy: str = "resumable"
) -> tuple[str, RawDevice, RawStream]:
    upload = await live.upload(policy=policy)
    device = RawDevice(live.device, upload)
    stream = await device.open()
    await stream.begin()
    await stream.send_frames(pictures()[:frames])
    await stream.taken(frames)
    return upload.check_id, device, stream


async def _dropped(live: LiveServer, frames: int = 5) -> tuple[str, RawDevice]:
    check_id, device, stream = await _scanning(live, frames)
    await stream.vanish()
    await live.reaches(check_id, CheckState.WAITING)
    return check_id, device


class _Watcher:
    """Reads a WatchCheck in the background."""

    def __init__(self, live: LiveServer, check_id: str) -> None:
        self.seen: list[service_pb2.CheckProgress] = []
        self._call = live.service.WatchCheck(service_pb2.WatchCheckRequest(check_id=check_id))
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for response in self._call:
            self.seen.append(response.progress)

    @property
    def states(self) -> list[str]:
        """The states that were seen, each change once."""
        names = [_named(progress) for progress in self.seen]
        return [name for number, name in enumerate(names) if number == 0 or names[number - 1] != name]

    async def sees(self, state: str) -> None:
        """Waits until the last state that was seen is ``state``."""

        async def seen() -> bool:
            return bool(self.seen) and self.states[-1] == state

        await until(seen)

    async def over(self) -> None:
        """Waits until the server ends the stream; raises what it ends it with."""
        async with asyncio.timeout(30):
            await self._reading

    async def leave(self) -> None:
        self._call.cancel()
        await asyncio.wait({self._reading})


@asynccontextmanager
async def _watching(live: LiveServer, check_id: str) -> AsyncIterator[_Watcher]:
    watcher = _Watcher(live, check_id)
    try:
        yield watcher
    finally:
        await watcher.leave()


# -- GetCheck


async def test_the_state_is_told_from_the_upload_to_the_verdict(scene: LiveServer) -> None:
    upload = await scene.upload(policy="resumable")
    check_id = upload.check_id
    waiting = await _progress(scene, check_id)
    assert _named(waiting) == "WAITING"
    assert (waiting.attempts_remaining, len(waiting.attempts)) == (3, 0)
    assert waiting.scan_expire_time == upload.scan_expire_time
    assert waiting.result_expire_time == upload.result_expire_time
    assert not waiting.HasField("resumable_until")

    device = RawDevice(scene.device, upload)
    stream = await device.open()
    await stream.begin()
    await stream.send_frames(pictures()[:9])
    await stream.taken(9)
    scanning = await _progress(scene, check_id)
    assert _named(scanning) == "SCANNING"
    (attempt,) = scanning.attempts
    assert (attempt.attempt, attempt.frames, scanning.attempts_remaining) == (1, 8, 2)
    assert (attempt.mode, attempt.plan) == (scan_pb2.MODE_EXPRESS, scan_pb2.PLAN_EXPRESS)
    assert attempt.outcome == result_pb2.AttemptSummary.OUTCOME_UNSPECIFIED
    assert not attempt.HasField("end_time")

    await stream.vanish()
    await scene.reaches(check_id, CheckState.WAITING)
    interrupted = await _progress(scene, check_id)
    assert _named(interrupted) == "INTERRUPTED"
    left = interrupted.resumable_until.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(seconds=10) < left <= timedelta(seconds=20)
    assert interrupted.attempts[0].outcome == result_pb2.AttemptSummary.OUTCOME_INTERRUPTED

    again = await device.resume()
    assert (await again.run_attempt(pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await again.outcome() is None
    decided = await _progress(scene, check_id)
    assert (_named(decided), decided.attempts_remaining) == ("DECIDED", 0)
    # Where a check stands says nothing of what was found.
    assert all(a.verdict == result_pb2.LIVENESS_VERDICT_UNSPECIFIED for a in decided.attempts)
    assert all(not a.feedback for a in decided.attempts)
    await scene.finish(check_id)
    assert await _state(scene, check_id) == "CLOSED"


async def test_asking_changes_nothing(scene: LiveServer) -> None:
    check_id, _ = await _dropped(scene)
    before = await scene.record(check_id), await scene.attempts(check_id)
    for _ in range(3):
        await _progress(scene, check_id)
    async with _watching(scene, check_id) as watcher:
        await watcher.sees("INTERRUPTED")
    assert (await scene.record(check_id), await scene.attempts(check_id)) == before
    await _cancel(scene, check_id)


async def test_a_check_is_expired_before_and_after_the_sweep(scene: LiveServer) -> None:
    upload = await scene.upload()
    scene.clock.ahead = timedelta(seconds=181)
    try:
        assert await _state(scene, upload.check_id) == "EXPIRED"
        await scene.reaches(upload.check_id, CheckState.DECIDED)
        assert await _state(scene, upload.check_id) == "EXPIRED"
        assert _reasons(await scene.finish(upload.check_id))[0] == "EXPIRED"
        assert await _state(scene, upload.check_id) == "CLOSED"
    finally:
        scene.clock.ahead = timedelta()


def _three(live: LiveServer, check_id: str, metadata: Any = ()) -> dict[str, Any]:
    """The three calls about a check."""
    watch = live.service.WatchCheck(service_pb2.WatchCheckRequest(check_id=check_id), metadata=metadata)

    async def first() -> Any:
        async for response in watch:
            watch.cancel()
            return response
        return None

    return {
        "GetCheck": live.service.GetCheck(service_pb2.GetCheckRequest(check_id=check_id), metadata=metadata),
        "WatchCheck": first(),
        "CancelCheck": live.service.CancelCheck(
            service_pb2.CancelCheckRequest(check_id=check_id), metadata=metadata
        ),
    }


@pytest.mark.parametrize(
    ("check_id", "code", "reason"),
    [
        ("no identifier", _C.INVALID_ARGUMENT, "INVALID_FIELD"),
        ("8366b788-9c1b-42af-b63f-d9078de4adac", _C.NOT_FOUND, "CHECK_NOT_FOUND"),
    ],
)
async def test_an_identifier_of_no_check(
    scene: LiveServer, check_id: str, code: grpc.StatusCode, reason: str
) -> None:
    for name, call in _three(scene, check_id).items():
        refusal = await _refused(call)
        assert (refusal.code, refusal.reason) == (code, reason), name


async def test_only_the_orchestrator_that_made_a_check_may_ask(tmp_path: Path) -> None:
    callers = {"one": "orchestrator", "two": "orchestrator", "office": "compliance"}
    keys = {name: new_api_key() for name in callers}
    file = tmp_path / "keys.toml"
    table = [
        f'[[key]]\nname = "{name}"\nsha256 = "{keys[name][1]}"\ntenant = "{name}"\nroles = ["{role}"]\n'
        for name, role in callers.items()
    ]
    file.touch(0o600)
    await asyncio.to_thread(file.write_text, "\n".join(table))
    listeners = {"device": {"port": 0}, "service": {"port": 0, "api_keys_file": file}, "admin": {"port": 0}}
    async with serving(settings_for(tmp_path, listeners=listeners)) as live:

        def bearer(name: str) -> Any:
            return (("authorization", f"Bearer {keys[name][0]}"),)

        upload = await live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(image=portrait(), request_id=str(uuid4())),
            metadata=bearer("one"),
        )
        for metadata, reason in (
            ((), "UNAUTHENTICATED"),
            (bearer("two"), "CHECK_NOT_FOUND"),
            (bearer("office"), "PERMISSION_DENIED"),
        ):
            for name, call in _three(live, upload.check_id, metadata).items():
                assert (await _refused(call)).reason == reason, name
        assert (await live.record(upload.check_id)).state is CheckState.CREATED
        answers = {
            name: _named((await call).progress)
            for name, call in _three(live, upload.check_id, bearer("one")).items()
        }
        assert answers == {"GetCheck": "WAITING", "WatchCheck": "WAITING", "CancelCheck": "DECIDED"}


async def test_nothing_is_told_of_an_erased_check(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    write_policy(tmp_path / "policies", "fleeting", result_seconds=180, evidence_seconds=0)
    async with serving(settings) as live:
        upload = await live.upload(policy="fleeting")
        await _cancel(live, upload.check_id)
        live.clock.ahead = timedelta(seconds=181)
        await live.reaches(upload.check_id, CheckState.ERASED)
        for name, call in _three(live, upload.check_id).items():
            refusal = await _refused(call)
            assert (refusal.code, refusal.reason) == (_C.NOT_FOUND, "RESULT_EXPIRED"), name


# -- WatchCheck


async def test_a_watcher_sees_every_change(scene: LiveServer) -> None:
    upload = await scene.upload(policy="resumable")
    device = RawDevice(scene.device, upload)
    async with _watching(scene, upload.check_id) as watcher:
        await watcher.sees("WAITING")
        stream = await device.open()
        await stream.begin()
        await stream.send_frames(pictures()[:5])
        await stream.taken(5)
        await watcher.sees("SCANNING")
        await stream.vanish()
        await watcher.sees("INTERRUPTED")
        again = await device.resume()
        await again.begin()
        await watcher.sees("SCANNING")
        await again.run_rest(pictures())
        assert await again.outcome() is None
        await watcher.over()
        assert watcher.states == ["WAITING", "SCANNING", "INTERRUPTED", "SCANNING", "DECIDED"]
        # Nothing is told twice.
        assert all(one != next_ for one, next_ in zip(watcher.seen, watcher.seen[1:], strict=False))
    await scene.finish(upload.check_id)
    async with _watching(scene, upload.check_id) as watcher:
        await watcher.over()
        assert watcher.states == ["CLOSED"]


async def test_a_watcher_sees_that_time_alone_changes_a_state(scene: LiveServer) -> None:
    upload = await scene.upload(policy="brief")
    async with _watching(scene, upload.check_id) as watcher:
        await watcher.over()
        assert watcher.states == ["WAITING", "EXPIRED"]


async def test_watchers_have_a_limit_of_their_own(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, limits={"max_watches": 2, "max_unary": 1})) as live:
        upload = await live.upload()
        async with _watching(live, upload.check_id) as first, _watching(live, upload.check_id) as second:
            await first.sees("WAITING")
            await second.sees("WAITING")
            third = _Watcher(live, upload.check_id)
            refusal = await _refused(third.over())
            assert (refusal.code, refusal.reason) == (_C.RESOURCE_EXHAUSTED, "OVERLOADED")
            assert refusal.metadata == {"limit": "2", "retrySeconds": "1.0"}
            assert refusal.retry_seconds
            # Those who only ask are served nevertheless.
            assert await _state(live, upload.check_id) == "WAITING"

        async def free() -> bool:
            async with _watching(live, upload.check_id) as watcher:
                await asyncio.sleep(0.1)
                return watcher.states == ["WAITING"]

        # Whoever leaves makes room.
        await until(free)


async def test_a_server_that_drains_sends_watchers_away(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path)) as live:
        upload = await live.upload()
        async with _watching(live, upload.check_id) as watcher:
            await watcher.sees("WAITING")
            await live.server.drain()
            refusal = await _refused(watcher.over())
            assert (refusal.code, refusal.reason) == (_C.UNAVAILABLE, "NOT_SERVING")
            assert refusal.retry_seconds
        assert (await _refused(_Watcher(live, upload.check_id).over())).reason == "NOT_SERVING"


# -- CancelCheck


async def test_a_check_that_nobody_scanned_is_cancelled(scene: LiveServer) -> None:
    upload = await scene.upload()
    assert _named(await _cancel(scene, upload.check_id)) == "DECIDED"
    assert _named(await _cancel(scene, upload.check_id)) == "DECIDED"
    refusal = await RawDevice(scene.device, upload).refusal()
    assert refusal.reason == "CHECK_CLOSED"
    answer = await scene.finish(upload.check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE
    assert _reasons(answer) == ["CANCELLED"]
    assert _named(await _cancel(scene, upload.check_id)) == "CLOSED"


async def test_cancelling_ends_a_running_scan(scene: LiveServer) -> None:
    check_id, device, stream = await _scanning(scene, 14)
    progress = await _cancel(scene, check_id)
    assert _named(progress) == "DECIDED"
    assert [a.outcome for a in progress.attempts] == [result_pb2.AttemptSummary.OUTCOME_INTERRUPTED]
    # The device hears of it although it sends nothing.
    refusal = await stream.outcome()
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (_C.FAILED_PRECONDITION, "CHECK_CLOSED")
    assert stream.goodbyes() == ["CHECK_CLOSED"]
    with pytest.raises(Ended, match="CHECK_CLOSED"):
        await device.open(resume=True)
    answer = await scene.finish(check_id, audit_images=1)
    assert _reasons(answer)[0] == "CANCELLED"
    # What was seen until then stands in the result.
    assert answer.evidence_frame.image
    assert answer.result.HasField("liveness")


async def test_cancelling_does_not_save_another_person_who_is_scanned(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    await stream.send_frames(_SOMEBODY_ELSE)
    await stream.taken(len(_SOMEBODY_ELSE))
    progress = await _cancel(scene, upload.check_id)
    assert _named(progress) == "DECIDED"
    assert [a.ended_by for a in progress.attempts] == [result_pb2.AttemptSummary.ENDED_BY_CHECK_CLOSED]
    await stream.outcome()
    assert stream.goodbyes() == ["CHECK_CLOSED"]
    answer = await scene.finish(upload.check_id)
    assert _reasons(answer)[0] == "NOT_SAME_PERSON"
    assert "CANCELLED" not in _reasons(answer)
    assert answer.evidence_frame.image


async def test_cancelling_does_not_undo_a_verdict(scene: LiveServer) -> None:
    check_id, _, stream = await _scanning(scene, 14)
    await stream.send_frames(pictures()[14:])
    await stream.send(stream.end())
    await stream.result()
    assert await stream.outcome() is None
    decided = (await scene.record(check_id)).result
    assert _named(await _cancel(scene, check_id)) == "DECIDED"
    assert (await scene.record(check_id)).result == decided
    assert (await scene.finish(check_id)).result.status == result_pb2.CHECK_STATUS_SUCCESS


async def test_many_who_cancel_at_once_cancel_once(scene: LiveServer) -> None:
    check_id, _, stream = await _scanning(scene, 4)
    states = await asyncio.gather(*(_cancel(scene, check_id) for _ in range(6)))
    assert {_named(progress) for progress in states} == {"DECIDED"}
    await stream.outcome()
    assert _reasons(await scene.finish(check_id))[0] == "CANCELLED"


async def test_cancelling_an_expired_check_leaves_it_expired(scene: LiveServer) -> None:
    upload = await scene.upload(policy="brief")
    scene.clock.ahead = timedelta(seconds=2)
    try:
        assert _named(await _cancel(scene, upload.check_id)) == "EXPIRED"
    finally:
        scene.clock.ahead = timedelta()
    assert _reasons(await scene.finish(upload.check_id))[0] == "EXPIRED"


async def test_another_replica_watches_and_cancels(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, limits={"lease_seconds": 2.0})
    async with serving(settings) as first, serving(settings) as second:
        for shown, reason in ((pictures()[:9], "CANCELLED"), (_SOMEBODY_ELSE, "NOT_SAME_PERSON")):
            upload = await first.upload()
            async with _watching(second, upload.check_id) as watcher:
                await watcher.sees("WAITING")
                stream = await RawDevice(first.device, upload).open()
                await stream.begin()
                await stream.send_frames(shown)
                await stream.taken(len(shown))
                await watcher.sees("SCANNING")
                assert _named(await _cancel(second, upload.check_id)) == "DECIDED"
                await watcher.over()
            refusal = await stream.outcome()
            assert refusal is not None
            assert refusal.reason == "CHECK_CLOSED"
            assert stream.goodbyes() == ["CHECK_CLOSED"]
            answer = await first.finish(upload.check_id)
            assert _reasons(answer)[0] == reason
            # What was seen until then stands, whichever replica saw it.
            assert answer.evidence_frame.image
            ended_by = [attempt.ended_by for attempt in answer.result.attempts]
            assert ended_by == [result_pb2.AttemptSummary.ENDED_BY_CHECK_CLOSED]


async def test_a_check_that_is_closing_takes_no_stream(scene: LiveServer) -> None:
    check_id, device = await _dropped(scene)
    await scene.repository.request_close(UUID(check_id), FailureReason.CANCELLED)
    with pytest.raises(Ended, match="CHECK_CLOSED"):
        await device.resume()
    # Also where the replica that was asked to close it died before it did.
    assert _reasons(await scene.finish(check_id))[0] == "CANCELLED"


# -- FinishCheck


@pytest.mark.parametrize("seconds", [0.44, 1.5, 5.0])
async def test_polling_for_the_verdict_leaves_a_dropped_scan_open(scene: LiveServer, seconds: float) -> None:
    check_id, device = await _dropped(scene)

    async def verdict() -> service_pb2.FinishCheckResponse:
        # As docs/errors.md says.
        while True:
            try:
                return await scene.finish(check_id)
            except grpc.aio.AioRpcError as error:
                refusal = refused(error)
                assert (refusal.code, refusal.reason) == (_C.FAILED_PRECONDITION, "SCAN_IN_PROGRESS")
                assert refusal.retry_seconds is not None
                assert 0 < refusal.retry_seconds <= 2
                await asyncio.sleep(refusal.retry_seconds)

    polling = asyncio.ensure_future(verdict())
    await asyncio.sleep(seconds)
    again = await device.resume()
    result = await again.run_attempt(pictures())
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await again.outcome() is None
    async with asyncio.timeout(10):
        answer = await polling
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
    assert answer.result.transcript.streams == 2


async def test_how_long_a_scan_may_be_resumed_is_told(scene: LiveServer) -> None:
    check_id, _ = await _dropped(scene)
    refusal = await _refused(_finish(scene, check_id))
    assert refusal.metadata["state"] == "INTERRUPTED"
    assert 10 < float(refusal.metadata["resumeSeconds"]) <= 20
    assert refusal.retry_seconds == 2
    scene.clock.ahead = timedelta(seconds=20)
    try:
        answer = await scene.finish(check_id)
    finally:
        scene.clock.ahead = timedelta()
    assert _reasons(answer)[0] == "ABANDONED"


async def test_a_device_may_come_back_late_if_nobody_closed_the_check(scene: LiveServer) -> None:
    check_id, device = await _dropped(scene)
    scene.clock.ahead = timedelta(seconds=30)
    try:
        again = await device.resume()
        assert (await again.run_attempt(pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS
        assert await again.outcome() is None
    finally:
        scene.clock.ahead = timedelta()
    assert not _reasons(await scene.finish(check_id))


async def test_closing_now_waits_for_nobody_who_left(scene: LiveServer) -> None:
    check_id, device = await _dropped(scene, 14)
    answer = await _finish(scene, check_id, close_now=True)
    # As of a scan that still runs: whether the server has noticed yet that the line is lost does not matter.
    assert _reasons(answer)[0] == "CANCELLED"
    assert answer.evidence_frame.image
    with pytest.raises(Ended, match="CHECK_CLOSED"):
        await device.open(resume=True)


async def test_closing_now_ends_a_running_scan(scene: LiveServer) -> None:
    check_id, _, stream = await _scanning(scene, 14)
    answer = await _finish(scene, check_id, close_now=True)
    assert _reasons(answer)[0] == "CANCELLED"
    assert answer.evidence_frame.image
    assert await _state(scene, check_id) == "CLOSED"
    await stream.outcome()
    assert stream.goodbyes() == ["CHECK_CLOSED"]


async def test_there_is_nothing_to_close_where_nobody_scanned(scene: LiveServer) -> None:
    upload = await scene.upload()
    refusal = await _refused(_finish(scene, upload.check_id, close_now=True))
    assert (refusal.code, refusal.reason) == (_C.FAILED_PRECONDITION, "NOT_SCANNED_YET")
    assert (await scene.record(upload.check_id)).state is CheckState.CREATED


async def test_nobody_waits_for_a_device_that_may_not_come_back(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    write_policy(tmp_path / "policies", "one-stream", reconnects=0, resume_seconds=20)
    write_policy(tmp_path / "policies", "one-attempt", maximum=1, resume_seconds=20)
    async with serving(settings) as live:
        for policy in ("one-stream", "one-attempt"):
            check_id, _, stream = await _scanning(live, 9, policy=policy)
            await stream.vanish()
            await live.reaches(check_id, CheckState.WAITING)
            assert not (await _progress(live, check_id)).HasField("resumable_until")
            assert _reasons(await live.finish(check_id))[0] == "ABANDONED", policy


async def test_a_half_close_ends_the_scan_at_once(scene: LiveServer) -> None:
    check_id, _, stream = await _scanning(scene, 5)
    await stream.half_close()
    assert await stream.outcome() is None
    assert await _state(scene, check_id) == "DECIDED"
    assert _reasons(await scene.finish(check_id))[0] == "ABANDONED"
