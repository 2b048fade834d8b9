"""EXIF tags of a camera and of an attacker, and their place in each format."""

import io
import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import IFDRational

from formats.exif import ExifState, ExifTags, merge_software, parse_exif, read_orientation
from formats.picture_metadata import read_exif_tags
from tests.formats.samples import (
    ASCII,
    LONG,
    SHORT,
    SIGNED_RATIONAL,
    UNDEFINED,
    Tag,
    ascii_tag,
    exif,
    jpeg_head,
    jpeg_segment,
    phone,
    png,
    png_chunk,
    ratio_tag,
    tiff,
    webp,
    webp_chunk,
)
from vision.image import apply_orientation


@pytest.mark.parametrize("order", [">", "<"])
def test_a_phones_tags_are_read_in_both_byte_orders(order: str) -> None:
    tags = parse_exif(phone(order=order, software="17.1"))
    assert tags.state is ExifState.READ
    assert (tags.make, tags.model, tags.software) == ("Maker", "Phone 7", ("17.1",))
    assert (tags.f_number, tags.iso, tags.exposure_seconds) == (1.8, 125, 0.02)
    assert tags.focal_length_mm == pytest.approx(2.65)
    assert tags.has_gps


def test_apex_values_stand_in_for_missing_ones() -> None:
    signed = struct.pack(">ii", 6, 1)
    tags = parse_exif(tiff(exif=[Tag(0x9201, SIGNED_RATIONAL, 1, signed), ratio_tag(0x9202, 2, 1)]))
    assert (tags.exposure_seconds, tags.f_number) == (1 / 64, 2.0)


@pytest.mark.parametrize(
    "entry",
    [
        ratio_tag(0x829D, 18, 0),
        ratio_tag(0x829D, 0, 10),
        Tag(0x829D, SIGNED_RATIONAL, 1, struct.pack(">ii", -18, 10)),
        Tag(0x829D, ASCII, 4, b"1.8\x00"),
        Tag(0x8827, SHORT, 1, b"\x00\x00"),
        Tag(0x9202, 5, 1, struct.pack(">II", 0xFFFFFFFF, 1)),
    ],
)
def test_a_value_that_no_camera_has_is_no_value(entry: Tag) -> None:
    tags = parse_exif(tiff(exif=[entry]))
    assert (tags.state, tags.f_number, tags.iso) == (ExifState.READ, None, None)


@pytest.mark.parametrize(
    ("code", "comment"),
    [(b"ASCII\x00\x00\x00", b"Screenshot"), (b"UNICODE\x00", "Screenshot".encode("utf-16-be"))],
)
def test_a_comment_is_read_in_its_character_code(code: bytes, comment: bytes) -> None:
    content = code + comment
    assert parse_exif(tiff(exif=[Tag(0x9286, UNDEFINED, len(content), content)])).comment == "Screenshot"


def test_texts_are_short_and_hold_no_control_characters() -> None:
    long = "a\x1b[31m\nb  c" + "x" * 500
    text = parse_exif(tiff([ascii_tag(0x0131, long)])).software[0]
    assert text.startswith("a [31m b c")
    assert text.isprintable()
    assert len(text) == 128


def test_texts_stay_out_of_the_representation() -> None:
    tags = parse_exif(phone(software="secret program"))
    assert "Maker" not in repr(tags)
    assert "secret" not in repr(tags)


def test_programs_named_elsewhere_are_added_once_and_bounded() -> None:
    tags = merge_software(parse_exif(phone(software="A")), ("A", "B\x07", "", *(str(n) for n in range(20))))
    assert tags.software[:3] == ("A", "B", "0")
    assert len(tags.software) == 8


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"II*\x00",
        b"XX*\x00" + phone()[4:],
        b"MM\x00*" + struct.pack(">I", 0xFFFFFFF0),
        b"MM\x00*" + struct.pack(">I", 4),
        phone()[:60],
        b"MM\x00*" + struct.pack(">IH", 8, 0xFFFF) + bytes(40),
        tiff([Tag(0x010F, ASCII, 0xFFFFFFFF, b"12345678")]),
        tiff([Tag(0x8769, LONG, 1, struct.pack(">I", 0x7FFFFFFF))]),
    ],
)
def test_broken_data_are_reported_as_broken(broken: bytes) -> None:
    assert parse_exif(broken).state is ExifState.MALFORMED


def test_a_directory_that_names_itself_is_read_once() -> None:
    looped = tiff([Tag(0x8769, LONG, 1, struct.pack(">I", 8)), Tag(0x8825, LONG, 1, struct.pack(">I", 8))])
    tags = parse_exif(looped)
    assert (tags.state, tags.make, tags.has_gps) == (ExifState.READ, None, False)


