"""Reads the settings of the encoder from a JPEG's header, without decoding it (ITU-T T.81, annex B)."""

from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from formats.errors import ImageUnreadable
from formats.jpeg import SOF, read_segments

__all__ = ["JpegFacts", "read_jpeg_facts"]

_MOST_SEGMENTS: Final = 64
_MOST_STRAY: Final = 64
_LONGEST_COMMENT: Final = 64
_MOST_TABLES: Final = 16
"""Maximum number of quantisation tables. Each of four destinations holds one; B.2.4.1 allows redefinition."""
_DESTINATIONS: Final = 4

_SOI: Final = b"\xff\xd8"
_DQT: Final = 0xDB
_SOS: Final = 0xDA
_EOI: Final = 0xD9
_COMMENT: Final = 0xFE


def _zigzag() -> NDArray[np.intp]:
    """Returns the natural position of each zigzag position (ITU-T T.81, figure 5)."""
    order = sorted(
        range(64), key=lambda at: (at // 8 + at % 8, at // 8 if (at // 8 + at % 8) % 2 else at % 8)
    )
    return np.array(order)


_NATURAL: Final = _zigzag()


@dataclass(frozen=True, slots=True, eq=False)
class JpegFacts:
    """The settings of the encoder, as a JPEG's header states them.

    Attributes:
        structure: The markers before the compressed data, the coding process and the sampling factors. They
            are the same for every image of one encoder, at any quality.
        luma_table: Quantisation steps of the luma, shape (64,), row by row.
        comments: The printable characters among the first 64 bytes of each comment segment.
        header: The bytes that were read. An image that begins with them has the same settings.
    """

    structure: bytes
    luma_table: NDArray[np.float32]
    comments: tuple[str, ...]
    header: bytes


def read_jpeg_facts(data: bytes) -> JpegFacts | None:
    """Reads the header of a JPEG; ``None`` if it cannot be read or has no luma table."""
    if not data.startswith(_SOI):
        return None
    end = len(_SOI)
    structure = bytearray()
    tables: dict[int, NDArray[np.float32]] = {}
    left = _MOST_TABLES
    luma_selector: int | None = None
    comments: list[str] = []
    try:
        for segment in islice(read_segments(data), _MOST_SEGMENTS):
            # Decoders pass over what lies before a marker; encoders write little there.
            if segment.start + 2 > end + _MOST_STRAY or segment.marker == _EOI:
                return None
            end, body = segment.end, segment.body
            structure.append(segment.marker)
            if segment.marker == _SOS:
                table = tables.get(luma_selector) if luma_selector is not None else None
                if table is None:
                    return None
                return JpegFacts(
                    structure=bytes(structure), luma_table=table, comments=tuple(comments), header=data[:end]
                )
            if segment.marker == _DQT:
                read = _read_tables(body, tables, most=left)
                if read is None:
                    return None
                left -= read
            if segment.marker in SOF:
                if len(body) < 9:
                    return None
                luma_selector = body[8]
                # Sampling factors; not the size, the identifiers or the selectors.
                structure += body[7::3]
            if segment.marker == _COMMENT:
                comments.append(_printable(body))
    except ImageUnreadable:
        return None
    return None


def _read_tables(body: bytes, tables: dict[int, NDArray[np.float32]], *, most: int) -> int | None:
    """Adds a segment's tables to ``tables``; returns their number, ``None`` if over ``most`` or damaged."""
    at, count = 0, 0
    while at < len(body):
        wide, selector = body[at] >> 4, body[at] & 0x0F
        size = 64 * (1 + wide)
        steps = body[at + 1 : at + 1 + size]
        if wide > 1 or selector >= _DESTINATIONS or len(steps) != size or count == most:
            return None
        table = np.empty(64, np.float32)
        table[_NATURAL] = np.frombuffer(steps, ">u2" if wide else np.uint8)
        tables[selector] = np.maximum(table, 1.0)
        at, count = at + 1 + size, count + 1
    return count


def _printable(body: bytes) -> str:
    return "".join(chr(byte) for byte in body[:_LONGEST_COMMENT] if 0x20 <= byte < 0x7F)
