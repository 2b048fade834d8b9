"""Hand-made EXIF data: directories with any entries, valid or false."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SIGNED_RATIONAL = 2, 3, 4, 5, 7, 10


@dataclass(frozen=True, slots=True)
class Tag:
    """One entry: its content is in the entry if it fits, otherwise behind the directory."""

    number: int
    kind: int
    count: int
    content: bytes


def ascii_tag(number: int, text: str) -> Tag:
    """A text with its NUL."""
    content = text.encode() + b"\x00"
    return Tag(number, ASCII, len(content), content)


def ratio_tag(number: int, above: int, below: int, *, order: str = ">") -> Tag:
    """One unsigned fraction."""
    return Tag(number, RATIONAL, 1, struct.pack(f"{order}II", above, below))


def short_tag(number: int, value: int, *, order: str = ">") -> Tag:
    """One 16-bit number."""
    return Tag(number, SHORT, 1, struct.pack(f"{order}H", value))


def tiff(
    image: Sequence[Tag] = (), exif: Sequence[Tag] = (), gps: Sequence[Tag] = (), *, order: str = ">"
) -> bytes:
    """EXIF data from the byte order mark on, with up to three directories."""
    data = (b"MM" if order == ">" else b"II") + struct.pack(f"{order}HI", 42, 8)
    pointers = [number for number, tags in ((0x8769, exif), (0x8825, gps)) if tags]
    # The directories follow each other; the first contains the pointers to the others.
    first = _size(image) + 12 * len(pointers)
    places = {0x8769: 8 + first, 0x8825: 8 + first + (_size(exif) if exif else 0)}
    linked = [
        *image,
        *(Tag(number, LONG, 1, struct.pack(f"{order}I", places[number])) for number in pointers),
    ]
    data += _directory(linked, 8, order)
    for tags, number in ((exif, 0x8769), (gps, 0x8825)):
        if tags:
            data += _directory(tags, places[number], order)
    return data


def _size(tags: Sequence[Tag]) -> int:
    return 6 + sum(12 + (len(tag.content) if len(tag.content) > 4 else 0) for tag in tags)


def _directory(tags: Sequence[Tag], start: int, order: str) -> bytes:
    entries, behind = b"", b""
    place = start + 6 + 12 * len(tags)
    for tag in tags:
        entries += struct.pack(f"{order}HHI", tag.number, tag.kind, tag.count)
        if len(tag.content) > 4:
            entries += struct.pack(f"{order}I", place + len(behind))
            behind += tag.content
        else:
            entries += tag.content.ljust(4, b"\x00")
    return struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", 0) + behind


def phone(*, order: str = ">", software: str | None = None) -> bytes:
    """As a phone's camera writes it."""
    image = [ascii_tag(0x010F, "Maker"), ascii_tag(0x0110, "Phone 7")]
    if software is not None:
        image.append(ascii_tag(0x0131, software))
    exif = [
        ratio_tag(0x829A, 1, 50, order=order),
        ratio_tag(0x829D, 18, 10, order=order),
        short_tag(0x8827, 125, order=order),
        ratio_tag(0x920A, 265, 100, order=order),
    ]
    degrees = struct.pack(f"{order}6I", 52, 1, 30, 1, 0, 1)
    gps = [Tag(2, RATIONAL, 3, degrees), Tag(4, RATIONAL, 3, degrees)]
    return tiff(image, exif, gps, order=order)
