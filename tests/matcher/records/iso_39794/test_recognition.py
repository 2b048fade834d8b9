"""ISO/IEC 39794 records are recognised by their first tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.der import encode
from matcher.records.iso_39794.record import Recognised, recognise_39794

_VERSION = encode(0xA0, b"\x80\x01\x03\x81\x02\x07\xe3")


def _block(part: int, version: bytes = _VERSION, size: int = 20) -> bytes:
    return encode(0x60 | part, version + encode(0xA1, bytes(size)))


@pytest.mark.parametrize(
    ("part", "format_", "modality"),
    [
        (4, "ISO/IEC 39794-4", "finger image"),
        (5, "ISO/IEC 39794-5", "face"),
        (6, "ISO/IEC 39794-6", "iris image"),
    ],
)
@pytest.mark.parametrize("size", [20, 200, 300, 70_000])
def test_a_data_block_is_found_bare_and_wrapped(part: int, format_: str, modality: str, size: int) -> None:
    for data in (_block(part, size=size), encode(0xA1, _block(part, size=size))):
        assert recognise_39794(data) == Recognised(format_, modality)
        # What is cut off behind its head is still known for what it is.
        assert recognise_39794(data[:24]) == Recognised(format_, modality)


def test_its_xml_form_is_found() -> None:
    data = b'<?xml version="1.0"?><fa:faceImageData xmlns:fa="http://standards.iso.org/iso-iec/39794/-5">'
    assert recognise_39794(data) == Recognised("ISO/IEC 39794-5", "face", xml=True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"e",
        b"\xa1",
        b"\xa1\x82",
        b"<html>",
        b"<" + bytes(2000) + b"39794",
        _block(7),
        _block(5, b""),
        _block(5, encode(0xA1, b"")),
        _block(5, encode(0xA0, b"\x81\x01\x03\x80\x02\x07\xe3")),
        encode(0xA1, encode(0x30, _block(5))),
        encode(0x30, _block(5)),
    ],
)
def test_the_first_bytes_alone_make_no_39794_record(data: bytes) -> None:
    assert recognise_39794(data) is None


@given(st.sampled_from([b"\xa1", b"\x65", b"<", b"\x64"]), st.binary(max_size=30))
def test_any_bytes_are_classified(first: bytes, rest: bytes) -> None:
    found = recognise_39794(first + rest)
    assert found is None or found.format.startswith("ISO/IEC 39794-")
