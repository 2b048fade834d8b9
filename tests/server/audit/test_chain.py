import hashlib
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from server.audit import AuditEntry, Head, ProblemKind, encode_entry
from tests.server.audit.samples import NOW, TENANT, chain, checkpoint, head, verify

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


def test_an_empty_chain_is_whole() -> None:
    assert verify((), end=None).whole
    assert verify((), end=Head(0, "00" * 32)).whole


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


def test_fields_cannot_trade_places() -> None:
    moved = replace(_CHAIN[0], actor="ann", role="a" + _CHAIN[0].role)
    assert not verify((moved, *_CHAIN[1:]), end=head(_CHAIN)).whole


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


def test_an_entry_of_another_tenant_does_not_fit() -> None:
    foreign = replace(_CHAIN[2], tenant="other")
    report = verify((*_CHAIN[:2], foreign, *_CHAIN[3:]), end=head(_CHAIN))
    assert foreign.tenant != TENANT
    assert [problem.sequence for problem in report.problems] == [3]


def test_details_that_are_no_object_of_texts_are_left_out() -> None:
    for detail in ("", "[1]", "{", '"text"', "[" * 5000):
        assert replace(_CHAIN[0], detail=detail).details == {}
    assert replace(_CHAIN[0], detail='{"a":1,"b":"2"}').details == {"b": "2"}
    assert replace(_CHAIN[0], time_us=2**62).time.year == 9999
