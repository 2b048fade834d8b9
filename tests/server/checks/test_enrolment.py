"""Enrolled once, verified later: a check made from the evidence frame of another, with a real server."""

import io
import json
import zipfile
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import cv2
import grpc
import numpy as np
import pytest
import pytest_asyncio
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from rich.console import Console
from sqlalchemy import Connection, text

from cli.checks import evidence_tables
from facegate_client import ApiKey, Orchestrator
from server.domain.terms import CheckState, ImagePurpose
from server.policies import load_policies
from server.policies.loading import PolicyInvalid
from server.storage.repository import CheckRepository
from tests.server.api_keys import write_keys
from tests.server.checks.asking import Callers, reasons_of
from tests.server.live import (
    SWEEPING,
    Picture,
    fresh_pictures,
    pictures,
    portrait,
    serving,
    settings_for,
    until,
)
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice
from tests.server.refusals import Refused, refusal_of
from vision.image import encode_jpeg

_CALLERS = {
    "bank": ("orchestrator", "bank", False),
    "test": ("orchestrator", "bank", True),
    "shop": ("orchestrator", "shop", False),
    "admin": ("compliance_admin", "bank", False),
    "reviewer": ("reviewer", "bank", False),
}
_DAY = 86_400
_ENROLS = f"[enrolment]\nretention_seconds = {20 * _DAY}\n[portrait]\nmin_eye_distance = 40.0\n"
_SMALL = "[portrait]\nmin_eye_distance = 40.0\n"


@dataclass(frozen=True, slots=True)
class Enrolling(Callers):
    """A server with callers of two tenants, a sandbox and compliance."""

    @property
    def evidence(self) -> Any:
        return EvidenceServiceStub(self.live.service_channel)

    async def upload(self, caller: str = "bank", **fields: Any) -> service_pb2.UploadTrustedImageResponse:
        # Not super(): the class is made anew with slots.
        return await Callers.upload(
            self, caller, **{"consent_reference": "consent-1", "policy": "enrols"} | fields
        )

    async def scanned(
        self, upload: service_pb2.UploadTrustedImageResponse, shown: Any = None, caller: str = "bank"
    ) -> service_pb2.FinishCheckResponse:
        stream = await RawDevice(self.live.device, upload).open()
        await stream.run_attempt(fresh_pictures() if shown is None else shown)
        await stream.outcome()
        return await self.finish(caller, upload.check_id)

    async def enrolled(
        self, subject: str, caller: str = "bank", *, shown: Any = None, **fields: Any
    ) -> service_pb2.FinishCheckResponse:
        upload = await self.upload(caller, subject_reference=subject, **fields)
        answer = await self.scanned(upload, shown, caller)
        assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
        return answer

    async def get_evidence(self, check_id: str) -> evidence_pb2.GetEvidenceResponse:
        request = evidence_pb2.GetEvidenceRequest(check_id=check_id, purpose="audit")
        evidence: evidence_pb2.GetEvidenceResponse = await self.evidence.GetEvidence(
            request, metadata=self.metadata("admin")
        )
        return evidence

    async def delete(self, check_id: str) -> None:
        await self.evidence.DeleteEvidence(
            evidence_pb2.DeleteEvidenceRequest(check_id=check_id, purpose="mistake"),
            metadata=self.metadata("admin"),
        )

    async def refused(self, source: str, subject: str, caller: str = "bank", **fields: Any) -> Refused:
        return await refusal_of(
            self.upload(caller, trusted_check_id=source, subject_reference=subject, **fields)
        )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def callers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Enrolling]:
    """A server for the module."""
    folder: Path = tmp_path_factory.mktemp("enrolment")
    listeners, keys = write_keys(
        folder,
        {
            name: f'roles = ["{role}"]\ntenant = "{tenant}"\nsandbox = {str(sandbox).lower()}'
            for name, (role, tenant, sandbox) in _CALLERS.items()
        },
    )
    settings = settings_for(folder, listeners=listeners)
    consent = 'consent = "required"'
    long: dict[str, Any] = {"evidence_seconds": 30 * _DAY, "tolerate": ["memory.frames"]}
    write_policy(folder / "policies", "enrols", top=consent, tables=_ENROLS, images_seconds=_DAY, **long)
    write_policy(folder / "policies", "once-more", tables=_SMALL, maximum=1, **long)
    write_policy(folder / "policies", "plain", tables=_SMALL, portrait="bytes", **long)
    write_policy(
        folder / "policies",
        "reviewed",
        top=consent,
        tables=_ENROLS + "[review]\nsample_percent = 100.0\n",
        **long,
    )
    strict = (folder / "policies" / "plain.toml").read_text()
    for name, change in {
        "strict": ("max_fmr = 1e-2", "max_fmr = 9e-3"),
        "attested": ("[device]\n", '[device]\nminimum_assurance = "LOW"\n'),
    }.items():
        (folder / "policies" / f"{name}.toml").write_text(
            strict.replace('name = "plain"', f'name = "{name}"').replace(*change)
        )
    async with serving(settings, tuning=SWEEPING) as live:
        yield Enrolling(live, keys)


