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
from typing import Any, Final, TypeVar

from matcher.errors import RecordInvalid
from matcher.records import codes
from matcher.records.codes import Expression, flags_of, named
from matcher.records.fields import pack, record_malformed, require_field
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

FORMAT_2005: Final = "ISO/IEC 19794-5:2005"
FORMAT_2011: Final = "ISO/IEC 19794-5:2011"
_MAGIC_2005: Final = b"FAC\x00010\x00"
_MAGIC_2011: Final = b"FAC\x00030\x00"
_MAGIC_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class _Field:
    """A field: its name, its ``struct`` format (``"3s"`` is a number of 24 bits), and its codes."""

    name: str
    layout: str
    codes: type[IntEnum] | None = None


class _Section:
    """Fields of fixed length that follow each other: attributes of a face, of its pose or of its time."""

    def __init__(self, what: str, *fields: _Field) -> None:
        """``what`` names the section in errors."""
        self._what, self.fields = what, fields
        self.layout = struct.Struct(">" + "".join(one.layout for one in fields))
        self.size = self.layout.size

    def read(self, data: bytes | memoryview, offset: int) -> dict[str, int]:
        """Return the value of each field; the caller has tested that the section lies within ``data``."""
        values = self.layout.unpack_from(data, offset)
        return {
            one.name: int.from_bytes(value, "big") if isinstance(value, bytes) else value
            for one, value in zip(self.fields, values, strict=True)
        }

    def write(self, *sources: object, **given: int) -> bytes:
        """Write the fields; a value is ``given``, or an attribute of one of ``sources``.

        Raises:
            RecordInvalid: A value does not fit its field.
        """
        values = []
        for one in self.fields:
            value = given[one.name] if one.name in given else _attribute(sources, one.name)
            values.append(value.to_bytes(3, "big") if one.layout == "3s" else value)
        return pack(self.layout, tuple(values), what=self._what)


def _attribute(sources: tuple[object, ...], name: str) -> int:
    value: int
    (value,) = (getattr(source, name) for source in sources if hasattr(source, name))
    return value


def _bytes_each(type_: Any) -> tuple[_Field, ...]:
    return tuple(_Field(one.name, "B") for one in fields(type_))


_PERSON: Final = (
    _Field("gender", "B", codes.Gender),
    _Field("eye_colour", "B", codes.EyeColour),
    _Field("hair_colour", "B", codes.HairColour),
)
_POINT: Final = (
    _Field("type", "B"),
    _Field("code", "B"),
    _Field("x", "H"),
    _Field("y", "H"),
    _Field("z", "H"),
)

_HEADER_2005: Final = _Section("header", _Field("length", "I"), _Field("count", "H"))
_FACE_2005: Final = _Section(
    "facial information",
    _Field("length", "I"),
    _Field("points", "H"),
    *_PERSON,
    _Field("features", "3s"),
    _Field("expression", "H"),
    *_bytes_each(PoseCode),
)
_POINTS_2005: Final = _Section("feature points", *_POINT)
_IMAGE_2005: Final = _Section(
    "image information",
    _Field("face_image_type", "B", codes.FaceImageType2005),
    _Field("image_data_type", "B", codes.ImageDataType2005),
    _Field("width", "H"),
    _Field("height", "H"),
    _Field("colour_space", "B", codes.ColourSpace2005),
    _Field("source", "B", codes.CaptureSource),
    _Field("device_type", "H"),
    _Field("quality", "H"),
)
_LEAST_BLOCK_2005: Final = _FACE_2005.size + _IMAGE_2005.size

