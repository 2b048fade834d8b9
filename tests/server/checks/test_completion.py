"""FinishCheck with a real server, and the evidence that a check leaves."""

import asyncio
import base64
import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import grpc
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from prometheus_client import CollectorRegistry

from facegate_client import ServerNotTrustedError, verify_review_jws
from facegate_client.result_keys import fetch_key_set
from facegate_client.result_signature import load_key_set, verify_response, verify_result_jws
from server.access.access_tokens import TokenPolicy, verify_access_token
from server.audit import Actor, AuditAction
from server.base.errors import Reason, Refusal
from server.checks.completion import Deliveries
from server.domain.terms import CheckState, CheckStatus, ImagePurpose, PortraitKept
from server.evidence.records import RecordVault
from server.evidence.store import EvidenceStore
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from server.storage.evidence_records import EvidenceRecordRepository, remove_record
from server.storage.objects import open_object_store
from server.storage.repository import CheckRepository
from server.telemetry.metrics import Metrics
from server.verdict import FailureReason
from server.verdict.record import EvidenceRecord
from tests.server.checks.asking import (
    calls_about,
    cancel,
    dropped,
    finish,
    reasons_of,
    scanning,
    state_of,
)
from tests.server.live import (
    SWEEPING,
    LiveServer,
    fresh_pictures,
    pictures,
    portrait,
    serving,
    settings_for,
    until,
)
from tests.server.policy_files import write_policy
from tests.server.raw_device import Ended, RawDevice, opened
from tests.server.refusals import refusal_of, refused
from tests.server.scan.records import check_record
from tests.server.storage.samples import new_check

# FinishCheck with a real server: early, twice, late, and by which caller.

