"""BER-TLV data objects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.errors import RefusalReason, TrustedImageRefused
from matcher.records.ber import MOST_ELEMENTS, Element, elements, encode, read_element


def _read(data: bytes) -> Element:
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
    assert _read(data) == element


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
        _read(data)
    assert caught.value.reason is RefusalReason.RECORD_MALFORMED
    assert caught.value.details["field"] == field


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x75\x80a\x00\x00", "data object 75 has a length of the indefinite form"),
        (
            b"\x75\x85\x00\x00\x00\x00\x01a",
            "data object 75 has a length of 5 bytes; definite ones of at most 4",
        ),
        (
            b"\x75\x84\xff\xff\xff\xffa",
            "declares 4294967295 bytes, and 1 are left: the record is cut off, or the length is wrong",
        ),
    ],
)
def test_the_message_states_what_is_wrong_with_a_length(data: bytes, message: str) -> None:
    with pytest.raises(TrustedImageRefused, match=message):
        _read(data)


def test_an_object_ends_within_its_parent() -> None:
    with pytest.raises(TrustedImageRefused):
        read_element(b"\x75\x03abc", 0, 4, format_="test")


@given(
    st.sampled_from([0x00, 0x02, 0x5F2E, 0x7F61, 0xA1, 0x1F8101]),
    st.binary(max_size=300) | st.sampled_from([bytes(127), bytes(128), bytes(65_535), bytes(65_536)]),
)
def test_encoded_objects_are_decoded(tag: int, value: bytes) -> None:
    data = encode(tag, value)
    element = _read(data + b"behind")
    assert (element.tag, data[element.start : element.end]) == (tag, value)
    assert element.end == len(data)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    found: list[Element] = []
    reasons: list[RefusalReason] = []
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
