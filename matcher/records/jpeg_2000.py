"""Detects whether a JPEG 2000 code stream is coded without loss, which a 2011 record declares.

Source: ISO/IEC 15444-1, annex A.
"""

from typing import Final

__all__ = ["is_reversible"]

_START: Final = b"\xff\x4f\xff\x51"
_COD: Final = 0xFF52
_START_OF_TILE: Final = 0xFF90
_TRANSFORMATION: Final = 11
"""Offset of the transformation behind the marker segment's length field."""
_REVERSIBLE: Final = 1
_MOST_SEGMENTS: Final = 64


def is_reversible(image: bytes) -> bool:
    """Return True if the main header names the reversible 5-3 transformation, the only one without loss.

    A stream that is cut to fewer layers is lossy too, but its header does not state it.

    Args:
        image: A JP2 file or a code stream; other bytes give False.
    """
    start = image.find(_START)
    position = start + 2
    if start < 0:
        return False
    for _ in range(_MOST_SEGMENTS):
        marker = int.from_bytes(image[position : position + 2], "big")
        length = int.from_bytes(image[position + 2 : position + 4], "big")
        if marker == _COD:
            transformation = image[position + 2 + _TRANSFORMATION : position + 3 + _TRANSFORMATION]
            return transformation == bytes([_REVERSIBLE])
        if marker == _START_OF_TILE or length < 2:
            return False
        position += 2 + length
    return False
