"""Reads EXIF data: the orientation, and the tags that a camera wrote about itself and the software.

The tags help to distinguish a camera's original photo from a screenshot or an edited image. Anyone can write
any tag, so they are never a proof.

Sources: CIPA DC-008 (Exif 2.32), clauses 4.6.2 to 4.6.6; TIFF 6.0, section 2.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal, cast

ByteOrder = Literal["little", "big"]

_MAKE, _MODEL, _ORIENTATION, _SOFTWARE = 0x010F, 0x0110, 0x0112, 0x0131
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_EXPOSURE_TIME, _F_NUMBER, _ISO, _FOCAL_LENGTH = 0x829A, 0x829D, 0x8827, 0x920A
_APERTURE_VALUE, _SHUTTER_SPEED_VALUE, _USER_COMMENT = 0x9202, 0x9201, 0x9286
_COLOUR_SPACE, _INTEROPERABILITY_IFD, _INTEROPERABILITY_INDEX = 0xA001, 0xA005, 0x0001
_ADOBE_RGB, _UNCALIBRATED = 2, 0xFFFF
_GPS_LATITUDE, _GPS_LONGITUDE = 0x0002, 0x0004

_ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED, _SIGNED_RATIONAL = 2, 3, 4, 5, 7, 10
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_MAX_ENTRIES = 512
_MAX_TEXT = 128
_MAX_SOFTWARE = 8
_COMMENT_CODE = 8
_SPACES = re.compile(r"\s+")


def read_orientation(tiff: bytes) -> int:
    """Return the orientation tag of the first image directory.

    Broken EXIF data are common and harmless, so they count as "no rotation" and never as an error.

    Args:
        tiff: EXIF data from the byte order mark on.

    Returns:
        1..8; 1 (upright) without a valid tag.
    """
    reader = _reader_of(tiff)
    entry = None if reader is None else reader.directory(reader.number(4, 4)).get(_ORIENTATION)
    if reader is None or entry is None or entry.kind != _SHORT or entry.count != 1:
        return 1
    value = reader.number(entry.start, 2)
    return value if 1 <= value <= 8 else 1


def states_adobe_rgb(tiff: bytes) -> bool:
    """Return whether the colours are Adobe RGB, by the index of DCF, or as some cameras state it.

    Args:
        tiff: EXIF data from the byte order mark on.
    """
    reader = _reader_of(tiff)
    if reader is None:
        return False
    exif = reader.directory(reader.pointer(reader.directory(reader.number(4, 4)), _EXIF_IFD))
    space = reader.whole(exif, _COLOUR_SPACE)
    index = reader.text(
        reader.directory(reader.pointer(exif, _INTEROPERABILITY_IFD)), _INTEROPERABILITY_INDEX
    )
    return space == _ADOBE_RGB or (space == _UNCALIBRATED and index == "R03")


class ExifState(StrEnum):
    """The state of a file's EXIF data."""

    ABSENT = "ABSENT"
    """There are no EXIF data."""
    MALFORMED = "MALFORMED"
    """The structure of the data is broken. Values before the break count."""
    READ = "READ"
    """The data were read to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExifTags:
    """The tags about the camera and the software. A tag that is absent or not valid is ``None``.

    The texts are those of the file, without control characters. They may name a person, so keep them out of
    logs; the ``repr`` leaves them out.

    Attributes:
        state: Whether EXIF data exist and are whole.
        f_number: F-stop, above 0.
        iso: Sensitivity, above 0.
        exposure_seconds: Exposure time, above 0.
        focal_length_mm: Focal length, above 0.
        has_gps: Whether latitude and longitude exist; their values are not read.
        software: Every text that names a program: the tag ``Software``, XMP's ``CreatorTool``, PNG's
            text ``Software``; at most eight, of at most 128 characters each.
        comment: The start of ``UserComment``, in which some systems mark screenshots.
    """

    state: ExifState = ExifState.ABSENT
    make: str | None = field(default=None, repr=False)
    model: str | None = field(default=None, repr=False)
    f_number: float | None = field(default=None, repr=False)
    iso: int | None = field(default=None, repr=False)
    exposure_seconds: float | None = field(default=None, repr=False)
    focal_length_mm: float | None = field(default=None, repr=False)
    has_gps: bool = field(default=False, repr=False)
    software: tuple[str, ...] = field(default=(), repr=False)
    comment: str | None = field(default=None, repr=False)


def parse_exif(tiff: bytes) -> ExifTags:
    """Return the tags of EXIF data. Any bytes give a result.

    Three directories are read, each once: the first image's, the Exif directory and the GPS directory. No
    further directory is followed, so no chain of offsets can loop.

    Args:
        tiff: EXIF data from the byte order mark on.
    """
    reader = _reader_of(tiff)
    if reader is None:
        return ExifTags(state=ExifState.MALFORMED)
    image = reader.directory(reader.number(4, 4))
    exif = reader.directory(reader.pointer(image, _EXIF_IFD))
    gps = reader.directory(reader.pointer(image, _GPS_IFD))
    software = reader.text(image, _SOFTWARE)
    return ExifTags(
        make=reader.text(image, _MAKE),
        model=reader.text(image, _MODEL),
        f_number=reader.ratio(exif, _F_NUMBER) or _f_number(reader.ratio(exif, _APERTURE_VALUE)),
        iso=reader.whole(exif, _ISO),
        exposure_seconds=reader.ratio(exif, _EXPOSURE_TIME)
        or _seconds(reader.ratio(exif, _SHUTTER_SPEED_VALUE)),
        focal_length_mm=reader.ratio(exif, _FOCAL_LENGTH),
        has_gps=all(reader.holds(gps, tag) for tag in (_GPS_LATITUDE, _GPS_LONGITUDE)),
        software=() if software is None else (software,),
        comment=reader.text(exif, _USER_COMMENT),
        # Last, because ``broken`` is final only after all values were read.
        state=ExifState.MALFORMED if reader.broken else ExifState.READ,
    )


def merge_software(tags: ExifTags, names: tuple[str, ...]) -> ExifTags:
    """Return the tags with further program names, cleaned and without duplicates; at most eight in all.

    ``names`` come from elsewhere in the file, as stored.
    """
    cleaned = (text for name in names if (text := _clean(name)) is not None)
    software = tuple(dict.fromkeys((*tags.software, *cleaned)))[:_MAX_SOFTWARE]
    return replace(tags, software=software)


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: int
    count: int
    start: int


_Directory = dict[int, _Entry]


@dataclass(slots=True, eq=False)
class _Reader:
    """Reads values of a TIFF structure. Sets ``broken`` if a value reaches beyond the data."""

    data: bytes
    order: ByteOrder
    broken: bool = False

    def number(self, offset: int, size: int) -> int:
        if offset + size > len(self.data):
            self.broken = True
            return 0
        return int.from_bytes(self.data[offset : offset + size], self.order)

    def directory(self, offset: int | None) -> _Directory:
        """Return the entries by tag, the first of each tag; none if ``offset`` is ``None``."""
        if offset is None:
            return {}
        # The header takes eight bytes, so no directory begins before its end.
        if offset < 8:
            self.broken = True
            return {}
        found: _Directory = {}
        for tag, entry in self._entries(offset):
            found.setdefault(tag, entry)
        return found

    def _entries(self, offset: int) -> Iterator[tuple[int, _Entry]]:
        count = self.number(offset, 2)
        if count > _MAX_ENTRIES:
            self.broken = True
        for index in range(min(count, _MAX_ENTRIES)):
            place = offset + 2 + 12 * index
            if place + 12 > len(self.data):
                self.broken = True
                return
            kind, items = self.number(place + 2, 2), self.number(place + 4, 4)
            size = _SIZES.get(kind, 0) * items
            start = place + 8 if size <= 4 else self.number(place + 8, 4)
            if start + size > len(self.data):
                self.broken = True
            elif size:
                yield self.number(place, 2), _Entry(kind, items, start)

    def pointer(self, directory: _Directory, tag: int) -> int | None:
        entry = directory.get(tag)
        if entry is None or entry.kind not in {_LONG, 13} or entry.count != 1:
            return None
        return self.number(entry.start, 4)

    def holds(self, directory: _Directory, tag: int) -> bool:
        return tag in directory

    def text(self, directory: _Directory, tag: int) -> str | None:
        entry = directory.get(tag)
        if entry is None or entry.kind not in {_ASCII, _UNDEFINED}:
            return None
        raw = self.data[entry.start : entry.start + min(entry.count, 4 * _MAX_TEXT)]
        if entry.kind == _ASCII:
            return _clean(raw.decode("utf-8", errors="replace"))
        # UserComment begins with eight bytes that name its character code.
        code, body = raw[:_COMMENT_CODE], raw[_COMMENT_CODE:]
        if not code.startswith(b"UNICODE"):
            return _clean(body.decode("utf-8", errors="replace"))
        return _clean(body.decode("utf-16-le" if self.order == "little" else "utf-16-be", errors="replace"))

    def whole(self, directory: _Directory, tag: int) -> int | None:
        entry = directory.get(tag)
        if entry is None or entry.kind not in {_SHORT, _LONG}:
            return None
        return self.number(entry.start, _SIZES[entry.kind]) or None

    def ratio(self, directory: _Directory, tag: int) -> float | None:
        entry = directory.get(tag)
        if entry is None or entry.kind not in {_RATIONAL, _SIGNED_RATIONAL}:
            return None
        above, below = self.number(entry.start, 4), self.number(entry.start + 4, 4)
        if entry.kind == _SIGNED_RATIONAL:
            above, below = (value - (value >> 31 << 32) for value in (above, below))
        return above / below if below and above / below > 0 else None


def _reader_of(tiff: bytes) -> _Reader | None:
    order = {b"II*\x00": "little", b"MM\x00*": "big"}.get(tiff[:4])
    return None if order is None else _Reader(tiff, cast("ByteOrder", order))


def _f_number(aperture_value: float | None) -> float | None:
    """Convert from APEX units: f-number = 2 ** (value / 2)."""
    return None if aperture_value is None or aperture_value > 32 else float(2 ** (aperture_value / 2))


def _seconds(shutter_speed_value: float | None) -> float | None:
    """Convert from APEX units: seconds = 2 ** -value; only exposures shorter than a second have a value."""
    return None if shutter_speed_value is None or shutter_speed_value > 32 else float(2**-shutter_speed_value)


def _clean(text: str) -> str | None:
    """Return the printable characters up to the first NUL, with single spaces; ``None`` if none are left."""
    kept = "".join(letter if letter.isprintable() else " " for letter in text.partition("\x00")[0])
    return _SPACES.sub(" ", kept).strip()[:_MAX_TEXT] or None
