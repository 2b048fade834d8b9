"""Reads size, channels and orientation of a JPEG, from the segments before its compressed data.

The server's reader is in ``formats``; this is a copy, because the client is a distribution that stands alone.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["JpegHeader", "read_jpeg_header"]

_MARKER: Final = re.compile(rb"\xff[^\x00\xff]")
_SOI: Final = b"\xff\xd8"
_SOS, _EOI, _TEM, _APP1 = 0xDA, 0xD9, 0x01, 0xE1
_RESTARTS: Final = range(0xD0, 0xD8)
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXIF: Final = b"Exif\x00\x00"
_ORIENTATION, _SHORT, _ENTRY_BYTES = 0x0112, 3, 12
_BYTE_ORDERS: Final[dict[bytes, Literal["little", "big"]]] = {b"II*\x00": "little", b"MM\x00*": "big"}
_UPRIGHT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegHeader:
    """The header of a JPEG.

    Attributes:
        width: Width, pixels.
        height: Height, pixels; 0 if the file states it only after the compressed data.
        channels: The number of colour channels.
        bits: Bits per channel.
        orientation: Exif orientation, 1 to 8; 1 is upright, and the default if the file states none.
    """

    width: int
    height: int
    channels: int
    bits: int
    orientation: int = _UPRIGHT


def read_jpeg_header(data: bytes) -> JpegHeader:
    """Reads the header of a JPEG.

    Raises:
        ValueError: The bytes are not a JPEG, or end before the compressed data.
    """
    if not data.startswith(_SOI):
        raise ValueError("the bytes are not a JPEG")
    frame, exif, at = None, None, len(_SOI)
    while True:
        marker, at = _marker(data, at)
        if marker in {_SOS, _EOI}:
            break
        if marker == _TEM or marker in _RESTARTS:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        segment = data[at + 2 : at + length]
        if length < 2 or at + length > len(data):
            raise ValueError("a segment of the JPEG is cut off")
        if marker in _FRAMES and frame is None:
            frame = segment
        elif marker == _APP1 and segment.startswith(_EXIF) and exif is None:
            exif = segment[len(_EXIF) :]
        at += length
    if frame is None or len(frame) < 6:
        raise ValueError("the JPEG has no frame header")
    return JpegHeader(
        width=int.from_bytes(frame[3:5], "big"),
        height=int.from_bytes(frame[1:3], "big"),
        channels=frame[5],
        bits=frame[0],
        orientation=(_orientation(exif) if exif else None) or _UPRIGHT,
    )


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """Returns the next marker and the offset after it; stray and fill bytes before it are passed over."""
    found = _MARKER.search(data, at)
    if found is None:
        raise ValueError("the JPEG is cut off")
    return data[found.end() - 1], found.end()


def _orientation(tiff: bytes) -> int | None:
    """Returns the orientation in the first directory of a TIFF structure; ``None`` if none can be read."""
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return None
    start = int.from_bytes(tiff[4:8], order)
    for number in range(int.from_bytes(tiff[start : start + 2], order)):
        at = start + 2 + number * _ENTRY_BYTES
        entry = tiff[at : at + _ENTRY_BYTES]
        if len(entry) < _ENTRY_BYTES:
            return None
        if int.from_bytes(entry[:2], order) == _ORIENTATION:
            value = int.from_bytes(entry[8:10], order)
            return value if int.from_bytes(entry[2:4], order) == _SHORT and 1 <= value <= 8 else None
    return None
