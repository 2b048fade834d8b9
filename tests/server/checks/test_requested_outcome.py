"""Requested outcomes of sandbox checks, with a real server."""

import asyncio
import io
import json
import zipfile
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import grpc
import numpy as np
import pytest
import pytest_asyncio
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from facegate.v1 import result_pb2, review_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from sqlalchemy import select

from cli.checks import evidence_tables
from facegate_client import ApiKey, Orchestrator, SandboxResultError, fetch_key_set
from server.domain.events import EventKind
from server.domain.terms import CheckState, CheckStatus, FailureReason, RequestedOutcome
from server.running.webhooks import new_webhook_secret
from server.storage.tables import events
from tests.server.api_keys import write_keys
from tests.server.checks.asking import Callers, named, reasons_of
from tests.server.live import pictures, serving, settings_for, until
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice
from tests.server.refusals import Refused, refusal_of
from tests.server.running.receiver import secret_file
from tests.server.scan.records import check_record
from vision.image import encode_jpeg

Outcome = service_pb2.SandboxOutcome
SUCCESS, FAILURE, NOT_DECIDED = (
    result_pb2.CHECK_STATUS_SUCCESS,
    result_pb2.CHECK_STATUS_FAILURE,
    result_pb2.CHECK_STATUS_NOT_DECIDED,
)
_ENTRIES = {
    "real": ("orchestrator", False),
    "test": ("orchestrator", True),
    "reader": ("compliance_reader", False),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def callers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callers]:
    """A server for the module."""
    folder: Path = tmp_path_factory.mktemp("requested")
    listeners, keys = write_keys(
        folder,
        {
            name: f'roles = ["{role}"]\nsandbox = {str(sandbox).lower()}'
            for name, (role, sandbox) in _ENTRIES.items()
        },
    )
    endpoint = {
        "tenant": "default",
        "url": "https://nobody.invalid/hook",
        "secret_files": [secret_file(folder, new_webhook_secret())],
        "sandbox": "also",
    }
    settings = settings_for(folder, listeners=listeners, webhooks={"endpoints": {"bank": endpoint}})
    write_policy(folder / "policies", "sampled", tables="[review]\nsample_percent = 100.0\n")
    async with serving(settings) as live:
        yield Callers(live, keys)


_FAILURES = [
    value
    for name, value in result_pb2.FailureReason.items()
    if name.removeprefix("FAILURE_REASON_") not in {"UNSPECIFIED", "INTERRUPTED", "SERVER_FAULT"}
]
_ALL = [
    Outcome(status=SUCCESS),
    *(Outcome(status=FAILURE, reason=reason) for reason in _FAILURES),
    Outcome(status=NOT_DECIDED),
    Outcome(status=NOT_DECIDED, reason=result_pb2.FAILURE_REASON_INTERRUPTED),
]


async def test_every_outcome_is_reached_without_a_scan(callers: Callers) -> None:
    uploads = [await callers.upload("test", sandbox_outcome=outcome) for outcome in _ALL]
    for outcome, upload in zip(_ALL, uploads, strict=True):
        result = (await callers.finish("test", upload.check_id)).result
        expected = outcome.reason
        if outcome.status == NOT_DECIDED and not expected:
            expected = result_pb2.FAILURE_REASON_SERVER_FAULT
        assert (result.status, list(result.reasons)) == (outcome.status, [expected] if expected else [])
        assert (result.sandbox, result.requested_outcome) == (True, True)
        assert not result.HasField("liveness")


async def _told(callers: Callers, check_id: str) -> dict[str, object]:
    """What the event of the decision states."""
    async with callers.live.database() as database:
        decided = (events.c.check_id == UUID(check_id), events.c.kind == EventKind.CHECK_DECIDED)
        query = select(events.c.body).where(*decided)
        body = await database.read(lambda connection: connection.scalars(query).one())
    data: dict[str, object] = json.loads(body)["data"]
    return data


