"""The calls about a check: GetCheck, WatchCheck and CancelCheck, and the progress that they report."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import text
from structlog.testing import capture_logs

from facegate_client import ApiKey, Orchestrator
from liveness import VerdictReason
from server.checks import finding
from server.checks.progress import CheckProgress, ProgressState, most_attempts
from server.checks.progress import progress_of as derived_progress_of
from server.domain.terms import AttemptOutcome, CheckState
from server.policies import Policy, load_policies, parse_policy
from server.storage.audit_reader import AuditFilter, AuditReader
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.verdict import FailureReason
from tests.server.api_keys import bearer, write_keys
from tests.server.checks.asking import (
    SOMEBODY_ELSE,
    Callers,
    calls_about,
    cancel,
    dropped,
    named,
    progress_of,
    reasons_of,
    scanning,
    state_of,
    watching,
)
from tests.server.live import FAST, LiveServer, pictures, portrait, serving, settings_for
from tests.server.raw_device import Ended, RawDevice, opened
from tests.server.refusals import refusal_of
from tests.server.scan.records import NOW, attempt_record, check_record


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call waits for a stream to close its check longer than a busy machine takes."""
    monkeypatch.setattr("server.checks.completion._PATIENCE_SECONDS", 60.0)


# GetCheck, and the permissions of calls about a check, with a real server.


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
    assert timedelta(seconds=10) < left <= timedelta(seconds=90)
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
    with scene.clock.later(seconds=181):
        assert await state_of(scene, upload.check_id) == "EXPIRED"
        await scene.reaches(upload.check_id, CheckState.DECIDED)
        assert await state_of(scene, upload.check_id) == "EXPIRED"
        assert reasons_of(await scene.finish(upload.check_id))[0] == "EXPIRED"
        assert await state_of(scene, upload.check_id) == "CLOSED"


async def test_a_check_is_expired_also_if_its_reasons_were_made_unreadable(scene: LiveServer) -> None:
    upload = await scene.upload()
    with scene.clock.later(seconds=181):
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


async def _execute(scene: LiveServer, statement: str, check_id: str) -> None:
    async with scene.database() as database:
        values = {"check": UUID(check_id).hex}
        await database.write(lambda connection: connection.execute(text(statement), values))


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
    for name, call in calls_about(scene, check_id).items():
        refusal = await refusal_of(call())
        assert (refusal.code, refusal.reason) == (code, reason), name


async def test_only_the_orchestrator_that_made_a_check_may_ask(tmp_path: Path) -> None:
    callers = {"one": "orchestrator", "two": "orchestrator", "office": "compliance_admin"}
    entries = {name: f'tenant = "{name}"\nroles = ["{role}"]' for name, role in callers.items()}
    listeners, keys = write_keys(tmp_path, entries)
    async with serving(settings_for(tmp_path, listeners=listeners)) as live:
        upload = await live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(image=portrait(), request_id=str(uuid4())),
            metadata=bearer(keys["one"]),
        )
        for metadata, reason in (
            ((), "UNAUTHENTICATED"),
            (bearer(keys["two"]), "CHECK_NOT_FOUND"),
            (bearer(keys["office"]), "PERMISSION_DENIED"),
        ):
            for name, call in calls_about(live, upload.check_id, metadata).items():
                assert (await refusal_of(call())).reason == reason, name
        assert (await live.record(upload.check_id)).state is CheckState.CREATED
        allowed = calls_about(live, upload.check_id, bearer(keys["one"]))
        assert (await refusal_of(allowed.pop("FinishCheck")())).reason == "NOT_SCANNED_YET"
        answers = {name: named((await call()).progress) for name, call in allowed.items()}
        assert answers == {"GetCheck": "WAITING", "WatchCheck": "WAITING", "CancelCheck": "DECIDED"}


# WatchCheck with a real server.


async def test_a_watcher_sees_every_change(scene: LiveServer) -> None:
    upload = await scene.upload(policy="resumable")
    device = RawDevice(scene.device, upload)
    async with watching(scene, upload.check_id) as watcher:
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
        # No state is reported twice.
        assert all(one != next_ for one, next_ in zip(watcher.seen, watcher.seen[1:], strict=False))
    await scene.finish(upload.check_id)
    async with watching(scene, upload.check_id) as watcher:
        await watcher.over()
        assert watcher.states == ["CLOSED"]


