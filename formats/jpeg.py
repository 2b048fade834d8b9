"""Reads the marker segments of a JPEG file, for everything here that needs one of them.

Files of cameras and editors break small rules: stray bytes lie between segments, a video follows the end, a
sequential scan's header has a progressive one's numbers. Every viewer shows them, so they are read: stray
bytes are passed over until the next marker, and nothing behind the end counts. A decoder gets only what the
pixels need, put in order, so that each warning that it still gives is about missing data.

Source: ITU-T T.81, annex B and clause G.1; CIPA DC-008, clause 4.5.4 (EXIF in APP1).
"""

import re
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from hashlib import sha512
from itertools import pairwise
from typing import Final, NamedTuple

from formats.errors import ImageUnreadable
from formats.image_format import ImageFormat, malformed

SOF: Final = frozenset({0xC0, 0xC1, 0xC2})
"""Frame headers of Huffman coding: baseline, extended and progressive."""
APP1: Final = 0xE1
EXIF: Final = b"Exif\x00\x00"
"""What the content of an APP1 segment with EXIF data begins with."""

MOST_PADDING: Final = 16
"""Bytes behind a scan's data that cameras write to fill a word. A picture that lost data in its middle has
more of them, since its decoder is done too early."""

_SOI, _EOI, _SOS, _DNL, _APP0, _APP14, _COM = 0xD8, 0xD9, 0xDA, 0xDC, 0xE0, 0xEE, 0xFE
_PROGRESSIVE = 0xC2
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_MARKER_BEHIND_DATA = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
# Without the padding before it, which is cut off apart: matched here, it would cost the square of its length.
_RESTART = re.compile(rb"(\xff[\xd0-\xd7])")
_OTHER = bytes(byte & 0x7F for byte in sha512(b"other data").digest())
"""Data without a marker, and without a pattern that could leave a picture as it is."""

_MAX_SEGMENTS = 1024
_MAX_SCANS = 64
_COEFFICIENTS = 64
_NEVER_SENT = 255
_JFIF, _ADOBE = b"JFIF\x00", b"Adobe"


class JpegSegment(NamedTuple):
    """One segment.

    Attributes:
        marker: The second byte of its marker.
        start: Offset of its marker.
        body: What follows its length.
        end: Offset behind it; the coded data of a scan begin there.
    """

    marker: int
    start: int
    body: bytes
    end: int


def read_segments(data: bytes) -> Iterator[JpegSegment]:
    """Yield the segments from the start up to and with the end of the image; behind that is no image.

    Args:
        data: A file that begins with the start marker.

    Raises:
        ImageUnreadable: MALFORMED: a segment or the end is missing, or there are more than 1024. What came
            before it was yielded.
    """
    position, marker_here = 2, _MARKER
    for _ in range(_MAX_SEGMENTS):
        found = marker_here.search(data, position)
        if found is None:
            raise malformed(ImageFormat.JPEG, "the image data are cut off")
        start, after = found.span()
        marker, marker_here, position = data[after - 1], _MARKER, after
        if marker == _EOI:
            yield JpegSegment(marker, start, b"", after)
            return
        if marker == _SOI:
            raise malformed(ImageFormat.JPEG, "a second image begins before the end of the first")
        if marker in _STANDALONE:
            continue
        length = int.from_bytes(data[after : after + 2], "big")
        position = after + length
        if length < 2 or position > len(data):
            raise malformed(ImageFormat.JPEG, "a segment is longer than the file")
        yield JpegSegment(marker, start, data[after + 2 : position], position)
        if marker == _SOS:
            marker_here = _MARKER_BEHIND_DATA
    raise malformed(ImageFormat.JPEG, f"more than {_MAX_SEGMENTS} segments")


def header_segments(data: bytes, *, strict: bool = False) -> Iterator[JpegSegment]:
    """Yield the segments before the first scan.

    Args:
        data: The file; anything but a JPEG has none.
        strict: Whether damage is an error. If not, it ends them: metadata are optional.

    Raises:
        ImageUnreadable: MALFORMED, only if ``strict``: as ``read_segments``.
    """
    if data[:2] != b"\xff\xd8":
        return
    with nullcontext() if strict else suppress(ImageUnreadable):
        for segment in read_segments(data):
            if segment.marker in {_SOS, _EOI}:
                return
            yield segment


