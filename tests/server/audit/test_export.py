import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.audit import (
    AuditEntry,
    AuditExportInvalid,
    Head,
    SignedCheckpoint,
    checkpoint_line,
    entry_line,
    mark_line,
    parse_line,
)
from tests.server.audit.samples import chain, checkpoint

_CHAIN = chain(3)


def test_lines_are_read_back_as_they_were() -> None:
    stamped = SignedCheckpoint(tenant="bank", number=1, sequence=2, jws="a.b.c", timestamp=b"\x30\x00")
    for line, expected in (
        (entry_line(_CHAIN[0]), _CHAIN[0]),
        (entry_line(_CHAIN[1]), _CHAIN[1]),
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
        assert isinstance(parse_line(json.dumps(line)), AuditEntry)


@given(st.text(max_size=60))
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(AuditExportInvalid):
        parse_line(text)
