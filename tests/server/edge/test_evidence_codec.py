from contextlib import suppress
from dataclasses import replace
from datetime import UTC

import pytest
from facegate.v1 import audit_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from server.base.errors import Reason, Refusal
from server.edge.evidence_codec import audit_event_to_wire, audit_filter_of, audit_page_size
from tests.server.audit.samples import NOW, chain

_KEY = bytes(32)
_ENTRY = chain(2)[1]


def test_an_entry_becomes_the_message() -> None:
    message = audit_event_to_wire(_ENTRY)
    assert (message.sequence, message.action, message.purpose) == (2, "evidence.read", "complaint 12")
    assert (message.actor.name, message.actor.role, message.actor.address) == (
        "anna",
        "compliance_reader",
        "192.0.2.7",
    )
    assert message.time.ToDatetime(tzinfo=UTC) == _ENTRY.time
    assert (message.pseudonym, message.hash.hex(), dict(message.detail)) == (
        bytes(32),
        _ENTRY.hash,
        {"index": "1"},
    )


def test_an_altered_entry_becomes_a_message_too() -> None:
    altered = replace(_ENTRY, sequence=-1, hash="zz", pseudonym="x", detail="[", time_us=2**62, check_id=None)
    message = audit_event_to_wire(altered)
    assert (message.sequence, message.hash, message.pseudonym, dict(message.detail)) == (0, b"", b"", {})


def test_a_request_becomes_a_filter() -> None:
    start = Timestamp()
    start.FromDatetime(NOW)
    request = audit_pb2.ListAuditEventsRequest(
        page_size=7,
        start_time=start,
        action="evidence.read",
        actor="anna",
        check_id="12345678-1234-5678-1234-56781234567A",
        subject_reference="customer-1",
    )
    assert audit_page_size(request) == 7
    chosen = audit_filter_of(request)
    assert (chosen.since, chosen.until, chosen.action, chosen.actor) == (NOW, None, "evidence.read", "anna")
    assert chosen.check_id == "12345678-1234-5678-1234-56781234567a"


def test_an_empty_request_asks_for_all() -> None:
    request = audit_pb2.ListAuditEventsRequest()
    assert audit_page_size(request) == 100
    assert list(audit_filter_of(request).conditions()) == []


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (audit_pb2.ListAuditEventsRequest(page_size=1001), "page_size"),
        (audit_pb2.ListAuditEventsRequest(check_id="no"), "check_id"),
        (audit_pb2.ListAuditEventsRequest(action="a" * 257), "action"),
        (audit_pb2.ListAuditEventsRequest(subject_reference="a" * 257), "subject_reference"),
        (audit_pb2.ListAuditEventsRequest(end_time=Timestamp(seconds=2**60)), "end_time"),
        (audit_pb2.ListAuditEventsRequest(start_time=Timestamp(seconds=-(2**60))), "start_time"),
    ],
)
def test_other_fields_are_refused(request_: audit_pb2.ListAuditEventsRequest, field: str) -> None:
    read = audit_page_size if field == "page_size" else audit_filter_of
    with pytest.raises(Refusal) as caught:
        read(request_)
    assert (caught.value.reason, caught.value.details["field"]) == (Reason.INVALID_FIELD, field)


@given(
    seconds=st.integers(-(2**63), 2**63 - 1),
    nanos=st.integers(-(2**31), 2**31 - 1),
    texts=st.lists(st.text(max_size=300), min_size=3, max_size=3),
)
def test_hostile_requests_are_refused_or_filters(seconds: int, nanos: int, texts: list[str]) -> None:
    action, check_id, subject = texts
    request = audit_pb2.ListAuditEventsRequest(
        start_time=Timestamp(seconds=seconds, nanos=nanos),
        action=action,
        check_id=check_id,
        subject_reference=subject,
    )
    with suppress(Refusal):
        audit_filter_of(request)
