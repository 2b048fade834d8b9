"""The place of the metadata in each format."""

import io
import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from formats.exif import ExifState, ExifTags
from formats.picture_metadata import read_exif_tags
from tests.formats.samples import jpeg_head, jpeg_segment, png, png_chunk
from tests.formats.tiff_samples import phone

_XMP = b'<x:xmpmeta><rdf:Description xmp:CreatorTool="Adobe Photoshop 25.0"/></x:xmpmeta>'


def _jpeg(*segments: bytes) -> bytes:
    head = jpeg_head(8, 8)
    return head[:2] + b"".join(segments) + head[2:] + b"\xff\xda" + b"\x00" * 20 + b"\xff\xd9"


def _exif_segment(data: bytes) -> bytes:
    return jpeg_segment(0xE1, b"Exif\x00\x00" + data)


def _webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP"
    for kind, content in chunks:
        body += kind + struct.pack("<I", len(content)) + content + b"\x00" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _saved(format_: str, **extra: object) -> bytes:
    stored = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(stored, format_, **extra)
    return stored.getvalue()


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_metadata_of_another_writer_are_found(format_: str) -> None:
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x0131] = "Maker", "Phone", "15.2"
    read = read_exif_tags(_saved(format_, exif=tags))
    assert (read.state, read.make, read.model, read.software) == (
        ExifState.READ,
        "Maker",
        "Phone",
        ("15.2",),
    )


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "BMP"])
def test_without_metadata_there_are_no_tags(format_: str) -> None:
    assert read_exif_tags(_saved(format_)) == ExifTags()


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(50), b"\xff\xd8\xff", phone()])
def test_anything_but_an_image_has_no_tags(data: bytes) -> None:
    assert read_exif_tags(data) == ExifTags()


@pytest.mark.parametrize(
    "data",
    [
        _jpeg(jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + _XMP)),
        png(8, 8, extra=png_chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + _XMP)),
        _webp((b"VP8 ", b"\x00" * 10), (b"XMP ", _XMP)),
        png(8, 8, extra=png_chunk(b"tEXt", b"Software\x00Adobe Photoshop 25.0")),
        png(8, 8, extra=png_chunk(b"iTXt", b"Software\x00\x00\x00en\x00\x00Adobe Photoshop 25.0")),
    ],
)
def test_a_program_is_found_where_each_format_names_it(data: bytes) -> None:
    tags = read_exif_tags(data)
    assert (tags.state, tags.software) == (ExifState.ABSENT, ("Adobe Photoshop 25.0",))


def test_xmp_as_an_element_is_read_too() -> None:
    packet = b"<xmp:CreatorTool>snagit</xmp:CreatorTool>"
    data = _jpeg(jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + packet))
    assert read_exif_tags(data).software == ("snagit",)


def test_the_first_exif_block_counts() -> None:
    data = _jpeg(_exif_segment(phone(software="first")), _exif_segment(phone(software="second")))
    assert read_exif_tags(data).software == ("first",)


def test_chunks_after_the_image_data_are_ignored() -> None:
    plain = _jpeg()
    assert read_exif_tags(plain + _exif_segment(phone())) == ExifTags()
    assert read_exif_tags(png(8, 8) + png_chunk(b"eXIf", phone())) == ExifTags()


@pytest.mark.parametrize(
    "data",
    [
        _jpeg(_exif_segment(b"MM\x00*\xff\xff\xff\xff")),
        png(8, 8, extra=png_chunk(b"eXIf", b"??")),
        _webp((b"EXIF", b"II*\x00")),
    ],
)
def test_broken_exif_is_a_state_and_no_error(data: bytes) -> None:
    assert read_exif_tags(data).state is ExifState.MALFORMED


def test_webp_with_jpegs_mark_is_read() -> None:
    assert read_exif_tags(_webp((b"EXIF", b"Exif\x00\x00" + phone()))).make == "Maker"


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff" + b"\xe1\x00\x02\xff" * 2_000_000,
        png(8, 8)[:33] + png_chunk(b"tEXt", b"") * 600_000,
        _jpeg(*[jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + b"CreatorTool" * 5900)] * 100),
        b"\xff\xd8" + b"\xff" * 8_000_000,
    ],
    ids=["segments", "chunks", "xmp", "fill"],
)
def test_megabytes_of_traps_cost_little(data: bytes) -> None:
    began = time.process_time()
    assert read_exif_tags(data).software == ()
    assert time.process_time() - began < 10.0


@given(
    st.sampled_from([b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\x00\x00\x00WEBP"]),
    st.binary(max_size=200),
)
def test_any_bytes_give_tags(start: bytes, tail: bytes) -> None:
    tags = read_exif_tags(start + tail)
    assert all(text.isprintable() for text in tags.software)


@given(st.data())
def test_a_damaged_file_gives_tags(data: st.DataObject) -> None:
    make = data.draw(st.sampled_from([_jpeg(_exif_segment(phone())), _webp((b"EXIF", phone()))]))
    whole = bytearray(make)
    for _ in range(3):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    tags = read_exif_tags(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    assert tags.make is None or tags.make.isprintable()