_HEADER_2011: Final = _Section(
    "general header",
    _Field("length", "I"),
    _Field("count", "H"),
    _Field("certification", "B"),
    _Field("temporal_semantics", "H"),
)
_CAPTURE_2011: Final = _Section(
    "representation header",
    _Field("length", "I"),
    _Field("year", "H"),
    _Field("month", "B"),
    _Field("day", "B"),
    _Field("hour", "B"),
    _Field("minute", "B"),
    _Field("second", "B"),
    _Field("millisecond", "H"),
    _Field("source", "B", codes.CaptureSource),
    _Field("device_vendor", "H"),
    _Field("device_type", "H"),
    _Field("qualities", "B"),
)
_QUALITY_2011: Final = _Section(
    "quality blocks", _Field("score", "B"), _Field("algorithm_vendor", "H"), _Field("algorithm", "H")
)
_FACE_2011: Final = _Section(
    "facial information",
    _Field("points", "H"),
    *_PERSON,
    _Field("subject_height", "B"),
    _Field("features", "3s"),
    _Field("expression", "H"),
    *_bytes_each(PoseCode),
)
_POINTS_2011: Final = _Section("landmarks", *_POINT)
_IMAGE_2011: Final = _Section(
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
)
_LEAST_BLOCK_2011: Final = _CAPTURE_2011.size + _FACE_2011.size + _IMAGE_2011.size


def _codes_of(*sections: _Section) -> Mapping[str, type[IntEnum]]:
    coded = (one for section in sections for one in section.fields)
    return MappingProxyType({one.name: one.codes for one in coded if one.codes is not None})


