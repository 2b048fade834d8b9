"""Files that people send in place of a picture are named."""

import base64
import gzip
import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from formats.errors import ImageFault
from formats.foreign_format import recognise_foreign
from formats.image_format import ImageFormat
from tests.hostile.image_files import iso_media, page
from vision.errors import ImageError
from vision.image import DecodeLimits, decode_image
from vision.isolation.video import detect_container


def _jpeg() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (40, 30), (10, 90, 200)).save(made, "JPEG")
    return made.getvalue()


JPEG = _jpeg()
RECORD = b"FAC\x00010\x00" + bytes(300)


def _brands(major: bytes, *others: bytes) -> bytes:
    body = major + bytes(4) + b"".join(others)
    return struct.pack(">I", 8 + len(body)) + b"ftyp" + body + bytes(32)


def _bir(name: str, declaration: str = '<?xml version="1.0"?>\n') -> bytes:
    content = base64.b64encode(RECORD).decode()
    text = (
        f'{declaration}<{name} xmlns="http://standards.iso.org/iso-iec/19785/-3/ed-2/"><BDB>{content}</BDB>'
    )
    return f"{text}</{name}>".encode()


def _piv() -> bytes:
    header = bytes((3, 0x0D)) + struct.pack(">IHHH", len(RECORD), 0, 0x1B, 0x0501) + bytes(76)
    content = header + RECORD
    inner = b"\xbc\x82" + struct.pack(">H", len(content)) + content + b"\xfe\x00"
    return b"\x53\x82" + struct.pack(">H", len(inner)) + inner


FILES: dict[str, tuple[str, bytes]] = {
    "HEIC": ("HEIC", iso_media(b"heic")),
    "HEIC of many": ("HEIC", iso_media(b"hevc")),
    "HEIC by its other brands": ("HEIC", _brands(b"mif1", b"mif1", b"heic")),
    "AVIF": ("AVIF", iso_media(b"avif")),
    "AVIF by its other brands": ("AVIF", _brands(b"mif1", b"miaf", b"avif")),
    "a raw picture": ("CR3", _brands(b"crx ", b"crx ", b"isom")),
    "MP4": ("MP4", iso_media(b"isom")),
    "gzip": ("gzip", gzip.compress(JPEG)),
    "base64": ("base64", base64.b64encode(JPEG)),
    "base64 in lines": ("base64", base64.encodebytes(JPEG)),
    "base64 for URLs": ("base64", base64.urlsafe_b64encode(JPEG).rstrip(b"=")),
    "base64 of a record": ("base64", base64.b64encode(RECORD)),
    "base64 of HEIC": ("base64", base64.b64encode(iso_media(b"heic"))),
    "a data URL": ("base64", b"data:image/jpeg;base64," + base64.b64encode(JPEG)),
    "MOSIP's CBEFF": ("CBEFF XML", _bir("BIR")),
    "CBEFF with a prefix": ("CBEFF XML", _bir("ns2:BIR", "\ufeff")),
    "base64 of CBEFF": ("base64", base64.b64encode(_bir("BIR"))),
    "a PIV object": ("PIV", _piv()),
    "a PIV object without its tag": ("PIV", _piv()[4:]),
    "the content of a PIV object": ("PIV", _piv()[8:]),
    "GIF": ("GIF", b"GIF89a" + bytes(20)),
    "TIFF": ("TIFF", b"II*\x00" + bytes(20)),
    "PDF": ("PDF", b"%PDF-1.7\n"),
    "a page": ("HTML", page()),
    "JSON": ("JSON", b'{"image": "/9j/4AAQ"}'),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_is_named(case: str) -> None:
    name, data = FILES[case]
    found = recognise_foreign(data)
    assert found is not None
    assert found.name == name


def test_the_refusal_of_a_picture_names_the_file() -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(
            iso_media(b"heic"),
            limits=DecodeLimits(max_bytes=10_000, max_pixels=10_000, max_side=200),
            formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG}),
            honour_exif_orientation=True,
        )
    assert caught.value.reason is ImageFault.UNSUPPORTED_FORMAT
    assert caught.value.details["format"] == "HEIC"


def test_what_base64_holds_is_named() -> None:
    for data, inner in ((JPEG, "JPEG"), (RECORD, "facial record"), (iso_media(b"heic"), "HEIC")):
        found = recognise_foreign(base64.b64encode(data))
        assert found is not None
        assert inner in found.what


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        bytes(4096),
        b"This is a text, longer than sixteen letters.",
        b"abcdefghijklmnopqrstuvwxyz0123",
    ],
)
def test_what_is_unknown_gets_no_name(data: bytes) -> None:
    assert recognise_foreign(data) is None


def test_a_reported_heic_is_named(assets: Path) -> None:
    data = (assets / "data" / "reported" / "k3.heic").read_bytes()
    found = recognise_foreign(data)
    assert found is not None
    assert found.name == "HEIC"
    assert detect_container(data) is None


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_give_a_name_or_none(data: bytes) -> None:
    found = recognise_foreign(data)
    assert found is None or found.name


@pytest.mark.parametrize("filler", [b" ", b"\n", b"A", b"=", b"A ", b"<", b"\xbc", b"data:a;", b"\x53\x82"])
def test_long_monotonous_files_cost_nothing(filler: bytes) -> None:
    assert recognise_foreign(filler * 2_000_000 + b"!") is None or filler == b"<"
