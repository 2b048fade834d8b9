from uuid import uuid4

import pytest

from server.audit import (
    LONGEST_PURPOSE_BYTES,
    Actor,
    AuditAction,
    AuditEvent,
    AuditEventInvalid,
    subject_hash,
)
from server.audit.event import pseudonym

_ACTOR = Actor(name="anna", role="compliance_reader")


def _event(**fields: object) -> AuditEvent:
    given: dict[str, object] = {"tenant": "bank", "action": AuditAction.EVIDENCE_READ, "actor": _ACTOR}
    return AuditEvent(**(given | fields))  # type: ignore[arg-type]


def test_fields_up_to_their_length_are_taken() -> None:
    purpose = "ü" * (LONGEST_PURPOSE_BYTES // 2)
    taken = _event(purpose=purpose, subject=bytes(32), check_id=uuid4(), detail={"k" * 64: "v" * 1024})
    assert taken.purpose == purpose


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tenant", ""),
        ("tenant", "t" * 65),
        ("purpose", "x" * 257),
        ("purpose", "ü" * 129),
        ("purpose", "a\nb"),
        ("purpose", "a\x00b"),
        ("purpose", "\ud800"),
        ("purpose", "\x1b[2J"),
        ("subject", b"short"),
        ("detail", {"k" * 65: ""}),
        ("detail", {"k": "v" * 1025}),
        ("detail", {"k": "\x00"}),
        ("detail", {str(index): "" for index in range(129)}),
    ],
)
def test_other_fields_are_refused_without_their_value(field: str, value: object) -> None:
    with pytest.raises(AuditEventInvalid) as caught:
        _event(**{field: value})
    assert caught.value.field == field
    assert not isinstance(value, str) or not value or value not in str(caught.value)


@pytest.mark.parametrize("field", ["name", "role", "address"])
def test_an_actors_fields_are_bounded(field: str) -> None:
    given = {"name": "anna", "role": "shell"} | {field: "x" * 129}
    with pytest.raises(AuditEventInvalid, match=f"actor.{field}"):
        Actor(**given)


def test_details_are_frozen() -> None:
    detail = {"a": "1"}
    taken = _event(detail=detail)
    detail["a"] = "2"
    assert taken.detail == {"a": "1"}


def test_a_hash_of_a_person_depends_on_tenant_and_reference() -> None:
    found = {
        subject_hash(key, subject)
        for key in (bytes(32), b"k" * 32)
        for subject in ("customer-1", "customer-2")
    }
    assert len(found) == 4
    assert subject_hash(bytes(32), "") is None
    hashed = subject_hash(bytes(32), "customer-1")
    assert hashed is not None
    assert pseudonym(bytes(32), hashed) != pseudonym(b"k" * 32, hashed)
    assert hashed.hex() not in repr(_event(subject=hashed))
