r"""Reads and writes facial records of ISO/IEC 19794-5:2005 (``FAC\0 010\0``) and :2011 (``FAC\0 030\0``).

The sections describe both editions: the reader, the writer and the views take names, lengths and codes of the
fields from them. All numbers are big endian. A 2005 record is a header and a block for each face: facial
information, feature points, image information, and the image file. A 2011 record is a general header and the
representations; each has a header of its own, quality blocks, facial information, landmarks, image
information, the image file, and 3-D data if the face image type has them. Source: clause 5 of each edition.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final, Generic, TypeAlias, TypeVar

from matcher.errors import RecordInvalid, record_malformed
from matcher.records import codes
from matcher.records.codes import Expression, flags_of, named
from matcher.records.metadata import STANDARD_19794, Representation
from matcher.records.values import (
    MOST_LANDMARKS,
    NO_POSE_CODE,
    UNKNOWN_TIME,
    CaptureTime,
    Landmark,
    PoseCode,
    QualityBlock,
    eye_centres,
)


@dataclass(frozen=True, slots=True)
class _Field:
    """A field: its name, its ``struct`` format (``"3s"`` is a number of 24 bits), and its codes."""

    name: str
    layout: str
    codes: type[IntEnum] | None = None


class _Section:
    """Fields of fixed length that follow each other, once in a face or once for each of its items.

    Attributes:
        what: The section, in errors.
        parts: Attributes of a face that are dataclasses, whose fields are fields of this section.
        items: The attribute of a face with the items of a section that is repeated; empty for any other.
        item: The dataclass of an item, in the order of the fields.
        count: The earlier field that states the number of items.
    """

    def __init__(
        self,
        what: str,
        *fields: _Field,
        parts: Mapping[str, type] = MappingProxyType({}),
        items: str = "",
        item: Callable[..., object] = dict,
        count: str = "",
    ) -> None:
        self.what, self.fields, self.parts = what, fields, parts
        self.items, self.item, self.count = items, item, count
        self.layout = struct.Struct(">" + "".join(one.layout for one in fields))
        self.size = self.layout.size
        self.offsets = {
            one.name: struct.calcsize(">" + "".join(before.layout for before in fields[:number]))
            for number, one in enumerate(fields)
        }

    def read(self, data: bytes | memoryview, offset: int) -> dict[str, Any]:
        """Return the value of each field; the caller has tested that the section lies within ``data``."""
        raw = self.layout.unpack_from(data, offset)
        values: dict[str, Any] = {
            one.name: int.from_bytes(value, "big") if isinstance(value, bytes) else value
            for one, value in zip(self.fields, raw, strict=True)
        }
        for name, part in self.parts.items():
            values[name] = part(**{one.name: values.pop(one.name) for one in fields(part)})
        return values

    def read_items(self, data: memoryview) -> tuple[object, ...]:
        """Return the items of a section that is repeated, from as many bytes as they have."""
        return tuple(self.item(*one) for one in self.layout.iter_unpack(data)) if data else ()

    def write(self, source: object, **given: int) -> bytes:
        """Write the fields; a value is ``given``, or an attribute of ``source`` or of one of its parts.

        Raises:
            RecordInvalid: A value does not fit its field.
        """
        sources = (source, *(getattr(source, name) for name in self.parts))
        values: list[int | bytes] = []
        for one in self.fields:
            value = given[one.name] if one.name in given else _attribute(sources, one.name)
            if one.layout == "3s" and not 0 <= value < 1 << 24:
                raise RecordInvalid(f"the {one.name} mask is {value}; it has 24 bits")
            values.append(value.to_bytes(3, "big") if one.layout == "3s" else value)
        return _pack(self.layout, tuple(values), what=self.what)


def _attribute(sources: tuple[object, ...], name: str) -> int:
    value: int
    (value,) = (getattr(source, name) for source in sources if hasattr(source, name))
    return value


_LENGTH: Final = _Field("length", "I")
_COUNT: Final = _Field("count", "H")
_POINTS: Final = _Field("points", "H")
_PERSON: Final = (
    _Field("gender", "B", codes.Gender),
    _Field("eye_colour", "B", codes.EyeColour),
    _Field("hair_colour", "B", codes.HairColour),
)
_LOOKS: Final = (
    _Field("features", "3s"),
    _Field("expression", "H"),
    *(_Field(one.name, "B") for one in fields(PoseCode)),
)
_SOURCE: Final = _Field("source", "B", codes.CaptureSource)
_POINT: Final = (
    _Field("type", "B"),
    _Field("code", "B"),
    _Field("x", "H"),
    _Field("y", "H"),
    _Field("z", "H"),
)
_POSE: Final = MappingProxyType({"pose": PoseCode})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Face:
    """One face of a record, every field as it is coded.

    Attributes:
        image: The image file: JPEG, or JPEG 2000 as JP2 file or raw code stream; in a 2011 record also PNG.
        width: Declared width in pixels, 0..65535; 0 in some real records.
        height: Declared height in pixels, 0..65535; 0 in some real records.
        face_image_type: ``codes.FaceImageType2005`` or ``codes.FaceImageType2011``.
        image_data_type: ``codes.ImageDataType2005`` or ``codes.ImageDataType2011``.
        colour_space: ``codes.ColourSpace2005`` or ``codes.ColourSpace2011``.
        source: Source type or capture device technology; ``codes.CaptureSource``.
        device_type: The vendor's number of the device, 0 unspecified.
        gender: ``codes.Gender``.
        eye_colour: ``codes.EyeColour``.
        hair_colour: ``codes.HairColour``.
        features: Mask of 24 bits; ``codes.FEATURE_BITS_2005`` or ``codes.FEATURE_BITS_2011``.
        expression: ``codes.Expression2005``, or the mask of 16 bits ``codes.EXPRESSION_BITS_2011``.
    """

    image: bytes = field(repr=False)
    width: int
    height: int
    face_image_type: int = 0
    image_data_type: int = 0
    colour_space: int = 0
    source: int = 0
    device_type: int = 0
    gender: int = 0
    eye_colour: int = 0
    hair_colour: int = 0
    features: int = 0
    expression: int = 0
    pose: PoseCode = NO_POSE_CODE
    landmarks: tuple[Landmark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation2005(_Face):
    """One face of a 2005 record; ``quality`` is two bytes that the edition reserves, 0."""

    quality: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation2011(_Face):
    """One face of a 2011 record.

    Attributes:
        sampling_rate_level: 0..7, ``codes.SAMPLING_RATE_BOUNDS``.
        post_acquisition: Mask of 16 bits; ``codes.POST_ACQUISITION_BITS``.
        cross_reference: Number, from 1, of the representation from which this one was made; 0 for none.
        capture_time: Time at which the image was taken.
        device_vendor: Number of the capture device's vendor, 0 unspecified.
        quality: Quality blocks, at most 255.
        subject_height: Height of the person in centimetres, 1..255; 0 unspecified.
        three_d: The bytes after the image: 3-D information and data.
    """

    sampling_rate_level: int = 0
    post_acquisition: int = 0
    cross_reference: int = 0
    capture_time: CaptureTime = UNKNOWN_TIME
    device_vendor: int = 0
    quality: tuple[QualityBlock, ...] = ()
    subject_height: int = 0
    three_d: bytes = field(default=b"", repr=False)


_AnyFace = TypeVar("_AnyFace", Representation2005, Representation2011)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record(Generic[_AnyFace]):
    """A record.

    Attributes:
        representations: The faces, at least one.
        trailing: Bytes after the last face, which belong to no field; empty in a conformant record.
        declared_length: The length in the header of a record that was read; None for any other. A record that
            is written gets ``length`` in its header.
    """

    representations: tuple[_AnyFace, ...]
    trailing: bytes = field(default=b"", repr=False)
    declared_length: int | None = field(default=None, compare=False)

    @property
    def length(self) -> int:
        """The correct length: header and faces, without ``trailing``."""
        return edition_of(self).length_of(self)  # type: ignore[arg-type]  # one of the two below


@dataclass(frozen=True, slots=True, kw_only=True)
class Record2005(_Record[Representation2005]):
    """A 2005 record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record2011(_Record[Representation2011]):
    """A 2011 record.

    Attributes:
        certification: Certification flag; the edition defines 0 only.
        temporal_semantics: How the representations relate in time: 0 for one; 1 unknown; 2 and 3 irregular
            intervals in the same or in different sessions; 4..65534 milliseconds between them; 65535 more.
    """

    certification: int = 0
    temporal_semantics: int = 0


