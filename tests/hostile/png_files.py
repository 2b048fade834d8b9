"""Hostile PNG files: bombs, animations, broken structure; and rare valid ones."""

import functools
import io
import struct
import zlib

import numpy as np
from PIL import Image

from tests.formats.samples import exif, png, png_chunk

__all__ = [
    "SIGNATURE",
    "apng",
    "bomb",
    "chunks_of",
    "deep",
    "insert_chunks",
    "plain",
    "saved",
    "with_exif",
    "with_unfolding_chunk",
]

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def saved(picture: Image.Image, format_: str, **options: object) -> bytes:
    """An image as Pillow stores it."""
    stored = io.BytesIO()
    picture.save(stored, format=format_, **options)
    return stored.getvalue()


@functools.cache
def bomb(side: int = 20_000) -> bytes:
    """A real grey image of ``side`` squared pixels, all black: less than 2 MB expand to 400 MB."""
    packer = zlib.compressobj(9)
    row = bytes(side + 1)
    rows = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return SIGNATURE + header + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and content of every chunk of a valid file."""
    found, position = [], len(SIGNATURE)
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        found.append((data[position + 4 : position + 8], data[position + 8 : position + 8 + length]))
        position += 12 + length
    return found


def insert_chunks(data: bytes, extra: bytes, *, before: bytes = b"IDAT") -> bytes:
    """``data`` with ``extra`` before its first chunk of a kind."""
    place = data.index(before) - 4
    return data[:place] + extra + data[place:]


def apng(picture: Image.Image) -> bytes:
    """An animation of two images."""
    return saved(picture, "PNG", save_all=True, append_images=[picture.rotate(180)])


def deep(picture: Image.Image) -> bytes:
    """The image's red channel with 16 bits, of which the lower 8 are noise."""
    red = np.asarray(picture)[..., 0].astype(np.uint16)
    noise = np.random.default_rng(5).integers(0, 256, red.shape)
    return saved(Image.fromarray((red * 256 + noise).astype(np.uint16)), "PNG")


@functools.cache
def _unfolding(kind: bytes) -> bytes:
    heads = {
        b"zTXt": b"Comment\x00\x00",
        b"iTXt": b"Comment\x00\x01\x00\x00\x00",
        b"iCCP": b"profile\x00\x00",
    }
    return png_chunk(kind, heads[kind] + zlib.compress(bytes(100_000_000), 9))


def with_unfolding_chunk(data: bytes, kind: bytes, times: int = 1) -> bytes:
    """``data`` with chunks of a kind (zTXt, iTXt or iCCP), each of which expands to 100 MB."""
    return insert_chunks(data, _unfolding(kind) * times)


def plain(width: int, height: int, *, colour: int) -> bytes:
    """A black image with 8 bits a channel: a small file, whatever its size."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    return png(width, height, colour=colour, rows=bytes(height * (1 + width * channels)))


def with_exif(data: bytes, orientation: int) -> bytes:
    """``data`` with an orientation in eXIf."""
    return insert_chunks(data, png_chunk(b"eXIf", exif(orientation)))
