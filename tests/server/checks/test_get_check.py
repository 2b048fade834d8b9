"""GetCheck, and the permissions of calls about a check, with a real server."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from sqlalchemy import text
from structlog.testing import capture_logs

from server.access.api_keys import new_api_key
from server.domain.terms import CheckState
from server.storage.database import open_database
from tests.server.checks.asking import (
    cancel,
    dropped,
    named,
    progress_of,
    reasons_of,
    state_of,
    three_calls,
    watching,
)
from tests.server.live import LiveServer, pictures, portrait, serving, settings_for
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice
from tests.server.refusals import refusal_of


async def test_the_state_is_reported_from_the_upload_to_the_verdict(scene: LiveServer) -> None:
    upload = await scene.upload(policy="resumable")
    check_id = upload.check_id
    waiting = await progress_of(scene, check_id)
    assert named(waiting) == "WAITING"
    assert (waiting.attempts_remaining, len(waiting.attempts)) == (3, 0)
    assert waiting.scan_expire_time == upload.scan_expire_time
    assert waiting.result_expire_time == upload.result_expire_time
    assert not waiting.HasField("resumable_until")

    device = RawDevice(scene.device, upload)
    stream = await device.open()
    await stream.begin()
    await stream.send_frames(pictures()[:9])
    await stream.taken(9)
    scanning = await progress_of(scene, check_id)
    assert named(scanning) == "SCANNING"
    (attempt,) = scanning.attempts
    assert (attempt.attempt, attempt.frames, scanning.attempts_remaining) == (1, 8, 2)
    assert (attempt.mode, attempt.plan) == (scan_pb2.MODE_EXPRESS, scan_pb2.PLAN_EXPRESS)
    assert attempt.outcome == result_pb2.AttemptSummary.OUTCOME_UNSPECIFIED
    assert not attempt.HasField("end_time")

    await stream.vanish()
    await scene.reaches(check_id, CheckState.WAITING)
    interrupted = await progress_of(scene, check_id)
    assert named(interrupted) == "INTERRUPTED"
    left = interrupted.resumable_until.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(seconds=10) < left <= timedelta(seconds=20)
    assert interrupted.attempts[0].outcome == result_pb2.AttemptSummary.OUTCOME_INTERRUPTED

    again = await device.resume()
    assert (await again.run_attempt(pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await again.outcome() is None
    decided = await progress_of(scene, check_id)
    assert (named(decided), decided.attempts_remaining) == ("DECIDED", 0)
    # The state of a check does not disclose its findings.
    assert all(a.verdict == result_pb2.LIVENESS_VERDICT_UNSPECIFIED for a in decided.attempts)
    assert all(not a.feedback for a in decided.attempts)
    await scene.finish(check_id)
    assert await state_of(scene, check_id) == "CLOSED"


async def test_asking_changes_nothing(scene: LiveServer) -> None:
    check_id, _ = await dropped(scene)
    before = await scene.record(check_id), await scene.attempts(check_id)
    for _ in range(3):
        await progress_of(scene, check_id)
    async with watching(scene, check_id) as watcher:
        await watcher.sees("INTERRUPTED")
    assert (await scene.record(check_id), await scene.attempts(check_id)) == before
    await cancel(scene, check_id)


async def test_a_check_is_expired_before_and_after_the_sweep(scene: LiveServer) -> None:
    upload = await scene.upload()
    scene.clock.ahead = timedelta(seconds=181)
    try:
        assert await state_of(scene, upload.check_id) == "EXPIRED"
        await scene.reaches(upload.check_id, CheckState.DECIDED)
        assert await state_of(scene, upload.check_id) == "EXPIRED"
        assert reasons_of(await scene.finish(upload.check_id))[0] == "EXPIRED"
        assert await state_of(scene, upload.check_id) == "CLOSED"
    finally:
        scene.clock.ahead = timedelta()


async def test_a_check_is_expired_also_if_its_reasons_were_made_unreadable(scene: LiveServer) -> None:
    upload = await scene.upload()
    scene.clock.ahead = timedelta(seconds=181)
    try:
        await scene.reaches(upload.check_id, CheckState.DECIDED)
        await _execute(scene, "update checks set reasons = '{' where check_id = :check", upload.check_id)
        with capture_logs() as logged:
            assert await state_of(scene, upload.check_id) == "EXPIRED"
        found = [line for line in logged if line["event"] == "evidence_index_altered"]
        assert [(line["check_id"], line["facts"]) for line in found] == [(upload.check_id, ("reasons",))]
        # Nothing can be said any more once the record is unreadable, too.
        spoiled = "update evidence_records set ciphertext = wrapped_key where check_id = :check"
        await _execute(scene, spoiled, upload.check_id)
        assert await state_of(scene, upload.check_id) == "DECIDED"
    finally:
        scene.clock.ahead = timedelta()


async def _execute(scene: LiveServer, statement: str, check_id: str) -> None:
    database = open_database(scene.settings.database_url)
    values = {"check": UUID(check_id).hex}
    await database.write(lambda connection: connection.execute(text(statement), values))
    await database.close()


@pytest.mark.parametrize(
    ("check_id", "code", "reason"),
    [
        ("no identifier", grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
        ("8366b788-9c1b-42af-b63f-d9078de4adac", grpc.StatusCode.NOT_FOUND, "CHECK_NOT_FOUND"),
    ],
)
async def test_an_unknown_identifier_is_refused(
    scene: LiveServer, check_id: str, code: grpc.StatusCode, reason: str
) -> None:
    for name, call in three_calls(scene, check_id).items():
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.reason) == (code, reason), name


async def test_only_the_orchestrator_that_made_a_check_may_ask(tmp_path: Path) -> None:
    callers = {"one": "orchestrator", "two": "orchestrator", "office": "compliance_admin"}
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
            for name, call in three_calls(live, upload.check_id, metadata).items():
                assert (await refusal_of(call)).reason == reason, name
        assert (await live.record(upload.check_id)).state is CheckState.CREATED
        answers = {
            name: named((await call).progress)
            for name, call in three_calls(live, upload.check_id, bearer("one")).items()
        }
        assert answers == {"GetCheck": "WAITING", "WatchCheck": "WAITING", "CancelCheck": "DECIDED"}


async def test_nothing_is_reported_of_an_erased_check(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    write_policy(tmp_path / "policies", "fleeting", result_seconds=180, evidence_seconds=0)
    async with serving(settings) as live:
        upload = await live.upload(policy="fleeting")
        await cancel(live, upload.check_id)
        live.clock.ahead = timedelta(seconds=181)
        await live.reaches(upload.check_id, CheckState.ERASED)
        for name, call in three_calls(live, upload.check_id).items():
            refusal = await refusal_of(call)
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "RESULT_EXPIRED"), name