def _subject() -> str:
    return f"customer-{uuid4()}"


def _pixels(picture: Picture) -> Any:
    pixels = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels


def _later() -> tuple[Picture, ...]:
    """Another scan of the same person: people look different the next time, and simulated ones do not."""
    first = fresh_pictures()
    drawn = np.random.default_rng(7).normal(0, 60, (first[0].height, first[0].width))
    shades = cv2.GaussianBlur(drawn, (0, 0), 3)[..., None]

    def changed(picture: Picture) -> Picture:
        shaded = np.clip(_pixels(picture) + shades, 0, 255).astype(np.uint8)
        return replace(picture, jpeg=encode_jpeg(shaded, quality=90))

    return tuple(changed(picture) for picture in first)


@dataclass(frozen=True, slots=True)
class Source:
    """A check that is enrolled for the module, and that no test changes."""

    subject: str
    answer: service_pb2.FinishCheckResponse

    @property
    def check_id(self) -> str:
        return self.answer.result.check_id


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def source(callers: Enrolling) -> Source:
    """An enrolled check."""
    subject = _subject()
    return Source(subject, await callers.enrolled(subject))


async def test_a_person_is_enrolled_once_and_verified_later(callers: Enrolling, source: Source) -> None:
    subject, first = source.subject, source.answer
    decided = first.result.decide_time.ToDatetime(UTC)
    assert first.result.enrolled_until.ToDatetime(UTC) == decided + timedelta(days=20)
    assert not first.result.HasField("trusted_check")

    orchestrator = Orchestrator(channel=callers.live.service_channel, api_key=ApiKey(callers.keys["bank"]))
    upload = await orchestrator.upload_trusted_image(
        trusted_check_id=first.result.check_id,
        subject_reference=subject,
        consent_reference="consent-2",
        policy="enrols",
    )
    second = await callers.scanned(upload, _later())
    assert second.result.status == result_pb2.CHECK_STATUS_SUCCESS
    # The chain leads to the first document, and every link can be verified.
    chain = second.result.trusted_check
    assert (chain.check_id, chain.decide_time) == (first.result.check_id, first.result.decide_time)
    assert chain.policy == first.result.policy
    assert chain.evidence_frame_sha256 == first.result.evidence_frame.sha256
    assert chain.evidence_frame_sha256 == sha256(first.evidence_frame.image).digest()
    assert chain.trusted_image_sha256 == sha256(portrait()).digest()
    body = first.result_jws.split(".")[1]

    assert chain.result_sha256 == sha256(urlsafe_b64decode(body + "=" * (-len(body) % 4))).digest()
    claims = second.result_jwt.split(".")[1]
    assert (
        json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["trusted_check_id"] == chain.check_id
    )
    # A check that was made from another one never enrols: no chain grows.
    assert not second.result.HasField("enrolled_until")
    refusal = await callers.refused(second.result.check_id, subject)
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "TRUSTED_CHECK_NOT_ENROLLED",
    )