async def test_watched_checks_are_read_together(scene: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [UUID((await scene.upload(policy="resumable")).check_id) for _ in range(4)]
    read, alone = asyncio.Event(), list[UUID]()
    together, get = CheckRepository.with_attempts, CheckRepository.get

    def counted(self: CheckRepository, check_ids: Collection[UUID]) -> Any:
        if set(ids) <= set(check_ids):
            read.set()
        return together(self, check_ids)

    def noted(self: CheckRepository, check_id: UUID, tenant: str | None = None) -> Any:
        alone.append(check_id)
        return get(self, check_id, tenant)

    monkeypatch.setattr(CheckRepository, "with_attempts", counted)
    async with AsyncExitStack() as stack:
        watchers = [
            await stack.enter_async_context(watching(scene, str(check_id))) for check_id in ids for _ in "ab"
        ]
        for watcher in watchers:
            await watcher.sees("WAITING")
        monkeypatch.setattr(CheckRepository, "get", noted)
        read.clear()
        await asyncio.wait_for(read.wait(), 60)
        # Nobody is read alone any more.
        assert set(alone).isdisjoint(ids)
        changed = watchers[0]
        await scene.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=str(ids[0])))
        await changed.over()
        assert changed.states == ["WAITING", "DECIDED"]


async def test_a_watcher_sees_that_time_alone_changes_a_state(scene: LiveServer) -> None:
    upload = await scene.upload()
    with scene.clock.later():
        async with watching(scene, upload.check_id) as watcher:
            await watcher.sees("WAITING")
            scene.clock.ahead = timedelta(seconds=181)
            await watcher.over()
            assert watcher.states == ["WAITING", "EXPIRED"]


# CancelCheck against a real server.


