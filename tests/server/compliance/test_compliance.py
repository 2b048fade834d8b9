"""EvidenceService over gRPC, on a real server."""

import asyncio
import base64
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from facegate.v1 import audit_pb2, result_pb2, review_pb2
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from structlog.testing import capture_logs

from facegate_client import (
    CallRefusedError,
    ServerNotTrustedError,
    load_key_set,
    verify_archive,
    verify_record_jws,
)
from liveness import AttackType
from matcher.records import open_trusted_image
from server.base.errors import Reason, Refusal
from server.base.page_tokens import PageTokens
from server.checks import intake
from server.compliance.listing import CheckFilter
from server.domain.terms import CheckStatus, FailureReason, reference_term
from server.storage.tables import pending_approvals
from tests.server.compliance.office import Office, archive_of, audit_entries, open_office, refused_call
from tests.server.live import portrait


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """One server for all tests of this folder; each works on checks of its own."""
    async with open_office(tmp_path_factory.mktemp("office")) as office:
        yield office


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def scanned(office: Office) -> str:
    """A check of a genuine person."""
    return await office.check("anna-1", scanned=True)


# EvidenceService over gRPC, on a real server: a compliance reader's day.


async def test_a_check_is_listed_by_its_references_and_words(office: Office, scanned: str) -> None:
    reader = office.of("reader")

    async def listed(**fields: object) -> list[str]:
        request = evidence_pb2.ListChecksRequest(**fields)  # type: ignore[arg-type]  # fields of the message
        return [check.check_id for check in (await reader.list_checks(request)).checks]

    cancelled = await office.check("listed-2", consent="c-7")
    assert await listed(subject_reference="anna-1", status=result_pb2.CHECK_STATUS_SUCCESS) == [scanned]
    assert await listed(consent_reference="c-7") == [cancelled]
    assert await listed(subject_reference="listed-2", reason=result_pb2.FAILURE_REASON_CANCELLED) == [
        cancelled
    ]
    assert await listed(subject_reference="listed-2", reason=result_pb2.FAILURE_REASON_SPOOF) == []
    assert await listed(subject_reference="listed-2", sandbox=True) == []
    assert await listed(policy="test", subject_reference="listed-2", sandbox=False) == [cancelled]
    other = await office.of("other").list_checks(evidence_pb2.ListChecksRequest())
    assert list(other.checks) == []


async def test_pages_cover_a_list_once(office: Office) -> None:
    made = [await office.check("paged") for _ in range(5)]
    request = evidence_pb2.ListChecksRequest(subject_reference="paged", page_size=2)
    found = [check.check_id async for check in office.of("reader").all_checks(request, most=100)]
    assert found == made[::-1]
    first = await office.of("reader").list_checks(request)
    request.page_token = first.next_page_token
    foreign = await refused_call(office.of("other").list_checks(request))
    request.policy = "test"
    changed = await refused_call(office.of("reader").list_checks(request))
    # A token of the audit log, and one of this list there.
    events = audit_pb2.ListAuditEventsRequest(page_size=1)
    request.page_token = (await office.of("reader").list_audit_events(events)).next_page_token
    of_log = await refused_call(office.of("reader").list_checks(request))
    events.page_token = first.next_page_token
    of_list = await refused_call(office.of("reader").list_audit_events(events))
    for refused in (foreign, changed, of_log, of_list):
        assert refused.refusal.reason == "INVALID_FIELD"
        assert refused.refusal.metadata["field"] == "page_token"


async def test_a_record_states_what_the_check_was_decided_by(office: Office, scanned: str) -> None:
    evidence = await office.of("reader").get_evidence(scanned, purpose="review")
    verified = verify_record_jws(evidence.record_jws, office.jwks, issuer="facegate", tenant="bank")
    assert verified.result == evidence.result
    assert evidence.result.subject_reference == "anna-1"
    assert json.loads(evidence.record_json)["record"]["outcome"]["check_id"] == scanned
    purposes = [image.purpose for image in evidence.images]
    assert purposes.count(evidence_pb2.EvidenceImageFacts.PURPOSE_EVIDENCE_FRAME) == 1
    assert purposes.count(evidence_pb2.EvidenceImageFacts.PURPOSE_PORTRAIT) == 1
    assert evidence.trusted_image.sha256 == hashlib.sha256(portrait()).digest()
    assert evidence.frames[0].complete
    assert ("evidence.read", "reader", "review") in await audit_entries(office, scanned)