def picture_segments(data: bytes, *, trimmed: bool = False) -> bytes:
    """Return the file with nothing but what its pixels need, in the form that the standard asks for.

    Args:
        data: A file that begins with the start marker.
        trimmed: Whether to leave out up to 16 zeros at the end of each scan's data. Coded data rarely end in
            one, so that they are stray bytes or padding.

    Raises:
        ImageUnreadable: MALFORMED: as ``read_segments``; or a scan is missing, so that a component, or the
            fine part of one, is not in the file; or there are two frame headers or more than 64 scans.
    """
    parts, frame, sent = [data[:2]], JpegSegment(0, 0, b"", 0), dict[int, list[int]]()
    scans, coded_from = 0, 0
    for segment in read_segments(data):
        marker, body = segment.marker, segment.body
        if coded_from:
            coded = data[coded_from : segment.start]
            parts.append(_without_padding(coded) if trimmed else coded)
            coded_from = 0
        if marker in SOF:
            if frame.marker:
                raise malformed(ImageFormat.JPEG, "more than one frame header")
            frame = segment
            sent = {component: [_NEVER_SENT] * _COEFFICIENTS for component in body[6::3]}
        elif marker == _SOS:
            # Each scan of a progressive file passes over all coefficients, so a small file of thousands of
            # empty scans would keep a core busy for minutes. Encoders use about ten.
            scans += 1
            if scans > _MAX_SCANS:
                raise malformed(ImageFormat.JPEG, f"more than {_MAX_SCANS} scans")
            body = _scan_header(body, frame.marker == _PROGRESSIVE, sent)
            coded_from = segment.end
        elif marker == _APP0 and body.startswith(_JFIF) and len(body) >= 14:
            # The version means nothing for decoding; decoders warn of those that they do not know.
            body = _JFIF + b"\x01\x02" + body[7:]
        elif marker == _APP14 and body.startswith(_ADOBE) and len(body) >= 12:
            pass
        elif marker in {_DNL, _COM, *range(_APP0, 0xF0)}:
            continue
        if marker == _EOI:
            parts.append(data[segment.start : segment.end])
        else:
            parts += [bytes((0xFF, marker)), (len(body) + 2).to_bytes(2, "big"), body]
    if not scans or any(bit for bits in sent.values() for bit in bits):
        raise malformed(ImageFormat.JPEG, "the picture is incomplete: a scan is missing; send the whole file")
    return b"".join(parts)


def with_other_ends(picture: bytes, *, last: int) -> bytes:
    """Return a picture with other data at the end of each scan and restart interval, and more of them.

    Decoded, it tells whether data are missing where a decoder gives no warnings. With ``last`` = 0 a whole
    picture looks the same, because the decoder has all that it needs before. With more than the padding it
    looks different, unless the decoder was done too early.

    Args:
        picture: The result of ``picture_segments``.
        last: The number of bytes to replace at each end.

    Raises:
        ImageUnreadable: MALFORMED: restart markers are not in order, so that an interval is missing.
    """
    parts, copied = list[bytes](), 0
    for segment, following in pairwise(read_segments(picture)):
        if segment.marker != _SOS:
            continue
        parts.append(picture[copied : segment.end])
        copied = following.start
        intervals = _RESTART.split(picture[segment.end : copied])
        for number, (coded, restart) in enumerate(zip(intervals[::2], [*intervals[1::2], b""], strict=True)):
            kept = coded.rstrip(b"\xff")
            parts += [kept[: max(0, len(kept) - last)].rstrip(b"\xff"), _OTHER, restart]
            if restart and restart[-1] & 7 != number & 7:
                raise malformed(ImageFormat.JPEG, "the picture is incomplete: a restart interval is missing")
    return b"".join((*parts, picture[copied:]))


def _without_padding(coded: bytes) -> bytes:
    kept = coded.rstrip(b"\x00")
    if kept.endswith(b"\xff"):
        # The first zero behind it is stuffed.
        kept += b"\x00"
    return kept if len(coded) - len(kept) <= MOST_PADDING else coded


def _scan_header(body: bytes, progressive: bool, sent: dict[int, list[int]]) -> bytes:
    """Note which bits of which coefficients a scan brings, and return its header.

    Args:
        body: The content of the SOS segment.
        progressive: Whether the frame is progressive.
        sent: By component, the lowest bit of each of the 64 coefficients that came so far; it is updated.
    """
    count = body[0] if body else 0
    if not 1 <= count <= 4 or len(body) != 4 + 2 * count:
        raise malformed(ImageFormat.JPEG, "a scan header has a wrong length")
    if not progressive:
        # Some phones write other numbers, which have no meaning here.
        body = body[:-3] + bytes((0, _COEFFICIENTS - 1, 0))
    first, last, low = body[-3], min(body[-2], _COEFFICIENTS - 1), body[-1] & 0x0F
    for component in body[1:-3:2]:
        if component in sent:
            sent[component][first : last + 1] = [low] * (last + 1 - first)
    return body
