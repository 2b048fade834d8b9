"""FinishCheck with a real server: early, twice, late, and by which caller."""

import asyncio
import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import grpc
import pytest
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_client.result_keys import fetch_key_set
from facegate_client.result_signature import load_key_set, verify_response, verify_result_jws
from server.access.api_keys import new_api_key
from server.audit import Actor, AuditAction
from server.checks.completion import Deliveries
from server.domain.terms import CheckState
from server.verdict import FailureReason
from tests.server.live import FAST, LiveServer, pictures, portrait, serving, settings_for, until
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice, RawStream
from tests.server.refusals import Refused, refused
from tests.server.scan.records import check_record
from tests.server.storage.samples import new_check

_C = grpc.StatusCode
_LISTED_AT_ONCE = 100
"""By housekeeping."""


async def _finish_refused(live: LiveServer, check_id: str, audit_image_limit: int = 0) -> Refused:
    request = service_pb2.FinishCheckRequest(check_id=check_id, audit_image_limit=audit_image_limit)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await live.service.FinishCheck(request)
    return refused(caught.value)


def _reasons(answer: service_pb2.FinishCheckResponse) -> list[str]:
    return [
        result_pb2.FailureReason.Name(reason).removeprefix("FAILURE_REASON_")
        for reason in answer.result.reasons
    ]


async def _scanning(live: LiveServer, frames: int) -> tuple[str, RawStream]:
    upload = await live.upload()
    stream = await RawDevice(live.device, upload).open()
    await stream.begin()
    await stream.send_frames(pictures()[:frames])
    await stream.taken(frames)
    return upload.check_id, stream


async def test_finishing_too_early_is_refused(scene: LiveServer) -> None:
    upload = await scene.upload()
    refusal = await _finish_refused(scene, upload.check_id)
    assert (refusal.code, refusal.reason) == (_C.FAILED_PRECONDITION, "NOT_SCANNED_YET")
    assert refusal.retry_seconds is None
    assert (await scene.record(upload.check_id)).state is CheckState.CREATED


async def test_finishing_during_a_scan_is_refused(scene: LiveServer) -> None:
    check_id, stream = await _scanning(scene, 4)
    refusal = await _finish_refused(scene, check_id)
    assert (refusal.code, refusal.reason) == (_C.FAILED_PRECONDITION, "SCAN_IN_PROGRESS")
    assert refusal.retry_seconds
    # The scan is not affected.
    await stream.send_frames(pictures()[4:])
    await stream.send(stream.end())
    await stream.result()
    assert await stream.outcome() is None
    assert not _reasons(await scene.finish(check_id))


@pytest.mark.parametrize(
    ("check_id", "code", "reason"),
    [
        ("", _C.INVALID_ARGUMENT, "INVALID_FIELD"),
        ("no identifier", _C.INVALID_ARGUMENT, "INVALID_FIELD"),
        ("'; drop table checks; --", _C.INVALID_ARGUMENT, "INVALID_FIELD"),
        ("8366b788-9c1b-42af-b63f-d9078de4adac", _C.NOT_FOUND, "CHECK_NOT_FOUND"),
    ],
)
async def test_an_unknown_identifier_is_refused(
    scene: LiveServer, check_id: str, code: grpc.StatusCode, reason: str
) -> None:
    refusal = await _finish_refused(scene, check_id)
    assert (refusal.code, refusal.reason) == (code, reason)