async def test_an_image_is_read_with_a_purpose_only(office: Office, scanned: str) -> None:
    reader = office.of("reader")
    evidence = await reader.get_evidence(scanned)
    for image in evidence.images:
        found = await reader.get_evidence_image(scanned, image.sha256, purpose="case 17")
        assert found.facts == image
    refusal = await refused_call(reader.get_evidence_image(scanned, image.sha256, purpose=" "))
    assert refusal.refusal.metadata["field"] == "purpose"
    unknown = await refused_call(reader.get_evidence_image(scanned, bytes(32), purpose="case 17"))
    assert unknown.refusal.reason == "EVIDENCE_IMAGE_NOT_FOUND"
    logged = await audit_entries(office, scanned)
    assert logged.count(("evidence.image_read", "reader", "case 17")) == len(evidence.images)


async def test_what_cannot_be_read_is_said(office: Office) -> None:
    reader = office.of("reader")
    unknown = await refused_call(reader.get_evidence(str(uuid4())))
    assert unknown.refusal.reason == "CHECK_NOT_FOUND"
    assert (await refused_call(reader.get_evidence("no uuid"))).refusal.metadata["field"] == "check_id"
    unfinished = await office.open_check("open-1")
    assert (await refused_call(reader.get_evidence(unfinished))).refusal.reason == "CHECK_NOT_DECIDED"
    mine = await office.check("mine-1")
    assert (await refused_call(office.of("other").get_evidence(mine))).refusal.reason == "CHECK_NOT_FOUND"
    lost = await office.check("lost-1", scanned=True)
    entry = (await office.live.evidence(lost))[1]
    (Path(office.live.settings.objects_url) / entry.object_key).unlink()
    refusal = await refused_call(reader.get_evidence_image(lost, entry.facts.sha256, purpose="case"))
    assert (refusal.refusal.reason, refusal.refusal.metadata["problem"]) == ("EVIDENCE_UNREADABLE", "LOST")
    assert 'facegate_evidence_problems_total{problem="LOST"} 1.0' in await office.live.metrics()
    verified = verify_archive(await archive_of(office, lost), office.jwks)
    assert [one["sha256"] for one in verified.manifest["missing_images"]] == [entry.facts.sha256.hex()]
    assert UUID(lost) == UUID(verified.result.check_id)


# Archives of a check's evidence and of all that is stored on a person, and what finds a change of them.


async def test_an_archive_is_verified_without_the_server(office: Office, scanned: str) -> None:
    content = await archive_of(office, scanned)
    verified = verify_archive(content, office.jwks, issuer="facegate", tenant="bank")
    assert verified.result.check_id == scanned
    assert (verified.manifest["purpose"], verified.manifest["exported_by"]) == ("case 17", "reader")
    files = verified.files
    assert files["images/trusted_image.jpg"] == portrait()
    page = files["report.html"].decode()
    assert scanned in page
    assert "this device is not attested" in page
    assert "<script" not in page
    assert page.count('src="data:image/jpeg') == sum(name.endswith(".jpg") for name in files)
    record = open_trusted_image(files["images/evidence_frame.fac"])
    assert record.image == files["images/evidence_frame.jpg"]
    assert load_key_set(json.loads(files["keys.json"])).as_dict() == office.jwks.as_dict()
    assert ("evidence.exported", "reader", "case 17") in await audit_entries(office, scanned)


