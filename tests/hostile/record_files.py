"""Hostile facial records of ISO/IEC 19794-5 and 39794-5, and odd ones that have to be accepted."""

import functools
import io
import itertools
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from PIL import Image

from formats.der import encode
from matcher.records import Record39794, RecordVersion, build_record, serialise, wrap_in_dg2
from matcher.records.der import Element, elements, read_element
from matcher.records.iso_19794 import Record2005, Record2011, Representation2005, Representation2011
from server.base.errors import Reason
from tests.hostile import face_files, image_files
from tests.hostile.face_files import AcceptedFace, RefusedFace

# Hostile facial records, and odd ones that have to be accepted.

_2005, _2011 = RecordVersion.ISO_19794_5_2005, RecordVersion.ISO_19794_5_2011
_BROKEN = frozenset({Reason.IMAGE_MALFORMED})
_FOREIGN = frozenset({Reason.IMAGE_FORMAT_NOT_SUPPORTED})
_SEVERAL = frozenset({Reason.MULTIPLE_FACES})
_Make: TypeAlias = Callable[[RecordVersion], bytes]
_FACES_AT = 12
"""Position of the number of faces in the header."""
_BLOCK_AT = {_2005: 14, _2011: 17}
"""Start of the first face, with the length of its block."""


@functools.cache
def portrait() -> bytes:
    """A portrait without EXIF, which a record does not contain."""
    file = io.BytesIO()
    Image.open(io.BytesIO(face_files.turned(1))).save(file, "JPEG", quality=90, exif=b"")
    return file.getvalue()


@functools.cache
def record_of(version: RecordVersion) -> bytes:
    """A conformant record of the portrait."""
    return serialise(build_record(portrait(), version=version))


@functools.cache
def with_faces(version: RecordVersion, count: int) -> bytes:
    """A record that contains the portrait several times."""
    record = build_record(portrait(), version=version)
    if isinstance(record, Record2005):
        return serialise(replace(record, representations=record.representations * count))
    assert isinstance(record, Record2011)
    return serialise(replace(record, representations=record.representations * count, temporal_semantics=1))


def _around(image: bytes, version: RecordVersion) -> bytes:
    """A record that contains any bytes."""
    if version is _2005:
        face = Representation2005(image=image, width=720, height=720)
        return serialise(Record2005(representations=(face,)))
    return serialise(Record2011(representations=(Representation2011(image=image, width=720, height=720),)))


def _number(version: RecordVersion, place: int, form: str, value: int) -> bytes:
    changed = bytearray(record_of(version))
    struct.pack_into(form, changed, place, value)
    return bytes(changed)


def _without_picture() -> bytes:
    return record_of(_2005)[:8] + struct.pack(">IH", 46, 1) + struct.pack(">I", 32) + record_of(_2005)[18:46]


