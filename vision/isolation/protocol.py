"""What the server and a decoding worker say to each other: framed messages over two pipes.

A message is a fixed header and a payload: magic, kind, six signed 64-bit numbers whose meaning depends
on the kind, the payload's length. There is no text and nothing nested, so there is little to get wrong
on the side that must not trust the other. Big endian.
"""

import os
import struct
from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    "HEADER_BYTES",
    "NUMBERS",
    "VERSION",
    "Message",
    "MessageKind",
    "PixelLayout",
    "StillCode",
    "Unable",
    "read_exactly",
]

VERSION = 1
"""Both sides come from one installation; a worker of another version is not used."""
NUMBERS = 6
_HEADER = struct.Struct(f">4sB{NUMBERS}qQ")
_MAGIC = b"FGI1"
HEADER_BYTES = _HEADER.size


class MessageKind(IntEnum):
    """What a message is; in brackets its numbers."""

    HELLO = 1
    """Worker, once: ready (version, errno of the refused system call filter or 0 or -1)."""
    STILL = 2
    """Server: decode a picture (``StillCode``, width, height); the payload is the file."""
    VIDEO = 3
    """Server: decode a video (container, most frames, most pixels of a frame, most pixels together,
    most microseconds, most packets); the payload is the file."""
    PIXELS = 4
    """Worker: the picture (``Mode``, width, height); the payload is its rows."""
    FRAME = 5
    """Worker: a video frame (width, height, degrees clockwise to upright, microseconds); the payload is
    its rows, BGR."""
    END = 6
    """Worker: no more frames (frames decoded, frames of another size, other streams, 1 if the data broke
    off, microseconds of the whole, packets)."""
    UNABLE = 7
    """Worker: no result (``Unable``, and for pixels the measured value)."""


class StillCode(IntEnum):
    """Which decoder a picture needs."""

    JPEG2000 = 1
    WEBP = 2


class PixelLayout(IntEnum):
    """How pixels lie in a payload; the value is the bytes of one pixel times ten, and a serial digit."""

    GREY = 10
    GREY_ALPHA = 20
    GREY_16 = 21
    """Little endian."""
    BGR = 30
    BGRA = 40

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel."""
        return self.value // 10


class Unable(IntEnum):
    """Why a worker has no result."""

    DOES_NOT_DECODE = 1
    ANOTHER_SIZE = 2
    """The decoder reads another size in the header than the server did."""
    ANIMATED = 3
    OUT_OF_MEMORY = 4
    NO_VIDEO_STREAM = 5
    CODEC_NOT_SUPPORTED = 6
    TOO_MANY_PIXELS = 7
    TOO_LONG = 8


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        kind: What it is.
        numbers: Up to ``NUMBERS`` numbers; missing ones are 0 on the wire.
        payload: Bytes that follow.
    """

    kind: MessageKind
    numbers: tuple[int, ...] = ()
    payload: bytes = b""

    def header(self) -> bytes:
        """The header as it goes over the wire."""
        padded = self.numbers + (0,) * (NUMBERS - len(self.numbers))
        return _HEADER.pack(_MAGIC, self.kind, *padded, len(self.payload))

    @staticmethod
    def parse(header: bytes) -> tuple[MessageKind, tuple[int, ...], int]:
        """Kind, numbers and payload length of a header of ``HEADER_BYTES`` bytes.

        Raises:
            ValueError: It is no header of ours.
        """
        magic, kind, *numbers, length = _HEADER.unpack(header)
        if magic != _MAGIC:
            raise ValueError("the magic is wrong")
        return MessageKind(kind), tuple(numbers), length


def read_exactly(handle: int, count: int) -> bytes:
    """``count`` bytes of a blocking pipe; empty at its end.

    Raises:
        ValueError: The pipe ends in the middle.
    """
    parts = bytearray()
    while len(parts) < count:
        part = os.read(handle, count - len(parts))
        if not part:
            if parts:
                raise ValueError("the pipe ended within a message")
            return b""
        parts += part
    return bytes(parts)