async def test_images_that_retention_erased_are_not_said_to_be_lost(office: Office) -> None:
    check_id = await office.check("shorter-1", scanned=True)
    reader = office.of("reader")
    before = await reader.get_evidence(check_id)
    check = await office.live.record(check_id)
    # FinishCheck may return the images until the deadline of the result.
    assert before.times.images_retain_until.ToDatetime(UTC) == check.result_deadline
    assert before.times.images_retain_until.ToDatetime(UTC) < before.times.retain_until.ToDatetime(UTC)
    image = before.images[0].sha256
    assert (await reader.get_evidence_image(check_id, image, purpose="case 20")).content
    assert len(await office.erase_images(check_id)) == len(before.images)

    after = await reader.get_evidence(check_id)
    assert after.times.HasField("images_erase_time")
    assert not after.times.HasField("images_retain_until")
    assert [image.sha256 for image in after.images] == [image.sha256 for image in before.images]
    assert all(image.erased for image in after.images)
    assert not any(image.erased for image in before.images)
    refusal = (await refused_call(reader.get_evidence_image(check_id, image, purpose="case 20"))).refusal
    assert refusal.reason == "EVIDENCE_ERASED"
    verified = verify_archive(await archive_of(office, check_id), office.jwks)
    assert {one["problem"] for one in verified.manifest["missing_images"]} == {"ERASED"}
    assert not [name for name in verified.files if name.endswith(".jpg")]
    assert "Erased: the retention of the images has ended." in verified.files["report.html"].decode()


