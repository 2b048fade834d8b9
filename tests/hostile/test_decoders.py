"""Hypothesis strategies: plausible headers that declare any values."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from formats.errors import ImageFault, ImageUnreadable
from formats.exif import read_orientation
from formats.image_header import detect_format, parse_header
from tests.formats.samples import jpeg_head, jpeg_segment, png_chunk
from tests.hostile import image_files
from tests.hostile.decoding import LIMITS, decode, measured
from tests.hostile.files import CASES, HEIGHT, PICTURE, WIDTH, Case, colours
from tests.hostile.image_files import saved
from vision.errors import ImageError

_EDGES = (0, 1, 2, 7, 8, 255, 256, 4095, 10_000, 10_001, 65_535, 65_536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_NUMBERS = st.one_of(st.sampled_from(_EDGES), st.integers(0, 2**32 - 1))
_SHORTS = st.one_of(st.sampled_from([n for n in _EDGES if n < 2**16]), st.integers(0, 2**16 - 1))
_BYTES = st.integers(0, 255)
_SMALL = st.binary(max_size=40)
_KINDS = st.sampled_from(
    [b"IDAT", b"IEND", b"PLTE", b"tRNS", b"acTL", b"eXIf", b"tEXt", b"iCCP", b"IHDR", b"XXXX"]
)


@st.composite
def png_files(draw: st.DrawFn) -> bytes:
    """IHDR with any numbers and a valid checksum, then chunks with possibly false lengths."""
    numbers = (draw(_NUMBERS), draw(_NUMBERS), *(draw(st.integers(0, 17)) for _ in range(2)))
    ways = tuple(draw(st.integers(0, 2)) for _ in range(3))
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", *numbers, *ways))
    for kind, content in draw(st.lists(st.tuples(_KINDS, _SMALL), max_size=6)):
        rows = zlib.compress(content * 50) if kind == b"IDAT" else content
        chunk = png_chunk(kind, rows)
        if draw(st.booleans()):
            chunk = struct.pack(">I", draw(_NUMBERS)) + chunk[4:]
        data += chunk
    return data + draw(st.sampled_from([b"", png_chunk(b"IEND", b"")]))


@st.composite
def jpeg_files(draw: st.DrawFn) -> bytes:
    """Segments of any marker with possibly false lengths, and a frame header with any numbers."""
    data = b"\xff\xd8"
    for marker, content in draw(st.lists(st.tuples(st.integers(0xC0, 0xFE), _SMALL), max_size=5)):
        segment = jpeg_segment(marker, content)
        if draw(st.booleans()):
            segment = segment[:2] + struct.pack(">H", draw(_SHORTS)) + segment[4:]
        data += segment
    channels = draw(st.integers(0, 5))
    frame = struct.pack(">BHHB", draw(_BYTES), draw(_SHORTS), draw(_SHORTS), channels)
    data += jpeg_segment(
        draw(st.integers(0xC0, 0xCF)), frame + draw(st.binary(min_size=3, max_size=3)) * channels
    )
    return data + jpeg_segment(0xDA, draw(_SMALL)) + draw(_SMALL) + draw(st.sampled_from([b"", b"\xff\xd9"]))


@st.composite
def j2k_files(draw: st.DrawFn) -> bytes:
    """A code stream whose SIZ declares anything."""
    components = draw(st.one_of(st.integers(0, 5), _SHORTS))
    parts = draw(st.binary(min_size=3, max_size=3)) * min(components, 8)
    fields = [draw(_NUMBERS) for _ in range(8)]
    siz = struct.pack(">HIIIIIIIIH", draw(_SHORTS), *fields, components) + parts
    length = draw(st.one_of(st.just(len(siz) + 2), _SHORTS))
    return b"\xff\x4f\xff\x51" + struct.pack(">H", length) + siz + draw(_SMALL)


@st.composite
def jp2_files(draw: st.DrawFn) -> bytes:
    """Boxes of any length around anything, a header box among them."""
    data = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
    size = struct.pack(">II", draw(_NUMBERS), draw(_NUMBERS))
    ihdr = struct.pack(">I4s", 22, b"ihdr") + size + draw(st.binary(min_size=6, max_size=6))
    kinds = st.sampled_from([b"ftyp", b"jp2h", b"jp2c", b"free", b"uuid"])
    for kind in draw(st.lists(kinds, max_size=6)):
        content = {b"jp2h": ihdr, b"jp2c": draw(j2k_files())}.get(kind, draw(_SMALL))
        length = draw(st.one_of(st.just(8 + len(content)), st.sampled_from([0, 1, 2, 7]), _NUMBERS))
        data += struct.pack(">I4s", length, kind) + content
    return data


@st.composite
def webp_files(draw: st.DrawFn) -> bytes:
    """RIFF chunks of any length, starting with one that begins a WebP."""
    kinds = st.sampled_from([b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF", b"EXIF", b"ICCP", b"ALPH"])
    chunks = b""
    for kind in draw(st.lists(kinds, min_size=1, max_size=5)):
        content = draw(st.binary(max_size=24))
        if kind == b"VP8 ":
            content = b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", draw(_SHORTS), draw(_SHORTS)) + content
        elif kind == b"VP8L":
            content = b"\x2f" + struct.pack("<I", draw(_NUMBERS)) + content
        length = draw(st.one_of(st.just(len(content)), _NUMBERS))
        chunks += kind + struct.pack("<I", length) + content + b"\0" * (len(content) & 1)
    length = draw(st.one_of(st.just(len(chunks) + 4), _NUMBERS))
    return b"RIFF" + struct.pack("<I", length) + b"WEBP" + chunks


@st.composite
def bmp_files(draw: st.DrawFn) -> bytes:
    """A bitmap's headers with any numbers."""
    header = draw(st.one_of(st.sampled_from([12, 40, 52, 56, 64, 108, 124]), _NUMBERS))
    fields = struct.pack("<IIIHH", header, draw(_NUMBERS), draw(_NUMBERS), draw(_SHORTS), draw(_SHORTS))
    rest = struct.pack("<IIIIII", *(draw(_NUMBERS) for _ in range(6)))
    start = b"BM" + struct.pack("<IHHI", draw(_NUMBERS), 0, 0, draw(_NUMBERS))
    return start + fields + rest + draw(st.binary(max_size=200))


