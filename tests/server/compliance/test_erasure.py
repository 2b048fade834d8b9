"""Holds, the erasure of a check and of a person, and two people who erase."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from facegate.v1 import audit_pb2
from facegate.v1 import evidence_service_pb2 as evidence_pb2

from facegate_client import CallRefusedError
from tests.server.compliance.office import Office, audit_entries, open_office, refused_call


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


@pytest.mark.parametrize("reference", ["with\ttab", "line\nfeed", "\u00a0", "  ", "\u200dzwj", "\ue000"])
async def test_every_stored_reference_can_be_found_and_erased(office: Office, reference: str) -> None:
    check_id = await office.check(reference)
    found = await office.of("reader").list_checks(evidence_pb2.ListChecksRequest(subject_reference=reference))
    assert [check.check_id for check in found.checks] == [check_id]
    erased = await office.of("anna").erase_subject(
        reference, reason=evidence_pb2.ERASURE_REASON_REQUEST, purpose="a letter"
    )
    assert erased.erased_checks == 1


async def test_two_people_erase_if_the_settings_demand_it(tmp_path: Path) -> None:
    two: dict[str, object] = {"two_people": ["delete", "erase", "release_hold"]}
    async with open_office(tmp_path, compliance=two) as office:
        anna, bert = office.of("anna"), office.of("bert")
        check_id = await office.check("two-1")
        await anna.place_hold(check_id, reference="case", reason="court order")
        for _ in range(2):
            asked = await anna.release_hold(check_id, reference="case", purpose="closed")
            assert asked.approval.requested_by == "anna"
        # Another purpose is another request.
        other = await bert.release_hold(check_id, reference="case", purpose="other")
        assert other.approval.requested_by == "bert"
        done = await bert.release_hold(check_id, reference="case", purpose="closed")
        assert not done.HasField("approval")
        assert (await bert.delete_evidence(check_id, purpose="p")).approval.requested_by == "bert"
        erase = {"reason": evidence_pb2.ERASURE_REASON_REQUEST, "purpose": "letter"}
        first = await bert.erase_subject("two-1", **erase)  # type: ignore[arg-type]  # its fields
        assert (first.approval.requested_by, first.erased_checks) == ("bert", 0)
        second = await anna.erase_subject("two-1", **erase)  # type: ignore[arg-type]  # its fields
        assert (second.erased_checks, second.HasField("approval")) == (1, False)
        third = await anna.erase_subject("two-1", **erase)  # type: ignore[arg-type]  # its fields
        assert third.approval.requested_by == "anna"


async def test_two_people_who_confirm_an_erasure_at_once_leave_no_request(tmp_path: Path) -> None:
    async with open_office(tmp_path, compliance={"two_people": ["erase"]}) as office:
        erase: dict[str, Any] = {"reason": evidence_pb2.ERASURE_REASON_REQUEST, "purpose": "letter"}
        for number in range(5):
            subject = f"at-once-{number}"
            await office.check(subject)
            assert (await office.of("anna").erase_subject(subject, **erase)).HasField("approval")
            answers = await asyncio.gather(
                *(office.of(name).erase_subject(subject, **erase) for name in ("bert", "clara"))
            )
            assert sum(answer.erased_checks for answer in answers) >= 1
            # A request that one of them had left would be confirmed by this call.
            again = await office.of("anna").erase_subject(subject, **erase)
            assert again.approval.requested_by == "anna"