async def test_a_check_without_a_scan_is_cancelled(scene: LiveServer) -> None:
    upload = await scene.upload()
    assert named(await cancel(scene, upload.check_id)) == "DECIDED"
    assert named(await cancel(scene, upload.check_id)) == "DECIDED"
    refusal = await RawDevice(scene.device, upload).refusal()
    assert refusal.reason == "CHECK_CLOSED"
    answer = await scene.finish(upload.check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE
    assert reasons_of(answer) == ["CANCELLED"]
    assert named(await cancel(scene, upload.check_id)) == "CLOSED"


async def test_cancelling_ends_a_running_scan(scene: LiveServer) -> None:
    check_id, device, stream = await scanning(scene, 14)
    progress = await cancel(scene, check_id)
    assert named(progress) == "DECIDED"
    assert [a.outcome for a in progress.attempts] == [result_pb2.AttemptSummary.OUTCOME_INTERRUPTED]
    # The device is notified although it sends nothing.
    refusal = await stream.refusal()
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CHECK_CLOSED")
    assert stream.goodbyes() == ["CHECK_CLOSED"]
    with pytest.raises(Ended, match="CHECK_CLOSED"):
        await device.open(resume=True)
    answer = await scene.finish(check_id, audit_images=1)
    assert reasons_of(answer)[0] == "CANCELLED"
    # The judgement until then is in the result.
    assert answer.evidence_frame.image
    assert answer.result.HasField("liveness")


async def test_cancelling_does_not_help_another_person_under_scan(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene)
    await stream.begin()
    await stream.send_frames(SOMEBODY_ELSE)
    await stream.taken(len(SOMEBODY_ELSE))
    progress = await cancel(scene, check_id)
    assert named(progress) == "DECIDED"
    assert [a.ended_by for a in progress.attempts] == [result_pb2.AttemptSummary.ENDED_BY_CHECK_CLOSED]
    await stream.outcome()
    assert stream.goodbyes() == ["CHECK_CLOSED"]
    answer = await scene.finish(check_id)
    assert reasons_of(answer)[0] == "NOT_SAME_PERSON"
    assert "CANCELLED" not in reasons_of(answer)
    assert answer.evidence_frame.image


async def test_cancelling_does_not_undo_a_verdict(scene: LiveServer) -> None:
    check_id, _, stream = await scanning(scene, 14)
    await stream.send_frames(pictures()[14:])
    await stream.send(stream.end())
    await stream.result()
    assert await stream.outcome() is None
    decided = await scene.record(check_id)
    assert named(await cancel(scene, check_id)) == "DECIDED"
    assert await scene.record(check_id) == decided
    assert (await scene.finish(check_id)).result.status == result_pb2.CHECK_STATUS_SUCCESS


async def test_cancelling_an_expired_check_leaves_it_expired(scene: LiveServer) -> None:
    upload = await scene.upload(policy="brief")
    with scene.clock.later(seconds=2):
        assert named(await cancel(scene, upload.check_id)) == "EXPIRED"
    assert reasons_of(await scene.finish(upload.check_id))[0] == "EXPIRED"


async def test_another_replica_watches_and_cancels(tmp_path: Path) -> None:
    settings, tuning = settings_for(tmp_path), replace(FAST, lease_seconds=60.0)
    async with serving(settings, tuning=tuning) as first, serving(settings, tuning=tuning) as second:
        for shown, reason in ((pictures()[:9], "CANCELLED"), (SOMEBODY_ELSE, "NOT_SAME_PERSON")):
            upload = await first.upload()
            async with watching(second, upload.check_id) as watcher:
                await watcher.sees("WAITING")
                stream = await RawDevice(first.device, upload).open()
                await stream.begin()
                await stream.send_frames(shown)
                await stream.taken(len(shown))
                await watcher.sees("SCANNING")
                assert named(await cancel(second, upload.check_id)) == "DECIDED"
                await watcher.over()
            refusal = await stream.refusal()
            assert refusal.reason == "CHECK_CLOSED"
            assert stream.goodbyes() == ["CHECK_CLOSED"]
            answer = await first.finish(upload.check_id)
            assert reasons_of(answer)[0] == reason
            # The judgement until then stands, whichever replica made it.
            assert answer.evidence_frame.image
            ended_by = [attempt.ended_by for attempt in answer.result.attempts]
            assert ended_by == [result_pb2.AttemptSummary.ENDED_BY_CHECK_CLOSED]


# The state of a check, derived from its record.

_S = ProgressState


def _policy() -> Policy:
    source = (files("server.policies") / "shipped" / "standard.toml").read_bytes()
    return parse_policy(source, origin="standard").policy


POLICY = _policy()


def _after(seconds: float) -> Any:
    return NOW + timedelta(seconds=seconds)


def _progress(*attempts: Any, at: float = 0, **changes: Any) -> CheckProgress:
    return derived_progress_of(check_record(**changes), attempts, policy=POLICY, now=_after(at))


def _lost(**changes: Any) -> dict[str, Any]:
    return {"state": CheckState.WAITING, "streams": 1, "resume_until": _after(20)} | changes


@pytest.mark.parametrize(
    ("at", "record", "state"),
    [
        (0, {}, _S.WAITING),
        (179, {}, _S.WAITING),
        (180, {}, _S.EXPIRED),
        (9, {"state": CheckState.SCANNING, "lease_until": _after(15)}, _S.SCANNING),
        (15, {"state": CheckState.SCANNING, "lease_until": _after(15)}, _S.INTERRUPTED),
        # A stream that holds its check at the deadline ends it itself.
        (181, {"state": CheckState.SCANNING, "lease_until": _after(190)}, _S.SCANNING),
        (191, {"state": CheckState.SCANNING, "lease_until": _after(190)}, _S.EXPIRED),
        (9, _lost(), _S.INTERRUPTED),
        (30, _lost(), _S.INTERRUPTED),
        (180, _lost(), _S.EXPIRED),
        (9, {"state": CheckState.DECIDED}, _S.DECIDED),
        (9, {"state": CheckState.DECIDED, "reasons": (FailureReason.SPOOF,)}, _S.DECIDED),
        (9, {"state": CheckState.DECIDED, "reasons": (FailureReason.EXPIRED,)}, _S.EXPIRED),
        (9, {"state": CheckState.FINISHED, "reasons": (FailureReason.EXPIRED,)}, _S.CLOSED),
    ],
)
def test_the_progress_states_the_state(at: float, record: dict[str, Any], state: ProgressState) -> None:
    progress = _progress(at=at, **record)
    assert progress.state is state
    assert progress.over is (state in {_S.DECIDED, _S.CLOSED, _S.EXPIRED})
    assert (progress.resumable_until is None) or state is _S.INTERRUPTED


def test_a_lost_scan_may_be_resumed_until_its_time_is_over_or_the_deadline() -> None:
    assert _progress(at=9, **_lost()).resumable_until == _after(20)
    assert _progress(at=170, **_lost(resume_until=_after(185))).resumable_until == _after(180)


def test_the_scan_of_a_replica_that_died_may_be_resumed_after_its_lease() -> None:
    dead = {"state": CheckState.SCANNING, "streams": 1, "lease_until": _after(15)}
    assert _progress(at=16, **dead).resumable_until == _after(15 + POLICY.deadlines.resume_seconds)
    assert POLICY.deadlines.resume_seconds == 20


def test_the_scan_of_a_device_that_may_not_come_back_may_not_be_resumed() -> None:
    counted = [attempt_record(n, counted=True, outcome=AttemptOutcome.RETRY) for n in (1, 2, 3)]
    assert POLICY.attempts.maximum == 3
    assert _progress(*counted[:2], at=9, **_lost()).resumable_until is not None
    assert _progress(*counted, at=9, **_lost()).resumable_until is None
    judged = attempt_record(1, outcome=AttemptOutcome.DECIDED)
    assert _progress(judged, at=9, **_lost()).resumable_until is None
    assert _progress(at=9, **_lost(closing=FailureReason.CANCELLED)).resumable_until is None
    most = POLICY.attempts.reconnects
    assert _progress(at=9, **_lost(streams=most)).resumable_until is not None
    assert _progress(at=9, **_lost(streams=most + 1)).resumable_until is None


def test_doubt_allows_one_attempt_more() -> None:
    doubts = (VerdictReason.NOT_SURE,)
    counted = [attempt_record(n, counted=True, outcome=AttemptOutcome.RETRY) for n in (1, 2)]
    last = attempt_record(3, counted=True, outcome=AttemptOutcome.RETRY, doubts=doubts)
    assert _progress(*counted, last, at=9, **_lost()).attempts_remaining == 1
    further = attempt_record(4, counted=True, outcome=AttemptOutcome.RETRY, doubts=doubts)
    assert _progress(*counted, last, further, at=9, **_lost()).attempts_remaining == 0


def test_a_scan_that_begins_with_a_challenge_gets_no_further_one_for_doubt() -> None:
    adaptive = load_policies().get("adaptive").policy
    doubted = attempt_record(1, counted=True, outcome=AttemptOutcome.RETRY, doubts=(VerdictReason.NOT_SURE,))
    assert most_attempts([doubted], POLICY) == POLICY.attempts.maximum + 1
    assert most_attempts([doubted], adaptive) == adaptive.attempts.maximum


def test_attempts_that_count_are_taken_from_those_that_remain() -> None:
    attempts = attempt_record(1, counted=True), attempt_record(2)
    scanning = {"state": CheckState.SCANNING, "lease_until": _after(15)}
    progress = _progress(*attempts, **scanning)
    assert progress.attempts_remaining == 2
    assert [attempt.attempt for attempt in progress.attempts] == [1, 2]
    assert _progress(*attempts, state=CheckState.DECIDED).attempts_remaining == 0


# FindChecks: an orchestrator finds its checks again.


State = service_pb2.CheckProgress.State
_KEYS = {
    "bank": ("bank", False, ""),
    "test": ("bank", True, ""),
    "clerk": ("bank", False, 'scopes = ["checks.list"]'),
    "creator": ("bank", False, 'scopes = ["checks.create"]'),
    "shop": ("shop", False, ""),
}
"""Callers: tenant, sandbox, further lines of the entry."""


@dataclass(frozen=True, slots=True)
class Finders(Callers):
    """A server with callers of two tenants."""

    async def find(self, caller: str, **conditions: object) -> service_pb2.FindChecksResponse:
        return await self.live.service.FindChecks(
            service_pb2.FindChecksRequest(**conditions),  # type: ignore[arg-type]
            metadata=self.metadata(caller),
        )

    async def found(self, caller: str, **conditions: object) -> list[str]:
        """The identifiers on all pages."""
        found: list[str] = []
        token = ""
        while True:
            page = await self.find(caller, **conditions, page_token=token)
            found += [check.check_id for check in page.checks]
            if not (token := page.next_page_token):
                return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def callers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Finders]:
    """A server for the module."""
    folder: Path = tmp_path_factory.mktemp("finding")
    listeners, keys = write_keys(
        folder,
        {
            name: f'roles = ["orchestrator"]\ntenant = "{tenant}"\nsandbox = {str(sandbox).lower()}\n{more}'
            for name, (tenant, sandbox, more) in _KEYS.items()
        },
    )
    async with serving(settings_for(folder, listeners=listeners)) as live:
        yield Finders(live, keys)