@st.composite
def exif_blocks(draw: st.DrawFn) -> bytes:
    """EXIF data of either byte order with any offsets and counts."""
    order = draw(st.sampled_from("<>"))
    entries = draw(st.lists(st.tuples(_SHORTS, _SHORTS, _NUMBERS, _NUMBERS), max_size=6))
    directory = b"".join(struct.pack(f"{order}HHII", *entry) for entry in entries)
    count = draw(st.one_of(st.just(len(entries)), _SHORTS))
    offset = draw(st.one_of(st.just(8), _NUMBERS))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return (
        mark + struct.pack(f"{order}IH", offset, count) + directory + struct.pack(f"{order}I", draw(_NUMBERS))
    )


def headers() -> st.SearchStrategy[bytes]:
    """Files of every format."""
    return st.one_of(png_files(), jpeg_files(), j2k_files(), jp2_files(), webp_files(), bmp_files())


# Hostile files in the decoder, and any declared header: the outcome and the cost.

# Every hostile file in the decoder: the outcome and the cost.

SECONDS = 2.0
"""Processor time that any single file may take."""
MEGABYTES = 100
"""Maximum growth of the process by any of these small files, whatever they declare."""


def _id(case: Case) -> str:
    return case.name.replace(" ", "-").replace(",", "")


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_hostile_files_are_refused(case: Case) -> None:
    data = case.make()
    with measured() as cost:
        if case.faults:
            with pytest.raises(ImageError) as caught:
                decode(data)
            assert caught.value.reason in case.faults
            assert len(str(caught.value)) < 300
        else:
            pixels = decode(data).pixels
            expected = colours(case.shows or PICTURE)
            assert pixels.dtype == np.uint8
            assert pixels.flags.c_contiguous
            assert pixels.shape == expected.shape
            assert np.abs(pixels.astype(int) - expected).mean() <= case.tolerance
    assert cost.seconds < SECONDS
    assert cost.bytes < MEGABYTES * 1_000_000


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "JPEG2000"])
def test_a_file_cut_off_anywhere_is_refused(format_: str) -> None:
    data = saved(PICTURE, format_)
    step = max(1, len(data) // 200)
    for length in [*range(min(200, len(data))), *range(200, len(data) - 12, step)]:
        with pytest.raises(ImageError) as caught:
            decode(data[:length])
        reason = caught.value.reason
        expected = ImageFault.EMPTY if not length else ImageFault.MALFORMED
        assert reason in {expected, ImageFault.UNSUPPORTED_FORMAT}, length


_TURNS: dict[int, tuple[Image.Transpose, ...]] = {
    1: (),
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_90,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_270,),
}
"""The effect of a camera's orientation on the upright image: the inverse of the tag's transformation."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_every_orientation_gives_the_same_upright_picture(orientation: int, format_: str) -> None:
    turned = PICTURE
    for turn in _TURNS[orientation]:
        turned = turned.transpose(turn)
    if format_ == "PNG":
        data = image_files.with_exif(saved(turned, "PNG"), orientation)
    else:
        tags = Image.Exif()
        tags[0x0112] = orientation
        data = saved(turned, "JPEG", quality=95, exif=tags)
    upright = decode(data)
    assert upright.header.orientation == orientation
    assert upright.pixels.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(upright.pixels.astype(int) - colours(PICTURE)).mean() < 2
    asleep = decode(data, upright=False)
    assert asleep.pixels.shape[:2] == turned.size[::-1]


def test_the_thumbnail_s_orientation_is_not_the_picture_s() -> None:
    inner = image_files.with_segments(
        saved(PICTURE, "JPEG"), image_files.exif_with_thumbnail(b"", orientation=6)
    )
    outer = image_files.with_segments(
        saved(PICTURE, "JPEG"), image_files.exif_with_thumbnail(inner, orientation=1)
    )
    assert decode(outer).pixels.shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    ("width", "height"),
    [(10_000, 2_500), pytest.param(5_000, 5_000, marks=pytest.mark.slow)],
    ids=["10000x2500", "5000x5000"],
)
@pytest.mark.parametrize("colour", [0, 2], ids=["grey", "rgb"])
def test_the_largest_picture_that_may_be_declared_costs_no_more_than_its_pixels(
    width: int, height: int, colour: int
) -> None:
    data = image_files.plain(width, height, colour=colour)
    with measured() as cost:
        pixels = decode(data).pixels
    assert pixels.shape == (height, width, 3)
    assert cost.bytes < 3 * pixels.nbytes


# Any declared header gives a header or an ImageUnreadable, and no memory is allocated beyond the limits.

_PARSING_BYTES = 100_000
_DECODING_BYTES = 500_000_000
"""A multiple of the largest image within the limits; each file here has less than a kilobyte."""
_REFUSED_BYTES = 20_000_000


@settings(max_examples=250, deadline=None)
@given(headers())
def test_any_declaration_gives_a_header_or_an_image_error(data: bytes) -> None:
    reason: ImageFault | None = None
    tracemalloc.start()
    try:
        header = parse_header(data)
    except ImageUnreadable as error:
        reason = error.reason
    else:
        assert header.format is detect_format(data)
        assert header.width > 0
        assert header.height > 0
        assert header.channels in range(1, 5)
        assert header.orientation in range(1, 9)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert reason in {None, ImageFault.MALFORMED, ImageFault.UNSUPPORTED_FORMAT, ImageFault.ANIMATED}
    assert peak < _PARSING_BYTES


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(headers())
def test_nothing_beyond_the_limits_is_allocated(data: bytes) -> None:
    with measured() as cost:
        try:
            pixels = decode(data).pixels
        except ImageError as error:
            beyond = error.reason is not ImageFault.MALFORMED
        else:
            beyond = False
            assert pixels.shape[0] * pixels.shape[1] <= LIMITS.max_pixels
            assert max(pixels.shape[:2]) <= LIMITS.max_side
    assert cost.bytes < (_REFUSED_BYTES if beyond else _DECODING_BYTES)


@given(exif_blocks())
def test_any_exif_gives_an_orientation(block: bytes) -> None:
    orientation = read_orientation(block)
    assert orientation in range(1, 9)
    stored = jpeg_head(8, 8)
    header = parse_header(stored[:2] + jpeg_segment(0xE1, b"Exif\0\0" + block) + stored[2:])
    assert header.orientation == orientation
