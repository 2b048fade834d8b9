"""Dataclasses as ASN.1 types, with a schema of the test's own; the records' schema is tested in iso_39794."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

import pytest

from formats.der import encode
from matcher.errors import RecordInvalid, TrustedImageRefused
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
from matcher.records.der import Element


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


def _read(data: bytes, schema: Sequence[_Block] = _SCHEMA) -> tuple[_Block, int]:
    reader = Reader(data, format_="test")
    return schema.read(reader, Element(0x30, 0, len(data)), "block"), reader.ignored


def test_every_kind_is_written_and_read() -> None:
    assert _SCHEMA.write(_FULL) == _BYTES
    block, ignored = _read(_BYTES)
    assert (block, ignored) == (_FULL, 0)
    assert block.colour is _Colour.BLUE
    assert block.plain is _Colour.RED


def test_optional_fields_may_be_absent() -> None:
    assert _SCHEMA.write(_Block(size=1)) == b"\x80\x01\x01"
    assert _read(b"\x80\x01\x01") == (_Block(size=1), 0)


def test_an_empty_list_is_not_an_absent_one() -> None:
    data = b"\x80\x01\x01\xa4\x00"
    block, _ = _read(data)
    assert block.items == ()
    assert _SCHEMA.write(block) == data


def test_only_an_extensible_type_has_unknown_fields() -> None:
    data = b"\x80\x01\x01" + encode(0x86, b"more") + encode(0xBF20, b"")
    assert _read(data) == (_Block(size=1), 2)
    with pytest.raises(TrustedImageRefused):
        _read(data, Sequence(_Block, extensible=False))


def test_values_outside_their_range_are_named_by_their_fields() -> None:
    odd = _Block(size=0, colour=7, choice=_Choice(number=12), plain=9)
    block, _ = _read(_SCHEMA.write(odd))
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
