"""EXIF tags of a camera, and of an attacker."""

import io
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from formats.exif import ExifState, merge_software, parse_exif
from tests.formats.tiff_samples import (
    ASCII,
    LONG,
    SHORT,
    SIGNED_RATIONAL,
    UNDEFINED,
    Tag,
    ascii_tag,
    phone,
    ratio_tag,
    tiff,
)


@pytest.mark.parametrize("order", [">", "<"])
def test_a_phones_tags_are_read_in_both_byte_orders(order: str) -> None:
    tags = parse_exif(phone(order=order, software="17.1"))
    assert tags.state is ExifState.READ
    assert (tags.make, tags.model, tags.software) == ("Maker", "Phone 7", ("17.1",))
    assert (tags.f_number, tags.iso, tags.exposure_seconds) == (1.8, 125, 0.02)
    assert tags.focal_length_mm == pytest.approx(2.65)
    assert tags.has_gps


def test_tags_of_another_writer_are_read() -> None:
    picture, tags = Image.new("RGB", (8, 8)), Image.Exif()
    tags[0x010F], tags[0x0131] = "Maker", "GIMP 2.10"
    tags.get_ifd(0x8769)[0x829D] = IFDRational(28, 10)
    tags.get_ifd(0x8769)[0x8827] = 400
    stored = io.BytesIO()
    picture.save(stored, "TIFF", exif=tags)
    read = parse_exif(tags.tobytes().removeprefix(b"Exif\x00\x00"))
    assert (read.state, read.make, read.software) == (ExifState.READ, "Maker", ("GIMP 2.10",))
    assert (read.f_number, read.iso, read.has_gps) == (2.8, 400, False)


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