def _tlv(tag: int, content: bytes, length: bytes | None = None) -> bytes:
    name = tag.to_bytes((tag.bit_length() + 7) // 8, "big")
    return name + (b"\x84" + struct.pack(">I", len(content)) if length is None else length) + content


def _template(record: bytes) -> bytes:
    return _tlv(0x7F60, _tlv(0xA1, b"") + _tlv(0x5F2E, record))


def _nested(depth: int) -> bytes:
    data = record_of(_2005)
    for _ in range(depth):
        data = _tlv(0x7F61, data)
    return _tlv(0x75, data)


def _zip() -> bytes:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as packed:
        packed.writestr("portrait.jpg", portrait())
    return stored.getvalue()


def _of_both(name: str, make: _Make, reasons: frozenset[Reason]) -> list[RefusedFace]:
    return [
        RefusedFace(f"{version.value} record, {name}", functools.partial(make, version), reasons)
        for version in (_2005, _2011)
    ]


def _broken_records() -> list[RefusedFace]:
    def cut(length: int) -> _Make:
        return lambda version: record_of(version)[:length]

    def block(value: int) -> _Make:
        return lambda version: _number(version, _BLOCK_AT[version], ">I", value)

    def faces(value: int) -> _Make:
        return lambda version: _number(version, _FACES_AT, ">H", value)

    def points(value: int) -> bytes:
        return _number(_2005, 18, ">H", value)

    def version(text: bytes) -> _Make:
        return lambda version: record_of(version)[:4] + text + record_of(version)[8:]

    def too_long(version: RecordVersion) -> bytes:
        return block(len(record_of(version)) - _BLOCK_AT[version] + 1)(version)

    cuts = [_of_both(f"cut at {length}", cut(length), _BROKEN) for length in (5, 8, 13, 17, 30, 60, -5000)]
    return [
        *itertools.chain.from_iterable(cuts),
        *_of_both("no faces", faces(0), frozenset({Reason.FACE_NOT_FOUND})),
        *_of_both("two faces stated and one there", faces(2), _SEVERAL),
        *_of_both("65 535 faces stated", faces(65_535), _SEVERAL),
        *_of_both("block of no length", block(0), _BROKEN),
        *_of_both("block shorter than its fields", block(20), _BROKEN),
        *_of_both("block of 4 GiB", block(0xFFFFFFFF), _BROKEN),
        *_of_both("block one byte too long", too_long, _BROKEN),
        RefusedFace("2005 record, block without a picture", _without_picture, _BROKEN),
        RefusedFace("2005 record, 65 535 feature points", lambda: points(65_535), _BROKEN),
        *_of_both("of version 020", version(b"020\0"), _FOREIGN),
        *_of_both("of a version of garbage", version(b"\x1b[2J"), _FOREIGN),
        *_of_both("two persons", lambda version: with_faces(version, 2), _SEVERAL),
        *_of_both("16 faces", lambda version: with_faces(version, 16), _SEVERAL),
        *_of_both(
            "of 2 000 001 bytes",
            lambda version: record_of(version).ljust(2_000_001, b"\0"),
            frozenset({Reason.IMAGE_TOO_LARGE}),
        ),
    ]


def _records_of_other_pictures() -> list[RefusedFace]:
    def around(image: Callable[[], bytes]) -> _Make:
        return lambda version: _around(image(), version)

    huge = frozenset({Reason.IMAGE_TOO_MANY_PIXELS})
    return [
        *_of_both("text in it", around(lambda: b"no picture, honestly" * 50), _FOREIGN),
        *_of_both("an archive in it", around(_zip), _FOREIGN),
        *_of_both("a page in it", around(image_files.page), _FOREIGN),
        *_of_both("HEIC in it", around(lambda: image_files.iso_media(b"heic")), _FOREIGN),
        *_of_both("a record in it", around(lambda: record_of(_2005)), _FOREIGN),
        *_of_both("400 million pixels in it", around(image_files.bomb), huge),
        *_of_both("65 535 pixels a side in it", around(lambda: image_files.declared(65_535, 65_535)), huge),
        *_of_both("half a picture in it", around(lambda: portrait()[:400]), _BROKEN),
        *_of_both("two faces in its picture", around(face_files.REFUSED[0].make), _SEVERAL),
    ]


def _wrappings() -> list[RefusedFace]:
    def refused(name: str, make: Callable[[], bytes], reasons: frozenset[Reason] = _BROKEN) -> RefusedFace:
        return RefusedFace(f"DG2, {name}", make, reasons)

    def group(content: bytes) -> bytes:
        return _tlv(0x75, _tlv(0x7F61, content))

    one = _tlv(0x02, b"\x01")
    return [
        refused("nothing in it", lambda: _tlv(0x75, b""), _FOREIGN),
        refused("no template", lambda: group(one)),
        refused("no record", lambda: group(one + _template(b""))),
        refused("text for a record", lambda: group(one + _template(b"FACE" * 100))),
        refused("cut off", lambda: wrap_in_dg2([record_of(_2005)])[:-5000]),
        refused(
            "of indefinite length", lambda: b"\x75\x80" + group(one + _template(record_of(_2005))), _FOREIGN
        ),
        refused("of 4 GiB", lambda: b"\x75\x84\xff\xff\xff\xff" + one, _FOREIGN),
        refused("a length of 126 bytes", lambda: b"\x75\xfe" + b"\xff" * 126 + one, _FOREIGN),
        refused(
            "an element over its parent's end",
            lambda: _tlv(0x75, _tlv(0x7F61, one, b"\x84\x00\x00\x10\x00")),
        ),
        refused("500 levels deep", lambda: _nested(500)),
        refused("a picture for a record", lambda: group(one + _template(portrait()))),
        refused("two records", lambda: wrap_in_dg2([record_of(_2005)] * 2), _SEVERAL),
        refused("a record of two faces", lambda: group(one + _template(with_faces(_2005, 2))), _SEVERAL),
        refused(
            "30 000 records",
            lambda: group(_tlv(0x02, b"\x75\x30") + _template(b"FAC\0") * 30_000),
            _BROKEN | _SEVERAL,
        ),
        refused("a finger record in it", lambda: group(one + _template(b"FMR\0 20\0" + bytes(60))), _FOREIGN),
        refused("of fingers", lambda: b"\x63" + wrap_in_dg2([record_of(_2005)])[1:], _FOREIGN),
        refused("of irises", lambda: b"\x76" + wrap_in_dg2([record_of(_2005)])[1:], _FOREIGN),
    ]


REFUSED: tuple[RefusedFace, ...] = (*_broken_records(), *_records_of_other_pictures(), *_wrappings())
"""Records that have to be refused."""


def _group(record: bytes) -> bytes:
    return _tlv(0x7F61, _tlv(0x02, b"\x01") + _template(record))


ACCEPTED: tuple[AcceptedFace, ...] = (
    AcceptedFace("2005 record", lambda: record_of(_2005)),
    AcceptedFace("2011 record", lambda: record_of(_2011)),
    AcceptedFace("DG2", lambda: wrap_in_dg2([record_of(_2005)])),
    AcceptedFace("DG2 without its outermost tag", lambda: _group(record_of(_2005))),
    AcceptedFace("2011 record in a DG2", lambda: _tlv(0x75, _group(record_of(_2011)))),
    AcceptedFace("2005 record, bytes behind its end", lambda: record_of(_2005) + image_files.archive()),
    AcceptedFace("2011 record, bytes behind its end", lambda: record_of(_2011) + image_files.archive()),
    AcceptedFace("2005 record, wrong size declared", lambda: _around(portrait(), _2005)),
    AcceptedFace("2005 record, total length of garbage", lambda: _number(_2005, 8, ">I", 7)),
)
"""Records that have to be accepted."""


# Hostile records of ISO/IEC 39794-5, and odd ones that have to be accepted.

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


def _iso_39794_around(image: bytes) -> bytes:
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


REFUSED_39794: tuple[RefusedFace, ...] = (
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
    _refused("text in it", lambda: _iso_39794_around(b"no picture, honestly" * 50), _FOREIGN),
    _refused("an archive in it", lambda: _iso_39794_around(image_files.archive()), _FOREIGN),
    _refused("a record in it", lambda: _iso_39794_around(record_39794()), _FOREIGN),
    _refused(
        "400 million pixels in it",
        lambda: _iso_39794_around(image_files.bomb()),
        frozenset({Reason.IMAGE_TOO_MANY_PIXELS}),
    ),
    _refused(
        "65 535 pixels a side in it",
        lambda: _iso_39794_around(image_files.declared(65_535, 65_535)),
        frozenset({Reason.IMAGE_TOO_MANY_PIXELS}),
    ),
    _refused("half a picture in it", lambda: _iso_39794_around(portrait()[:400])),
    _refused("two of them in a DG2", lambda: wrap_in_dg2([record_39794()] * 2), _SEVERAL),
    _refused("two persons, in a DG2", lambda: wrap_in_dg2([with_faces_39794(2)]), _SEVERAL),
)
"""Records that have to be refused."""

ACCEPTED_39794: tuple[AcceptedFace, ...] = (
    AcceptedFace("39794-5 record", record_39794),
    AcceptedFace("39794-5 record without its context tag", lambda: _content(record_39794())),
    AcceptedFace("39794-5 record in a DG2", lambda: wrap_in_dg2([record_39794()])),
    AcceptedFace("39794-5 record, bytes behind its end", lambda: record_39794() + image_files.archive()),
    AcceptedFace("39794-5 record, an extension", lambda: _with_extension(b"\x9f\x7f\x03abc")),
    AcceptedFace("39794-5 record, an extension 10 000 deep", lambda: _with_extension(_deep(10_000))),
)
"""Records that have to be accepted."""
