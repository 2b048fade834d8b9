"""Every hostile or odd file of the suites, made at run time, with the expected outcome.

``CASES`` is one table of all expectations for single images; the suites read it through a decoder and
through the public API.
"""

import functools
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from formats.errors import ImageFault
from formats.image_format import ImageFormat
from tests.formats.samples import exif, j2k_head, jpeg_head, jpeg_segment, png, png_chunk
from tests.hostile import image_files
from tests.hostile.image_files import insert_chunks, saved
from vision.face import BgrImage

WIDTH, HEIGHT = 96, 64
"""Size of the reference image, pixels."""


def _reference() -> Image.Image:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return Image.fromarray(np.dstack([x * 2, y * 3, 255 - x - y]).astype(np.uint8))


PICTURE = _reference()
"""Smooth colours without any symmetry, so that every rotation, mirroring and swap of channels is visible."""

GREY = PICTURE.convert("L")


def colours(picture: Image.Image) -> BgrImage:
    """The expected output of a decoder for an image."""
    return np.asarray(picture.convert("RGB"))[..., ::-1]


@dataclass(frozen=True, slots=True)
class Case:
    """A file and its expected outcome.

    Attributes:
        make: Makes its bytes.
        faults: The errors with one of which it must be refused; empty if it must be decoded.
        shows: The image to which it must decode, if it must; ``None`` for ``PICTURE``.
        tolerance: Mean difference from ``shows`` that is allowed, grey levels.
    """

    name: str
    make: Callable[[], bytes]
    faults: frozenset[ImageFault] = frozenset()
    shows: Image.Image | None = None
    tolerance: float = 2.0


def _refused(name: str, make: Callable[[], bytes], *faults: ImageFault) -> Case:
    return Case(name, make, frozenset(faults))


_BROKEN = ImageFault.MALFORMED
_FOREIGN = ImageFault.UNSUPPORTED_FORMAT
_HUGE = ImageFault.TOO_MANY_PIXELS


@functools.cache
def _stored(format_: str) -> bytes:
    return saved(PICTURE, format_, **({"quality": 95} if format_ == "JPEG" else {}))


def _newer_format(name: str, format_: str, **options: object) -> Case:
    """A still image of a format that is refused unless it is one of ``ImageFormat``."""

    def make() -> bytes:
        return saved(PICTURE, format_, **options)

    return Case(name, make) if format_ in ImageFormat.__members__ else _refused(name, make, _FOREIGN)


def _png_cases() -> list[Case]:
    stored = functools.partial(_stored, "PNG")
    animation = png_chunk(b"acTL", struct.pack(">II", 2, 0))
    bits = PICTURE.convert("1")
    palette = PICTURE.quantize(64)
    clear = PICTURE.convert("RGBA")
    clear.putalpha(0)
    blank = Image.new("RGB", PICTURE.size, "white")
    red = Image.fromarray(np.asarray(PICTURE)[..., 0])
    return [
        Case("png", stored, tolerance=0),
        Case(
            "png, interlaced rows of every filter", lambda: saved(PICTURE, "PNG", optimize=True), tolerance=0
        ),
        Case("png, grey", lambda: saved(GREY, "PNG"), shows=GREY, tolerance=0),
        Case("png, 1 bit", lambda: saved(bits, "PNG"), shows=bits, tolerance=0),
        Case("png, palette", lambda: saved(palette, "PNG"), shows=palette, tolerance=0),
        Case("png, 16 bits", lambda: image_files.deep(PICTURE), shows=red, tolerance=0),
        Case("png, wholly transparent", lambda: saved(clear, "PNG"), shows=blank, tolerance=0),
        Case("png, late acTL", lambda: insert_chunks(stored(), animation, before=b"IEND"), tolerance=0),
        Case(
            "png, EXIF of garbage",
            lambda: insert_chunks(stored(), png_chunk(b"eXIf", b"II*\0" + b"\xff" * 40)),
        ),
        Case("png, page behind its end", lambda: stored() + image_files.page(), tolerance=0),
        Case("png, archive behind its end", lambda: stored() + image_files.archive(), tolerance=0),
        Case(
            "png, page in a comment",
            lambda: insert_chunks(stored(), png_chunk(b"tEXt", b"Comment\0<script>")),
        ),
        Case(
            "png, thousands of chunks", lambda: insert_chunks(stored(), png_chunk(b"tEXt", b"a\0b") * 16_000)
        ),
        *(
            Case(f"png, {kind.decode()} that unfolds", functools.partial(_unfolding, kind), tolerance=0)
            for kind in (b"zTXt", b"iTXt", b"iCCP")
        ),
        _refused(
            "png, too many chunks", lambda: insert_chunks(stored(), png_chunk(b"abCd", b"") * 20_000), _BROKEN
        ),
        _refused("png, animated", lambda: image_files.apng(PICTURE), ImageFault.ANIMATED),
        _refused("png, 400 million pixels in 400 kB", image_files.bomb, _HUGE),
        _refused("png, 2**31 - 1 pixels a side", lambda: png(2**31 - 1, 2**31 - 1), _HUGE),
        _refused("png, 2**32 - 1 pixels wide", lambda: png(2**32 - 1, 1), _BROKEN),
        _refused("png, a line of 10 001 pixels", lambda: png(10_001, 1), _HUGE),
        _refused("png, no rows", lambda: png(64, 64), _BROKEN),
        _refused("png, too few rows", lambda: png(64, 64, rows=bytes(193 * 10)), _BROKEN),
        _refused("png, no palette", lambda: png(64, 64, colour=3, rows=bytes(65 * 64)), _BROKEN),
        _refused("png, IHDR twice", lambda: insert_chunks(stored(), stored()[8:33]), _BROKEN),
        _refused("png, wrong checksum of the rows", lambda: _flipped(stored(), -20), _BROKEN),
        _refused(
            "png, endless chunk", lambda: stored()[:33] + b"\xff\xff\xff\xfftEXt" + stored()[33:], _BROKEN
        ),
        _refused("png, jpeg inside", lambda: image_files.SIGNATURE + _stored("JPEG"), _BROKEN),
    ]