async def test_too_many_audit_images(scene: LiveServer) -> None:
    refusal = await _finish_refused(scene, str(uuid4()), audit_image_limit=5)
    assert (refusal.code, refusal.reason) == (_C.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata == {"field": "audit_image_limit", "value": "5", "maxValue": "4"}


async def test_twice_gives_the_same_bytes_and_they_verify_offline(scene: LiveServer) -> None:
    check_id, stream = await _scanning(scene, 12)
    await stream.send_frames(pictures()[12:])
    await stream.send(stream.end())
    await stream.result()
    assert await stream.outcome() is None
    url = f"http://127.0.0.1:{scene.server.admin_port}/.well-known/jwks.json"
    keys = await fetch_key_set(url)

    first = await scene.finish(check_id, audit_images=4)
    second = await scene.finish(check_id, audit_images=4)
    alone = await scene.finish(check_id)

    signed = [answer.result_jws.split(".")[:2] for answer in (first, second, alone)]
    assert signed[0] == signed[1] == signed[2]
    assert first.result == second.result == alone.result
    assert first.evidence_frame == second.evidence_frame == alone.evidence_frame
    assert len(first.audit_images) == 2
    assert not alone.audit_images
    for answer in (first, second, alone):
        assert verify_response(answer, keys, check_id=check_id, accept_sandbox=True) == first.result
    # Offline: from a kept copy of the keys, without the server.
    kept = load_key_set(json.dumps(keys.as_dict()))
    assert verify_result_jws(first.result_jws, kept, accept_sandbox=True) == first.result
    head, payload, signature = first.result_jws.split(".")
    broken = ".".join((head, payload[:-2] + ("AA" if payload[-2:] != "AA" else "BB"), signature))
    with pytest.raises(Exception, match="signature"):
        verify_result_jws(broken, kept)


async def test_many_at_once_give_one_answer(scene: LiveServer) -> None:
    check_id, stream = await _scanning(scene, 3)
    await stream.vanish()
    await scene.reaches(check_id, CheckState.WAITING)
    answers = await asyncio.gather(*(scene.finish(check_id) for _ in range(8)))
    assert len({answer.result.SerializeToString(deterministic=True) for answer in answers}) == 1
    assert _reasons(answers[0])[0] == "ABANDONED"


@pytest.mark.parametrize("frames", [3, 14])
async def test_an_abandoned_check_states_the_party_that_left(scene: LiveServer, frames: int) -> None:
    check_id, stream = await _scanning(scene, frames)
    await stream.vanish()
    await scene.reaches(check_id, CheckState.WAITING)
    keys = await fetch_key_set(f"http://127.0.0.1:{scene.server.admin_port}/.well-known/jwks.json")

    answer = await scene.finish(check_id, audit_images=4)

    assert _reasons(answer)[0] == "ABANDONED"
    assert answer.evidence_frame.image in {picture.jpeg for picture in pictures()}
    assert answer.result.attempts[0].outcome == result_pb2.AttemptSummary.OUTCOME_INTERRUPTED
    assert verify_response(answer, keys, check_id=check_id, accept_sandbox=True).check_id == check_id
    # The judgement of fourteen frames is in the result; three are too few for one.
    assert answer.result.HasField("liveness") is (frames == 14)


async def test_an_attempt_that_another_version_of_the_server_judged_counts_as_not_judged(
    scene: LiveServer,
) -> None:
    check_id, stream = await _scanning(scene, 14)
    await stream.vanish()
    await scene.reaches(check_id, CheckState.WAITING)
    (attempt,) = await scene.attempts(check_id)
    assert attempt.judgement is not None
    with closing(sqlite3.connect(scene.settings.data_dir / "facegate.db")) as database, database:
        changed = database.execute(
            "UPDATE attempts SET judgement = ? WHERE judgement = ?",
            (b'{"written": "otherwise"}', attempt.judgement),
        )
        assert changed.rowcount == 1

    answer = await scene.finish(check_id)

    assert _reasons(answer) == ["ABANDONED"]
    assert not answer.result.HasField("liveness")
    assert answer.evidence_frame.image in {picture.jpeg for picture in pictures()}


async def test_a_check_without_a_scan_ends_at_its_deadline(scene: LiveServer) -> None:
    upload = await scene.upload()
    scene.clock.ahead = timedelta(seconds=181)
    try:
        answer = await scene.finish(upload.check_id)
        assert _reasons(answer)[0] == "EXPIRED"
        assert not answer.HasField("evidence_frame")
    finally:
        scene.clock.ahead = timedelta()


async def test_the_sweep_decides_an_expired_check_by_itself(scene: LiveServer) -> None:
    upload = await scene.upload()
    scene.clock.ahead = timedelta(seconds=181)
    try:
        await scene.reaches(upload.check_id, CheckState.DECIDED)
    finally:
        scene.clock.ahead = timedelta()
    reasons = (await scene.record(upload.check_id)).reasons
    assert reasons
    assert reasons[0] is FailureReason.EXPIRED
    assert _reasons(await scene.finish(upload.check_id))[0] == "EXPIRED"


async def test_a_check_that_cannot_be_closed_keeps_no_later_one_open(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path)) as live:
        past = datetime.now(UTC) - timedelta(hours=1)
        broken = replace(new_check(policy=b"no policy at all"), scan_deadline=past)
        await live.repository.create(broken, None)
        upload = await live.upload()
        live.clock.ahead = timedelta(seconds=181)
        await live.reaches(upload.check_id, CheckState.DECIDED)
        assert (await live.record(str(broken.check_id))).state is CheckState.CREATED