_C = grpc.StatusCode


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call waits for a stream to close its check longer than a busy machine takes."""
    monkeypatch.setattr("server.checks.completion._PATIENCE_SECONDS", 60.0)


@pytest.mark.parametrize("close_now", [False, True])
async def test_a_check_that_was_not_scanned_is_not_finished(scene: LiveServer, close_now: bool) -> None:
    upload = await scene.upload()
    refusal = await refusal_of(finish(scene, upload.check_id, close_now=close_now))
    assert (refusal.code, refusal.reason) == (_C.FAILED_PRECONDITION, "NOT_SCANNED_YET")
    assert refusal.retry_seconds is None
    assert (await scene.record(upload.check_id)).state is CheckState.CREATED


async def test_finishing_during_a_scan_is_refused(scene: LiveServer) -> None:
    check_id, _, stream = await scanning(scene, 4)
    refusal = await refusal_of(finish(scene, check_id))
    assert (refusal.code, refusal.reason) == (_C.FAILED_PRECONDITION, "SCAN_IN_PROGRESS")
    assert refusal.retry_seconds
    # The scan is not affected.
    await stream.send_frames(pictures()[4:])
    await stream.send(stream.end())
    await stream.result()
    assert await stream.outcome() is None
    assert not reasons_of(await scene.finish(check_id))


async def test_too_many_audit_images(scene: LiveServer) -> None:
    request = service_pb2.FinishCheckRequest(check_id=str(uuid4()), audit_image_limit=5)
    refusal = await refusal_of(scene.service.FinishCheck(request))
    assert (refusal.code, refusal.reason) == (_C.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata == {"field": "audit_image_limit", "value": "5", "maxValue": "4"}


async def test_twice_gives_the_same_bytes_and_they_verify_offline(scene: LiveServer) -> None:
    check_id, _, stream = await scanning(scene, 12)
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
    check_id, _, stream = await scanning(scene, 3, policy="test")
    await stream.vanish()
    await scene.reaches(check_id, CheckState.WAITING)
    answers = await asyncio.gather(*(scene.finish(check_id) for _ in range(8)))
    assert len({answer.result.SerializeToString(deterministic=True) for answer in answers}) == 1
    assert reasons_of(answers[0])[0] == "ABANDONED"


@pytest.mark.parametrize("frames", [3, 14])
async def test_an_abandoned_check_states_the_party_that_left(scene: LiveServer, frames: int) -> None:
    check_id, _, stream = await scanning(scene, frames, policy="test")
    await stream.vanish()
    await scene.reaches(check_id, CheckState.WAITING)
    keys = await fetch_key_set(f"http://127.0.0.1:{scene.server.admin_port}/.well-known/jwks.json")

    answer = await scene.finish(check_id, audit_images=4)

    assert reasons_of(answer)[0] == "ABANDONED"
    assert answer.evidence_frame.image in {picture.jpeg for picture in pictures()}
    assert answer.result.attempts[0].outcome == result_pb2.AttemptSummary.OUTCOME_INTERRUPTED
    assert verify_response(answer, keys, check_id=check_id, accept_sandbox=True).check_id == check_id
    # The judgement of fourteen frames is in the result; three are too few for one.
    assert answer.result.HasField("liveness") is (frames == 14)


async def test_an_attempt_that_another_version_of_the_server_judged_counts_as_not_judged(
    scene: LiveServer,
) -> None:
    check_id, _, stream = await scanning(scene, 14, policy="test")
    await stream.vanish()
    await scene.reaches(check_id, CheckState.WAITING)
    (attempt,) = await scene.attempts(check_id)
    assert attempt.judgement is not None
    with closing(sqlite3.connect(scene.settings.data_dir / "facegate.db", timeout=60)) as database, database:
        changed = database.execute(
            "UPDATE attempts SET judgement = ? WHERE judgement = ?",
            (b'{"written": "otherwise"}', attempt.judgement),
        )
        assert changed.rowcount == 1

    answer = await scene.finish(check_id)

    assert reasons_of(answer) == ["ABANDONED"]
    assert not answer.result.HasField("liveness")
    assert answer.evidence_frame.image in {picture.jpeg for picture in pictures()}


async def test_checks_that_cannot_be_closed_keep_no_later_one_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.running.housekeeping._BATCH", 2)
    async with serving(settings_for(tmp_path)) as live:
        past = datetime.now(UTC) - timedelta(hours=1)
        # A full page and more, some of one deadline, some of another: the list continues from either.
        broken = [
            replace(new_check(policy=b"no policy at all"), scan_deadline=past + timedelta(seconds=seconds))
            for seconds in (0, 0, 0, 1, 1)
        ]
        for check in broken:
            await live.repository.create(check, None)
        upload = await live.upload()
        live.clock.ahead = timedelta(seconds=181)
        await live.reaches(upload.check_id, CheckState.DECIDED)
        assert (await live.record(str(broken[-1].check_id))).state is CheckState.CREATED


async def test_an_expired_result_is_not_handed_out_and_then_erased(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    write_policy(tmp_path / "policies", "fleeting", result_seconds=180, evidence_seconds=0)
    async with serving(settings, tuning=SWEEPING) as live:
        check_id, _, stream = await opened(live, policy="fleeting")
        await stream.run_attempt(pictures())
        assert await stream.outcome() is None
        assert (await live.finish(check_id)).evidence_frame.image
        kept = [tmp_path / "data" / "objects" / e.object_key for e in await live.evidence(check_id)]
        assert all([await asyncio.to_thread(path.exists) for path in kept])

        live.clock.ahead = timedelta(seconds=181)
        refusal = await refusal_of(finish(live, check_id))
        assert (refusal.code, refusal.reason) == (_C.NOT_FOUND, "RESULT_EXPIRED")
        await live.reaches(check_id, CheckState.ERASED)

        async def gone() -> bool:
            # The rows and their keys go first, the objects after them.
            return not any([await asyncio.to_thread(path.exists) for path in kept])

        await until(gone)
        for name, call in calls_about(live, check_id).items():
            refusal = await refusal_of(call())
            assert (refusal.code, refusal.reason) == (_C.NOT_FOUND, "RESULT_EXPIRED"), name
            assert refusal.message == "the result of this check was erased", name


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
        _, event = deliveries.events_of(
            record, status=CheckStatus.SUCCESS, subject="s", actor=actor, now=_NOW
        )
        if event is not None:
            assert event.check_id == check_id
            recorded[actor.name, True] += int(event.detail["count"])
    assert deliveries.due(_NOW) == ()
    for event in deliveries.due(_NOW + timedelta(minutes=1)):
        assert event.action is AuditAction.RESULT_REPEATED
        recorded[event.actor.name, event.check_id is not None] += int(event.detail["count"])
    assert recorded == {("backend", True): 1025, ("backend", False): 6, ("other", False): 1}


# FinishCheck while a scan runs or may still be resumed, with a real server.


async def test_a_check_that_is_closing_takes_no_stream(scene: LiveServer) -> None:
    check_id, device = await dropped(scene)
    await scene.repository.request_close(UUID(check_id), FailureReason.CANCELLED)
    with pytest.raises(Ended, match="CHECK_CLOSED"):
        await device.resume()
    # Also if the replica that had to close it died before.
    assert reasons_of(await scene.finish(check_id))[0] == "CANCELLED"


@pytest.mark.parametrize(
    "seconds", [0.44, pytest.param(1.5, marks=pytest.mark.slow), pytest.param(5.0, marks=pytest.mark.slow)]
)
async def test_polling_for_the_verdict_leaves_a_dropped_scan_open(scene: LiveServer, seconds: float) -> None:
    check_id, device = await dropped(scene)

    async def verdict() -> service_pb2.FinishCheckResponse:
        # As in docs/reference/errors.md.
        while True:
            try:
                return await scene.finish(check_id)
            except grpc.aio.AioRpcError as error:
                refusal = refused(error)
                assert (refusal.code, refusal.reason) == (
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "SCAN_IN_PROGRESS",
                )
                assert refusal.retry_seconds is not None
                assert 0 < refusal.retry_seconds <= 2
                await asyncio.sleep(refusal.retry_seconds)

    polling = asyncio.ensure_future(verdict())
    await asyncio.sleep(seconds)
    again = await device.resume()
    result = await again.run_attempt(pictures())
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await again.outcome() is None
    async with asyncio.timeout(90):
        answer = await polling
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
    assert answer.result.transcript.streams == 2


async def test_how_long_a_scan_may_be_resumed_is_reported(scene: LiveServer) -> None:
    check_id, _ = await dropped(scene)
    refusal = await refusal_of(finish(scene, check_id))
    assert refusal.metadata["state"] == "INTERRUPTED"
    assert 10 < float(refusal.metadata["resumeSeconds"]) <= 90
    assert refusal.retry_seconds == 2
    with scene.clock.later(seconds=90):
        answer = await scene.finish(check_id)
    assert reasons_of(answer)[0] == "ABANDONED"


async def test_a_device_may_return_late_to_an_open_check(scene: LiveServer) -> None:
    check_id, device = await dropped(scene)
    with scene.clock.later(seconds=100):
        again = await device.resume()
        assert (await again.run_attempt(pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS
        assert await again.outcome() is None
    assert not reasons_of(await scene.finish(check_id))


async def test_closing_does_not_wait_for_a_device_that_left(scene: LiveServer) -> None:
    check_id, device = await dropped(scene, 14)
    answer = await finish(scene, check_id, close_now=True)
    # As for a running scan: it does not matter whether the server has already noticed the lost connection.
    assert reasons_of(answer)[0] == "CANCELLED"
    assert answer.evidence_frame.image
    with pytest.raises(Ended, match="CHECK_CLOSED"):
        await device.open(resume=True)


async def test_closing_now_ends_a_running_scan(scene: LiveServer) -> None:
    check_id, _, stream = await scanning(scene, 14)
    answer = await finish(scene, check_id, close_now=True)
    assert reasons_of(answer)[0] == "CANCELLED"
    assert answer.evidence_frame.image
    assert await state_of(scene, check_id) == "CLOSED"
    await stream.outcome()
    assert stream.goodbyes() == ["CHECK_CLOSED"]


async def test_a_half_close_ends_the_scan_at_once(scene: LiveServer) -> None:
    check_id, _, stream = await scanning(scene, 5)
    await stream.half_close()
    assert await stream.outcome() is None
    assert await state_of(scene, check_id) == "DECIDED"
    assert reasons_of(await scene.finish(check_id))[0] == "ABANDONED"


# Lost, altered or unavailable evidence: FinishCheck reports it, and still returns the result.

_Problem = service_pb2.EvidenceProblem
_FEWER = service_pb2.AUDIT_IMAGE_SHORTFALL_FEWER_CAPTURED
_POLICY = service_pb2.AUDIT_IMAGE_SHORTFALL_POLICY
_PROBLEMS = service_pb2.AUDIT_IMAGE_SHORTFALL_PROBLEMS
_NONE = service_pb2.AUDIT_IMAGE_SHORTFALL_UNSPECIFIED


async def _decided(live: LiveServer) -> tuple[str, list[Path]]:
    """A check that succeeded, and the files of its images, the evidence frame's first."""
    check_id, _, stream = await opened(live)
    await stream.run_attempt(pictures())
    assert await stream.outcome() is None
    folder = Path(live.settings.objects_url)
    return check_id, [folder / entry.object_key for entry in await live.evidence(check_id)]


