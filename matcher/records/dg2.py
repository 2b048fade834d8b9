"""Reads and writes data group 2 of a passport, which encloses the face, and its CBEFF headers.

Records of other modalities than the face are recognised, so that the refusal names the modality.

``75 {7F61 {02 count, 7F60 {A1 {header}, 5F2E or 7F2E {record}}...}}``. The module reads the whole data group,
and its parts that begin with 7F61 or 7F60, which some readers return. Sources: ICAO Doc 9303-10, 4.7.2;
ISO/IEC 7816-11; NISTIR 6529-A (CBEFF); the format identifiers of ISO/IEC 19794-2 to -14.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from formats.der import encode
from matcher.errors import RecordInvalid, RefusalReason, TrustedImageRefused, record_malformed
from matcher.records.der import MOST_ELEMENTS, Element, elements, read_element

OTHER_RECORDS: Final[Mapping[bytes, tuple[str, str]]] = MappingProxyType(
    {
        b"FMR\0": ("ISO/IEC 19794-2", "finger minutiae"),
        b"FSP\0": ("ISO/IEC 19794-3", "finger pattern spectra"),
        b"FIR\0": ("ISO/IEC 19794-4", "finger image"),
        b"IIR\0": ("ISO/IEC 19794-6", "iris image"),
        b"SDI\0": ("ISO/IEC 19794-7", "signature"),
        b"FSK\0": ("ISO/IEC 19794-8", "finger skeleton"),
        b"VIR\0": ("ISO/IEC 19794-9", "vein image"),
        b"HND\0": ("ISO/IEC 19794-10", "hand geometry"),
        b"SPD\0": ("ISO/IEC 19794-11", "signature"),
        b"VDI\0": ("ISO/IEC 19794-13", "voice"),
        b"DNA\0": ("ISO/IEC 19794-14", "DNA"),
    }
)
"""Format and modality of a record by its first four bytes."""

CBEFF_FACE: Final = 0x02
CBEFF_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {0x02: "face", 0x04: "voice", 0x08: "finger", 0x10: "iris", 0x20: "retina", 0x40: "hand geometry"}
)
"""Biometric types of a CBEFF header (ISO/IEC 7816-11, table C.2)."""

FORMAT_DG2: Final = "ICAO DG2"
_DG2: Final = 0x75
_OTHER_GROUPS: Final[Mapping[int, str]] = MappingProxyType({0x63: "finger", 0x76: "iris"})
_GROUP: Final = 0x7F61
_COUNT: Final = 0x02
_TEMPLATE: Final = 0x7F60
_HEADER: Final = 0xA1
_PLAIN: Final = 0x5F2E
_CONSTRUCTED: Final = 0x7F2E
_PLAIN_TAG: Final = b"\x5f\x2e"
_LONGEST_NUMBER: Final = 4
_LONGEST_SHOWN: Final = 32
_HEADER_VERSION: Final = 0x80
_TYPE: Final = 0x81
_SUBTYPE: Final = 0x82
_CREATED: Final = 0x83
_VALIDITY: Final = 0x85
_CREATOR: Final = 0x86
_OWNER: Final = 0x87
_FORMAT: Final = 0x88
_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        _HEADER_VERSION: "header version",
        _TYPE: "biometric type",
        _SUBTYPE: "biometric subtype",
        _CREATED: "creation date",
        _VALIDITY: "validity period",
        _CREATOR: "creator",
        _OWNER: "format owner",
        _FORMAT: "format type",
    }
)
SC_37: Final = 0x0101
"""Format owner: ISO/IEC JTC 1/SC 37."""
ISO_19794_5: Final = 0x0008
"""Format type of ISO/IEC 19794-5 under that owner."""
ISO_39794_5: Final = 0x002A
"""Format type of ISO/IEC 39794-5 under that owner."""


@dataclass(frozen=True, slots=True)
class BiometricBlock:
    """One biometric information template.

    Attributes:
        header: The data objects of the CBEFF header as (tag, value), in their order.
        tag: 0x5F2E, or 0x7F2E if the block is marked as constructed.
    """

    header: tuple[tuple[int, bytes], ...]
    record: bytes = field(repr=False)
    tag: int = _PLAIN

    @property
    def content(self) -> bytes:
        """The record, without the plain data object that some writers put into a constructed one.

        Raises:
            TrustedImageRefused: RECORD_MALFORMED: that data object does not fit, or there are two.
        """
        if not self.record.startswith(_PLAIN_TAG):
            return self.record
        inner = read_element(self.record, 0, len(self.record), format_=FORMAT_DG2)
        if self.record.startswith(_PLAIN_TAG, inner.end):
            raise _repeated(_PLAIN, inner.end)
        return self.record[inner.start : inner.end]

    def header_value(self, tag: int) -> int | None:
        """Return the value of a header's data object as a number; None if none has 1 to 4 bytes."""
        return next(
            (
                int.from_bytes(value, "big")
                for known, value in self.header
                if known == tag and 1 <= len(value) <= _LONGEST_NUMBER
            ),
            None,
        )

    @property
    def biometric_type(self) -> int | None:
        """A key of ``CBEFF_TYPES``; None if the header does not state it."""
        return self.header_value(_TYPE)

    @property
    def format_owner(self) -> int | None:
        """The owner of the record's format: 0x0101 is ISO/IEC JTC 1/SC 37."""
        return self.header_value(_OWNER)

    @property
    def format_type(self) -> int | None:
        """The owner's number of the format: 0x0008 is 19794-5, 0x002A is 39794-5."""
        return self.header_value(_FORMAT)

    @property
    def header_words(self) -> tuple[tuple[str, str], ...]:
        """The header in words: (name, value in hexadecimal, cut after 32 bytes)."""
        return tuple((_NAMES.get(tag, f"data object {tag:X}"), _shown(value)) for tag, value in self.header)


