"""Headers of real files, of hand-made ones, and of arbitrary bytes; the chunks that a PNG decoder gets."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from formats.errors import ImageFault, ImageUnreadable
from formats.image_header import detect_format, parse_header, picture_chunks
from tests.formats.samples import (
    bmp,
    exif,
    j2k_head,
    jp2,
    jpeg_head,
    jpeg_segment,
    png,
    png_chunk,
    vp8,
    vp8l,
    vp8x,
    webp,
    webp_chunk,
)

HEADS = [
    jpeg_head(640, 480),
    jpeg_head(640, 480, sof=0xC2),
    png(640, 480),
    j2k_head(640, 480),
    jp2(j2k_head(640, 480), width=640, height=480),
    webp(vp8(640, 480)),
    webp(vp8l(640, 480)),
    webp(vp8x(640, 480), vp8(640, 480)),
    bmp(640, 480),
    bmp(640, -480, header=124),
]


@pytest.mark.parametrize("head", HEADS)
def test_reads_the_declared_size(head: bytes) -> None:
    header = parse_header(head)
    assert (header.width, header.height, header.channels, header.bits_per_channel) == (640, 480, 3, 8)
    assert header.pixels == 640 * 480
    assert header.format == detect_format(head)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_reads_the_exif_orientation(orientation: int, order: str) -> None:
    data = exif(orientation, order=order)
    frame = jpeg_head(8, 8)[2:]
    assert (
        parse_header(b"\xff\xd8" + jpeg_segment(0xE1, b"Exif\0\0" + data) + frame).orientation == orientation
    )
    assert parse_header(png(8, 8, extra=png_chunk(b"eXIf", data))).orientation == orientation
    for mark in (b"", b"Exif\0\0"):
        file = webp(vp8x(8, 8, flags=8), vp8(8, 8), webp_chunk(b"EXIF", mark + data))
        assert parse_header(file).orientation == orientation


@pytest.mark.parametrize(
    ("data", "channels"),
    [
        (png(4, 4, colour=0), 1),
        (png(4, 4, colour=3), 3),
        (png(4, 4, colour=3, extra=png_chunk(b"tRNS", b"\x00")), 4),
        (png(4, 4, colour=4), 2),
        (png(4, 4, colour=6), 4),
        (webp(vp8l(4, 4, transparent=True)), 4),
        (webp(vp8x(4, 4, flags=0x10), webp_chunk(b"ALPH", b"\0"), vp8(4, 4)), 4),
        (bmp(4, 4, bits=32), 4),
        (bmp(4, 4, bits=8), 3),
    ],
)
def test_counts_channels(data: bytes, channels: int) -> None:
    assert parse_header(data).channels == channels


def test_jpeg_marker_may_be_preceded_by_fill_bytes() -> None:
    assert parse_header(b"\xff\xd8\xff\xff\xff" + jpeg_head(8, 9)[3:]).height == 9


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", ImageFault.EMPTY),
        (b"GIF89a", ImageFault.UNSUPPORTED_FORMAT),
        (b"P5\n640 480\n255\n", ImageFault.UNSUPPORTED_FORMAT),
        (b"FAC\x00010\x00" + bytes(40), ImageFault.UNSUPPORTED_FORMAT),
        (b"\xff\xd8\xff", ImageFault.MALFORMED),
        (b"\xff\xd8\xff\xda\x00\x02", ImageFault.MALFORMED),
        (b"\xff\xd8\xff\xe0\x00\x01", ImageFault.MALFORMED),
        (b"\xff\xd8\xff\xe0\xff\xff", ImageFault.MALFORMED),
        (b"\xff\xd8" + jpeg_segment(0xE0, b"") * 1100, ImageFault.MALFORMED),
        (jpeg_head(0, 480), ImageFault.MALFORMED),
        (jpeg_head(640, 0), ImageFault.MALFORMED),
        (jpeg_head(640, 480, sof=0xC3), ImageFault.UNSUPPORTED_FORMAT),
        (jpeg_head(640, 480, sof=0xC9), ImageFault.UNSUPPORTED_FORMAT),
        (jpeg_head(640, 480, bits=12), ImageFault.UNSUPPORTED_FORMAT),
        (jpeg_head(640, 480, channels=2), ImageFault.UNSUPPORTED_FORMAT),
        (png(0, 480), ImageFault.MALFORMED),
        (png(640, 2**31), ImageFault.MALFORMED),
        (png(640, 480, bits=3), ImageFault.MALFORMED),
        (png(640, 480, colour=5), ImageFault.MALFORMED),
        (png(640, 480).replace(struct.pack(">I", 480), struct.pack(">I", 481), 1), ImageFault.MALFORMED),
        (png(640, 480)[:33], ImageFault.MALFORMED),
        (png(640, 480, extra=png_chunk(b"acTL", bytes(8))), ImageFault.ANIMATED),
        (j2k_head(640, 480)[:30], ImageFault.MALFORMED),
        (j2k_head(640, 480, tile=(1, 1)), ImageFault.MALFORMED),
        (j2k_head(640, 480, tile=(0, 480)), ImageFault.MALFORMED),
        (j2k_head(640, 480, components=5), ImageFault.UNSUPPORTED_FORMAT),
        (j2k_head(640, 480, bits=17), ImageFault.UNSUPPORTED_FORMAT),
        (j2k_head(640, 480)[:-1], ImageFault.MALFORMED),
        (j2k_head(640, 480)[:-2] + b"\0\0", ImageFault.MALFORMED),
        (jp2(j2k_head(640, 480), width=641, height=480), ImageFault.MALFORMED),
        (jp2(j2k_head(8, 8), width=8, height=8).replace(b"jp2h", b"free"), ImageFault.MALFORMED),
        (jp2(j2k_head(8, 8), width=8, height=8).replace(b"ihdr", b"free"), ImageFault.MALFORMED),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n" + j2k_head(8, 8), ImageFault.MALFORMED),
        (webp(vp8(640, 480))[:20], ImageFault.MALFORMED),
        (webp(vp8(0, 480)), ImageFault.MALFORMED),
        (webp(webp_chunk(b"VP8 ", bytes(10))), ImageFault.MALFORMED),
        (webp(webp_chunk(b"VP8L", bytes(10))), ImageFault.MALFORMED),
        (webp(webp_chunk(b"VP8X", bytes(4))), ImageFault.MALFORMED),
        (webp(vp8x(641, 480), vp8(640, 480)), ImageFault.MALFORMED),
        (webp(vp8(640, 480), vp8(640, 480)), ImageFault.MALFORMED),
        (webp(webp_chunk(b"EXIF", b"")), ImageFault.MALFORMED),
        (webp(*[webp_chunk(b"XMP ", b"")] * 300, vp8(8, 8)), ImageFault.MALFORMED),
        (webp(b"VP8 \xff\xff\xff\xff"), ImageFault.MALFORMED),
        (webp(vp8x(640, 480, flags=2), vp8(640, 480)), ImageFault.ANIMATED),
        (webp(vp8x(640, 480), webp_chunk(b"ANMF", bytes(16))), ImageFault.ANIMATED),
        (b"BM", ImageFault.MALFORMED),
        (bmp(4, 4)[:40], ImageFault.MALFORMED),
        (bmp(4, 4)[:-1], ImageFault.MALFORMED),
        (bmp(0, 4), ImageFault.MALFORMED),
        (bmp(-4, 4, rows=b""), ImageFault.MALFORMED),
        (bmp(4, 0), ImageFault.MALFORMED),
        (bmp(4, -(2**31), rows=b""), ImageFault.MALFORMED),
        (bmp(4, 4, planes=2), ImageFault.MALFORMED),
        (bmp(4, 4, bits=2), ImageFault.UNSUPPORTED_FORMAT),
        (bmp(4, 4, bits=8, coding=1), ImageFault.UNSUPPORTED_FORMAT),
        (bmp(4, 4, bits=4, coding=2), ImageFault.UNSUPPORTED_FORMAT),
        (bmp(4, 4, coding=4), ImageFault.UNSUPPORTED_FORMAT),
        (bmp(4, 4, header=64), ImageFault.UNSUPPORTED_FORMAT),
        (bmp(4, 4, bits=32, coding=3, masks=(0xFF, 0xFF00, 0xFF0000)), ImageFault.UNSUPPORTED_FORMAT),
        (bmp(4, 4, bits=24, coding=3, masks=(0xFF0000, 0xFF00, 0xFF)), ImageFault.MALFORMED),
    ],
)
def test_refuses(data: bytes, reason: ImageFault) -> None:
    with pytest.raises(ImageUnreadable) as caught:
        parse_header(data)
    assert caught.value.reason is reason


def test_agrees_with_pillow_on_real_files(assets: Path) -> None:
    agreed = 0
    files = [
        *sorted((assets / "data" / "iso").iterdir()),
        *sorted((assets / "data" / "faces").iterdir())[::10],
    ]
    for path in files:
        data = path.read_bytes()
        try:
            header = parse_header(data)
        except ImageUnreadable:
            continue
        try:
            with Image.open(io.BytesIO(data)) as picture:
                assert picture.size == (header.width, header.height), path.name
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            continue
        agreed += 1
    assert agreed > 60


def _accepts_or_refuses(data: bytes) -> None:
    try:
        header = parse_header(data)
    except ImageUnreadable:
        return
    assert header.width > 0
    assert header.height > 0
    assert header.channels in range(1, 5)
    assert header.bits_per_channel in range(1, 17)
    assert header.orientation in range(1, 9)


STARTS = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"]
STARTS += [b"RIFF\xff\0\0\0WEBP", b"BM"]


@given(st.sampled_from(STARTS), st.binary(max_size=300))
def test_any_bytes_give_a_header_or_an_image_error(start: bytes, rest: bytes) -> None:
    _accepts_or_refuses(start + rest)


@given(st.sampled_from(HEADS), st.data())
def test_any_damage_gives_a_header_or_an_image_error(head: bytes, data: st.DataObject) -> None:
    damaged = bytearray(head)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(head) - 1))] = data.draw(st.integers(0, 255))
    _accepts_or_refuses(bytes(damaged)[: data.draw(st.integers(0, len(head)))])


@given(st.integers(1, 65535), st.integers(1, 65535))
def test_every_size_survives(width: int, height: int) -> None:
    files = [
        jpeg_head(width, height),
        png(width, height),
        j2k_head(width, height),
        jp2(j2k_head(width, height), width=width, height=height),
    ]
    for data in files:
        header = parse_header(data)
        assert (header.width, header.height) == (width, height)


@given(st.integers(1, 16383), st.integers(1, 16383))
@example(16383, 16383)
def test_every_size_of_webp_survives(width: int, height: int) -> None:
    for chunk in (vp8l(width, height), vp8(width, height)):
        header = parse_header(webp(chunk))
        assert (header.width, header.height) == (width, height)


_ROWS = bytes(4 * 13)
_PLAIN = png(4, 4, rows=_ROWS)
_START = _PLAIN[:33]


def test_a_plain_file_stays_as_it_is() -> None:
    assert picture_chunks(_PLAIN) == _PLAIN


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"gAMA", b"acTL", b"abCd"])
def test_ancillary_chunks_are_left_out(kind: bytes) -> None:
    assert picture_chunks(png(4, 4, rows=_ROWS, extra=png_chunk(kind, exif(6)) * 3)) == _PLAIN


@pytest.mark.parametrize("kind", [b"PLTE", b"tRNS"])
def test_palette_and_transparency_stay(kind: bytes) -> None:
    data = png(4, 4, colour=3, rows=bytes(20), extra=png_chunk(kind, bytes(3)))
    assert picture_chunks(data) == data


def test_bytes_after_the_end_are_left_out() -> None:
    assert picture_chunks(_PLAIN + b"<script>") == _PLAIN


@pytest.mark.parametrize("length", [1, 1000, 2**31 - 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("kind", [b"IDAT", b"tEXt", b"IEND"])
def test_a_chunk_longer_than_the_file_is_refused(length: int, kind: bytes) -> None:
    with pytest.raises(ImageUnreadable) as caught:
        picture_chunks(_START + struct.pack(">I4s", length, kind) + bytes(4))
    assert caught.value.reason is ImageFault.MALFORMED


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n",
        _START,
        _PLAIN[:-1],
        _PLAIN[:-12],
        png(4, 4, rows=_ROWS, extra=png_chunk(b"ABCD", b"")),
        png(4, 4, rows=_ROWS, extra=png_chunk(b"IDAT", b"") * 20_000),
    ],
)
def test_chunks_that_no_picture_has_are_refused(data: bytes) -> None:
    with pytest.raises(ImageUnreadable) as caught:
        picture_chunks(data)
    assert caught.value.reason is ImageFault.MALFORMED


@given(
    st.lists(
        st.tuples(st.sampled_from([b"IDAT", b"tEXt", b"PLTE", b"XXXX"]), st.binary(max_size=9)), max_size=9
    )
)
def test_cleaning_twice_changes_nothing(chunks: list[tuple[bytes, bytes]]) -> None:
    data = _START + b"".join(png_chunk(kind, content) for kind, content in chunks) + png_chunk(b"IEND", b"")
    try:
        once = picture_chunks(data)
    except ImageUnreadable:
        assert any(kind == b"XXXX" for kind, _ in chunks)
        return
    assert picture_chunks(once) == once
    assert b"tEXt" not in once or any(b"tEXt" in content for _, content in chunks)