CODES_2005: Final = _codes_of(_FACE_2005, _IMAGE_2005)
CODES_2011: Final = _codes_of(_CAPTURE_2011, _FACE_2011, _IMAGE_2011)
"""The enumeration of each coded field of a face."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation2005:
    """One face of a 2005 record, every field as it is coded.

    Attributes:
        image: The image file: JPEG, or JPEG 2000 as JP2 file or raw code stream.
        width: Declared width in pixels, 0..65535; 0 in some real records.
        height: Declared height in pixels, 0..65535; 0 in some real records.
        face_image_type: ``codes.FaceImageType2005``.
        image_data_type: ``codes.ImageDataType2005``.
        colour_space: ``codes.ColourSpace2005``.
        source: ``codes.CaptureSource``.
        device_type: The vendor's number of the device, 0 unspecified.
        quality: Two bytes that the edition reserves; 0.
        gender: ``codes.Gender``.
        eye_colour: ``codes.EyeColour``.
        hair_colour: ``codes.HairColour``.
        features: Mask of 24 bits; ``codes.FEATURE_BITS_2005``.
        expression: ``codes.Expression2005``.
    """

    image: bytes = field(repr=False)
    width: int
    height: int
    face_image_type: int = 0
    image_data_type: int = 0
    colour_space: int = 0
    source: int = 0
    device_type: int = 0
    quality: int = 0
    gender: int = 0
    eye_colour: int = 0
    hair_colour: int = 0
    features: int = 0
    expression: int = 0
    pose: PoseCode = NO_POSE_CODE
    landmarks: tuple[Landmark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record2005:
    """A 2005 record.

    Attributes:
        representations: The faces, at least one.
        trailing: Bytes after the last face, which belong to no field; empty in a conformant record.
        declared_length: The length in the header of a record that was read; None for any other. A record that
            is written gets ``length`` in its header.
    """

    representations: tuple[Representation2005, ...]
    trailing: bytes = field(default=b"", repr=False)
    declared_length: int | None = field(default=None, compare=False)

    @property
    def length(self) -> int:
        """The correct length: header and faces, without ``trailing``."""
        return _MAGIC_BYTES + _HEADER_2005.size + sum(_block_length_2005(one) for one in self.representations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation2011:
    """One face of a 2011 record, every field as it is coded.

    Attributes:
        image: The image file: JPEG, JPEG 2000 or PNG.
        width: Declared width in pixels, 0..65535.
        height: Declared height in pixels, 0..65535.
        face_image_type: ``codes.FaceImageType2011``.
        image_data_type: ``codes.ImageDataType2011``.
        sampling_rate_level: 0..7, ``codes.SAMPLING_RATE_BOUNDS``.
        post_acquisition: Mask of 16 bits; ``codes.POST_ACQUISITION_BITS``.
        cross_reference: Number, from 1, of the representation from which this one was made; 0 for none.
        colour_space: ``codes.ColourSpace2011``.
        capture_time: Time at which the image was taken.
        source: Capture device technology; ``codes.CaptureSource``.
        device_vendor: Number of the capture device's vendor, 0 unspecified.
        device_type: The vendor's number of the device, 0 unspecified.
        quality: Quality blocks, at most 255.
        gender: ``codes.Gender``.
        eye_colour: ``codes.EyeColour``.
        hair_colour: ``codes.HairColour``.
        subject_height: Height of the person in centimetres, 1..255; 0 unspecified.
        features: Property mask of 24 bits; ``codes.FEATURE_BITS_2011``.
        expression: Mask of 16 bits; ``codes.EXPRESSION_BITS_2011``.
        three_d: The bytes after the image: 3-D information and data.
    """

    image: bytes = field(repr=False)
    width: int
    height: int
    face_image_type: int = 0
    image_data_type: int = 0
    sampling_rate_level: int = 0
    post_acquisition: int = 0
    cross_reference: int = 0
    colour_space: int = 0
    capture_time: CaptureTime = UNKNOWN_TIME
    source: int = 0
    device_vendor: int = 0
    device_type: int = 0
    quality: tuple[QualityBlock, ...] = ()
    gender: int = 0
    eye_colour: int = 0
    hair_colour: int = 0
    subject_height: int = 0
    features: int = 0
    expression: int = 0
    pose: PoseCode = NO_POSE_CODE
    landmarks: tuple[Landmark, ...] = ()
    three_d: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record2011:
    """A 2011 record.

    Attributes:
        representations: The faces, at least one.
        certification: Certification flag; the edition defines 0 only.
        temporal_semantics: How the representations relate in time: 0 for one; 1 unknown; 2 and 3 irregular
            intervals in the same or in different sessions; 4..65534 milliseconds between them; 65535 more.
        trailing: Bytes after the last face, which belong to no field; empty in a conformant record.
        declared_length: The length in the header of a record that was read; None for any other. A record that
            is written gets ``length`` in its header.
    """

    representations: tuple[Representation2011, ...]
    certification: int = 0
    temporal_semantics: int = 0
    trailing: bytes = field(default=b"", repr=False)
    declared_length: int | None = field(default=None, compare=False)

    @property
    def length(self) -> int:
        """The correct length: header and faces, without ``trailing``."""
        return _MAGIC_BYTES + _HEADER_2011.size + sum(_block_length_2011(one) for one in self.representations)


_Face = TypeVar("_Face", Representation2005, Representation2011)


def count_2005(data: bytes) -> int:
    """Return the number of faces that the header states.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: the header is cut off.
    """
    return _read_header(data, _HEADER_2005, format_=FORMAT_2005, field="header")["count"]


def count_2011(data: bytes) -> int:
    """Return the number of representations that the header states; see ``count_2005``."""
    return _read_header(data, _HEADER_2011, format_=FORMAT_2011, field="general header")["count"]


def _read_header(data: bytes, header: _Section, *, format_: str, field: str) -> dict[str, int]:
    require_field(len(data), 0, _MAGIC_BYTES + header.size, format_=format_, field=field)
    return header.read(data, _MAGIC_BYTES)


def parse_2005(data: bytes) -> Record2005:
    """Read a record.

    Bytes after the last face are kept in ``trailing``. A header that states too small a length is tolerated
    (docs/trusted_images.md).

    Args:
        data: The record; the caller has limited its length and its number of faces.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: a length reaches beyond the data, or a block cannot hold
            what it declares.
    """
    header, faces, trailing = _parse(
        data, _HEADER_2005, _read_block_2005, format_=FORMAT_2005, field="header"
    )
    return Record2005(representations=faces, trailing=trailing, declared_length=header["length"])


def parse_2011(data: bytes) -> Record2011:
    """Read a record; see ``parse_2005``."""
    header, faces, trailing = _parse(
        data, _HEADER_2011, _read_block_2011, format_=FORMAT_2011, field="general header"
    )
    return Record2011(
        representations=faces,
        certification=header["certification"],
        temporal_semantics=header["temporal_semantics"],
        trailing=trailing,
        declared_length=header["length"],
    )


def _parse(
    data: bytes,
    section: _Section,
    read_block: Callable[[memoryview, int], tuple[_Face, int]],
    *,
    format_: str,
    field: str,
) -> tuple[dict[str, int], tuple[_Face, ...], bytes]:
    """Return the header, the faces and the bytes after the last face."""
    header = _read_header(data, section, format_=format_, field=field)
    if header["length"] > len(data):
        what = (
            f"the header declares {header['length']} bytes, and there are {len(data)}: the record is cut off"
        )
        raise record_malformed(format_, what, field="record length", offset=8)
    view, position = memoryview(data), _MAGIC_BYTES + section.size
    faces = []
    for _ in range(header["count"]):
        face, position = read_block(view, position)
        faces.append(face)
    return header, tuple(faces), bytes(view[position:])


def _read_block_2005(view: memoryview, start: int) -> tuple[Representation2005, int]:
    end = len(view)
    require_field(end, start, _LEAST_BLOCK_2005, format_=FORMAT_2005, field="facial information")
    facial = _FACE_2005.read(view, start)
    length, points = facial.pop("length"), facial.pop("points")
    after, points_start = start + length, start + _FACE_2005.size
    if after > end:
        what = f"a face declares {length} bytes, and {end - start} are left"
        raise record_malformed(FORMAT_2005, what, field="block length", offset=start)
    points_end = points_start + _POINTS_2005.size * points
    image_start = points_end + _IMAGE_2005.size
    if points > MOST_LANDMARKS:
        what = f"a face declares {points} feature points; up to {MOST_LANDMARKS} are read"
        raise record_malformed(FORMAT_2005, what, field="feature points", offset=start + 4)
    if image_start >= after:
        what = f"a face of {length} bytes has no room for {points} feature points and an image"
        raise record_malformed(FORMAT_2005, what, field="feature points", offset=start + 4)
    face = Representation2005(
        image=bytes(view[image_start:after]),
        pose=PoseCode(**_taken(facial, PoseCode)),
        landmarks=_landmarks(_POINTS_2005, view[points_start:points_end]),
        **facial,
        **_IMAGE_2005.read(view, points_end),
    )
    return face, after


def _read_block_2011(view: memoryview, start: int) -> tuple[Representation2011, int]:
    end = len(view)
    require_field(end, start, _LEAST_BLOCK_2011, format_=FORMAT_2011, field="representation")
    capture = _CAPTURE_2011.read(view, start)
    length, qualities = capture.pop("length"), capture.pop("qualities")
    after = start + length
    if after > end:
        what = f"a representation declares {length} bytes, and {end - start} are left"
        raise record_malformed(FORMAT_2011, what, field="representation length", offset=start)
    quality_start = start + _CAPTURE_2011.size
    face_start = quality_start + _QUALITY_2011.size * qualities
    require_field(after, face_start, _FACE_2011.size, format_=FORMAT_2011, field="facial information")
    facial = _FACE_2011.read(view, face_start)
    points, points_start = facial.pop("points"), face_start + _FACE_2011.size
    if points > MOST_LANDMARKS:
        what = f"a representation declares {points} landmarks; up to {MOST_LANDMARKS} are read"
        raise record_malformed(FORMAT_2011, what, field="landmarks", offset=face_start)
    image_start = points_start + _POINTS_2011.size * points
    require_field(after, image_start, _IMAGE_2011.size, format_=FORMAT_2011, field="image information")
    image = _IMAGE_2011.read(view, image_start)
    size, data_start = image.pop("size"), image_start + _IMAGE_2011.size
    if not size:
        what = "a representation has no image"
        raise record_malformed(FORMAT_2011, what, field="image length", offset=data_start - 4)
    require_field(after, data_start, size, format_=FORMAT_2011, field="picture")
    blocks = _QUALITY_2011.layout.iter_unpack(view[quality_start:face_start]) if qualities else ()
    face = Representation2011(
        image=bytes(view[data_start : data_start + size]),
        capture_time=CaptureTime(**_taken(capture, CaptureTime)),
        quality=tuple(QualityBlock(*one) for one in blocks),
        pose=PoseCode(**_taken(facial, PoseCode)),
        landmarks=_landmarks(_POINTS_2011, view[points_start:image_start]),
        three_d=bytes(view[data_start + size : after]),
        **capture,
        **facial,
        **image,
    )
    return face, after


def _taken(values: dict[str, int], type_: Any) -> dict[str, int]:
    """Remove the fields of a dataclass from ``values``, and return them."""
    return {one.name: values.pop(one.name) for one in fields(type_)}


def _landmarks(section: _Section, view: memoryview) -> tuple[Landmark, ...]:
    return tuple(Landmark(*point) for point in section.layout.iter_unpack(view)) if view else ()


def serialise_2005(record: Record2005) -> bytes:
    """Write a record. A conformant record that ``parse_2005`` has read is written byte for byte.

    Raises:
        RecordInvalid: The record has no face, a face without image or with too many points, or a value that
            does not fit its field.
    """
    count = _require_faces(record)
    header = _MAGIC_2005 + _HEADER_2005.write(length=record.length, count=count)
    return b"".join((header, *map(_write_block_2005, record.representations), record.trailing))


def serialise_2011(record: Record2011) -> bytes:
    """Write a record; see ``serialise_2005``."""
    count = _require_faces(record)
    header = _MAGIC_2011 + _HEADER_2011.write(
        length=record.length,
        count=count,
        certification=record.certification,
        temporal_semantics=record.temporal_semantics,
    )
    return b"".join((header, *map(_write_block_2011, record.representations), record.trailing))


def _require_faces(record: Record2005 | Record2011) -> int:
    if not record.representations:
        raise RecordInvalid("a record holds at least one face")
    return len(record.representations)


def _require_content(face: Representation2005 | Representation2011, *, points: str, mask: str) -> None:
    if not face.image:
        raise RecordInvalid("a face needs an image, and this one has no bytes")
    if len(face.landmarks) > MOST_LANDMARKS:
        raise RecordInvalid(f"a face has {len(face.landmarks)} {points}; up to {MOST_LANDMARKS} are written")
    if not 0 <= face.features < 1 << 24:
        raise RecordInvalid(f"the {mask} mask is {face.features}; it has 24 bits")


def _block_length_2005(face: Representation2005) -> int:
    return _LEAST_BLOCK_2005 + _POINTS_2005.size * len(face.landmarks) + len(face.image)


def _block_length_2011(face: Representation2011) -> int:
    variable = _QUALITY_2011.size * len(face.quality) + _POINTS_2011.size * len(face.landmarks)
    return _LEAST_BLOCK_2011 + variable + len(face.image) + len(face.three_d)


def _write_block_2005(face: Representation2005) -> bytes:
    _require_content(face, points="feature points", mask="features")
    return b"".join(
        (
            _FACE_2005.write(face, face.pose, length=_block_length_2005(face), points=len(face.landmarks)),
            *(_POINTS_2005.write(point) for point in face.landmarks),
            _IMAGE_2005.write(face),
            face.image,
        )
    )


def _write_block_2011(face: Representation2011) -> bytes:
    _require_content(face, points="landmarks", mask="property")
    length = _block_length_2011(face)
    return b"".join(
        (
            _CAPTURE_2011.write(face, face.capture_time, length=length, qualities=len(face.quality)),
            *(_QUALITY_2011.write(one) for one in face.quality),
            _FACE_2011.write(face, face.pose, points=len(face.landmarks)),
            *(_POINTS_2011.write(point) for point in face.landmarks),
            _IMAGE_2011.write(face, size=len(face.image)),
            face.image,
            face.three_d,
        )
    )


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
    face: Representation2005 | Representation2011, position: int, kinds: Mapping[str, type[IntEnum]]
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