def _alter(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


async def _counted(live: LiveServer, problem: str) -> float:
    lines = (await live.metrics()).splitlines()
    start = f'facegate_evidence_problems_total{{problem="{problem}"}} '
    return sum(float(line.removeprefix(start)) for line in lines if line.startswith(start))


async def test_lost_and_altered_pictures_are_reported_and_counted(scene: LiveServer) -> None:
    check_id, files = await _decided(scene)
    whole = await scene.finish(check_id, audit_images=2)
    assert not whole.evidence_problems
    before = await _counted(scene, "ALTERED"), await _counted(scene, "LOST")
    await asyncio.to_thread(_alter, files[0])
    await asyncio.to_thread(files[2].unlink)

    answer = await scene.finish(check_id, audit_images=2)

    assert answer.result == whole.result
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
    keys = await fetch_key_set(f"http://127.0.0.1:{scene.server.admin_port}/.well-known/jwks.json")
    verify_response(answer, keys, check_id=check_id, accept_sandbox=True)
    assert not answer.HasField("evidence_frame")
    assert list(answer.audit_images) == [whole.audit_images[0]]
    assert [(problem.kind, problem.picture) for problem in answer.evidence_problems] == [
        (_Problem.KIND_ALTERED, answer.result.evidence_frame),
        (_Problem.KIND_LOST, answer.result.audit_images[1]),
    ]
    assert answer.audit_image_shortfall == _PROBLEMS
    after = await _counted(scene, "ALTERED"), await _counted(scene, "LOST")
    assert after == (before[0] + 1, before[1] + 1)


async def test_a_policy_that_keeps_fewer_is_named(scene: LiveServer) -> None:
    check_id, _ = await _decided(scene)
    for asked, given, shortfall in ((0, 0, _NONE), (2, 2, _NONE), (3, 2, _POLICY)):
        answer = await scene.finish(check_id, audit_images=asked)
        assert (len(answer.audit_images), answer.audit_image_shortfall) == (given, shortfall)


async def test_a_scan_with_fewer_frames_is_named(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene)
    await stream.begin()
    await stream.send_frames(pictures()[:2])
    await stream.taken(2)
    await stream.half_close()
    assert await stream.outcome() is None
    answer = await scene.finish(check_id, audit_images=2)
    assert (len(answer.audit_images), answer.audit_image_shortfall) == (0, _FEWER)


async def test_a_store_that_is_out_of_reach_is_distinguished(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path)) as live:
        check_id, _ = await _decided(live)
        store = Path(live.settings.objects_url)
        await asyncio.to_thread(_put_away, store)
        answer = await live.finish(check_id, audit_images=2)
        assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
        assert [problem.kind for problem in answer.evidence_problems] == [_Problem.KIND_UNAVAILABLE] * 3
        await asyncio.to_thread(_put_back, store)
        answer = await live.finish(check_id, audit_images=2)
        assert not answer.evidence_problems
        assert answer.evidence_frame.image