def _unfolding(kind: bytes) -> bytes:
    return image_files.with_unfolding_chunk(_stored("PNG"), kind, 3)


def _flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 0xFF
    return bytes(changed)


def _jpeg_cases() -> list[Case]:
    stored = functools.partial(_stored, "JPEG")
    with_segments = image_files.with_segments
    looped = b"MM\x00*" + struct.pack(">I", 8) + struct.pack(">H", 0) + struct.pack(">I", 8)
    far = b"II*\x00" + struct.pack("<I", 0xFFFFFFF0)
    endless = b"MM\x00*" + struct.pack(">IH", 8, 0xFFFF) + b"\xff" * 64
    thumbnail = saved(Image.new("RGB", (48, 32), "red"), "JPEG")
    trapped = image_files.declared(65_535, 65_535)
    app1 = functools.partial(jpeg_segment, 0xE1)
    zeros = bytes(1_500_000)
    return [
        Case("jpeg", stored),
        Case("jpeg, grey", lambda: saved(GREY, "JPEG"), shows=GREY),
        Case("jpeg, CMYK", lambda: saved(PICTURE.convert("CMYK"), "JPEG", quality=95)),
        Case("jpeg, YCCK", lambda: image_files.adobe_ycck(PICTURE), tolerance=3),
        Case("jpeg, progressive", lambda: saved(PICTURE, "JPEG", progressive=True, quality=95)),
        _refused("jpeg, 50 scans without data", lambda: image_files.many_scans(PICTURE, 50), _BROKEN),
        Case("jpeg, EXIF that loops", lambda: with_segments(stored(), app1(b"Exif\0\0" + looped))),
        Case("jpeg, EXIF far away", lambda: with_segments(stored(), app1(b"Exif\0\0" + far))),
        Case("jpeg, EXIF of 65 535 entries", lambda: with_segments(stored(), app1(b"Exif\0\0" + endless))),
        Case("jpeg, orientation 99", lambda: with_segments(stored(), app1(b"Exif\0\0" + exif(99)))),
        Case(
            "jpeg, thumbnail of something else",
            lambda: with_segments(stored(), image_files.exif_with_thumbnail(thumbnail)),
        ),
        Case(
            "jpeg, thumbnail that is a bomb",
            lambda: with_segments(stored(), image_files.exif_with_thumbnail(trapped)),
        ),
        Case("jpeg, huge ICC profile", lambda: with_segments(stored(), image_files.icc_chunks(zeros))),
        Case(
            "jpeg, ICC profile numbered wrongly",
            lambda: with_segments(stored(), image_files.icc_chunks(bytes(130_000), count=0, numbers=[9, 9])),
        ),
        Case("jpeg, a thousand segments", lambda: with_segments(stored(), jpeg_segment(0xEF, b"x") * 1000)),
        Case("jpeg, archive behind its end", lambda: stored() + image_files.archive()),
        Case(
            "jpeg, page in a comment", lambda: with_segments(stored(), jpeg_segment(0xFE, image_files.page()))
        ),
        Case("jpeg, two glued together", lambda: stored() + thumbnail),
        _refused("jpeg, 100 000 scans", lambda: image_files.many_scans(PICTURE, 100_000), _BROKEN),
        _refused("jpeg, 65 535 pixels a side", lambda: image_files.declared(65_535, 65_535), _HUGE),
        _refused("jpeg, nothing but a header", lambda: image_files.declared(5_000, 5_000), _BROKEN),
        _refused("jpeg, progressive header", lambda: image_files.declared(5_000, 5_000, sof=0xC2), _BROKEN),
        _refused("jpeg, no height", lambda: image_files.declared(640, 0), _BROKEN),
        _refused("jpeg, 12 bits", lambda: image_files.declared(96, 64, sof=0xC1, bits=12), _FOREIGN),
        *(
            _refused(
                f"jpeg, coding process {sof:#x}",
                functools.partial(image_files.declared, 96, 64, sof=sof),
                _FOREIGN,
            )
            for sof in (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
        ),
        _refused("jpeg, 2 channels", lambda: image_files.declared(96, 64, channels=2), _FOREIGN),
        _refused("jpeg, two frame headers", lambda: jpeg_head(96, 64) + stored()[2:], _BROKEN),
        _refused(
            "jpeg, too many segments",
            lambda: with_segments(stored(), jpeg_segment(0xE5, b"") * 2000),
            _BROKEN,
        ),
        _refused(
            "jpeg, a segment over the end", lambda: b"\xff\xd8\xff\xe1\xff\xff" + stored()[2:200], _BROKEN
        ),
        _refused("jpeg, png inside", lambda: b"\xff\xd8\xff\xe0" + _stored("PNG"), _BROKEN),
        _refused("jpeg, cut and closed again", lambda: stored()[:400] + b"\xff\xd9", _BROKEN),
    ]


def _jpeg2000_cases() -> list[Case]:
    stored = functools.partial(_stored, "JPEG2000")
    jp2_of = image_files.jp2_of
    head = j2k_head(WIDTH, HEIGHT)
    return [
        Case("jp2", stored),
        Case("jp2, grey", lambda: image_files.stored_jp2(GREY), shows=GREY),
        Case("j2k", lambda: image_files.stored_jp2(PICTURE, no_jp2=True)),
        Case("jp2, archive behind its end", lambda: stored() + image_files.archive()),
        _refused(
            "jp2, 2**31 - 1 pixels a side",
            lambda: jp2_of(j2k_head(2**31 - 1, 2**31 - 1), 2**31 - 1, 2**31 - 1),
            _HUGE,
        ),
        _refused("j2k, 60 000 pixels a side", lambda: j2k_head(60_000, 60_000), _HUGE),
        _refused("jp2, two sizes", lambda: jp2_of(head, WIDTH + 1, HEIGHT), _BROKEN),
        _refused("jp2, no picture data", lambda: jp2_of(head, WIDTH, HEIGHT), _BROKEN),
        _refused("j2k, a tile a pixel", lambda: j2k_head(5_000, 5_000, tile=(1, 1)), _BROKEN),
        _refused("j2k, tiles of nothing", lambda: j2k_head(96, 64, tile=(0, 0)), _BROKEN),
        _refused("j2k, 16 000 components", lambda: j2k_head(8, 8, components=16_000), _FOREIGN),
        _refused("j2k, 38 bits", lambda: j2k_head(96, 64, bits=38), _FOREIGN),
        _refused(
            "jp2, box that never moves on",
            lambda: stored()[:12] + struct.pack(">I4s", 2, b"jp2h") * 9,
            _BROKEN,
        ),
        _refused(
            "jp2, thousands of boxes", lambda: stored()[:12] + struct.pack(">I4s", 8, b"free") * 9000, _BROKEN
        ),
        _refused(
            "jp2, 64-bit box of 2**64 - 1 bytes",
            lambda: stored()[:12] + struct.pack(">I4sQ", 1, b"jp2h", 2**64 - 1) + stored()[12:],
            _BROKEN,
        ),
        _refused("jp2, jpeg inside", lambda: stored()[:12] + _stored("JPEG"), _BROKEN),
    ]


def _other_cases() -> list[Case]:
    return [
        _refused("empty", lambda: b"", ImageFault.EMPTY),
        _refused(
            "one byte too many", lambda: _stored("PNG").ljust(2_000_001, b"\0"), ImageFault.TOO_MANY_BYTES
        ),
        _newer_format("webp", "WEBP", lossless=True),
        _newer_format("bmp", "BMP"),
        _refused(
            "animated webp",
            lambda: saved(PICTURE, "WEBP", save_all=True, append_images=[PICTURE.rotate(180)]),
            ImageFault.ANIMATED,
            _FOREIGN,
        ),
        *(_refused(name, make, _FOREIGN) for name, make in image_files.FOREIGN.items()),
    ]


CASES: tuple[Case, ...] = (*_png_cases(), *_jpeg_cases(), *_jpeg2000_cases(), *_other_cases())
"""Every single-image case."""
