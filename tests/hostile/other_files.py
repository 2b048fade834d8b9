"""Files that are no PNG, JPEG or JPEG 2000, whatever their name; and files of two formats at once."""

import gzip
import io
import struct
import zipfile

from PIL import Image

from tests.formats.samples import jp2
from tests.hostile.png_files import saved

__all__ = ["FOREIGN", "archive", "iso_media", "jp2_of", "page", "stored_jp2"]


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
