"""Hypothesis strategies: plausible headers that declare any values."""

import struct
import zlib

from hypothesis import strategies as st

from tests.formats.samples import jpeg_segment, png_chunk

__all__ = [
    "bmp_files",
    "exif_blocks",
    "headers",
    "j2k_files",
    "jp2_files",
    "jpeg_files",
    "png_files",
    "webp_files",
]

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