@pytest.mark.slow
async def test_a_full_page_of_unclosable_checks_hides_no_other_check(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path)) as live:
        past = datetime.now(UTC) - timedelta(hours=1)
        for number in range(_LISTED_AT_ONCE + 1):
            # Some of one deadline, some of another: the list continues from either.
            deadline = past + timedelta(seconds=number // 40)
            broken = replace(new_check(policy=b"no policy at all"), scan_deadline=deadline)
            await live.repository.create(broken, None)
        upload = await live.upload()
        live.clock.ahead = timedelta(seconds=181)
        await live.reaches(upload.check_id, CheckState.DECIDED)


async def test_an_expired_result_is_not_handed_out_and_then_erased(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    write_policy(tmp_path / "policies", "fleeting", result_seconds=180, evidence_seconds=0)
    async with serving(settings, tuning=FAST) as live:
        upload = await live.upload(policy="fleeting")
        stream = await RawDevice(live.device, upload).open()
        await stream.run_attempt(pictures())
        assert await stream.outcome() is None
        assert (await live.finish(upload.check_id)).evidence_frame.image
        kept = [tmp_path / "data" / "objects" / e.object_key for e in await live.evidence(upload.check_id)]
        assert all([await asyncio.to_thread(path.exists) for path in kept])

        live.clock.ahead = timedelta(seconds=181)
        refusal = await _finish_refused(live, upload.check_id)
        assert (refusal.code, refusal.reason) == (_C.NOT_FOUND, "RESULT_EXPIRED")
        await live.reaches(upload.check_id, CheckState.ERASED)

        async def gone() -> bool:
            # The rows and their keys go first, the objects after them.
            return not any([await asyncio.to_thread(path.exists) for path in kept])

        await until(gone)
        refusal = await _finish_refused(live, upload.check_id)
        assert (refusal.code, refusal.reason) == (_C.NOT_FOUND, "RESULT_EXPIRED")


async def test_another_tenants_check_does_not_exist(tmp_path: Path) -> None:
    keys = {tenant: new_api_key() for tenant in ("one", "two")}
    file = tmp_path / "keys.toml"
    table = [
        f'[[key]]\nname = "{tenant}"\nsha256 = "{digest}"\ntenant = "{tenant}"\nroles = ["orchestrator"]\n'
        for tenant, (_, digest) in keys.items()
    ]
    file.touch(0o600)
    await asyncio.to_thread(file.write_text, "\n".join(table))
    listeners = {"device": {"port": 0}, "service": {"port": 0, "api_keys_file": file}, "admin": {"port": 0}}
    async with serving(settings_for(tmp_path, listeners=listeners)) as live:
        upload = await live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(image=portrait(), request_id=str(uuid4())),
            metadata=(("authorization", f"Bearer {keys['one'][0]}"),),
        )
        reasons = {}
        for tenant, (key, _) in keys.items():
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await live.service.FinishCheck(
                    service_pb2.FinishCheckRequest(check_id=upload.check_id),
                    metadata=(("authorization", f"Bearer {key}"),),
                )
            reasons[tenant] = refused(caught.value).reason
        assert reasons == {"one": "NOT_SCANNED_YET", "two": "CHECK_NOT_FOUND"}


_NOW = datetime(2026, 11, 26, tzinfo=UTC)
_BACKEND = Actor(name="backend", role="orchestrator")
_OTHER = Actor(name="other", role="orchestrator")


def test_repeats_of_more_checks_than_are_counted_separately_are_recorded_by_caller() -> None:
    deliveries = Deliveries(lambda tenant: tenant.encode().ljust(32))
    recorded: Counter[tuple[str, bool]] = Counter()
    repeated: list[tuple[UUID, Actor]] = [(uuid4(), _BACKEND) for _ in range(1030)]
    repeated += [(uuid4(), _OTHER), (repeated[0][0], _BACKEND)]
    for check_id, actor in repeated:
        record = check_record(check_id=check_id, state=CheckState.FINISHED)
        event = deliveries.events_of(record, subject="s", actor=actor, now=_NOW).again
        if event is not None:
            assert event.check_id == check_id
            recorded[actor.name, True] += int(event.detail["count"])
    assert deliveries.due(_NOW) == ()
    for event in deliveries.due(_NOW + timedelta(minutes=1)):
        assert event.action is AuditAction.RESULT_REPEATED
        recorded[event.actor.name, event.check_id is not None] += int(event.detail["count"])
    assert recorded == {("backend", True): 1025, ("backend", False): 6, ("other", False): 1}