def test_huge_counts_cost_nothing() -> None:
    entry = struct.pack(">HHII", 0x010F, 12, 0xFFFFFFFF, 8)
    data = b"MM\x00*" + struct.pack(">IH", 8, 0xFFFF) + entry * 60000
    began = time.process_time()
    assert parse_exif(data).state is ExifState.MALFORMED
    assert time.process_time() - began < 5.0


@given(st.sampled_from([b"II*\x00", b"MM\x00*"]), st.binary(max_size=300))
def test_any_bytes_give_tags(mark: bytes, tail: bytes) -> None:
    tags = parse_exif(mark + tail)
    assert tags.state in {ExifState.READ, ExifState.MALFORMED}
    assert tags.f_number is None or 0 < tags.f_number <= 2**32


@given(st.data())
def test_one_changed_byte_gives_tags_too(data: st.DataObject) -> None:
    whole = bytearray(phone(software="x"))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    for text in (parse_exif(bytes(whole)).make, parse_exif(bytes(whole[:cut])).make):
        assert text is None or text.isprintable()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_as_pillow_does(orientation: int) -> None:
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    picture = Image.fromarray(pixels)
    tags = picture.getexif()
    tags[0x0112] = orientation
    stored = io.BytesIO()
    picture.save(stored, format="PNG", exif=tags)
    with Image.open(stored) as again:
        expected = np.asarray(ImageOps.exif_transpose(again))
    np.testing.assert_array_equal(apply_orientation(pixels, orientation), expected)


@pytest.mark.parametrize("broken", [b"", b"II*\x00", exif(0), exif(9), exif(6)[:12], b"XX" + exif(6)[2:]])
def test_broken_data_read_as_upright(broken: bytes) -> None:
    assert read_orientation(broken) == 1


@given(st.binary(max_size=200))
def test_any_bytes_give_an_orientation(tail: bytes) -> None:
    assert read_orientation(b"MM\x00*" + tail) in range(1, 9)


_XMP = b'<x:xmpmeta><rdf:Description xmp:CreatorTool="Adobe Photoshop 25.0"/></x:xmpmeta>'
_XMP_ELEMENT = b"<xmp:CreatorTool>Adobe Photoshop 25.0</xmp:CreatorTool>"


def _jpeg(*segments: bytes) -> bytes:
    head = jpeg_head(8, 8)
    return head[:2] + b"".join(segments) + head[2:] + b"\xff\xda" + b"\x00" * 20 + b"\xff\xd9"


def _exif_segment(data: bytes) -> bytes:
    return jpeg_segment(0xE1, b"Exif\x00\x00" + data)


def _webp(*chunks: tuple[bytes, bytes]) -> bytes:
    return webp(*(webp_chunk(kind, content) for kind, content in chunks))


def _saved(format_: str, **extra: object) -> bytes:
    stored = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(stored, format_, **extra)
    return stored.getvalue()


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_metadata_of_another_writer_are_found(format_: str) -> None:
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x0131] = "Maker", "Phone", "15.2"
    tags.get_ifd(0x8769)[0x829D] = IFDRational(28, 10)
    tags.get_ifd(0x8769)[0x8827] = 400
    read = read_exif_tags(_saved(format_, exif=tags))
    assert (read.state, read.software) == (ExifState.READ, ("15.2",))
    assert (read.make, read.model, read.f_number, read.iso) == ("Maker", "Phone", 2.8, 400)
    assert not read.has_gps


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
        _jpeg(jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + _XMP_ELEMENT)),
        png(8, 8, extra=png_chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + _XMP)),
        _webp((b"VP8 ", b"\x00" * 10), (b"XMP ", _XMP)),
        png(8, 8, extra=png_chunk(b"tEXt", b"Software\x00Adobe Photoshop 25.0")),
        png(8, 8, extra=png_chunk(b"iTXt", b"Software\x00\x00\x00en\x00\x00Adobe Photoshop 25.0")),
    ],
)
def test_a_program_is_found_where_each_format_names_it(data: bytes) -> None:
    tags = read_exif_tags(data)
    assert (tags.state, tags.software) == (ExifState.ABSENT, ("Adobe Photoshop 25.0",))


def test_the_first_exif_block_counts() -> None:
    first, second = phone(software="first"), phone(software="second")
    in_webp = _webp((b"EXIF", b"Exif\x00\x00" + first), (b"EXIF", second))
    for data in (_jpeg(_exif_segment(first), _exif_segment(second)), in_webp):
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
def test_any_file_gives_tags(start: bytes, tail: bytes) -> None:
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
