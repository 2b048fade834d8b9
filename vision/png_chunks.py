"""Reduces a PNG file to the chunks that its image needs.

The decoders allocate memory for a chunk by its declared length: 75 bytes were enough for 2 GB. They also read
comments, colour profiles and EXIF, which are not needed. So they get only the chunks of the image, from a
file whose chunks all lie inside it.

Source: W3C PNG (Third Edition), clauses 5.3 (chunk layout), 5.6 (chunk ordering) and 11 (chunks).
"""

import struct

from vision.image_format import ImageFormat, malformed

__all__ = ["picture_chunks"]

_SIGNATURE_BYTES = 8
_FRAME_BYTES = 12
"""Length, kind and checksum around a chunk's content."""
_MAX_CHUNKS = 16384
_PICTURE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_ANCILLARY = 0x20
"""The bit of a kind's first letter that marks a chunk as optional for a decoder."""


def picture_chunks(data: bytes) -> bytes:
    """Return the file without the chunks that its pixels do not need, and without data after its end.

    Args:
        data: A file that begins with the PNG signature.

    Raises:
        ImageError: MALFORMED: a chunk reaches beyond the file, the end is missing, there are too many
            chunks, or a mandatory one is of unknown kind.
    """
    parts = [data[:_SIGNATURE_BYTES]]
    position = _SIGNATURE_BYTES
    for _ in range(_MAX_CHUNKS):
        if position + _FRAME_BYTES > len(data):
            raise malformed(ImageFormat.PNG, "the image data are cut off")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + _FRAME_BYTES + length
        if end > len(data):
            raise malformed(ImageFormat.PNG, "a chunk is longer than the file")
        if kind in _PICTURE:
            parts.append(data[position:end])
        elif not kind[0] & _ANCILLARY:
            raise malformed(ImageFormat.PNG, "a mandatory chunk is of an unknown kind")
        if kind == b"IEND":
            return b"".join(parts)
        position = end
    raise malformed(ImageFormat.PNG, f"more than {_MAX_CHUNKS} chunks")