async def test_checks_of_a_person_are_found_before_and_after_the_decision(callers: Finders) -> None:
    subject = f"customer-{uuid4()}"
    first = await callers.upload("bank", subject_reference=subject)
    second = await callers.upload("bank", subject_reference=subject)
    await callers.upload("bank", subject_reference="somebody else")
    stream = await RawDevice(callers.live.device, first).open()
    await stream.run_attempt(pictures())
    await stream.outcome()
    newer, older = (await callers.find("bank", subject_reference=subject)).checks
    assert (newer.check_id, older.check_id) == (second.check_id, first.check_id)
    assert (newer.state, newer.status) == (State.STATE_WAITING, result_pb2.CHECK_STATUS_UNSPECIFIED)
    assert not newer.HasField("decide_time")
    assert (older.state, older.status) == (State.STATE_DECIDED, result_pb2.CHECK_STATUS_SUCCESS)
    assert older.create_time.ToDatetime() < older.decide_time.ToDatetime()
    assert {(one.subject_reference, one.policy, one.sandbox) for one in (newer, older)} == {
        (subject, "test", False)
    }


async def test_the_check_of_a_request_is_found_again(callers: Finders) -> None:
    request_id = str(uuid4())
    upload = await callers.upload("bank", request_id=request_id)
    assert await callers.found("bank", request_id=request_id.upper()) == [upload.check_id]
    assert await callers.found("bank", request_id=request_id, subject_reference="nobody") == []
    assert await callers.found("bank", request_id=str(uuid4())) == []
    # The identifiers of another tenant and of the sandbox are others.
    assert await callers.found("shop", request_id=request_id) == []
    assert await callers.found("test", request_id=request_id) == []