async def test_the_scan_of_the_enrolment_shown_again_does_not_pass(
    callers: Enrolling, source: Source
) -> None:
    upload = await callers.upload(
        trusted_check_id=source.check_id, subject_reference=source.subject, policy="once-more"
    )
    answer = await callers.scanned(upload)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE
    assert "The frames look like the trusted image itself." in answer.result.liveness.explanations


async def test_another_person_does_not_pass(callers: Enrolling, source: Source) -> None:
    upload = await callers.upload(
        trusted_check_id=source.check_id, subject_reference=source.subject, policy="once-more"
    )
    other = await callers.scanned(upload, fresh_pictures(pictures("red-shirt")))
    assert other.result.status == result_pb2.CHECK_STATUS_FAILURE
    assert "NOT_SAME_PERSON" in reasons_of(other)


async def test_a_frame_is_turned_as_in_its_scan(callers: Enrolling) -> None:
    def turned(picture: Picture) -> Picture:
        pixels = cv2.rotate(cv2.flip(_pixels(picture), 1), cv2.ROTATE_90_CLOCKWISE)
        high, wide = pixels.shape[:2]
        return replace(
            picture, jpeg=encode_jpeg(pixels.astype(np.uint8), quality=90), width=wide, height=high
        )

    subject = _subject()
    upload = await callers.upload(subject_reference=subject)
    stream = await RawDevice(callers.live.device, upload).open()
    stream.frame = partial(stream.frame, rotation=scan_pb2.ROTATION_270, mirrored=True)  # type: ignore[method-assign]
    await stream.run_attempt(tuple(turned(picture) for picture in fresh_pictures()))
    await stream.outcome()
    first = await callers.finish("bank", upload.check_id)
    assert first.result.status == result_pb2.CHECK_STATUS_SUCCESS
    assert first.evidence_frame.rotation == scan_pb2.ROTATION_270
    later = await callers.upload(trusted_check_id=first.result.check_id, subject_reference=subject)
    assert (await callers.scanned(later, _later())).result.status == result_pb2.CHECK_STATUS_SUCCESS


async def test_tenants_and_sandboxes_are_apart(callers: Enrolling, source: Source) -> None:
    subject, real = source.subject, source.answer
    test = await callers.enrolled(subject, "test")
    for other, caller in (
        (real, "test"),
        (real, "shop"),
        (test, "bank"),
        (test, "shop"),
    ):
        refusal = await callers.refused(other.result.check_id, subject, caller)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "CHECK_NOT_FOUND")
    assert (await callers.refused(str(uuid4()), subject)).reason == "CHECK_NOT_FOUND"
    assert (await callers.refused("4711", subject)).metadata["field"] == "trusted_check_id"
    await callers.upload("test", trusted_check_id=test.result.check_id, subject_reference=subject)


@pytest.mark.parametrize("subject", ["", " ", "somebody else"])
async def test_a_check_is_of_its_own_person_only(callers: Enrolling, source: Source, subject: str) -> None:
    own = source.subject
    waiting = await callers.upload(subject_reference=own)
    for check_id in (source.check_id, waiting.check_id):
        refusal = await callers.refused(check_id, subject)
        assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "subject_reference")
        assert own not in refusal.message