def _put_away(folder: Path) -> None:
    folder.rename(folder.with_name("away"))
    folder.write_bytes(b"")


def _put_back(folder: Path) -> None:
    folder.unlink()
    folder.with_name("away").rename(folder)


# The evidence record that a whole check leaves, and what FinishCheck makes of it.


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def evidence_live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    folder = tmp_path_factory.mktemp("evidence")
    settings = settings_for(folder)
    for kept in PortraitKept:
        write_policy(folder / "policies", f"portrait-{kept}", portrait=kept.value)
    write_policy(folder / "policies", "three-days", evidence_seconds=3 * 86_400)
    async with serving(settings) as live:
        yield live


def _vault(live: LiveServer) -> RecordVault:
    keys = KeyFolder(KeyFiles(live.settings.key_folder)).keys
    return RecordVault(
        wrapping_keys=keys.wrapping_keys,
        tenant_key=keys.memory.tenant_key,
        sign=keys.results.sign,
    )


async def _record(live: LiveServer, check_id: str) -> EvidenceRecord:
    async with live.database() as database:
        stored = await EvidenceRecordRepository(database).find(UUID(check_id))
    assert stored is not None
    return _vault(live).open(stored)


async def _scanned(live: LiveServer, policy: str = "test") -> str:
    check_id, _, stream = await opened(live, policy=policy, subject_reference="anna", consent_reference="c-1")
    await stream.run_attempt(pictures())
    assert await stream.outcome() is None
    return check_id