Record19794: TypeAlias = Record2005 | Record2011
Representation19794: TypeAlias = Representation2005 | Representation2011


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What the records of one edition consist of; reads and writes them by it.

    Attributes:
        name: The standard and its year.
        header: What follows the magic number: the ``length``, the ``count`` of faces, fields of the record.
        sections: Those of a face, in their order. The first states the ``length`` of the face. If the last
            states the ``size`` of the image, other bytes may follow it; if not, it takes what is left.
        words: A face in errors: its name, the field of its length, and its least part.
    """

    name: str
    magic: bytes
    record: type[Record19794]
    face: type[Representation19794]
    header: _Section
    sections: tuple[_Section, ...]
    words: tuple[str, str, str]

    @property
    def codes(self) -> Mapping[str, type[IntEnum]]:
        """The enumeration of each coded field of a face."""
        coded = (one for section in self.sections for one in section.fields)
        return MappingProxyType({one.name: one.codes for one in coded if one.codes is not None})

    @property
    def _start(self) -> int:
        return len(self.magic) + self.header.size

    @property
    def _least(self) -> int:
        return sum(one.size for one in self.sections if not one.items)

    @property
    def _sized(self) -> bool:
        return "size" in self.sections[-1].offsets

    def count(self, data: bytes) -> int:
        """Return the number of faces that the header states.

        Raises:
            TrustedImageRefused: RECORD_MALFORMED: the header is cut off.
        """
        count: int = self._read_header(data)["count"]
        return count

    def _read_header(self, data: bytes) -> dict[str, Any]:
        _require_field(len(data), 0, self._start, format_=self.name, field=self.header.what)
        return self.header.read(data, len(self.magic))

    def parse(self, data: bytes) -> Record19794:
        """Read a record.

        Bytes after the last face are kept in ``trailing``. A header that states too small a length is
        tolerated (docs/trusted_images.md).

        Args:
            data: The record; the caller has limited its length and its number of faces.

        Raises:
            TrustedImageRefused: RECORD_MALFORMED: a length reaches beyond the data, or a block cannot hold
                what it declares.
        """
        header = self._read_header(data)
        length, count = header.pop("length"), header.pop("count")
        if length > len(data):
            what = f"the header declares {length} bytes, and there are {len(data)}: the record is cut off"
            raise record_malformed(self.name, what, field="record length", offset=len(self.magic))
        view, position = memoryview(data), self._start
        faces = []
        for _ in range(count):
            face, position = self._read_face(view, position)
            faces.append(face)
        return self.record(
            representations=tuple(faces), trailing=bytes(view[position:]), declared_length=length, **header
        )

    def _read_face(self, view: memoryview, start: int) -> tuple[Any, int]:
        """Return the face at ``start``, and the offset after it."""
        end, (name, length_field, least) = len(view), self.words
        _require_field(end, start, self._least, format_=self.name, field=least)
        before, begin = self.sections[0], start
        values = before.read(view, start)
        length, position = values.pop("length"), start + before.size
        after = start + length
        if after > end:
            what = f"a {name} declares {length} bytes, and {end - start} are left"
            raise record_malformed(self.name, what, field=length_field, offset=start)
        spans = []
        for section in self.sections[1:]:
            if not section.items:
                _require_field(after, position, section.size, format_=self.name, field=section.what)
                values |= section.read(view, position)
                before, begin = section, position
                position += section.size
                continue
            count, counted = values.pop(section.count), begin + before.offsets[section.count]
            if count > MOST_LANDMARKS:
                what = f"a {name} declares {count} {section.what}; up to {MOST_LANDMARKS} are read"
                raise record_malformed(self.name, what, field=section.what, offset=counted)
            spans.append((section, position, position := position + section.size * count))
            if not self._sized and position + self.sections[-1].size >= after:
                what = f"a {name} of {length} bytes has no room for {count} {section.what} and an image"
                raise record_malformed(self.name, what, field=section.what, offset=counted)
        size = values.pop("size") if self._sized else after - position
        if not size:
            what = f"a {name} has no image"
            raise record_malformed(
                self.name, what, field="image length", offset=begin + before.offsets["size"]
            )
        _require_field(after, position, size, format_=self.name, field="picture")
        if self._sized:
            values["three_d"] = bytes(view[position + size : after])
        for section, first, last in spans:
            values[section.items] = section.read_items(view[first:last])
        return self.face(image=bytes(view[position : position + size]), **values), after

    def length_of(self, record: Record19794) -> int:
        """Return the correct length of a record, without what trails it."""
        return self._start + sum(map(self._length_of, record.representations))

    def _length_of(self, face: Representation19794) -> int:
        items = sum(one.size * len(getattr(face, one.items)) for one in self.sections if one.items)
        return self._least + items + len(face.image) + len(_behind(face))

    def serialise(self, record: Record19794) -> bytes:
        """Write a record. A conformant record that ``parse`` has read is written byte for byte.

        Raises:
            RecordInvalid: The record has no face, a face without image or with too many points, or a value
                that does not fit its field.
        """
        if not record.representations:
            raise RecordInvalid("a record holds at least one face")
        count = len(record.representations)
        header = self.magic + self.header.write(record, length=self.length_of(record), count=count)
        return b"".join((header, *map(self._write_face, record.representations), record.trailing))

    def _write_face(self, face: Representation19794) -> bytes:
        if not face.image:
            raise RecordInvalid("a face needs an image, and this one has no bytes")
        sizes = {"length": self._length_of(face), "size": len(face.image)}
        for section in self.sections:
            if section.items:
                sizes[section.count] = count = len(getattr(face, section.items))
                if count > MOST_LANDMARKS:
                    raise RecordInvalid(
                        f"a face has {count} {section.what}; up to {MOST_LANDMARKS} are written"
                    )
        written = (
            b"".join(map(section.write, getattr(face, section.items)))
            if section.items
            else section.write(face, **sizes)
            for section in self.sections
        )
        return b"".join((*written, face.image, _behind(face)))


def _behind(face: Representation19794) -> bytes:
    return face.three_d if isinstance(face, Representation2011) else b""


EDITION_2005: Final = Edition(
    name="ISO/IEC 19794-5:2005",
    magic=b"FAC\x00010\x00",
    record=Record2005,
    face=Representation2005,
    header=_Section("header", _LENGTH, _COUNT),
    sections=(
        _Section("facial information", _LENGTH, _POINTS, *_PERSON, *_LOOKS, parts=_POSE),
        _Section("feature points", *_POINT, items="landmarks", item=Landmark, count="points"),
        _Section(
            "image information",
            _Field("face_image_type", "B", codes.FaceImageType2005),
            _Field("image_data_type", "B", codes.ImageDataType2005),
            _Field("width", "H"),
            _Field("height", "H"),
            _Field("colour_space", "B", codes.ColourSpace2005),
            _SOURCE,
            _Field("device_type", "H"),
            _Field("quality", "H"),
        ),
    ),
    words=("face", "block length", "facial information"),
)
EDITION_2011: Final = Edition(
    name="ISO/IEC 19794-5:2011",
    magic=b"FAC\x00030\x00",
    record=Record2011,
    face=Representation2011,
    header=_Section(
        "general header", _LENGTH, _COUNT, _Field("certification", "B"), _Field("temporal_semantics", "H")
    ),
    sections=(
        _Section(
            "representation header",
            _LENGTH,
            _Field("year", "H"),
            *(_Field(name, "B") for name in ("month", "day", "hour", "minute", "second")),
            _Field("millisecond", "H"),
            _SOURCE,
            _Field("device_vendor", "H"),
            _Field("device_type", "H"),
            _Field("qualities", "B"),
            parts=MappingProxyType({"capture_time": CaptureTime}),
        ),
        _Section(
            "quality blocks",
            _Field("score", "B"),
            _Field("algorithm_vendor", "H"),
            _Field("algorithm", "H"),
            items="quality",
            item=QualityBlock,
            count="qualities",
        ),
        _Section(
            "facial information", _POINTS, *_PERSON, _Field("subject_height", "B"), *_LOOKS, parts=_POSE
        ),
        _Section("landmarks", *_POINT, items="landmarks", item=Landmark, count="points"),
        _Section(
            "image information",
            _Field("face_image_type", "B", codes.FaceImageType2011),
            _Field("image_data_type", "B", codes.ImageDataType2011),
            _Field("width", "H"),
            _Field("height", "H"),
            _Field("sampling_rate_level", "B"),
            _Field("post_acquisition", "H"),
            _Field("cross_reference", "B"),
            _Field("colour_space", "B", codes.ColourSpace2011),
            _Field("size", "I"),
        ),
    ),
    words=("representation", "representation length", "representation"),
)
CODES_2005: Final = EDITION_2005.codes
CODES_2011: Final = EDITION_2011.codes
"""The enumeration of each coded field of a face."""


def edition_of(record: Record19794) -> Edition:
    """Return the edition of a record."""
    return EDITION_2011 if isinstance(record, Record2011) else EDITION_2005


def view_of_2005(face: Representation2005, *, position: int) -> Representation:
    """Return the common view of a face of a 2005 record; ``position`` is its number there, from 1."""
    expression = named(codes.Expression2005, face.expression)
    return Representation(
        features=flags_of(face.features, codes.FEATURE_BITS_2005),
        expressions=frozenset({Expression[expression.name]})
        if isinstance(expression, codes.Expression2005) and expression
        else None,
        **_common(face, position, CODES_2005),
    )


def view_of_2011(face: Representation2011, *, position: int) -> Representation:
    """Return the common view of a face of a 2011 record; ``position`` is its number there, from 1."""
    return Representation(
        device_vendor=face.device_vendor or None,
        features=flags_of(face.features, codes.FEATURE_BITS_2011),
        expressions=flags_of(face.expression, codes.EXPRESSION_BITS_2011) or None,
        capture_time=face.capture_time if face.capture_time.given else None,
        subject_height=face.subject_height or None,
        quality=face.quality,
        sampling_rate_level=face.sampling_rate_level,
        post_acquisition=flags_of(face.post_acquisition, codes.POST_ACQUISITION_BITS),
        cross_reference=face.cross_reference or None,
        three_d_bytes=len(face.three_d),
        **_common(face, position, CODES_2011),
    )


def _common(
    face: Representation19794, position: int, kinds: Mapping[str, type[IntEnum]]
) -> Mapping[str, Any]:
    """Return what both editions state; codes as members of their enumerations if the standard names them."""
    return {
        "standard": STANDARD_19794,
        "position": position,
        "width": face.width or None,
        "height": face.height or None,
        "device_type": face.device_type or None,
        "pose": face.pose.degrees,
        "landmarks": face.landmarks,
        "eye_centres": eye_centres(face.landmarks),
        **{name: named(kind, getattr(face, name)) for name, kind in kinds.items()},
    }


def _require_field(size: int, offset: int, count: int, *, format_: str, field: str) -> None:
    """Test that a field of ``count`` bytes at ``offset`` lies within a record of ``size`` bytes.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: It does not.
    """
    if offset + count > size:
        what = f"the {field} needs {count} bytes at byte {offset}, and {max(0, size - offset)} are left"
        raise record_malformed(format_, what, field=field, offset=offset)


def _pack(layout: struct.Struct, values: tuple[int | bytes, ...], *, what: str) -> bytes:
    """Pack values into the fields of a layout.

    Raises:
        RecordInvalid: A value does not fit its field.
    """
    try:
        return layout.pack(*values)
    except struct.error as error:
        raise RecordInvalid(f"a value does not fit its field in the {what}: {error}") from error