async def test_only_a_success_is_a_trusted_check(callers: Enrolling) -> None:
    subject = _subject()
    waiting = await callers.upload(subject_reference=subject)
    assert (await callers.refused(waiting.check_id, subject)).reason == "TRUSTED_CHECK_NOT_SUCCESSFUL"
    failed = await callers.scanned(waiting, fresh_pictures(pictures("red-shirt")))
    assert failed.result.status == result_pb2.CHECK_STATUS_FAILURE
    assert (await callers.refused(waiting.check_id, subject)).reason == "TRUSTED_CHECK_NOT_SUCCESSFUL"
    requested = await callers.upload(
        "test",
        subject_reference=subject,
        sandbox_outcome=service_pb2.SandboxOutcome(status=result_pb2.CHECK_STATUS_SUCCESS),
    )
    await callers.finish("test", requested.check_id)
    refusal = await callers.refused(requested.check_id, subject, "test")
    assert refusal.reason == "TRUSTED_CHECK_NOT_ENROLLED"


async def test_a_status_that_was_altered_in_the_database_enrols_nobody(callers: Enrolling) -> None:
    subject = _subject()
    upload = await callers.upload(subject_reference=subject)
    await callers.scanned(upload, fresh_pictures(pictures("red-shirt")))
    async with callers.live.database() as database:
        change = text(
            "update checks set status = 'SUCCESS', reasons = '[]', enrolled_until = '2999-01-01' "
            "where check_id = :c"
        )
        await database.write(lambda connection: connection.execute(change, {"c": UUID(upload.check_id).hex}))
    assert (await callers.refused(upload.check_id, subject)).reason == "TRUSTED_CHECK_NOT_SUCCESSFUL"


async def test_a_policy_without_the_table_enrols_nobody(callers: Enrolling) -> None:
    subject = _subject()
    first = await callers.enrolled(subject, policy="plain")
    assert not first.result.HasField("enrolled_until")
    assert (await callers.refused(first.result.check_id, subject)).reason == "TRUSTED_CHECK_NOT_ENROLLED"


async def test_a_check_without_a_subject_is_not_enrolled(callers: Enrolling) -> None:
    answer = await callers.enrolled("")
    assert not answer.result.HasField("enrolled_until")


@pytest.mark.parametrize(
    ("fields", "demand"),
    [
        ({"policy": "strict"}, "match"),
        ({"policy": "plain", "mode": scan_pb2.MODE_DYNAMIC}, "mode"),
        ({"policy": "attested"}, "device"),
    ],
)
async def test_a_weak_proof_is_no_trusted_image_of_a_strong_one(
    callers: Enrolling, source: Source, fields: dict[str, Any], demand: str
) -> None:
    refusal = await callers.refused(source.check_id, source.subject, **fields)
    assert (refusal.code, refusal.reason, refusal.metadata["demand"]) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "TRUSTED_CHECK_TOO_WEAK",
        demand,
    )


async def test_a_review_has_to_allow_it(callers: Enrolling) -> None:
    subject = _subject()
    first = await callers.enrolled(subject, policy="reviewed")
    assert (await callers.refused(first.result.check_id, subject)).reason == "TRUSTED_CHECK_NOT_SUCCESSFUL"
    async with callers.live.database() as database:
        for outcome, reason in (("DENY", "TRUSTED_CHECK_NOT_SUCCESSFUL"), ("ALLOW", None)):
            await database.write(
                Connection.execute,
                text("update reviews set outcome = :outcome where check_id = :c"),
                {"outcome": outcome, "c": UUID(first.result.check_id).hex},
            )
            if reason is not None:
                assert (await callers.refused(first.result.check_id, subject)).reason == reason
    await callers.upload(trusted_check_id=first.result.check_id, subject_reference=subject)


async def test_erasing_the_person_erases_the_enrolment(callers: Enrolling) -> None:
    subject = _subject()
    first = await callers.enrolled(subject)
    await callers.evidence.EraseSubject(
        evidence_pb2.EraseSubjectRequest(
            subject_reference=subject,
            reason=evidence_pb2.ERASURE_REASON_CONSENT_WITHDRAWN,
            purpose="letter 9",
        ),
        metadata=callers.metadata("admin"),
    )
    assert await callers.live.evidence(first.result.check_id) == ()
    record = await callers.live.record(first.result.check_id)
    assert (record.state, record.enrolled_until) == (CheckState.ERASED, None)
    refusal = await callers.refused(first.result.check_id, subject)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "TRUSTED_CHECK_ERASED")


