"""ISO/IEC 39794 records are recognised by their structure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.records.ber import encode
from matcher.records.iso_39794 import DataBlock, find_39794

_VERSION = encode(0xA0, b"\x80\x01\x03\x81\x02\x07\xe3")


def _block(part: int, version: bytes = _VERSION) -> bytes:
    return encode(0x60 | part, version + encode(0xA1, b"representations"))


@pytest.mark.parametrize(
    ("part", "format_", "modality"),
    [
        (4, "ISO/IEC 39794-4", "finger image"),
        (5, "ISO/IEC 39794-5", "face"),
        (6, "ISO/IEC 39794-6", "iris image"),
    ],
)
def test_a_data_block_is_found_bare_and_wrapped(part: int, format_: str, modality: str) -> None:
    for data, start in ((_block(part), 2), (encode(0xA1, _block(part)), 4)):
        assert find_39794(data) == DataBlock(format_, modality, 2019, start, len(data))


def test_its_xml_form_is_found() -> None:
    data = b'<?xml version="1.0"?><fa:faceImageData xmlns:fa="http://standards.iso.org/iso-iec/39794/-5">'
    assert find_39794(data) == DataBlock("ISO/IEC 39794-5", "face", None, 0, len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"e",
        b"<html>",
        b"<" + bytes(2000) + b"39794",
        _block(7),
        _block(5)[:-1],
        _block(5, b""),
        _block(5, encode(0xA1, b"")),
        _block(5, encode(0xA0, b"\x80\x01\x03")),
        _block(5, encode(0xA0, b"\x81\x01\x03\x80\x02\x07\xe3")),
        encode(0xA1, encode(0x30, _block(5))),
        encode(0x30, _block(5)),
    ],
)
def test_what_only_begins_like_one_is_none(data: bytes) -> None:
    assert find_39794(data) is None


@given(st.sampled_from([b"\xa1", b"\x65", b"<", b"\x64"]), st.binary(max_size=30))
def test_any_bytes_are_looked_at(first: bytes, rest: bytes) -> None:
    found = find_39794(first + rest)
    assert found is None or found.end <= len(first + rest)