@dataclass(frozen=True, slots=True)
class Dg2:
    """A data group 2, or a part of one.

    Attributes:
        blocks: Its records, at least one.
        declared_count: The count that it states; None if it states none.
        outermost: Tag of the outermost data object: 0x75, 0x7F61 or 0x7F60.
        trailing: Bytes after the outermost data object.
    """

    blocks: tuple[BiometricBlock, ...]
    declared_count: int | None = None
    outermost: int = _DG2
    trailing: bytes = field(default=b"", repr=False)


def modality_of_group(data: bytes) -> str | None:
    """Return the modality of a passport's biometric file: ``"face"``, ``"finger"``, ``"iris"`` or None."""
    if data[:2] in {b"\x7f\x61", b"\x7f\x60"}:
        return CBEFF_TYPES[CBEFF_FACE]
    group = _OTHER_GROUPS.get(data[0]) if data else None
    if data[:1] != b"\x75" and group is None:
        return None
    # The inner tag follows a length of 1 to 5 bytes; ``parse_dg2`` checks the lengths.
    second = data[1] if len(data) > 1 else 0
    inner = 2 + (second & 0x7F if second & 0x80 else 0)
    if data[inner : inner + 2] != b"\x7f\x61":
        return None
    return group or CBEFF_TYPES[CBEFF_FACE]


def _face_header(format_type: int) -> tuple[tuple[int, bytes], ...]:
    """Return the CBEFF header of a facial record, as in passports."""
    return (
        (_TYPE, bytes([CBEFF_FACE])),
        (_SUBTYPE, b"\x00"),
        (_OWNER, SC_37.to_bytes(2, "big")),
        (_FORMAT, format_type.to_bytes(2, "big")),
    )


def parse_dg2(data: bytes) -> Dg2:
    """Read the data group; the records in it are not parsed.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: the structure of the data objects is wrong, or there is no
            record.
    """
    outermost = read_element(data, 0, len(data), format_=FORMAT_DG2)
    if outermost.tag not in {_DG2, _GROUP, _TEMPLATE}:
        what = f"it begins with data object {outermost.tag:X}, not with 75, 7F61 or 7F60"
        raise record_malformed(FORMAT_DG2, what, field="tag", offset=0)
    group = _only(data, outermost, _GROUP) if outermost.tag == _DG2 else outermost
    declared: int | None = None
    blocks: list[BiometricBlock] = []
    inner = (group,) if group.tag == _TEMPLATE else elements(data, group.start, group.end, format_=FORMAT_DG2)
    for element in inner:
        if element.tag == _COUNT:
            declared = int.from_bytes(data[element.start : min(element.end, element.start + 4)], "big")
        elif element.tag == _TEMPLATE:
            blocks.append(_read_template(data, element))
    if not blocks:
        raise record_malformed(
            FORMAT_DG2, "there is no biometric information template (7F60) in it", field="7F60"
        )
    return Dg2(tuple(blocks), declared, outermost.tag, bytes(data[outermost.end :]))