async def test_a_source_that_is_erased_meanwhile_makes_no_check(
    callers: Enrolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = _subject()
    first = await callers.enrolled(subject)
    create = CheckRepository.create

    async def late(self: CheckRepository, *args: Any, **kwargs: Any) -> Any:
        await callers.delete(first.result.check_id)
        return await create(self, *args, **kwargs)

    monkeypatch.setattr(CheckRepository, "create", late)
    assert (await callers.refused(first.result.check_id, subject)).reason == "TRUSTED_CHECK_ERASED"
    monkeypatch.undo()
    found = await callers.live.service.FindChecks(
        service_pb2.FindChecksRequest(subject_reference=subject), metadata=callers.metadata("bank")
    )
    assert not found.checks


async def test_nothing_of_the_chain_stays_in_clear(callers: Enrolling, source: Source) -> None:
    upload = await callers.upload(
        trusted_check_id=source.check_id, subject_reference=source.subject, policy="plain"
    )
    assert (await callers.live.record(upload.check_id)).trusted_check
    await callers.cancel("bank", upload.check_id)
    record = await callers.live.record(upload.check_id)
    assert (record.trusted_check, record.portrait_sha256) == (None, None)
    # Its policy keeps the bytes of uploaded images; the frame is kept once, with its own check.
    assert ImagePurpose.PORTRAIT not in await _kinds(callers, upload.check_id)


async def test_the_record_the_report_and_the_shell_show_the_chain(callers: Enrolling, source: Source) -> None:
    first = source.answer
    upload = await callers.upload(trusted_check_id=source.check_id, subject_reference=source.subject)
    await callers.cancel("bank", upload.check_id)
    second = await callers.finish("bank", upload.check_id)
    admin = callers.metadata("admin")
    shown = io.StringIO()
    evidence = evidence_pb2.GetEvidenceResponse()
    for check_id in (first.result.check_id, second.result.check_id):
        evidence = await callers.get_evidence(check_id)
        assert not evidence.altered_facts
        console = Console(file=shown, width=300)
        for table in evidence_tables(evidence):
            console.print(table)
    (chain,) = [line for line in shown.getvalue().splitlines() if line.startswith("trusted check")]
    assert first.result.check_id in chain
    assert "enrolled until" in shown.getvalue()
    outcome = json.loads(evidence.record_json)["record"]["outcome"]
    assert outcome["trusted_check"]["check_id"] == first.result.check_id
    export = callers.evidence.ExportEvidence(
        evidence_pb2.ExportEvidenceRequest(check_id=second.result.check_id, purpose="audit"), metadata=admin
    )
    with zipfile.ZipFile(io.BytesIO(b"".join([part.chunk async for part in export]))) as opened:
        (page,) = [name for name in opened.namelist() if name.endswith(".html")]
        assert first.result.check_id in opened.read(page).decode()


async def test_a_repeated_upload_is_the_same_check_also_after_the_source_is_erased(
    callers: Enrolling,
) -> None:
    subject, request_id = _subject(), str(uuid4())
    first = await callers.enrolled(subject, retention_seconds=3 * _DAY)
    # The upload shortened the enrolment, too.
    decided = first.result.decide_time.ToDatetime(UTC)
    assert first.result.enrolled_until.ToDatetime(UTC) == decided + timedelta(days=3)
    fields = {
        "trusted_check_id": first.result.check_id,
        "subject_reference": subject,
        "request_id": request_id,
    }
    upload = await callers.upload(**fields)
    await callers.delete(first.result.check_id)
    assert (await callers.upload(**fields)).check_id == upload.check_id


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"top": ""}, 'needs consent = "required"'),
        ({"evidence_seconds": 10 * _DAY}, "greater than retention.evidence_seconds"),
        ({"biometrics": False, "audit_images": 0}, "remove the table enrolment"),
    ],
)
def test_a_policy_enrols_with_consent_and_for_no_longer_than_its_record(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    fields: dict[str, Any] = {"top": 'consent = "required"', "evidence_seconds": 30 * _DAY} | changes
    write_policy(tmp_path, "enrols", tables=_ENROLS, **fields)
    with pytest.raises(PolicyInvalid, match=told):
        load_policies(tmp_path)


async def test_the_frame_is_kept_for_its_own_time_and_not_used_longer(callers: Enrolling) -> None:
    subject = _subject()
    first = await callers.enrolled(subject)
    held = await callers.enrolled(subject)
    await callers.evidence.PlaceHold(
        evidence_pb2.PlaceHoldRequest(check_id=held.result.check_id, reference="case", reason="court"),
        metadata=callers.metadata("admin"),
    )
    check_id = first.result.check_id

    kinds = partial(_kinds, callers, check_id)
    assert await kinds() == {ImagePurpose.EVIDENCE_FRAME, ImagePurpose.AUDIT_IMAGE}

    async def erased() -> bool:
        return await kinds() == {ImagePurpose.EVIDENCE_FRAME}

    with callers.live.clock.later():
        # The audit images go after the policy's day, and the frame stays.
        callers.live.clock.ahead = timedelta(days=1, minutes=1)
        await until(erased)
        record = await callers.live.record(check_id)
        assert record.images_until == record.enrolled_until
        # Whoever may see images sees which one is left, until when, and for what.
        evidence = await callers.get_evidence(check_id)
        (kept,) = [image for image in evidence.images if not image.erased]
        assert kept.purpose == evidence_pb2.EvidenceImageFacts.PURPOSE_EVIDENCE_FRAME
        rows = _shown(evidence)
        until_time = rows["enrolled frame"].removeprefix("kept as the trusted image of later checks until ")
        assert until_time.startswith(rows["enrolled until"])
        assert "other images erased" in rows
        for image in evidence.images:
            request = evidence_pb2.GetEvidenceImageRequest(
                check_id=check_id, sha256=image.sha256, purpose="audit"
            )
            call = callers.evidence.GetEvidenceImage(request, metadata=callers.metadata("admin"))
            if image.erased:
                assert (await refusal_of(anext(aiter(call)))).reason == "EVIDENCE_ERASED"
            else:
                assert b"".join([part.chunk async for part in call])
        later = await callers.upload(trusted_check_id=check_id, subject_reference=subject)
        assert later.check_id
        # It goes at the end of the enrolment, long before the record.
        callers.live.clock.ahead = timedelta(days=20, minutes=1)

        async def gone() -> bool:
            return await kinds() == set()

        await until(gone)
        record = await callers.live.record(check_id)
        assert (record.state, record.images_until) == (CheckState.FINISHED, None)
        evidence = await callers.get_evidence(check_id)
        assert all(image.erased for image in evidence.images)
        assert "images erased" in _shown(evidence)
        # A hold keeps the frame, but not the enrolment.
        assert ImagePurpose.EVIDENCE_FRAME in await _kinds(callers, held.result.check_id)
        for ended in (check_id, held.result.check_id):
            assert (await callers.refused(ended, subject)).reason == "TRUSTED_CHECK_NOT_ENROLLED"


def _shown(evidence: evidence_pb2.GetEvidenceResponse) -> dict[str, str]:
    """The rows of `checks show`."""
    facts = next(iter(evidence_tables(evidence)))
    names, values = (list(column.cells) for column in facts.columns)
    return {str(name): str(value) for name, value in zip(names, values, strict=True)}


async def _kinds(callers: Enrolling, check_id: str) -> set[ImagePurpose]:
    return {entry.facts.purpose for entry in await callers.live.evidence(check_id)}