async def test_it_is_decided_after_its_delay_without_any_call(callers: Callers) -> None:
    upload = await callers.upload("test", sandbox_outcome=Outcome(status=SUCCESS, delay_seconds=60))
    refusal = await refusal_of(callers.finish("test", upload.check_id))
    assert refusal.reason == "NOT_SCANNED_YET"
    with callers.live.clock.later(seconds=61):
        await callers.live.reaches(upload.check_id, CheckState.DECIDED)
        assert (await callers.finish("test", upload.check_id)).result.status == SUCCESS
        device = RawDevice(callers.live.device, upload)
        assert (await device.refusal()).reason == "CHECK_CLOSED"


@pytest.mark.parametrize(
    ("outcome", "app"),
    [
        (Outcome(status=SUCCESS, delay_seconds=180), scan_pb2.SCAN_STATUS_SUCCESS),
        (
            Outcome(status=FAILURE, reason=result_pb2.FAILURE_REASON_SPOOF, delay_seconds=180),
            scan_pb2.SCAN_STATUS_FAILURE,
        ),
    ],
)
async def test_it_is_decided_at_the_end_of_a_scan_whatever_that_shows(
    callers: Callers, outcome: Outcome, app: int
) -> None:
    grey = encode_jpeg(np.full((480, 360, 3), 128, np.uint8))
    nobody = tuple(replace(picture, jpeg=grey) for picture in pictures())
    # The person of another portrait, the one of this, and no face at all.
    for shown in (pictures("red-shirt"), pictures(), nobody):
        upload = await callers.upload("test", sandbox_outcome=outcome)
        stream = await RawDevice(callers.live.device, upload).open()
        assert (await stream.run_attempt(shown)).status == app
        assert await stream.outcome() is None
        result = (await callers.finish("test", upload.check_id)).result
        assert (result.status, result.requested_outcome) == (outcome.status, True)
        # Nothing that was judged contradicts it.
        assert not result.HasField("liveness")
        assert not result.match.HasField("similarity")
        assert {attempt.verdict for attempt in result.attempts} == {result_pb2.LIVENESS_VERDICT_UNSPECIFIED}


async def test_a_scan_that_is_left_ends_in_it(callers: Callers) -> None:
    upload = await callers.upload("test", sandbox_outcome=Outcome(status=SUCCESS, delay_seconds=180))
    stream = await RawDevice(callers.live.device, upload).open()
    await stream.begin()
    await stream.half_close()
    await stream.outcome()
    await callers.live.reaches(upload.check_id, CheckState.DECIDED)
    assert (await callers.finish("test", upload.check_id)).result.status == SUCCESS


async def test_a_cancelled_check_is_cancelled(callers: Callers) -> None:
    upload = await callers.upload("test", sandbox_outcome=Outcome(status=SUCCESS, delay_seconds=180))
    await callers.cancel("test", upload.check_id)
    answer = await callers.finish("test", upload.check_id)
    assert (answer.result.status, reasons_of(answer)) == (FAILURE, ["CANCELLED"])
    assert not answer.result.requested_outcome
    assert "requested_outcome" not in await _told(callers, upload.check_id)


async def test_a_review_is_made_if_it_is_requested_and_only_then(callers: Callers) -> None:
    for policy in ("test", "sampled"):
        for wanted in (True, False):
            upload = await callers.upload(
                "test", sandbox_outcome=Outcome(status=SUCCESS, review=wanted), policy=policy
            )
            answer = await callers.finish("test", upload.check_id)
            assert answer.HasField("review") is wanted
            if wanted:
                assert answer.review.state == review_pb2.REVIEW_STATE_OPEN
                progress = await callers.live.service.GetCheck(
                    service_pb2.GetCheckRequest(check_id=upload.check_id), metadata=callers.metadata("test")
                )
                assert progress.progress.HasField("review")
                assert named(progress.progress) == "CLOSED"


async def _refused(callers: Callers, outcome: Outcome, caller: str = "test") -> Refused:
    refusal = await refusal_of(callers.upload(caller, sandbox_outcome=outcome))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata["field"] == "sandbox_outcome"
    return refusal


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(),
        Outcome(status=FAILURE),
        Outcome(status=FAILURE, reason=99),  # type: ignore[arg-type]
        Outcome(status=FAILURE, reason=result_pb2.FAILURE_REASON_SERVER_FAULT),
        Outcome(status=SUCCESS, reason=result_pb2.FAILURE_REASON_SPOOF),
        Outcome(status=NOT_DECIDED, reason=result_pb2.FAILURE_REASON_SPOOF),
        Outcome(status=SUCCESS, delay_seconds=181),
    ],
)
async def test_an_outcome_that_no_check_can_have_is_refused(callers: Callers, outcome: Outcome) -> None:
    await _refused(callers, outcome)


