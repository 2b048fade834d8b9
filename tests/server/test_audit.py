"""The audit log's chain, its checkpoints, events, tallies and export."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import assume, given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from server.audit import (
    GENESIS,
    LONGEST_PURPOSE_BYTES,
    Actor,
    AuditAction,
    AuditEntry,
    AuditEvent,
    AuditEventInvalid,
    AuditExportInvalid,
    ChainVerifier,
    Checkpoint,
    CheckpointInvalid,
    CheckpointKeys,
    CheckpointSigner,
    ExportedEntry,
    Head,
    ProblemKind,
    Report,
    SignedCheckpoint,
    Tally,
    checkpoint_line,
    digest_of,
    entry_line,
    make_entry,
    mark_line,
    parse_line,
    subject_hash,
)
from server.audit.chain import encode_entry
from server.audit.event import AuditKeysInvalid, pseudonym
from server.base.key_validity import PublishedKey, Validity

# Chains for the tests of the audit log.

NOW = datetime(2027, 3, 1, 12, 0, 0, 250_001, tzinfo=UTC)
TENANT = "bank"
SIGNER = CheckpointSigner(ec.generate_private_key(ec.SECP256R1()))


def event(**detail: str) -> AuditEvent:
    return AuditEvent(
        tenant=TENANT,
        action=AuditAction.EVIDENCE_READ,
        actor=Actor(name="anna", role="compliance_reader", address="192.0.2.7"),
        purpose="complaint 12",
        detail=detail,
    )


def chain(count: int) -> tuple[AuditEntry, ...]:
    entries: list[AuditEntry] = []
    for index in range(count):
        previous = bytes.fromhex(entries[-1].hash) if entries else GENESIS
        entries.append(
            make_entry(
                event(index=str(index)),
                sequence=index + 1,
                previous=previous,
                pseudonym=bytes(32) if index % 2 else None,
                now=NOW + timedelta(seconds=index),
            )
        )
    return tuple(entries)


def checkpoint(
    entry: AuditEntry, *, number: int = 1, previous: str = "", time: datetime = NOW
) -> SignedCheckpoint:
    return SIGNER.sign(
        Checkpoint(
            tenant=TENANT,
            number=number,
            sequence=entry.sequence,
            hash=entry.hash,
            time=time,
            previous=previous,
            position=number,
            before=previous,
        )
    )


def head(entries: Sequence[AuditEntry]) -> Head:
    return Head(entries[-1].sequence, entries[-1].hash)


def verify(
    entries: Sequence[AuditEntry],
    *,
    end: Head | None,
    checkpoints: Sequence[SignedCheckpoint] = (),
    start: Head | None = None,
) -> Report:
    verifier = ChainVerifier(TENANT, checkpoints=checkpoints, keys=SIGNER.keys, start=start)
    for entry in entries:
        verifier.verify_entry(entry)
    return verifier.finish(end)


_CHAIN = chain(6)
_ANCHORED = (checkpoint(_CHAIN[-1]),)


def test_the_bytes_of_an_entry_are_those_of_the_documentation() -> None:
    entry = _CHAIN[0]

    def part(content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + content

    expected = b"".join(
        part(content)
        for content in (
            b"facegate/v1/audit",
            bytes(32),
            b"bank",
            (1).to_bytes(8, "big"),
            entry.time_us.to_bytes(8, "big"),
            b"evidence.read",
            b"anna",
            b"compliance_reader",
            b"192.0.2.7",
            b"",
            b"",
            b"complaint 12",
            b'{"index":"0"}',
        )
    )
    assert encode_entry(entry, previous=bytes(32)) == expected
    assert entry.hash == hashlib.sha256(expected).hexdigest()
    assert entry.time == NOW


def test_a_chain_is_whole() -> None:
    report = verify(_CHAIN, end=head(_CHAIN), checkpoints=_ANCHORED)
    assert report.whole
    assert (report.entries, report.covered) == (6, 6)
    for end in (None, Head(0, "00" * 32)):
        assert verify((), end=end).whole


_TEXT = st.text(max_size=8)


def _changes() -> st.SearchStrategy[dict[str, object]]:
    return st.one_of(
        *(st.fixed_dictionaries({name: _TEXT}) for name in ("action", "actor", "role", "address", "purpose")),
        *(st.fixed_dictionaries({name: _TEXT}) for name in ("detail", "hash", "tenant")),
        *(st.fixed_dictionaries({name: st.none() | _TEXT}) for name in ("check_id", "pseudonym")),
        st.fixed_dictionaries({"time_us": st.integers()}),
    )


@given(position=st.integers(0, 5), change=_changes())
def test_every_altered_field_is_found(position: int, change: dict[str, object]) -> None:
    altered = replace(_CHAIN[position], **change)  # type: ignore[arg-type]
    assume(_means(altered) != _means(_CHAIN[position]))
    entries = (*_CHAIN[:position], altered, *_CHAIN[position + 1 :])
    assert not verify(entries, end=head(_CHAIN), checkpoints=_ANCHORED).whole


def _means(entry: AuditEntry) -> AuditEntry:
    """An empty identifier and none are the same."""
    return replace(entry, check_id=entry.check_id or None, pseudonym=entry.pseudonym or None)


@given(
    order=st.lists(st.sampled_from(range(6)), max_size=8).filter(lambda found: found != list(range(6))),
    renumbered=st.booleans(),
)
def test_every_other_selection_and_order_is_found(order: list[int], renumbered: bool) -> None:
    entries = [_CHAIN[index] for index in order]
    if renumbered:
        entries = [replace(entry, sequence=number) for number, entry in enumerate(entries, start=1)]
    # Even with a head that fits: a checkpoint covers the whole chain.
    end = head(entries) if entries else None
    assert not verify(entries, end=end, checkpoints=_ANCHORED).whole


def test_one_problem_does_not_hide_the_next() -> None:
    entries = list(_CHAIN)
    entries[1] = replace(entries[1], purpose="other")
    entries[4] = replace(entries[4], purpose="other")
    report = verify(entries, end=head(_CHAIN))
    assert [(problem.kind, problem.sequence) for problem in report.problems] == [
        (ProblemKind.ALTERED, 2),
        (ProblemKind.ALTERED, 5),
    ]


def test_a_later_part_is_verified_from_the_entry_in_front_of_it() -> None:
    start = Head(2, _CHAIN[1].hash)
    marks = checkpoint(_CHAIN[0]), checkpoint(_CHAIN[1])
    assert verify(_CHAIN[2:], end=head(_CHAIN), start=start).whole
    assert verify(_CHAIN[2:], end=head(_CHAIN), start=start, checkpoints=marks[1:]).covered == 2
    forged = Head(2, "ab" * 32)
    report = verify(_CHAIN[2:], end=head(_CHAIN), start=forged, checkpoints=marks[1:])
    assert {problem.kind for problem in report.problems} == {ProblemKind.REWRITTEN, ProblemKind.ALTERED}


def test_details_that_are_no_object_of_texts_are_left_out() -> None:
    for detail in ("", "[1]", "{", '"text"', "[" * 5000):
        assert replace(_CHAIN[0], detail=detail).details == {}
    assert replace(_CHAIN[0], detail='{"a":1,"b":"2"}').details == {"b": "2"}
    assert replace(_CHAIN[0], time_us=2**62).time.year == 9999


_KEY = ec.generate_private_key(ec.SECP256R1())


def test_a_checkpoint_is_verified_with_the_published_keys() -> None:
    signed = checkpoint(_CHAIN[-1])
    keys = CheckpointKeys.from_jwks(json.dumps(SIGNER.jwks()).encode())
    found = keys.verify(signed.jws)
    assert (found.tenant, found.sequence, found.hash, found.time) == ("bank", 6, _CHAIN[-1].hash, NOW)


@given(position=st.integers(0, 500), character=st.sampled_from("Aa0-_."))
def test_an_altered_checkpoint_is_not_valid(position: int, character: str) -> None:
    signed = checkpoint(_CHAIN[-1]).jws
    altered = signed[: position % len(signed)] + character + signed[position % len(signed) + 1 :]
    assume(altered != signed)
    # The last character of an encoding has bits without meaning; the content is what was signed then.
    with suppress(CheckpointInvalid):
        assert SIGNER.keys.verify(altered) == SIGNER.keys.verify(signed)


@given(st.text(max_size=200))
def test_hostile_texts_are_refused(text: str) -> None:
    with pytest.raises(CheckpointInvalid):
        SIGNER.keys.verify(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda header, payload: header.update(typ="facegate-result"),
        lambda header, payload: payload.update(version=3),
        lambda header, payload: payload.update(position=0),
        lambda header, payload: payload.update(accepted="x"),
        lambda header, payload: payload.update(sequence=0),
        lambda header, payload: payload.update(time="yesterday"),
        lambda header, payload: payload.pop("hash"),
    ],
)
def test_what_a_key_signed_otherwise_is_no_checkpoint(
    change: Callable[[dict[str, Any], dict[str, Any]], object],
) -> None:
    secret = ECKey.import_key(_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    payload = json.loads(jws.extract_compact(checkpoint(_CHAIN[0]).jws.encode()).payload)
    header = {"alg": "ES256", "kid": secret.thumbprint(), "typ": "facegate-audit-checkpoint"}

    def sign() -> str:
        return jws.serialize_compact(header, json.dumps(payload).encode(), secret)

    keys = CheckpointSigner(_KEY).keys
    assert keys.verify(sign()).sequence == 1
    change(header, payload)
    with pytest.raises(CheckpointInvalid):
        keys.verify(sign())


def test_a_retired_key_verifies_what_it_signed_in_its_time() -> None:
    day = timedelta(days=1)
    signed = CheckpointSigner(_KEY).sign(SIGNER.keys.verify(checkpoint(_CHAIN[0]).jws)).jws

    def keys(validity: Validity) -> CheckpointKeys:
        published = CheckpointKeys([PublishedKey(_KEY.public_key(), validity)])
        return CheckpointKeys.from_jwks(json.dumps(published.jwks()).encode())

    for validity in (Validity(), Validity(NOW - day, NOW + day), Validity(None, NOW)):
        assert keys(validity).verify(signed).sequence == 1
    for validity in (Validity(NOW + day), Validity(NOW - 2 * day, NOW - day)):
        with pytest.raises(CheckpointInvalid):
            keys(validity).verify(signed)


@pytest.mark.parametrize(
    "document",
    [b"", b"{}", b"[]", b'{"keys": 1}', b'{"keys": [{}]}', b'{"keys": [{"kty": "RSA"}]}', b"\xff", b'"x"'],
)
def test_a_document_of_no_keys_is_refused(document: bytes) -> None:
    with pytest.raises(AuditKeysInvalid):
        CheckpointKeys.from_jwks(document)


def test_keys_on_other_curves_are_refused() -> None:
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    jwk = ECKey.import_key(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(AuditKeysInvalid):
        CheckpointKeys.from_jwks(json.dumps({"keys": [jwk.as_dict(private=False)]}).encode())


def test_checkpoints_refer_to_each_other() -> None:
    first = checkpoint(_CHAIN[1])
    second = checkpoint(_CHAIN[-1], number=2, previous=digest_of(first.jws).hex())
    assert verify(_CHAIN, end=head(_CHAIN), checkpoints=(first, second)).covered == 6
    for wrong in ((second,), (second, first), (checkpoint(_CHAIN[0]), second)):
        assert not verify(_CHAIN, end=head(_CHAIN), checkpoints=wrong).whole


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


def test_lines_are_read_back_as_they_were() -> None:
    stamped = SignedCheckpoint(tenant="bank", number=1, sequence=2, jws="a.b.c", timestamp=b"\x30\x00")
    for line, expected in (
        (entry_line(_CHAIN[0]), ExportedEntry(_CHAIN[0])),
        (entry_line(_CHAIN[1]), ExportedEntry(_CHAIN[1])),
        (checkpoint_line(checkpoint(_CHAIN[0])), None),
        (checkpoint_line(stamped), stamped),
        (mark_line("head", "bank", Head(3, "ab")), ("head", "bank", Head(3, "ab"))),
        (mark_line("start", "bank", Head(3, "ab")), ("start", "bank", Head(3, "ab"))),
    ):
        assert "\n" not in line
        assert expected is None or parse_line(line) == expected


def test_an_entry_has_the_documented_fields() -> None:
    line = json.loads(entry_line(_CHAIN[1]))
    assert set(line) == {
        "version", "type", "tenant", "sequence", "time", "time_us", "action", "actor", "check_id",
        "pseudonym", "purpose", "detail", "detail_json", "hash",
    }  # fmt: skip
    assert line["time"] == "2027-03-01T12:00:01.250001Z"
    assert line["actor"] == {"name": "anna", "role": "compliance_reader", "address": "192.0.2.7"}
    assert line["detail"] == {"index": "1"}


@pytest.mark.parametrize(
    "removed", ["tenant", "sequence", "time_us", "actor", "hash", "version", "detail_json"]
)
def test_a_line_without_a_field_is_refused(removed: str) -> None:
    line = json.loads(entry_line(_CHAIN[0]))
    del line[removed]
    with pytest.raises(AuditExportInvalid):
        parse_line(json.dumps(line))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(field=st.sampled_from(sorted(json.loads(entry_line(_CHAIN[0])))), value=_JSON)
def test_hostile_fields_are_refused_or_read(field: str, value: object) -> None:
    line = json.loads(entry_line(_CHAIN[0]))
    line[field] = value
    with suppress(AuditExportInvalid):
        assert isinstance(parse_line(json.dumps(line)), ExportedEntry)


@given(st.text(max_size=60))
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(AuditExportInvalid):
        parse_line(text)


_NOW = datetime(2027, 3, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


def test_the_first_passes_and_repeats_are_counted_for_a_minute() -> None:
    tally: Tally[str] = Tally(most=4)
    assert tally.record_or_count("a", _NOW)
    assert [tally.record_or_count("a", _NOW) for _ in range(3)] == [False] * 3
    assert tally.due(_NOW + _MINUTE / 2) == ()
    (repeats,) = tally.due(_NOW + _MINUTE)
    assert (repeats.key, repeats.count) == ("a", 3)
    # It goes on: one entry a minute.
    assert not tally.record_or_count("a", _NOW + _MINUTE)
    assert [repeats.count for repeats in tally.due(_NOW + 2 * _MINUTE)] == [1]
    assert tally.due(_NOW + 3 * _MINUTE) == ()
    assert tally.record_or_count("a", _NOW + 3 * _MINUTE)


def test_kinds_beyond_the_limit_are_counted_together() -> None:
    tally: Tally[int] = Tally(most=2)
    assert [tally.record_or_count(kind, _NOW) for kind in range(5)] == [True, True, False, False, False]
    assert [(repeats.key, repeats.count) for repeats in tally.due(_NOW + _MINUTE)] == [(None, 3)]
    assert tally.record_or_count(9, _NOW + _MINUTE)


def test_the_end_reports_running_minutes() -> None:
    tally: Tally[str] = Tally(most=2)
    tally.record_or_count("a", _NOW)
    tally.record_or_count("a", _NOW)
    assert [repeats.count for repeats in tally.due(_NOW, everything=True)] == [1]
    assert tally.due(_NOW, everything=True) == ()


def test_a_clock_that_was_set_back_blocks_nothing() -> None:
    tally: Tally[str] = Tally(most=1)
    tally.record_or_count("a", _NOW)
    assert tally.due(_NOW - 100 * _MINUTE) == ()
    assert tally.record_or_count("b", _NOW - 100 * _MINUTE)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 30)), max_size=80))
def test_nothing_is_lost_and_writes_are_bounded(steps: list[tuple[int, int]]) -> None:
    tally: Tally[int] = Tally(most=3)
    now, written, counted = _NOW, 0, 0
    for kind, seconds in steps:
        now += timedelta(seconds=seconds)
        written += tally.record_or_count(kind, now)
        found = tally.due(now)
        written += len(found)
        counted += sum(repeats.count for repeats in found)
    last = tally.due(now, everything=True)
    counted += sum(repeats.count for repeats in last)
    minutes = (now - _NOW) / _MINUTE + 1
    taken = len(steps) - counted
    assert taken >= 0
    assert written <= (minutes + 1) * 2 * 4