def _repacked(content: bytes, changes: dict[str, bytes | None]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w") as changed:
        for name in source.namelist():
            new = changes.pop(name, source.read(name))
            if new is not None:
                changed.writestr(name, new)
        for name, new in changes.items():
            changed.writestr(name, new or b"")
    return target.getvalue()


async def test_every_change_of_an_archive_is_found(office: Office, scanned: str) -> None:
    content = await archive_of(office, scanned)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names, manifest = archive.namelist(), json.loads(archive.read("manifest.json"))
    for name in names:
        for new in (None, b"other"):
            with pytest.raises(ServerNotTrustedError):
                verify_archive(_repacked(content, {name: new}), office.jwks)
    with pytest.raises(ServerNotTrustedError, match=r"extra\.txt is not listed"):
        verify_archive(_repacked(content, {"extra.txt": b"x"}), office.jwks)
    # A manifest that lists the altered file is not the signed one.
    manifest["files"][0]["sha256"] = hashlib.sha256(b"other").hexdigest()
    forged = {"manifest.json": json.dumps(manifest).encode(), "record.json": b"other"}
    with pytest.raises(ServerNotTrustedError):
        verify_archive(_repacked(content, dict(forged)), office.jwks)
    for truncated in (content[:-30], content[: len(content) // 2], b"PK\x03\x04", b""):
        with pytest.raises(ServerNotTrustedError):
            verify_archive(truncated, office.jwks)


async def test_an_archive_of_another_server_is_refused(office: Office, scanned: str, tmp_path: Path) -> None:
    content = await archive_of(office, scanned)
    async with open_office(tmp_path / "another") as another:
        keys = another.jwks
    with pytest.raises(ServerNotTrustedError):
        verify_archive(content, keys)
    with pytest.raises(ServerNotTrustedError):
        verify_archive(content, office.jwks, tenant="branch")


async def test_bytes_that_are_none_of_the_files_are_found(office: Office, scanned: str) -> None:
    content = await archive_of(office, scanned)
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w") as archive:
        archive.writestr("report.html", "forged")
    with_comment = bytearray(content + b"note")
    with_comment[-6:-4] = (4).to_bytes(2, "little")
    for changed in (forged.getvalue() + content, content + b"trailing", bytes(with_comment)):
        with pytest.raises(ServerNotTrustedError):
            verify_archive(changed, office.jwks)


async def test_a_person_gets_all_data_as_one_archive(office: Office) -> None:
    made = [await office.check("exported-1"), await office.check("exported-1", scanned=True)]
    unfinished = await office.open_check("exported-1")
    parts = [part async for part in office.of("reader").export_subject("exported-1", purpose="Article 15")]
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        about = json.loads(archive.read("subject.json"))
        for check_id in made:
            content = archive.read(f"checks/{check_id}.zip")
            assert verify_archive(content, office.jwks).result.subject_reference == "exported-1"
    assert about["subject_reference"] == "exported-1"
    assert {one["check_id"]: one.get("left_out") for one in about["checks"]} == {
        made[0]: None,
        made[1]: None,
        unfinished: "CHECK_NOT_DECIDED",
    }


# Holds, the erasure of a check and of a person, and two people who erase.


async def test_a_hold_refuses_a_deletion_until_it_is_released(office: Office) -> None:
    check_id = await office.check("held-1")
    anna = office.of("anna")
    hold = await anna.place_hold(check_id, reference="case-17", reason="court order")
    assert (hold.placed_by, hold.reference) == ("anna", "case-17")
    refusal = (await refused_call(anna.delete_evidence(check_id, purpose="mistake"))).refusal
    assert (refusal.reason, refusal.metadata["holds"]) == ("EVIDENCE_ON_HOLD", "1")
    request = evidence_pb2.ListChecksRequest(on_hold=True, subject_reference="held-1")
    assert [one.check_id for one in (await anna.list_checks(request)).checks] == [check_id]
    missing = await refused_call(anna.release_hold(check_id, reference="case-18", purpose="closed"))
    assert missing.refusal.reason == "HOLD_NOT_FOUND"
    assert (await anna.release_hold(check_id, reference="case-17", purpose="closed")).remaining_holds == 0
    erased = await anna.delete_evidence(check_id, purpose="mistake")
    assert erased.HasField("erase_time")
    assert evidence_pb2.Residue.KIND_DATABASE_BACKUPS in [residue.kind for residue in erased.residues]
    # It is no error to erase it again; reading it is.
    assert (await anna.delete_evidence(check_id, purpose="mistake")).erase_time == erased.erase_time
    assert (await refused_call(anna.get_evidence(check_id))).refusal.reason == "EVIDENCE_ERASED"
    actions = [action for action, _, _ in await audit_entries(office, check_id)]
    assert [one for one in actions if one.startswith(("hold", "evidence.deleted"))] == [
        "hold.placed",
        "hold.released",
        "evidence.deleted",
    ]


@pytest.mark.slow
async def test_a_hold_and_a_deletion_at_once_never_fail_and_never_both_succeed(office: Office) -> None:
    anna, bert = office.of("anna"), office.of("bert")
    outcomes = set()
    for number in range(30):
        check_id = await office.check(f"raced-{number}")
        answers = await asyncio.gather(
            anna.place_hold(check_id, reference="case-17", reason="court order"),
            bert.delete_evidence(check_id, purpose="mistake"),
            return_exceptions=True,
        )
        refusals = [one.refusal.reason for one in answers if isinstance(one, CallRefusedError)]
        assert len(refusals) == 1, answers
        outcomes.add(refusals[0])
    assert outcomes <= {"EVIDENCE_ERASED", "EVIDENCE_ON_HOLD"}


async def test_the_log_of_a_person_has_the_holds_on_their_checks(office: Office) -> None:
    check_id = await office.check("held-2")
    anna = office.of("anna")
    await anna.place_hold(check_id, reference="case-17", reason="court order")
    await anna.release_hold(check_id, reference="case-17", purpose="closed")
    await anna.delete_evidence(check_id, purpose="mistake")
    wanted = audit_pb2.ListAuditEventsRequest(subject_reference="held-2")
    events = (await office.of("reader").list_audit_events(wanted)).events
    assert {"hold.placed", "hold.released", "evidence.deleted"} <= {event.action for event in events}
    assert {event.check_id for event in events if event.action != "audit.read"} == {check_id}
    wanted = audit_pb2.ListAuditEventsRequest(
        subject_reference="held-2", action="hold.placed", actions=["hold.released", "subject.erased"]
    )
    events = (await office.of("reader").list_audit_events(wanted)).events
    assert [event.action for event in events] == ["hold.released", "hold.placed"]
    for actions in (["x"] * 17, [""], ["x" * 257]):
        many = audit_pb2.ListAuditEventsRequest(actions=actions)
        refusal = (await refused_call(office.of("reader").list_audit_events(many))).refusal
        assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "actions")


async def test_erasing_a_person_leaves_only_what_is_on_hold(office: Office) -> None:
    anna = office.of("anna")
    free, held = await office.check("erased-1", scanned=True), await office.check("erased-1")
    unfinished, of_another = await office.open_check("erased-1"), await office.check("erased-2")
    await anna.place_hold(held, reference="case-1", reason="court order")
    erase = {"reason": evidence_pb2.ERASURE_REASON_CONSENT_WITHDRAWN, "purpose": "letter"}
    first = await anna.erase_subject("erased-1", **erase)  # type: ignore[arg-type]  # its fields
    assert (first.erased_checks, list(first.held_check_ids)) == (2, [held])
    for check_id in (free, unfinished):
        assert (await refused_call(anna.get_evidence(check_id))).refusal.reason == "EVIDENCE_ERASED"
        assert await office.live.evidence(check_id) == ()
    assert (await anna.get_evidence(held)).result.subject_reference == "erased-1"
    events = audit_pb2.ListAuditEventsRequest(subject_reference="erased-1")
    assert (await office.of("reader").list_audit_events(events)).events

    await anna.release_hold(held, reference="case-1", purpose="closed")
    second = await anna.erase_subject("erased-1", **erase)  # type: ignore[arg-type]  # its fields
    assert (second.erased_checks, list(second.held_check_ids)) == (1, [])
    # The pseudonym is forgotten with the person.
    assert not (await office.of("reader").list_audit_events(events)).events
    assert (await anna.get_evidence(of_another)).result.subject_reference == "erased-2"
    assert not await office.live.orphans()


@pytest.mark.parametrize("reference", ["line\nfeed", "  ", "\u200dzwj"])
async def test_every_stored_reference_can_be_found_and_erased(
    office: Office, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Servers before 1.0.0 stored all of them.
    monkeypatch.setattr(intake, "validate_fields", lambda _: None)
    check_id = await office.check(reference)
    found = await office.of("reader").list_checks(evidence_pb2.ListChecksRequest(subject_reference=reference))
    assert [check.check_id for check in found.checks] == [check_id]
    erased = await office.of("anna").erase_subject(
        reference, reason=evidence_pb2.ERASURE_REASON_REQUEST, purpose="a letter"
    )
    assert erased.erased_checks == 1


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def strict_office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """A server that demands two people for what cannot be undone."""
    two: dict[str, object] = {"two_people": ["delete", "erase", "release_hold"]}
    async with open_office(tmp_path_factory.mktemp("strict"), compliance=two) as office:
        yield office


async def _waiting(office: Office) -> set[bytes]:
    """What waits for a second person."""
    query = select(pending_approvals.c.arguments_sha256)
    async with office.live.database() as database:
        return await database.read(lambda connection: set(connection.scalars(query)))


async def test_two_people_erase_if_the_settings_demand_it(strict_office: Office) -> None:
    office, before = strict_office, await _waiting(strict_office)
    anna, bert = office.of("anna"), office.of("bert")
    check_id = await office.check("two-1")
    await anna.place_hold(check_id, reference="case", reason="court order")
    for _ in range(2):
        asked = await anna.release_hold(check_id, reference="case", purpose="closed")
        assert asked.approval.requested_by == "anna"
    # Each person states a purpose of their own.
    done = await bert.release_hold(check_id, reference="case", purpose="Closed")
    assert not done.HasField("approval")
    entries = await audit_entries(office, check_id)
    assert ("approval.requested", "anna", "closed") in entries
    assert ("approval.given", "bert", "Closed") in entries
    assert (await bert.delete_evidence(check_id, purpose="p")).approval.requested_by == "bert"
    other = evidence_pb2.ERASURE_REASON_OTHER
    assert (await bert.erase_subject("two-1", reason=other, purpose="p")).HasField("approval")
    erase = {"reason": evidence_pb2.ERASURE_REASON_REQUEST, "purpose": "letter"}
    first = await bert.erase_subject("two-1", **erase)  # type: ignore[arg-type]  # its fields
    assert (first.approval.requested_by, first.erased_checks) == ("bert", 0)
    second = await anna.erase_subject("two-1", **erase)  # type: ignore[arg-type]  # its fields
    assert (second.erased_checks, second.HasField("approval")) == (1, False)
    # The erasure ended what else waited for a second person on this one and the check.
    assert await _waiting(office) == before
    # There is nothing left that two people would have to agree on.
    third = await anna.erase_subject("two-1", **erase)  # type: ignore[arg-type]  # its fields
    assert (third.erased_checks, third.HasField("approval")) == (0, False)


async def test_a_request_that_was_withdrawn_waits_for_nobody(strict_office: Office) -> None:
    office = strict_office
    anna, bert = office.of("anna"), office.of("bert")
    check_id, reason = await office.check("back-1"), evidence_pb2.ERASURE_REASON_OTHER
    await anna.delete_evidence(check_id, purpose="p")
    await anna.erase_subject("back-1", reason=reason, purpose="p")
    await anna.place_hold(check_id, reference="case", reason="court order")
    await anna.release_hold(check_id, reference="case", purpose="p")
    # Neither for another hold, nor another reason.
    other = evidence_pb2.ERASURE_REASON_REQUEST
    assert not (await bert.withdraw_approval(check_id=check_id, hold_reference="x", purpose="no")).HasField(
        "approval"
    )
    assert not (
        await bert.withdraw_approval(subject_reference="back-1", reason=other, purpose="no")
    ).HasField("approval")
    # By a second person, and by the one who asked.
    for person, request in (
        (bert, {"check_id": check_id}),
        (anna, {"check_id": check_id, "hold_reference": "case"}),
        (bert, {"subject_reference": "back-1", "reason": reason}),
    ):
        withdrawn = await person.withdraw_approval(purpose="a mistake", **request)
        assert withdrawn.approval.requested_by == "anna"
        again = await person.withdraw_approval(purpose="a mistake", **request)
        assert not again.HasField("approval")
    assert ("approval.withdrawn", "bert", "a mistake") in await audit_entries(office, check_id)
    assert (await bert.release_hold(check_id, reference="case", purpose="q")).HasField("approval")
    assert (await bert.erase_subject("back-1", reason=reason, purpose="q")).HasField("approval")
    refused = await refused_call(office.of("reader").withdraw_approval(check_id=check_id, purpose="p"))
    assert refused.refusal.reason == "PERMISSION_DENIED"


@pytest.mark.parametrize("mark", ["\u202e", "\x1b"])
async def test_no_text_of_a_caller_turns_the_writing_around(office: Office, mark: str) -> None:
    anna, text, check_id = office.of("anna"), f"evil{mark}gnp.exe", await office.check("turned-1")
    for call in (
        anna.get_evidence(check_id, purpose=text),
        anna.place_hold(check_id, reference=text, reason="r"),
        anna.place_hold(check_id, reference="r", reason=text),
        anna.release_hold(check_id, reference=text, purpose="p"),
        anna.release_hold(check_id, reference="r", purpose=text),
        anna.delete_evidence(check_id, purpose=text),
        anna.erase_subject("s", reason=evidence_pb2.ERASURE_REASON_OTHER, purpose=text),
        anna.withdraw_approval(check_id=check_id, hold_reference=text, purpose="p"),
        anna.withdraw_approval(check_id=check_id, purpose=text),
        office.reviews_of("rita").decide_review(
            check_id,
            outcome=review_pb2.REVIEW_OUTCOME_ALLOW,
            reason=review_pb2.REVIEW_REASON_OTHER,
            comment=text,
        ),
    ):
        refusal = (await refused_call(call)).refusal
        assert (refusal.reason, refusal.metadata["problem"]) == ("INVALID_FIELD", "NOT_PRINTABLE")


# Page tokens, and the terms of a list: in pairs where each alone may be frequent, and both together rare.

_KEYS = (bytes(32), bytes([1]) * 32)


@pytest.mark.parametrize(
    ("chosen", "terms"),
    [
        (CheckFilter(), ["all"]),
        (CheckFilter(policy="high"), ["policy:high"]),
        (CheckFilter(policy="high", status=CheckStatus.FAILURE), ["status_policy:FAILURE:high"]),
        (CheckFilter(policy="high", sign="emulator", on_hold=True), ["hold", "sign_policy:emulator:high"]),
        (CheckFilter(status=CheckStatus.FAILURE, sandbox=True), ["status_sandbox:FAILURE:yes"]),
        (
            CheckFilter(policy="high", attack=AttackType.PRINT, reason=FailureReason.SPOOF),
            ["attack_reason:PRINT:SPOOF", "attack_policy:PRINT:high", "reason_policy:SPOOF:high"],
        ),
    ],
)
def test_words_are_sought_in_pairs(chosen: CheckFilter, terms: list[str]) -> None:
    assert chosen.terms(_KEYS) == tuple((term,) for term in terms)


def test_a_reference_is_sought_under_every_key() -> None:
    found = CheckFilter(subject_reference="anna", policy="high").terms(_KEYS)
    hashed = tuple(reference_term("subject", "anna", tenant_key=key) for key in _KEYS)
    assert found == (hashed, ("policy:high",))


_PLACE = b"a place of 24 bytes long"


def _keys(tenant: str) -> tuple[bytes, ...]:
    return (tenant.encode().ljust(32, b"n"), tenant.encode().ljust(32, b"o"))


_TOKENS = PageTokens(tenant_keys=_keys)


def test_a_token_leads_back_to_its_place() -> None:
    token = _TOKENS.make(_PLACE, tenant="a", conditions=["status:FAILURE"])
    assert _TOKENS.open(token, bytes, tenant="a", conditions=["status:FAILURE"]) == _PLACE
    assert _PLACE not in base64.urlsafe_b64decode(token + "==")


@pytest.mark.parametrize(
    ("tenant", "conditions"),
    [("b", ["x"]), ("a", ["y"]), ("a", ["x", ""]), ("a", [])],
    ids=["tenant", "condition", "further condition", "no condition"],
)
def test_a_token_is_of_its_tenant_and_its_conditions_only(tenant: str, conditions: list[str]) -> None:
    token = _TOKENS.make(_PLACE, tenant="a", conditions=["x"])
    with pytest.raises(Refusal) as caught:
        _TOKENS.open(token, bytes, tenant=tenant, conditions=conditions)
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.details["field"] == "page_token"


def test_without_a_token_the_first_page_is_wanted() -> None:
    assert _TOKENS.open("", bytes, tenant="a", conditions=[]) is None


def _expect_refused(token: str, *, tenant: str = "a") -> None:
    with pytest.raises(Refusal) as caught:
        _TOKENS.open(token, bytes, tenant=tenant, conditions=[])
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.details["field"] == "page_token"


@given(st.text(min_size=1, max_size=80))
def test_any_other_text_is_refused(text: str) -> None:
    _expect_refused(text)


@given(st.binary(min_size=1, max_size=120))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    _expect_refused(base64.urlsafe_b64encode(data).rstrip(b"=").decode())


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_token_with_any_bit_flipped_cut_or_extended_is_refused(place: bytes, data: st.DataObject) -> None:
    token = _TOKENS.make(place, tenant="a", conditions=[])
    sealed = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    cut = data.draw(st.integers(1, len(sealed) - 1))
    flipped = bytearray(sealed)
    flipped[bit // 8] ^= 1 << bit % 8
    for changed in (flipped, sealed[:cut], sealed + b"x"):
        _expect_refused(base64.urlsafe_b64encode(changed).rstrip(b"=").decode())
    _expect_refused(token, tenant="b")


@given(st.data())
def test_a_token_with_any_other_character_leads_to_its_own_place_or_is_refused(data: st.DataObject) -> None:
    token = _TOKENS.make(_PLACE, tenant="a", conditions=[])
    at = data.draw(st.integers(0, len(token)))
    changed = token[:at] + data.draw(st.text(max_size=3)) + token[at + 1 :]
    try:
        opened = _TOKENS.open(changed, bytes, tenant="a", conditions=[])
    except Refusal:
        _expect_refused(changed)
    else:
        # The last character has bits that mean nothing.
        assert opened == _PLACE


def test_a_token_outlives_a_rotation_of_the_key() -> None:
    before = PageTokens(tenant_keys=lambda tenant: _keys(tenant)[1:])
    token = before.make(_PLACE, tenant="a", conditions=[])
    assert _TOKENS.open(token, bytes, tenant="a", conditions=[]) == _PLACE


# Columns of a check that somebody changed in the database, outside the seal.


@pytest.mark.parametrize(
    ("statement", "facts"),
    [
        ("update checks set status = 'SUCCESS' where check_id = :check", ["status"]),
        ("update checks set status = null where check_id = :check", ["status"]),
        ("update checks set reasons = '[\"SPOOF\"]' where check_id = :check", ["reasons"]),
        ("update checks set reasons = 'no JSON' where check_id = :check", ["reasons"]),
        ("update checks set sandbox = true where check_id = :check", ["sandbox"]),
        ("update checks set create_time = decide_time where check_id = :check", ["create_time"]),
        ("update checks set retain_until = '2999-01-01 00:00:00' where check_id = :check", ["retain_until"]),
        ("delete from record_terms where check_id = :check and term like 'subject:%'", ["terms"]),
        (
            "insert into holds select check_id, 'case', tenant, 'none', 'nobody', decide_time from checks "
            "where check_id = :check",
            ["hold"],
        ),
    ],
)
async def test_a_changed_column_outside_the_seal_is_found(
    office: Office, statement: str, facts: list[str]
) -> None:
    check_id = await office.check("altered-1")
    reader = office.of("reader")
    assert list((await reader.get_evidence(check_id)).altered_facts) == []
    async with office.live.database() as database:
        await database.write(
            lambda connection: connection.execute(text(statement), {"check": UUID(check_id).hex})
        )
    listed = await reader.list_checks(evidence_pb2.ListChecksRequest(page_size=100))
    assert check_id in {line.check_id for line in listed.checks}
    found = await reader.get_evidence(check_id)
    assert list(found.altered_facts) == facts
    assert found.result.status == result_pb2.CHECK_STATUS_FAILURE
    wanted = audit_pb2.ListAuditEventsRequest(check_id=check_id)
    newest = max((await reader.list_audit_events(wanted)).events, key=lambda event: event.sequence)
    assert newest.detail["altered"] == facts[0]
    archive = verify_archive(await archive_of(office, check_id), office.jwks)
    assert archive.manifest["altered_facts"] == facts
    assert f">{facts[0]}<" in archive.files["report.html"].decode()


@pytest.mark.parametrize(
    ("column", "status", "reasons"),
    [
        ("status", result_pb2.CHECK_STATUS_UNSPECIFIED, [result_pb2.FAILURE_REASON_CANCELLED]),
        ("reasons", result_pb2.CHECK_STATUS_FAILURE, []),
    ],
)
async def test_a_list_with_an_unreadable_column_goes_on_and_logs_the_check(
    office: Office, column: str, status: int, reasons: list[int]
) -> None:
    check_id = await office.check(f"unreadable-{column}")
    async with office.live.database() as database:
        spoiled = text(f"update checks set {column} = '{{' where check_id = :check")  # noqa: S608
        await database.write(lambda connection: connection.execute(spoiled, {"check": UUID(check_id).hex}))
    request = evidence_pb2.ListChecksRequest(subject_reference=f"unreadable-{column}")
    with capture_logs() as logged:
        listed = (await office.of("reader").list_checks(request)).checks
    assert [(one.check_id, one.status, list(one.reasons)) for one in listed] == [(check_id, status, reasons)]
    found = [line for line in logged if line["event"] == "evidence_index_altered"]
    assert [(line["check_id"], line["facts"]) for line in found] == [(check_id, (column,))]
