"""Data objects of records, the shortest form or any definite one; and dataclasses as ASN.1 types."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.der import encode, encode_integer
from matcher.errors import RecordInvalid, RefusalReason, TrustedImageRefused
from matcher.records.asn1 import (
    Alternatives,
    Base,
    Boolean,
    Enumerated,
    ExtensibleCode,
    Integer,
    Octets,
    Reader,
    Sequence,
    SequenceOf,
    Tagged,
    range_errors,
)
from matcher.records.der import (
    LONGEST_INTEGER,
    MOST_ELEMENTS,
    Element,
    der_elements,
    elements,
    read_der,
    read_element,
    read_integer,
)


def _read(data: bytes) -> Element:
    return read_der(data, 0, len(data), format_="test")


def _number(octets: bytes) -> int:
    return read_integer(octets, Element(0x02, 0, len(octets)), format_="test", field="number")


@given(
    st.sampled_from([0x02, 0x30, 0xA1, 0x7F61, 0x5F2E, 0x9F1F, 0xBF8101, 0x9F8F7F]), st.integers(0, 70_000)
)
def test_what_encode_writes_is_read(tag: int, size: int) -> None:
    data = encode(tag, bytes(size))
    assert _read(data) == Element(tag, len(data) - size, len(data))


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"\x02\x81\x01\x00", "length"),
        (b"\x02\x82\x00\x01\x00", "length"),
        (b"\x02\x83\x00\x01\x00" + bytes(256), "length"),
        (b"\x30\x80\x00\x00", "length"),
        (b"\x9f\x1e\x00", "tag"),
        (b"\x9f\x80\x1f\x00", "tag"),
        (b"\x9f\x81\x81\x01\x00", "tag"),
        (b"\x02\x02\x00", "length of 2"),
        (b"\x02", "length"),
        (b"", "tag"),
    ],
)
def test_other_forms_are_malformed(data: bytes, field: str) -> None:
    with pytest.raises(TrustedImageRefused) as caught:
        _read(data)
    assert caught.value.reason is RefusalReason.RECORD_MALFORMED
    assert caught.value.details["field"] == field


@given(st.integers(-(1 << 127), (1 << 127) - 1))
def test_a_number_is_read_as_it_was_written(number: int) -> None:
    octets = encode_integer(number)
    assert _number(octets) == number
    assert len(octets) <= LONGEST_INTEGER


@pytest.mark.parametrize(
    ("octets", "number"),
    [(b"\x00", 0), (b"\x7f", 127), (b"\x00\x80", 128), (b"\x80", -128), (b"\xff\x7f", -129), (b"\xff", -1)],
)
def test_numbers_are_in_twos_complement(octets: bytes, number: int) -> None:
    assert _number(octets) == number
    assert encode_integer(number) == octets


@pytest.mark.parametrize("octets", [b"", b"\x00\x00", b"\x00\x7f", b"\xff\x80", b"\x01" + bytes(16)])
def test_a_number_in_more_octets_than_it_needs_is_malformed(octets: bytes) -> None:
    with pytest.raises(TrustedImageRefused) as caught:
        _number(octets)
    assert caught.value.details["field"] == "number"


def test_elements_are_counted() -> None:
    data = b"\x05\x00" * 5
    five = list(der_elements(data, 0, len(data), format_="test", most=5, field="list"))
    assert [element.start for element in five] == [2, 4, 6, 8, 10]
    with pytest.raises(TrustedImageRefused) as caught:
        list(der_elements(data, 0, len(data), format_="test", most=4, field="list"))
    assert caught.value.details == {"format": "test", "field": "list", "offset": 8}


def _read_tlv(data: bytes) -> Element:
    return read_element(data, 0, len(data), format_="test")


@pytest.mark.parametrize(
    ("data", "element"),
    [
        (b"\x02\x01\x05", Element(0x02, 2, 3)),
        (b"\x75\x00", Element(0x75, 2, 2)),
        (b"\x5f\x2e\x01a", Element(0x5F2E, 3, 4)),
        (b"\x7f\x61\x81\x01a", Element(0x7F61, 4, 5)),
        (b"\x75\x82\x00\x01a", Element(0x75, 4, 5)),
        (b"\x75\x84\x00\x00\x00\x01a", Element(0x75, 6, 7)),
        (b"\x1f\x81\x01\x00", Element(0x1F8101, 4, 4)),
    ],
)
def test_heads(data: bytes, element: Element) -> None:
    assert _read_tlv(data) == element


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "tag"),
        (b"\x5f", "tag"),
        (b"\x1f\x81\x81\x01\x00", "tag"),
        (b"\x75", "length"),
        (b"\x75\x82\x00", "length"),
        (b"\x75\x80a\x00\x00", "length"),
        (b"\x75\x85\x00\x00\x00\x00\x01a", "length"),
        (b"\x75\x02a", "length of 75"),
        (b"\x75\x84\xff\xff\xff\xffa", "length of 75"),
        (b"\x5f\x2e\x82\x35\xb3", "length of 5F2E"),
    ],
)
def test_values_that_do_not_fit_are_refused(data: bytes, field: str) -> None:
    with pytest.raises(TrustedImageRefused) as caught:
        _read_tlv(data)
    assert caught.value.reason is RefusalReason.RECORD_MALFORMED
    assert caught.value.details["field"] == field


def test_an_object_ends_within_its_parent() -> None:
    with pytest.raises(TrustedImageRefused):
        read_element(b"\x75\x03abc", 0, 4, format_="test")


@given(
    st.sampled_from([0x00, 0x02, 0x5F2E, 0x7F61, 0xA1, 0x1F8101]),
    st.binary(max_size=300) | st.sampled_from([bytes(127), bytes(128), bytes(65_535), bytes(65_536)]),
)
def test_encoded_objects_are_decoded(tag: int, value: bytes) -> None:
    data = encode(tag, value)
    element = _read_tlv(data + b"behind")
    assert (element.tag, data[element.start : element.end]) == (tag, value)
    assert element.end == len(data)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    found: list[Element] = []
    reasons: list[str] = []
    try:
        found += elements(data, 0, len(data), format_="test")
    except TrustedImageRefused as error:
        reasons.append(error.reason)
    assert all(0 < one.start <= one.end <= len(data) for one in found)
    assert set(reasons) <= {RefusalReason.RECORD_MALFORMED}


def test_there_is_an_end_to_tiny_objects() -> None:
    assert len(list(elements(b"\x02\x00" * MOST_ELEMENTS, 0, 2 * MOST_ELEMENTS, format_="test"))) == 64
    many = b"\x02\x00" * 1_000_000
    with pytest.raises(TrustedImageRefused, match="more than 64"):
        list(elements(many, 0, len(many), format_="test"))


class _Colour(IntEnum):
    RED = 1
    BLUE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    number: Annotated[int | None, Tagged(0, Integer(0, 9))] = None
    text: Annotated[bytes | None, Tagged(1, Octets())] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    size: Annotated[int, Tagged(0, Integer(1, 10))]
    flag: Annotated[bool | None, Tagged(1, Boolean())] = None
    colour: Annotated[int | None, Tagged(2, ExtensibleCode(_Colour))] = None
    choice: Annotated[_Choice | None, Tagged(3, Alternatives(_Choice))] = None
    items: Annotated[tuple[bytes, ...] | None, Tagged(4, SequenceOf(Octets(), most=2))] = None
    plain: Annotated[int | None, Tagged(5, Base(Enumerated(_Colour)))] = None


_SCHEMA = Sequence(_Block)
_FULL = _Block(
    size=7, flag=True, colour=_Colour.BLUE, choice=_Choice(text=b"ab"), items=(b"x", b""), plain=_Colour.RED
)
_BYTES = (
    b"\x80\x01\x07"
    b"\x81\x01\xff"
    b"\xa2\x05\xa1\x03\x80\x01\x02"
    b"\xa3\x04\x81\x02ab"
    b"\xa4\x05\x04\x01x\x04\x00"
    b"\xa5\x03\x80\x01\x01"
)


def _read_block(data: bytes, schema: Sequence[_Block] = _SCHEMA) -> tuple[_Block, int]:
    reader = Reader(data, format="test")
    return schema.read(reader, Element(0x30, 0, len(data)), "block"), reader.ignored


def test_every_kind_is_written_and_read() -> None:
    assert _SCHEMA.write(_FULL) == _BYTES
    block, ignored = _read_block(_BYTES)
    assert (block, ignored) == (_FULL, 0)
    assert block.colour is _Colour.BLUE
    assert block.plain is _Colour.RED


def test_optional_fields_may_be_absent() -> None:
    assert _SCHEMA.write(_Block(size=1)) == b"\x80\x01\x01"
    assert _read_block(b"\x80\x01\x01") == (_Block(size=1), 0)


def test_an_empty_list_is_not_an_absent_one() -> None:
    data = b"\x80\x01\x01\xa4\x00"
    block, _ = _read_block(data)
    assert block.items == ()
    assert _SCHEMA.write(block) == data


def test_only_an_extensible_type_has_unknown_fields() -> None:
    data = b"\x80\x01\x01" + encode(0x86, b"more") + encode(0xBF20, b"")
    assert _read_block(data) == (_Block(size=1), 2)
    with pytest.raises(TrustedImageRefused):
        _read_block(data, Sequence(_Block, extensible=False))


def test_values_outside_their_range_are_named_by_their_fields() -> None:
    odd = _Block(size=0, colour=7, choice=_Choice(number=12), plain=9)
    block, _ = _read_block(_SCHEMA.write(odd))
    assert block == odd
    assert range_errors(_SCHEMA, block) == ("size 0", "colour 7", "number 12", "plain 9")
    assert range_errors(_SCHEMA, _FULL) == ()


@pytest.mark.parametrize(
    "block",
    [
        _Block(size=1, choice=_Choice()),
        _Block(size=1, choice=_Choice(number=1, text=b"")),
        _Block(size=1, items=(b"",) * 3),
    ],
)
def test_what_the_type_does_not_hold_is_not_written(block: _Block) -> None:
    with pytest.raises(RecordInvalid):
        _SCHEMA.write(block)