@pytest.mark.parametrize(
    ("asked", "kept"), [(200_000, 200_000), (5, None), (400_000, 259_200), (None, 259_200)]
)
async def test_an_upload_only_shortens_the_retention(
    evidence_live: LiveServer, asked: int | None, kept: int | None
) -> None:
    upload = await evidence_live.upload(policy="three-days", retention_seconds=asked)
    await evidence_live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id))
    async with evidence_live.database() as database:
        check = await CheckRepository(database).get(UUID(upload.check_id))
    assert check is not None
    assert check.decide_time is not None
    # Never before the deadline of the result.
    expected = check.result_deadline if kept is None else check.decide_time + timedelta(seconds=kept)
    assert check.retain_until == expected


async def test_the_record_has_everything_that_the_check_was_decided_by(evidence_live: LiveServer) -> None:
    check_id = await _scanned(evidence_live)
    record = await _record(evidence_live, check_id)
    answer = await evidence_live.finish(check_id, audit_images=4)

    assert result_pb2.CheckResult.FromString(record.result) == answer.result
    assert (record.subject_reference, record.consent_reference, record.tenant) == ("anna", "c-1", "default")
    assert record.outcome.liveness is not None
    assert record.outcome.liveness.policy.live_threshold > 0
    assert record.times.source.startswith("system clock of ")
    (frames,) = record.frames
    assert frames.complete
    assert len(frames.sha256) == answer.result.transcript.frames
    assert {image.sha256 for image in record.images} <= set(frames.sha256)
    assert answer.evidence_frame.sha256 in frames.sha256
    assert record.portrait.sha256 == hashlib.sha256(portrait()).digest()
    assert record.result_jws.split(".")[1] == answer.result_jws.split(".")[1]


@pytest.mark.parametrize("kept", PortraitKept)
async def test_the_policy_states_what_is_kept_of_the_portrait(
    evidence_live: LiveServer, kept: PortraitKept
) -> None:
    upload = await evidence_live.upload(policy=f"portrait-{kept}")
    await evidence_live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id))
    record = await _record(evidence_live, upload.check_id)
    assert record.portrait.kept is kept
    entries = await evidence_live.evidence(upload.check_id)
    if kept is not PortraitKept.BYTES:
        assert entries == ()
        return
    (entry,) = entries
    assert entry.facts.purpose is ImagePurpose.PORTRAIT
    keys = KeyFolder(KeyFiles(evidence_live.settings.key_folder)).keys
    store = EvidenceStore(
        open_object_store(evidence_live.settings.objects_url),
        wrapping_keys=keys.wrapping_keys,
        metrics=Metrics(CollectorRegistry()),
    )
    assert await store.load(UUID(upload.check_id), entry, tenant="default") == portrait()
    answer = await evidence_live.finish(upload.check_id, audit_images=4)
    assert not answer.HasField("evidence_frame")
    assert not answer.audit_images


async def test_a_repeated_request_leaves_no_second_portrait(evidence_live: LiveServer) -> None:
    request_id = "0f0e0d0c-0b0a-4908-8706-050403020100"
    first, again = [
        await evidence_live.upload(policy="portrait-bytes", request_id=request_id) for _ in range(2)
    ]
    assert first.check_id == again.check_id
    assert await evidence_live.orphans() == set()


async def test_a_lost_record_is_named_and_is_no_fault_of_the_call(evidence_live: LiveServer) -> None:
    check_id = await _scanned(evidence_live)
    async with evidence_live.database() as database:
        await database.write(remove_record, UUID(check_id))
    refusal = await refusal_of(evidence_live.finish(check_id))
    assert (refusal.reason, refusal.metadata["problem"]) == ("EVIDENCE_UNREADABLE", "LOST")


async def test_the_frames_of_every_attempt_are_in_the_record(evidence_live: LiveServer) -> None:
    check_id, device, lost = await opened(evidence_live)
    await lost.begin()
    await lost.send_frames(fresh_pictures()[:10])
    await lost.vanish()
    await evidence_live.unattended()
    stream = await device.resume()
    await stream.run_attempt(pictures())
    record = await _record(evidence_live, check_id)
    assert [(one.attempt, one.complete) for one in record.frames] == [(1, True), (2, True)]
    assert 1 <= len(record.frames[0].sha256) <= 10


