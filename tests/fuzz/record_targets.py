"""Facial records and their wrappings: every parser, and that its output can be written again."""

import functools
import struct
import zlib
from dataclasses import replace

from formats.der import encode
from formats.errors import ImageFault
from matcher.errors import MatcherError, RefusalReason, TrustedImageRefused
from matcher.records import (
    EyeCentres,
    Record39794,
    RecordMetadata,
    RecordVersion,
    Representations,
    build_record,
    fitted,
    metadata_of,
    open_trusted_image,
    representations_of,
    serialise,
    wrap_in_dg2,
)
from matcher.records.codes import Expression, Feature
from matcher.records.dg2 import parse_dg2, serialise_dg2
from matcher.records.iso_19794 import EDITION_2005, EDITION_2011
from matcher.records.iso_39794.record import excluded_values, parse_39794, serialise_39794
from matcher.records.values import PoseDegrees, QualityBlock
from tests.fuzz import image_targets

_LONGEST_TEXT = 400
_KNOWN = RecordMetadata(
    eyes=EyeCentres(left=(15, 9), right=(8, 9)),
    pose=PoseDegrees(yaw=-4.0, pitch=2.0, roll=0.0, yaw_uncertainty=3.0),
    features=frozenset({Feature.GLASSES}),
    expressions=frozenset({Expression.NEUTRAL}),
)
_MORE = RecordMetadata(
    eyes=_KNOWN.eyes, quality=(QualityBlock(40, 1, 1), QualityBlock(255, 2, 2)), subject_height=180
)
_OWN_REASONS = frozenset(
    {
        ImageFault.EMPTY,
        ImageFault.UNSUPPORTED_FORMAT,
        RefusalReason.RECORD_MALFORMED,
        RefusalReason.RECORD_NOT_ONE_FACE,
        RefusalReason.RECORD_WRONG_MODALITY,
        RefusalReason.ISO_39794_NOT_SUPPORTED,
    }
)


def _several(header: struct.Struct, magic: bytes, record: bytes, *rest: int) -> bytes:
    """The face of a record twice, in one record."""
    body = record[header.size :] * 2
    return header.pack(magic, header.size + len(body), 2, *rest) + body


@functools.cache
def seeds_2005() -> tuple[bytes, ...]:
    """2005 records: bare and full, one face and two, with bytes behind."""
    version = RecordVersion.ISO_19794_5_2005
    pictures = (*image_targets.jpeg_seeds()[:2], image_targets.other_seeds()[0])
    records = [
        serialise(build_record(picture, version=version, metadata=known))
        for picture in pictures
        for known in (None, _KNOWN)
    ]
    two = _several(struct.Struct(">8sIH"), b"FAC\x00010\x00", records[1])
    return (*records, two, records[0] + b"behind")


@functools.cache
def seeds_2011() -> tuple[bytes, ...]:
    """2011 records: bare and full, one face and two, with 3-D data, with bytes behind."""
    version = RecordVersion.ISO_19794_5_2011
    pictures = (image_targets.jpeg_seeds()[0], image_targets.png_seeds()[0], image_targets.other_seeds()[0])
    records = [
        serialise(build_record(picture, version=version, metadata=known))
        for picture in pictures
        for known in (None, _KNOWN, _MORE)
    ]
    two = _several(struct.Struct(">8sIHBH"), b"FAC\x00030\x00", records[2], 0, 40)
    # A representation that is longer than its image contains 3-D data.
    length = struct.unpack_from(">I", records[0], 17)[0]
    solid = records[0][:17] + struct.pack(">I", length + 9) + records[0][21:] + b"3-D bytes"
    return (*records, two, solid, records[0] + b"behind")


@functools.cache
def seeds_39794() -> tuple[bytes, ...]:
    """39794-5 records: bare and full, with and without their context tag, an extension, bytes behind."""
    version = RecordVersion.ISO_39794_5
    pictures = (image_targets.jpeg_seeds()[0], image_targets.other_seeds()[0])
    records = [
        build_record(picture, version=version, metadata=known)
        for picture in pictures
        for known in (None, _KNOWN, _MORE)
    ]
    first = records[1]
    assert isinstance(first, Record39794)
    bare = serialise(replace(first, wrapped=False))
    # A further element behind the known fields of the data block.
    extended = encode(0xA1, encode(0x65, bare[_head_bytes(bare) :] + encode(0xBF20, b"extension")))
    return (*map(serialise, records), bare, extended, serialise(first) + b"behind")