async def test_neither_tenants_nor_sandboxes_find_each_others_checks(callers: Finders) -> None:
    subject = f"customer-{uuid4()}"
    made = {
        caller: (await callers.upload(caller, subject_reference=subject)).check_id
        for caller in ("bank", "test", "shop")
    }
    for caller, check_id in made.items():
        assert await callers.found(caller, subject_reference=subject) == [check_id]
        await callers.cancel(caller, check_id)
        assert await callers.found(caller, subject_reference=subject) == [check_id]
        everything = await callers.found(caller)
        assert check_id in everything
        assert not set(everything) & (set(made.values()) - {check_id})


async def test_pages_follow_each_other_and_their_tokens_fit_nothing_else(callers: Finders) -> None:
    subject = f"customer-{uuid4()}"
    made = [(await callers.upload("bank", subject_reference=subject)).check_id for _ in range(4)]
    page = await callers.find("bank", subject_reference=subject, page_size=3)
    assert [check.check_id for check in page.checks] == made[:0:-1]
    rest = await callers.find("bank", subject_reference=subject, page_size=3, page_token=page.next_page_token)
    assert ([check.check_id for check in rest.checks], rest.next_page_token) == (made[:1], "")
    for caller, conditions in (
        ("test", {"subject_reference": subject}),
        ("shop", {"subject_reference": subject}),
        ("bank", {"subject_reference": "somebody else"}),
        ("bank", {"subject_reference": subject, "state": State.STATE_WAITING}),
    ):
        refusal = await refusal_of(callers.find(caller, **conditions, page_token=page.next_page_token))
        assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "page_token")


