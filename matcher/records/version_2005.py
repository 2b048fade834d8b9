r"""Reads and writes facial records of ISO/IEC 19794-5:2005 (``FAC\0 010\0``).

All numbers are big endian. A record is a header of 14 bytes and a block for each face; a block is 20 bytes
of facial information, 8 for each feature point, 12 of image information, and the image file.
Source: ISO/IEC 19794-5:2005, clause 5.
"""

import struct
from dataclasses import dataclass, field
from typing import Final

from matcher.errors import RecordInvalid
from matcher.records.fields import pack, record_malformed, require_field
from matcher.records.landmarks import LANDMARK_BYTES, LAYOUT, MOST_LANDMARKS, Landmark
from matcher.records.pose import NO_POSE_CODE, PoseCode

__all__ = ["FORMAT_2005", "Record2005", "Representation2005", "count_2005", "parse_2005", "serialise_2005"]

FORMAT_2005: Final = "ISO/IEC 19794-5:2005"
_MAGIC: Final = b"FAC\x00010\x00"
_HEADER: Final = struct.Struct(">8sIH")
_FACE: Final = struct.Struct(">IHBBB3sH6B")
_IMAGE: Final = struct.Struct(">BBHHBBHH")
_LEAST_BLOCK: Final = _FACE.size + _IMAGE.size


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
        pose: The pose as coded.
        landmarks: Feature points.
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
        return _HEADER.size + sum(_block_length(one) for one in self.representations)


def count_2005(data: bytes) -> int:
    """Returns the number of faces that the header states.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: the header is cut off.
    """
    return _read_header(data)[1]


def parse_2005(data: bytes) -> Record2005:
    """Reads a record.

    Bytes after the last face are kept in ``trailing``. A header that states too small a length is tolerated
    (docs/trusted_images.md).

    Args:
        data: The record; the caller has limited its length and its number of faces.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: a length reaches beyond the data, or a block cannot hold
            what it declares.
    """
    length, count = _read_header(data)
    view, end, position = memoryview(data), len(data), _HEADER.size
    if length > end:
        what = f"the header declares {length} bytes, and there are {end}: the record is cut off"
        raise record_malformed(FORMAT_2005, what, field="record length", offset=8)
    faces = []
    for _ in range(count):
        face, position = _read_block(view, position, end)
        faces.append(face)
    return Record2005(representations=tuple(faces), trailing=bytes(view[position:]), declared_length=length)


def serialise_2005(record: Record2005) -> bytes:
    """Writes a record. A conformant record that ``parse_2005`` has read is written byte for byte.

    Raises:
        RecordInvalid: The record has no face, a face without image or with too many points, or a value that
            does not fit its field.
    """
    if not record.representations:
        raise RecordInvalid("a record holds at least one face")
    header = pack(_HEADER, (_MAGIC, record.length, len(record.representations)), what="header")
    return b"".join((header, *(_write_block(one) for one in record.representations), record.trailing))


def _read_header(data: bytes) -> tuple[int, int]:
    require_field(len(data), 0, _HEADER.size, format_=FORMAT_2005, field="header")
    _, length, count = _HEADER.unpack_from(data)
    return length, count


def _read_block(view: memoryview, start: int, end: int) -> tuple[Representation2005, int]:
    require_field(end, start, _LEAST_BLOCK, format_=FORMAT_2005, field="facial information")
    length, points, gender, eyes, hair, features, expression, *pose = _FACE.unpack_from(view, start)
    after, landmarks_end = start + length, start + _FACE.size + LANDMARK_BYTES * points
    if after > end:
        what = f"a face declares {length} bytes, and {end - start} are left"
        raise record_malformed(FORMAT_2005, what, field="block length", offset=start)
    image_start = landmarks_end + _IMAGE.size
    if points > MOST_LANDMARKS:
        what = f"a face declares {points} feature points; up to {MOST_LANDMARKS} are read"
        raise record_malformed(FORMAT_2005, what, field="feature points", offset=start + 4)
    if image_start >= after:
        what = f"a face of {length} bytes has no room for {points} feature points and an image"
        raise record_malformed(FORMAT_2005, what, field="feature points", offset=start + 4)
    face_type, data_type, width, height, colours, source, device, quality = _IMAGE.unpack_from(
        view, landmarks_end
    )
    points_view = view[start + _FACE.size : landmarks_end]
    face = Representation2005(
        image=bytes(view[image_start:after]),
        width=width,
        height=height,
        face_image_type=face_type,
        image_data_type=data_type,
        colour_space=colours,
        source=source,
        device_type=device,
        quality=quality,
        gender=gender,
        eye_colour=eyes,
        hair_colour=hair,
        features=int.from_bytes(features, "big"),
        expression=expression,
        pose=PoseCode(*pose),
        landmarks=tuple(Landmark(*point) for point in LAYOUT.iter_unpack(points_view)) if points else (),
    )
    return face, after


def _block_length(face: Representation2005) -> int:
    return _LEAST_BLOCK + LANDMARK_BYTES * len(face.landmarks) + len(face.image)


def _write_block(face: Representation2005) -> bytes:
    if not face.image:
        raise RecordInvalid("a face needs an image, and this one has no bytes")
    if len(face.landmarks) > MOST_LANDMARKS:
        raise RecordInvalid(
            f"a face has {len(face.landmarks)} feature points; up to {MOST_LANDMARKS} are written"
        )
    if not 0 <= face.features < 1 << 24:
        raise RecordInvalid(f"the features mask is {face.features}; it has 24 bits")
    pose = face.pose
    head = pack(
        _FACE,
        (
            _block_length(face),
            len(face.landmarks),
            face.gender,
            face.eye_colour,
            face.hair_colour,
            face.features.to_bytes(3, "big"),
            face.expression,
            pose.yaw,
            pose.pitch,
            pose.roll,
            pose.yaw_uncertainty,
            pose.pitch_uncertainty,
            pose.roll_uncertainty,
        ),
        what="facial information",
    )
    points = b"".join(
        pack(LAYOUT, (point.type, point.code, point.x, point.y, point.z), what="feature points")
        for point in face.landmarks
    )
    image = pack(
        _IMAGE,
        (
            face.face_image_type,
            face.image_data_type,
            face.width,
            face.height,
            face.colour_space,
            face.source,
            face.device_type,
            face.quality,
        ),
        what="image information",
    )
    return b"".join((head, points, image, face.image))