def _head_bytes(data: bytes) -> int:
    return 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)


@functools.cache
def dg2_seeds() -> tuple[bytes, ...]:
    """DG2s: whole and in parts, of every version, with one record and two."""
    first, second = seeds_2005()[:2]
    whole = wrap_in_dg2([first])
    template = encode(
        0x7F60, encode(0xA1, b"\x81\x01\x02\x87\x02\x01\x01\x88\x02\x00\x08") + encode(0x7F2E, second)
    )
    return (
        whole,
        wrap_in_dg2([first, second]),
        template,
        encode(0x7F61, b"\x02\x01\x01" + template),
        encode(0x7F61, b"\x02\x01\x01" + encode(0x7F60, encode(0x5F2E, seeds_2011()[0]))),
        encode(0x7F60, encode(0x7F2E, encode(0x5F2E, first))),
        wrap_in_dg2([seeds_39794()[1]]),
        encode(0x63, encode(0x7F61, b"\x02\x01\x00")),
        whole + b"behind",
    )


@functools.cache
def every_seed() -> tuple[bytes, ...]:
    """Every form of a trusted image, and the forms that are recognised and refused."""
    return (
        *seeds_2005(),
        *seeds_2011(),
        *seeds_39794(),
        *dg2_seeds(),
        *image_targets.every_seed(),
        b"FMR\0 20\0" + bytes(40),
        b"IIR\0 020\0" + bytes(40),
        encode(0x64, encode(0xA0, b"\x80\x01\x03\x81\x02\x07\xe3") + bytes(30)),
        b'<?xml version="1.0"?><a xmlns="http://standards.iso.org/iso-iec/39794/-5"/>',
    )


def read_2005(data: bytes) -> None:
    """Any bytes behind the version give a record that can be written and read again, or a refusal."""
    try:
        record = EDITION_2005.parse(data)
    except TrustedImageRefused as error:
        _sound(error)
        return
    if record.representations:
        assert EDITION_2005.parse(EDITION_2005.serialise(record)) == record


def read_2011(data: bytes) -> None:
    """Any bytes behind the version give a record that can be written and read again, or a refusal."""
    try:
        record = EDITION_2011.parse(data)
    except TrustedImageRefused as error:
        _sound(error)
        return
    if record.representations:
        assert EDITION_2011.parse(EDITION_2011.serialise(record)) == record


def read_39794(data: bytes) -> None:
    """Any bytes give a record that can be written and read again, or a refusal."""
    try:
        record = parse_39794(data)
    except TrustedImageRefused as error:
        _sound(error)
        return
    written = serialise_39794(record)
    assert parse_39794(written) == record
    assert excluded_values(parse_39794(written)) == excluded_values(record)


def read_dg2(data: bytes) -> None:
    """Any bytes give a wrapping that can be written and read again, or a refusal."""
    try:
        dg2 = parse_dg2(data)
    except TrustedImageRefused as error:
        _sound(error)
        return
    assert all(block.record in data for block in dg2.blocks)
    assert parse_dg2(serialise_dg2(dg2)) == dg2


def read_any(data: bytes) -> None:
    """Any bytes give a content with a record that can be written in both versions, or a refusal."""
    chosen = Representations.FIRST if zlib.crc32(data) & 1 else Representations.EXACTLY_ONE
    try:
        content = open_trusted_image(data, representations=chosen)
    except TrustedImageRefused as error:
        _sound(error)
        return
    assert content.image in data
    assert (content.representation is None) == (content.record is None)
    assert all(len(note) < _LONGEST_TEXT for note in content.notes)
    if content.record is None:
        return
    shown = repr(content)
    assert "image=b" not in shown
    assert "representation_data=" not in shown
    for view in representations_of(content.record):
        for version in RecordVersion:
            known, _ = fitted(metadata_of(view), version)
            build_record(image_targets.jpeg_seeds()[0], version=version, metadata=known)


def _sound(error: MatcherError) -> None:
    assert isinstance(error, TrustedImageRefused)
    assert error.reason in _OWN_REASONS
    assert len(str(error)) < _LONGEST_TEXT
    assert all(isinstance(value, str | int | float) for value in error.details.values())