def serialise_dg2(dg2: Dg2) -> bytes:
    """Write the data group with the shortest lengths, as DER demands and passports use.

    Raises:
        RecordInvalid: There is no record, more than one in a bare template, or more than can be read back.
    """
    if not 1 <= len(dg2.blocks) < MOST_ELEMENTS:
        raise RecordInvalid(f"a data group 2 holds 1 to {MOST_ELEMENTS - 1} records, not {len(dg2.blocks)}")
    templates = [_write_template(block) for block in dg2.blocks]
    if dg2.outermost == _TEMPLATE:
        if len(templates) > 1:
            raise RecordInvalid(f"a bare template (7F60) holds one record, not {len(templates)}")
        return templates[0] + dg2.trailing
    count = b"" if dg2.declared_count is None else encode(_COUNT, _shortest(dg2.declared_count))
    group = encode(_GROUP, count + b"".join(templates))
    return (encode(_DG2, group) if dg2.outermost == _DG2 else group) + dg2.trailing


def _shown(value: bytes) -> str:
    if len(value) <= _LONGEST_SHOWN:
        return value.hex()
    return f"{value[:_LONGEST_SHOWN].hex()}... ({len(value)} bytes)"


def _shortest(number: int) -> bytes:
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")


def _only(data: bytes, parent: Element, tag: int) -> Element:
    found: Element | None = None
    for element in elements(data, parent.start, parent.end, format_=FORMAT_DG2):
        if element.tag == tag:
            if found is not None:
                raise _repeated(tag, element.start)
            found = element
    if found is None:
        raise record_malformed(
            FORMAT_DG2, f"data object {tag:X} is missing", field=f"{tag:X}", offset=parent.start
        )
    return found


def _repeated(tag: int, offset: int) -> TrustedImageRefused:
    """Return the refusal of a repeated data object, of which two readers could read different faces."""
    what = f"data object {tag:X} occurs twice, and one is allowed"
    return record_malformed(FORMAT_DG2, what, field=f"{tag:X}", offset=offset)


def _read_template(data: bytes, template: Element) -> BiometricBlock:
    header: tuple[tuple[int, bytes], ...] = ()
    found: Element | None = None
    for element in elements(data, template.start, template.end, format_=FORMAT_DG2):
        if element.tag == _HEADER:
            header = tuple(
                (inner.tag, bytes(data[inner.start : inner.end]))
                for inner in elements(data, element.start, element.end, format_=FORMAT_DG2)
            )
        elif element.tag in {_PLAIN, _CONSTRUCTED}:
            if found is not None:
                raise _repeated(element.tag, element.start)
            found = element
    if found is not None:
        return BiometricBlock(header, bytes(data[found.start : found.end]), found.tag)
    what = "a biometric information template holds no biometric data block (5F2E or 7F2E)"
    raise record_malformed(FORMAT_DG2, what, field="5F2E", offset=template.start)


def _write_template(block: BiometricBlock) -> bytes:
    header = encode(_HEADER, b"".join(encode(tag, value) for tag, value in block.header))
    return encode(_TEMPLATE, header + encode(block.tag, block.record))


def wrapped(records: Sequence[bytes], *, format_type: int) -> bytes:
    """Make a whole data group 2.

    ``format_type`` is ``ISO_19794_5``, or ``ISO_39794_5``, whose block is marked as constructed.

    Raises:
        RecordInvalid: There is no record, or more than can be read back.
    """
    tag = _CONSTRUCTED if format_type == ISO_39794_5 else _PLAIN
    blocks = tuple(BiometricBlock(_face_header(format_type), record, tag) for record in records)
    return serialise_dg2(Dg2(blocks, declared_count=len(blocks)))


def wrong_modality(format_: str, modality: str) -> TrustedImageRefused:
    """Make the refusal of a record of another modality than the face."""
    article = "an" if modality[0] in "aeiou" else "a"
    return TrustedImageRefused(
        RefusalReason.RECORD_WRONG_MODALITY,
        f"The upload is {article} {modality} record ({format_}). Send an image or a facial record "
        "(ISO/IEC 19794-5) of the person.",
        details={"format": format_, "modality": modality},
    )
