"""The protocol between the server and a decoding worker: framed messages over two pipes.

A message is a fixed header and a payload. The header has a magic, a kind, six signed 64-bit numbers whose
meaning depends on the kind, and the payload's length. There is neither text nor nesting, so the server, which
must not trust the worker, has little to parse. Numbers are big endian.
"""

import os
import struct
from dataclasses import dataclass
from enum import IntEnum

VERSION = 2
"""The protocol's version. Both sides come from one installation; a worker of another version is not used."""
NUMBERS = 6
_HEADER = struct.Struct(f">4sB{NUMBERS}qQ")
_MAGIC = b"FGI1"
HEADER_BYTES = _HEADER.size


class MessageKind(IntEnum):
    """The kind of a message; its numbers are in brackets."""

    HELLO = 1
    """From the worker, once: it is ready (version, errno of the refused system call filter or 0 or -1)."""
    STILL = 2
    """From the server: decode an image (``StillCode``, width, height); the payload is the file."""
    VIDEO = 3
    """From the server: decode a video (container, most frames, most pixels of a frame, most pixels together,
    most microseconds, most packets); the payload is the file."""
    PIXELS = 4
    """From the worker: the image (``PixelLayout``, width, height); the payload is its rows."""
    FRAME = 5
    """From the worker: a video frame (width, height, degrees clockwise to upright, 1 if it is mirrored left
    to right after that, microseconds, ``LightCurve``); the payload is its rows, BGR."""
    END = 6
    """From the worker: no more frames (frames decoded, frames of another size, 1 if the data
    are broken or cut off, microseconds of the whole, packets)."""
    UNABLE = 7
    """From the worker: no result (``Unable``, and for pixels the measured value)."""
    AGAIN = 8
    """From the worker, at most once: the frames so far do not count, because most of the film has another
    size; those of that size follow."""


class StillCode(IntEnum):
    """The decoder that an image needs."""

    JPEG2000 = 1
    WEBP = 2
    PROFILED = 3
    """A JPEG or PNG with a colour profile."""


class PixelLayout(IntEnum):
    """The layout of pixels in a payload; the value is ten times the bytes of a pixel, plus a serial digit."""

    GREY = 10
    GREY_ALPHA = 20
    BGR = 30
    BGRA = 40

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel."""
        return self.value // 10


class LightCurve(IntEnum):
    """The curve from light to a frame's values (ITU-R BT.2100), and with it the layout of a pixel."""

    SDR = 0
    """Three bytes, with the file's own curve and primaries."""
    PQ = 1
    HLG = 2
    """As PQ: three 16-bit numbers, little endian, with the primaries of BT.2020."""

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel."""
        return 3 if self is LightCurve.SDR else 6


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
    INCOMPLETE = 9
    """Image data are missing, though what is there would decode."""
    COLOURS_NOT_SUPPORTED = 10
    TOO_MANY_PACKETS = 11
    """Whether image data are missing is not tested, because that would take too long."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        numbers: Up to ``NUMBERS`` numbers; missing ones are 0 on the wire.
        payload: The bytes after the header.
    """

    kind: MessageKind
    numbers: tuple[int, ...] = ()
    payload: bytes = b""

    def header(self) -> bytes:
        """Return the header as bytes on the wire."""
        padded = self.numbers + (0,) * (NUMBERS - len(self.numbers))
        return _HEADER.pack(_MAGIC, self.kind, *padded, len(self.payload))

    @staticmethod
    def parse(header: bytes) -> tuple[MessageKind, tuple[int, ...], int]:
        """Return kind, numbers and payload length of a header of ``HEADER_BYTES`` bytes.

        Raises:
            ValueError: It is not a header of this protocol.
        """
        magic, kind, *numbers, length = _HEADER.unpack(header)
        if magic != _MAGIC:
            raise ValueError("the magic is wrong")
        return MessageKind(kind), tuple(numbers), length


def read_exactly(handle: int, count: int) -> bytes:
    """Read ``count`` bytes from a blocking pipe; return none at its end.

    Raises:
        ValueError: The pipe ends within the bytes.
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
