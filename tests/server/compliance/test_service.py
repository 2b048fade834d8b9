"""EvidenceService over gRPC, on a real server: a compliance reader's day."""

import hashlib
import json
from pathlib import Path
from uuid import UUID, uuid4

from facegate.v1 import audit_pb2, result_pb2
from facegate.v1 import evidence_service_pb2 as evidence_pb2

from facegate_client import verify_archive, verify_record_jws
from tests.server.compliance.office import Office, archive_of, audit_entries, refused_call
from tests.server.live import portrait


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
    for refusal in (foreign.refusal, changed.refusal):
        assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "page_token")


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


async def test_an_altered_page_token_is_refused(office: Office) -> None:
    reader = office.of("reader")
    for _ in range(2):
        await office.check("tokens-1")
    listed = evidence_pb2.ListChecksRequest(subject_reference="tokens-1", page_size=1)
    events = audit_pb2.ListAuditEventsRequest(page_size=1)
    tokens = (
        (await reader.list_checks(listed)).next_page_token,
        (await reader.list_audit_events(events)).next_page_token,
    )
    for token, foreign in (tokens, reversed(tokens)):
        for at in range(0, len(token) - 1, 5):
            changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
            for wrong in (changed, token[:at] + "\0" + token[at:], foreign):
                listed.page_token = events.page_token = wrong
                call = reader.list_checks(listed) if token == tokens[0] else reader.list_audit_events(events)
                refusal = (await refused_call(call)).refusal
                assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "page_token")


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
    refusal = await refused_call(reader.get_evidence_image(lost, entry.sha256, purpose="case"))
    assert (refusal.refusal.reason, refusal.refusal.metadata["problem"]) == ("EVIDENCE_UNREADABLE", "LOST")
    verified = verify_archive(await archive_of(office, lost), office.jwks)
    assert [one["sha256"] for one in verified.manifest["missing_images"]] == [entry.sha256.hex()]
    assert UUID(lost) == UUID(verified.result.check_id)


async def test_a_policy_and_a_status_are_one_condition(office: Office) -> None:
    check_id = await office.check("both-1")
    reader = office.of("reader")
    failed = evidence_pb2.ListChecksRequest(
        subject_reference="both-1", policy="test", status=result_pb2.CHECK_STATUS_FAILURE
    )
    passed = evidence_pb2.ListChecksRequest(
        subject_reference="both-1", policy="test", status=result_pb2.CHECK_STATUS_SUCCESS
    )
    assert [one.check_id for one in (await reader.list_checks(failed)).checks] == [check_id]
    assert list((await reader.list_checks(passed)).checks) == []
