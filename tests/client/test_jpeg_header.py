import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facegate_client.encoding import JpegHeader, read_jpeg_header


def _jpeg(mode: str = "RGB", *, exif: bytes | Image.Exif | None = None, **options: object) -> bytes:
    stream = io.BytesIO()
    options |= {} if exif is None else {"exif": exif}
    Image.new(mode, (90, 120)).save(stream, "JPEG", **options)
    return stream.getvalue()


def _oriented(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif[0x0112] = value
    return exif


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("CMYK", 4)])
@pytest.mark.parametrize("progressive", [False, True])
def test_size_and_channels(mode: str, channels: int, progressive: bool) -> None:
    header = read_jpeg_header(_jpeg(mode, progressive=progressive))
    assert header == JpegHeader(width=90, height=120, channels=channels, bits=8)


@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_read_in_either_byte_order(value: int) -> None:
    assert read_jpeg_header(_jpeg(exif=_oriented(value))).orientation == value
    big = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([value]) + bytes(6)
    assert read_jpeg_header(_jpeg(exif=big)).orientation == value


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0XX*\0\x08\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01",
        b"Exif\0\0II*\0\xff\xff\xff\xff\x01\0",
        b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x04\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\0\0",
    ],
    ids=["empty", "byte-order", "cut-count", "offset", "cut-entry", "value", "type"],
)
def test_orientation_that_cannot_be_read_is_upright(exif: bytes) -> None:
    assert read_jpeg_header(_jpeg(exif=exif)).orientation == 1


def test_every_cut_before_the_first_scan_is_an_error() -> None:
    jpeg = _jpeg()
    for length in range(jpeg.index(b"\xff\xda") + 1):
        with pytest.raises(ValueError, match="JPEG"):
            read_jpeg_header(jpeg[:length])


@given(st.binary(max_size=200))
def test_any_bytes_give_a_header_or_a_value_error(tail: bytes) -> None:
    try:
        header = read_jpeg_header(b"\xff\xd8" + tail)
    except ValueError:
        return
    assert 0 <= header.width < 1 << 16
    assert 1 <= header.orientation <= 8


def test_the_first_exif_segment_counts_even_without_an_orientation() -> None:
    big = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06" + bytes(6)
    turned, empty = (
        b"\xff\xe1" + (2 + len(body)).to_bytes(2, "big") + body for body in (big, b"Exif\0\0MM\0*")
    )
    plain = _jpeg()
    assert read_jpeg_header(plain[:2] + turned + empty + plain[2:]).orientation == 6
    assert read_jpeg_header(plain[:2] + empty + turned + plain[2:]).orientation == 1


@pytest.mark.parametrize("stray", [b"\x00\x00", b"8BIM", b"\xff\x00\x07", b"\xff\xff\xff"])
def test_stray_bytes_between_segments_are_passed_over(stray: bytes) -> None:
    plain = _jpeg()
    second = plain.index(b"\xff\xdb")
    assert read_jpeg_header(plain[:second] + stray + plain[second:]) == read_jpeg_header(plain)