# The result as a JWT: what a real server states, read by code that shares nothing with the signer.


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def _jwks(live: LiveServer) -> dict[str, Any]:
    url = f"http://127.0.0.1:{live.server.admin_port}/.well-known/jwks.json"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        found: dict[str, Any] = await response.json(content_type=None)
    return found


def _read(token: str, jwks: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token whose signature is verified."""
    head, body, tail = token.split(".")
    header: dict[str, Any] = json.loads(_bytes(head))
    (key,) = [key for key in jwks["keys"] if key["kid"] == header["kid"]]
    x, y = (int.from_bytes(_bytes(key[name])) for name in ("x", "y"))
    r, s = (int.from_bytes(_bytes(tail)[at : at + 32]) for at in (0, 32))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    public.verify(utils.encode_dss_signature(r, s), f"{head}.{body}".encode(), ec.ECDSA(SHA256()))
    claims: dict[str, Any] = json.loads(_bytes(body))
    return header, claims


async def test_the_claims_state_the_result(scene: LiveServer) -> None:
    upload = await scene.upload(
        policy="consenting", subject_reference="customer-4711", consent_reference="consent-1"
    )
    stream = await RawDevice(scene.device, upload).open()
    await stream.run_attempt(pictures())
    await stream.outcome()
    answer = await scene.finish(upload.check_id)
    result = answer.result
    header, claims = _read(answer.result_jwt, await _jwks(scene))
    assert (header["alg"], header["typ"], set(header)) == (
        "ES256",
        "facegate-result+jwt",
        {"alg", "typ", "kid"},
    )
    assert claims == {
        "iss": "facegate",
        # The callers of this server are sandbox callers.
        "aud": "sandbox:default",
        "sub": "customer-4711",
        "iat": result.decide_time.seconds,
        "jti": upload.check_id,
        "check_id": upload.check_id,
        "status": "SUCCESS",
        "reasons": [],
        "policy": {
            "name": "consenting",
            "version": 1,
            "sha256": result.policy.sha256.hex(),
            "oid": result.policy.oid,
        },
        "assurance": {
            "device": result_pb2.DeviceAssurance.Name(result.device.assurance).removeprefix(
                "DEVICE_ASSURANCE_"
            ),
            "mode": "EXPRESS",
            "required_fmr": result.match.required_fmr,
        },
        "evidence_frame_sha256": result.evidence_frame.sha256.hex(),
        "sandbox": True,
    }
    # Every later call states the same.
    again = await scene.finish(upload.check_id)
    assert _read(again.result_jwt, await _jwks(scene))[1] == claims


async def test_a_check_without_a_scan_has_what_is_known(scene: LiveServer) -> None:
    upload = await scene.upload()
    await cancel(scene, upload.check_id)
    _, claims = _read((await scene.finish(upload.check_id)).result_jwt, await _jwks(scene))
    assert (claims["status"], claims["reasons"]) == ("FAILURE", ["CANCELLED"])
    assert not {"sub", "evidence_frame_sha256"} & claims.keys()
    assert "mode" not in claims["assurance"]


async def test_no_token_stands_for_another(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene)
    await stream.run_attempt(pictures())
    await stream.outcome()
    answer = await scene.finish(check_id)
    jwks = await _jwks(scene)
    keys = load_key_set(jwks)
    # The JWT is neither a result in protobuf nor a review,
    for verify in (verify_result_jws, verify_review_jws):
        with pytest.raises(ServerNotTrustedError, match="has the type 'facegate-result\\+jwt'"):
            verify(answer.result_jwt, keys)
    # the payload of the JWS is no JSON,
    with pytest.raises(ValueError, match=r"codec|JSON|Expecting|Extra"):
        json.loads(_bytes(answer.result_jws.split(".")[1]))
    # and neither is an access token, even for a server that would trust the key and the issuer.
    for kind in ("at+jwt", "JWT"):
        with pytest.raises(Refusal) as caught:
            verify_access_token(
                answer.result_jwt,
                policy=TokenPolicy(issuer="facegate", audience="sandbox:default", token_type=kind),
                key=lambda _kid: pytest.fail("the key was asked for"),
                now=scene.clock(),
            )
        assert caught.value.reason is Reason.UNAUTHENTICATED
