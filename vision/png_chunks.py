"""The chunks of a PNG file that hold its picture, and no others.

The decoders behind this room take memory for a chunk by the length that it declares: 75 bytes were enough
for 2 GB. They also read comments, colour profiles and EXIF that nobody asked for. So they are handed only
what makes up the picture, from a file whose chunks all lie inside it.

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
"""The bit of a kind's first letter that says that a decoder may leave the chunk out."""


def picture_chunks(data: bytes) -> bytes:
    """The file without every chunk that its pixels do not need, and without what follows its end.

    Args:
        data: A file that begins with the PNG signature.

    Raises:
        ImageError: MALFORMED: a chunk reaches beyond the file, the end is missing, there are too many
            chunks, or one that cannot be left out is of no known kind.
    """
    parts = [data[:_SIGNATURE_BYTES]]
    position = _SIGNATURE_BYTES
    for _ in range(_MAX_CHUNKS):
        if position + _FRAME_BYTES > len(data):
            raise malformed(ImageFormat.PNG, "the picture data are cut off")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + _FRAME_BYTES + length
        if end > len(data):
            raise malformed(ImageFormat.PNG, "a chunk is longer than the file")
        if kind in _PICTURE:
            parts.append(data[position:end])
        elif not kind[0] & _ANCILLARY:
            raise malformed(ImageFormat.PNG, "a chunk that cannot be left out is of an unknown kind")
        if kind == b"IEND":
            return b"".join(parts)
        position = end
    raise malformed(ImageFormat.PNG, f"more than {_MAX_CHUNKS} chunks")
