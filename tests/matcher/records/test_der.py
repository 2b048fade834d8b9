"""Elements and numbers in DER: the shortest form is read, and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.errors import RefusalReason, TrustedImageRefused
from matcher.records.ber import Element, encode, head_length
from matcher.records.der import LONGEST_INTEGER, der_elements, read_der, read_integer, write_integer


def _read(data: bytes) -> Element:
    return read_der(data, 0, len(data), format_="test")


def _number(octets: bytes) -> int:
    return read_integer(octets, Element(0x02, 0, len(octets)), format_="test", field="number")


@given(
    st.sampled_from([0x02, 0x30, 0xA1, 0x7F61, 0x5F2E, 0x9F1F, 0xBF8101, 0x9F8F7F]), st.integers(0, 70_000)
)
def test_what_encode_writes_is_read(tag: int, size: int) -> None:
    data = encode(tag, bytes(size))
    assert _read(data) == Element(tag, head_length(tag, size), len(data))


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
    octets = write_integer(number)
    assert _number(octets) == number
    assert len(octets) <= LONGEST_INTEGER


@pytest.mark.parametrize(
    ("octets", "number"),
    [(b"\x00", 0), (b"\x7f", 127), (b"\x00\x80", 128), (b"\x80", -128), (b"\xff\x7f", -129), (b"\xff", -1)],
)
def test_numbers_are_in_twos_complement(octets: bytes, number: int) -> None:
    assert _number(octets) == number
    assert write_integer(number) == octets


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
