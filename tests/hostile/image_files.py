"""Hostile PNG and JPEG files, files of other formats, and files of two formats at once."""

import functools
import gzip
import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

from tests.formats.samples import exif, jp2, jpeg_head, jpeg_segment, png, png_chunk

# Hostile PNG files: bombs, animations, broken structure; and rare valid ones.

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


# Hostile JPEG files: endless scans, metadata traps, wrong colours, cut and joined files.

EMPTY_SCAN = jpeg_segment(0xDA, b"\x01\x01\x00\x01\x3f\x00")
"""A scan of the first component's higher frequencies without data."""


def with_segments(data: bytes, segments: bytes) -> bytes:
    """``data`` with more segments right after its start."""
    return data[:2] + segments + data[2:]


def many_scans(picture: Image.Image, scans: int) -> bytes:
    """A progressive file with further scans before its end."""
    data = saved(picture, "JPEG", progressive=True)
    return data[:-2] + EMPTY_SCAN * scans + data[-2:]


def declared(width: int, height: int, *, sof: int = 0xC0, bits: int = 8, channels: int = 3) -> bytes:
    """A frame header, the start of a scan and nothing else."""
    scan = bytes([channels]) + b"".join(bytes([i + 1, 0]) for i in range(channels)) + b"\x00\x3f\x00"
    return (
        jpeg_head(width, height, sof=sof, bits=bits, channels=channels)
        + jpeg_segment(0xDA, scan)
        + bytes(64)
        + b"\xff\xd9"
    )


def adobe_ycck(picture: Image.Image) -> bytes:
    """The image as YCCK, which printers' software writes: YCbCr of the inverted colours, and black."""
    inverted = Image.fromarray(255 - np.asarray(picture.convert("RGB")))
    planes = np.asarray(inverted.convert("YCbCr"))
    black = np.full((*planes.shape[:2], 1), 255, np.uint8)
    # Pillow inverts data that it treats as CMYK.
    four = Image.frombytes(
        "CMYK", picture.size, (255 - np.dstack([planes, black])).astype(np.uint8).tobytes()
    )
    data = bytearray(saved(four, "JPEG", quality=95))
    place = data.index(b"\xff\xee\x00\x0eAdobe") + 15
    data[place] = 2
    return bytes(data)


def icc_chunks(profile: bytes, *, count: int | None = None, numbers: list[int] | None = None) -> bytes:
    """APP2 segments with an ICC profile, with any numbering."""
    parts = [profile[start : start + 65_000] for start in range(0, len(profile), 65_000)] or [b""]
    numbers = numbers or list(range(1, len(parts) + 1))
    total = len(parts) if count is None else count
    return b"".join(
        jpeg_segment(0xE2, b"ICC_PROFILE\x00" + bytes([number & 255, total & 255]) + part)
        for number, part in zip(numbers, parts, strict=True)
    )


def exif_with_thumbnail(thumbnail: bytes, *, orientation: int = 1) -> bytes:
    """An APP1 segment with a second directory that contains a thumbnail."""
    first = struct.pack(">H", 1) + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    second_at = 8 + len(first) + 4
    second = struct.pack(">H", 3)
    data_at = second_at + 2 + 3 * 12 + 4
    second += struct.pack(">HHIHH", 0x0103, 3, 1, 6, 0)
    second += struct.pack(">HHII", 0x0201, 4, 1, data_at)
    second += struct.pack(">HHII", 0x0202, 4, 1, len(thumbnail)) + struct.pack(">I", 0)
    tiff = b"MM\x00*" + struct.pack(">I", 8) + first + struct.pack(">I", second_at) + second + thumbnail
    return jpeg_segment(0xE1, b"Exif\x00\x00" + tiff)


# Files that are no PNG, JPEG or JPEG 2000, whatever their name; and files of two formats at once.


def iso_media(brand: bytes) -> bytes:
    """The start of an ISO base media file, as HEIC, AVIF and MP4 begin."""
    kinds = brand + bytes(4) + brand + b"mif1"
    return struct.pack(">I", 8 + len(kinds)) + b"ftyp" + kinds + struct.pack(">I4s", 8, b"mdat") + bytes(64)


def archive() -> bytes:
    """A ZIP archive with a script in it."""
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as packed:
        packed.writestr(zipfile.ZipInfo("run.sh"), b"#!/bin/sh\nexit 1\n")
    return stored.getvalue()


def page() -> bytes:
    """An HTML page with a script."""
    return b"<!DOCTYPE html><html><script>alert(1)</script></html>"


def stored_jp2(picture: Image.Image, **options: object) -> bytes:
    """An image as Pillow stores it in a JP2 file."""
    return saved(picture, "JPEG2000", **options)


def jp2_of(codestream: bytes, width: int, height: int) -> bytes:
    """A code stream in JP2 boxes that declare a size."""
    return jp2(codestream, width=width, height=height)


def _svg() -> bytes:
    return (
        b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
        b'<svg xmlns="http://www.w3.org/2000/svg" width="99999" height="99999"><text>&b;</text></svg>'
    )


def _pictures(format_: str, count: int) -> bytes:
    frames = [Image.new("RGB", (64, 64), (number * 60, 10, 200)) for number in range(count)]
    return saved(frames[0], format_, save_all=True, append_images=frames[1:])


FOREIGN = {
    "one byte": lambda: b"\x00",
    "text": lambda: b"This is no picture at all, but a longer text.\n" * 20,
    "zeros": lambda: bytes(4096),
    "svg": _svg,
    "html": page,
    "zip": archive,
    "gzip": lambda: gzip.compress(bytes(1_000_000), mtime=0),
    "pdf": lambda: b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n",
    "postscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100000 100000\n(%pipe%id) (r) file\n",
    "elf": lambda: b"\x7fELF\x02\x01\x01" + bytes(128),
    "heic": lambda: iso_media(b"heic"),
    "avif": lambda: iso_media(b"avif"),
    "mp4": lambda: iso_media(b"isom"),
    "tiff": lambda: _pictures("TIFF", 1),
    "tiff of many pages": lambda: _pictures("TIFF", 3),
    "gif": lambda: _pictures("GIF", 1),
    "animated gif": lambda: _pictures("GIF", 3),
    "portable grey map": lambda: b"P5\n64 64\n255\n" + bytes(4096),
    "png magic with one wrong byte": lambda: b"\x89PNG\r\n\x1a\r" + bytes(64),
    "jpeg magic with one wrong byte": lambda: b"\xff\xd8\xfe\xe0" + bytes(64),
    "finger minutiae magic": lambda: b"FMR\x00 20\x00" + bytes(64),
    "iris magic": lambda: b"IIR\x00020\x00" + bytes(64),
}
"""Files of other formats by name; none of these formats is supported or will be."""