async def test_only_a_sandbox_caller_may_request_it(callers: Callers) -> None:
    for outcome in _ALL:
        await _refused(callers, outcome, "real")
    real = await callers.upload("real")
    record = await callers.live.record(real.check_id)
    assert (record.requested_outcome, record.outcome_due) == (None, None)


async def test_a_real_caller_never_gets_such_a_result(callers: Callers) -> None:
    upload = await callers.upload("test", sandbox_outcome=Outcome(status=SUCCESS))
    await callers.finish("test", upload.check_id)
    refusal = await refusal_of(callers.finish("real", upload.check_id))
    assert refusal.reason == "CHECK_NOT_FOUND"
    assert refusal.message == "the outcome of this check was requested: only sandbox callers get its result"


def test_no_record_has_it_outside_the_sandbox() -> None:
    with pytest.raises(ValueError, match="not a sandbox check"):
        check_record(requested_outcome=RequestedOutcome(status=CheckStatus.SUCCESS), sandbox=False)


async def test_everything_that_shows_the_result_says_that_it_was_requested(callers: Callers) -> None:
    upload = await callers.upload(
        "test",
        sandbox_outcome=Outcome(status=FAILURE, reason=result_pb2.FAILURE_REASON_SPOOF),
        subject_reference="customer-1",
    )
    answer = await callers.finish("test", upload.check_id)
    keys = await fetch_key_set(f"http://127.0.0.1:{callers.live.server.admin_port}/.well-known/jwks.json")
    strict, lenient = (
        Orchestrator(
            channel=callers.live.service_channel,
            api_key=ApiKey(callers.keys["test"]),
            keys=keys,
            accept_sandbox=accept,
        )
        for accept in (False, True)
    )
    with pytest.raises(SandboxResultError):
        await strict.finish_check(upload.check_id)
    assert (await lenient.finish_check(upload.check_id)).result.requested_outcome
    body = answer.result_jwt.split(".")[1]
    told = await _told(callers, upload.check_id)
    assert (told["sandbox"], told["requested_outcome"]) == (True, True)

    claims = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert (claims["aud"], claims["requested_outcome"], claims["status"]) == (
        "sandbox:default",
        True,
        "FAILURE",
    )

    service = EvidenceServiceStub(callers.live.service_channel)
    reader = callers.metadata("reader")
    evidence = await service.GetEvidence(
        evidence_pb2.GetEvidenceRequest(check_id=upload.check_id, purpose="audit"), metadata=reader
    )
    assert json.loads(evidence.record_json)["record"]["outcome"]["requested_outcome"] is True
    assert evidence.altered_facts == []
    facts = next(iter(evidence_tables(evidence)))
    assert any("requested by the sandbox caller" in str(cell) for one in facts.columns for cell in one.cells)
    export = service.ExportEvidence(
        evidence_pb2.ExportEvidenceRequest(check_id=upload.check_id, purpose="audit"), metadata=reader
    )
    archive = b"".join([part.chunk async for part in export])
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        (page,) = [name for name in opened.namelist() if name.endswith(".html")]
        assert "requested outcome: nothing was judged" in opened.read(page).decode()


async def test_the_sweep_leaves_a_running_scan_alone(callers: Callers) -> None:
    upload = await callers.upload("test", sandbox_outcome=Outcome(status=SUCCESS, delay_seconds=1))
    stream = await RawDevice(callers.live.device, upload).open()
    await stream.begin()
    await stream.send_frames(pictures()[:5])
    await stream.taken(5)
    await asyncio.sleep(1.5)
    assert (await callers.live.record(upload.check_id)).state is CheckState.SCANNING
    await stream.vanish()

    async def decided() -> bool:
        return (await callers.live.record(upload.check_id)).state is CheckState.DECIDED

    await until(decided)
    record = await callers.live.record(upload.check_id)
    assert (record.status, record.reasons, record.outcome_due) == (CheckStatus.SUCCESS, (), None)
    assert FailureReason.ABANDONED not in (record.reasons or ())