async def test_a_state_is_found_however_rare_it_is(callers: Finders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "_WINDOW", 2)
    subject = f"customer-{uuid4()}"
    made = [(await callers.upload("bank", subject_reference=subject)).check_id for _ in range(5)]
    for check_id in made[1:]:
        await callers.cancel("bank", check_id)
    waiting = {"subject_reference": subject, "state": State.STATE_WAITING}
    first = await callers.find("bank", **waiting)
    assert not first.checks
    assert first.next_page_token
    assert await callers.found("bank", **waiting) == made[:1]
    assert await callers.found("bank", subject_reference=subject, state=State.STATE_DECIDED) == made[:0:-1]


async def test_times_bound_a_list(callers: Finders) -> None:
    subject = f"customer-{uuid4()}"
    made = [(await callers.upload("bank", subject_reference=subject)).check_id for _ in range(2)]
    second = Timestamp()
    second.FromDatetime((await callers.live.record(made[1])).create_time)
    assert await callers.found("bank", subject_reference=subject, created_since=second) == made[1:]
    assert await callers.found("bank", subject_reference=subject, created_before=second) == made[:1]


async def test_a_caller_needs_the_scope_and_learns_a_status_only_if_it_may_fetch_results(
    callers: Finders,
) -> None:
    subject = f"customer-{uuid4()}"
    upload = await callers.upload("bank", subject_reference=subject)
    await callers.cancel("bank", upload.check_id)
    refusal = await refusal_of(callers.find("creator", subject_reference=subject))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    assert refusal.metadata["requiredScope"] == "checks.list"
    for caller, status in (
        ("bank", result_pb2.CHECK_STATUS_FAILURE),
        ("clerk", result_pb2.CHECK_STATUS_UNSPECIFIED),
    ):
        (found,) = (await callers.find(caller, subject_reference=subject)).checks
        assert (found.check_id, found.status) == (upload.check_id, status)


async def test_erased_checks_are_not_found(callers: Finders) -> None:
    subject, request_id = f"customer-{uuid4()}", str(uuid4())
    upload = await callers.upload("bank", subject_reference=subject, request_id=request_id)
    await callers.cancel("bank", upload.check_id)
    async with callers.live.database() as database:
        await RetentionRepository(database).erase(UUID(upload.check_id), datetime.now(UTC))
    assert await callers.found("bank", subject_reference=subject) == []
    assert await callers.found("bank", request_id=request_id) == []


async def test_each_page_is_in_the_audit_log_without_the_reference(callers: Finders) -> None:
    subject = f"customer-{uuid4()}"
    await callers.find("bank", subject_reference=subject)
    async with callers.live.database() as database:
        entries, _ = await AuditReader(database).page(
            "bank", chosen=AuditFilter(actions=("checks.listed",)), subjects=(), before=0, limit=1
        )
    assert (entries[0].action, entries[0].actor) == ("checks.listed", "bank")
    assert entries[0].details == {"by": "subject_reference", "checks": "0"}
    assert subject not in str(entries[0])


@pytest.mark.parametrize(
    ("conditions", "field"),
    [
        ({"request_id": "4711"}, "request_id"),
        ({"subject_reference": "x" * 257}, "subject_reference"),
        ({"subject_reference": "a\0b"}, "subject_reference"),
        ({"page_size": 101}, "page_size"),
        ({"state": 99}, "state"),
        ({"page_token": "!"}, "page_token"),
        ({"created_since": Timestamp(seconds=2**60)}, "created_since"),
    ],
)
async def test_what_cannot_be_searched_for_is_refused(
    callers: Finders, conditions: dict[str, object], field: str
) -> None:
    refusal = await refusal_of(callers.find("bank", **conditions))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata["field"] == field


async def test_the_python_client_reads_every_page(callers: Finders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facegate_client.orchestrator._PAGE", 2)
    subject = f"customer-{uuid4()}"
    made = [(await callers.upload("bank", subject_reference=subject)).check_id for _ in range(3)]
    orchestrator = Orchestrator(channel=callers.live.service_channel, api_key=ApiKey(callers.keys["bank"]))
    since = datetime.now(UTC) - timedelta(minutes=1)
    found = [
        check.check_id
        async for check in orchestrator.find_checks(subject_reference=subject, created_since=since)
    ]
    assert found == made[::-1]
