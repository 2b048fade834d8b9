"""Hostile records of ISO/IEC 39794-5, and odd ones that have to be accepted."""

import functools
from collections.abc import Callable
from dataclasses import replace

from formats.der import encode
from matcher.records import Record39794, RecordVersion, build_record, serialise, wrap_in_dg2
from matcher.records.der import Element, elements, read_element
from server.base.errors import Reason
from tests.hostile import image_files
from tests.hostile.face_files import AcceptedFace, RefusedFace
from tests.hostile.record_files import portrait

__all__ = ["ACCEPTED", "REFUSED", "record_39794", "with_faces_39794"]

_BROKEN = frozenset({Reason.IMAGE_MALFORMED})
_FOREIGN = frozenset({Reason.IMAGE_FORMAT_NOT_SUPPORTED})
_SEVERAL = frozenset({Reason.MULTIPLE_FACES})
_NOT_READ = frozenset({Reason.ISO_39794_NOT_SUPPORTED})


@functools.cache
def _built() -> Record39794:
    record = build_record(portrait(), version=RecordVersion.ISO_39794_5)
    assert isinstance(record, Record39794)
    return record


def record_39794() -> bytes:
    """A conformant record of the portrait, in its context tag."""
    return serialise(_built())


def with_faces_39794(count: int) -> bytes:
    """A record that contains the portrait several times, which the profile does not allow."""
    version, faces = _parts()
    return _record(version + encode(0xA1, _content(faces) * count))


def _parts() -> tuple[bytes, bytes]:
    """The version block and the representation blocks."""
    data = record_39794()
    outermost = read_element(data, 0, len(data), format_="")
    block = read_element(data, outermost.start, outermost.end, format_="")
    version, faces = elements(data, block.start, block.end, format_="")
    return data[block.start : version.end], data[version.end : faces.end]


def _content(element: bytes) -> bytes:
    found: Element = read_element(element, 0, len(element), format_="")
    return element[found.start : found.end]


def _record(inside: bytes) -> bytes:
    return encode(0xA1, encode(0x65, inside))


def _around(image: bytes) -> bytes:
    record = _built()
    picture = replace(record.picture, representation_data=image)
    return serialise(
        replace(record, representation=replace(record.representation, image_representation=picture))
    )


def _with_extension(extension: bytes) -> bytes:
    return _record(b"".join(_parts()) + extension)


def _deep(levels: int) -> bytes:
    data = b""
    for _ in range(levels):
        data = encode(0xAF, data)
    return data


def _indefinite() -> bytes:
    return b"\xa1\x80" + encode(0x65, b"".join(_parts())) + b"\0\0"


def _refused(name: str, make: Callable[[], bytes], reasons: frozenset[Reason] = _BROKEN) -> RefusedFace:
    return RefusedFace(f"39794-5 record, {name}", make, reasons)


def _cut(length: int) -> Callable[[], bytes]:
    return lambda: record_39794()[:length]


REFUSED: tuple[RefusedFace, ...] = (
    *(_refused(f"cut at {length}", _cut(length)) for length in (20, 24, 40, 60, 5_000, -1)),
    _refused("cut before it is known", _cut(9), _FOREIGN),
    _refused("no faces", lambda: with_faces_39794(0), frozenset({Reason.FACE_NOT_FOUND})),
    _refused("two persons", lambda: with_faces_39794(2), _SEVERAL),
    _refused("two lists of faces", lambda: _record(b"".join((*_parts(), _parts()[1])))),
    _refused("60 000 faces", lambda: _record(_parts()[0] + encode(0xA1, b"\x30\x00" * 60_000))),
    _refused("of 4 GiB", lambda: b"\xa1\x84\xff\xff\xff\xff" + _content(record_39794())),
    _refused("a length of 126 bytes", lambda: b"\xa1\xfe" + b"\xff" * 126 + _content(record_39794())),
    _refused("of indefinite length", _indefinite),
    _refused("a length that is not the shortest", lambda: _with_extension(b"\x82\x81\x01\x00")),
    _refused("60 000 extensions", lambda: _with_extension(b"\x82\x00" * 60_000)),
    _refused("an extension over the end", lambda: _with_extension(b"\x82\x05\x00")),
    _refused("in XML", lambda: b'<a xmlns="http://standards.iso.org/iso-iec/39794/-5"/>', _NOT_READ),
    _refused("of a finger", lambda: b"\x64" + _content(record_39794())[1:], _FOREIGN),
    _refused("text in it", lambda: _around(b"no picture, honestly" * 50), _FOREIGN),
    _refused("an archive in it", lambda: _around(image_files.archive()), _FOREIGN),
    _refused("a record in it", lambda: _around(record_39794()), _FOREIGN),
    _refused(
        "400 million pixels in it",
        lambda: _around(image_files.bomb()),
        frozenset({Reason.IMAGE_TOO_MANY_PIXELS}),
    ),
    _refused(
        "65 535 pixels a side in it",
        lambda: _around(image_files.declared(65_535, 65_535)),
        frozenset({Reason.IMAGE_TOO_MANY_PIXELS}),
    ),
    _refused("half a picture in it", lambda: _around(portrait()[:400])),
    _refused("two of them in a DG2", lambda: wrap_in_dg2([record_39794()] * 2), _SEVERAL),
    _refused("two persons, in a DG2", lambda: wrap_in_dg2([with_faces_39794(2)]), _SEVERAL),
)
"""Records that have to be refused."""

ACCEPTED: tuple[AcceptedFace, ...] = (
    AcceptedFace("39794-5 record", record_39794),
    AcceptedFace("39794-5 record without its context tag", lambda: _content(record_39794())),
    AcceptedFace("39794-5 record in a DG2", lambda: wrap_in_dg2([record_39794()])),
    AcceptedFace("39794-5 record, bytes behind its end", lambda: record_39794() + image_files.archive()),
    AcceptedFace("39794-5 record, an extension", lambda: _with_extension(b"\x9f\x7f\x03abc")),
    AcceptedFace("39794-5 record, an extension 10 000 deep", lambda: _with_extension(_deep(10_000))),
)
"""Records that have to be accepted."""
