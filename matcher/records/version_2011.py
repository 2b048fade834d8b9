r"""Reads and writes facial records of ISO/IEC 19794-5:2011 (``FAC\0 030\0``).

All numbers are big endian. A record is a general header of 17 bytes and the representations; each has 19
bytes of its own header, 5 for each quality block, 17 of facial information, 8 for each landmark, 11 of
image information, the length of the image file, the image file, and 3-D data if the face image type has them.
Source: ISO/IEC 19794-5:2011, clause 5.
"""

import struct
from dataclasses import dataclass, field
from typing import Final

from matcher.errors import RecordInvalid
from matcher.records.capture_time import UNKNOWN_TIME, CaptureTime
from matcher.records.fields import pack, record_malformed, require_field
from matcher.records.landmarks import LANDMARK_BYTES, LAYOUT, MOST_LANDMARKS, Landmark
from matcher.records.pose import NO_POSE_CODE, PoseCode

__all__ = [
    "FORMAT_2011",
    "QualityBlock",
    "Record2011",
    "Representation2011",
    "count_2011",
    "parse_2011",
    "serialise_2011",
]

FORMAT_2011: Final = "ISO/IEC 19794-5:2011"
_MAGIC: Final = b"FAC\x00030\x00"
_HEADER: Final = struct.Struct(">8sIHBH")
_CAPTURE: Final = struct.Struct(">IHBBBBBHBHHB")
_QUALITY: Final = struct.Struct(">BHH")
_FACE: Final = struct.Struct(">HBBBB3sH6B")
_IMAGE: Final = struct.Struct(">BBHHBHBBI")
_LEAST_BLOCK: Final = _CAPTURE.size + _FACE.size + _IMAGE.size


@dataclass(frozen=True, slots=True)
class QualityBlock:
    """The quality score that one algorithm gives the image.

    Attributes:
        score: 0..100, higher is better; 255 if the algorithm failed.
        algorithm_vendor: Number of the algorithm's vendor, 0..65535.
        algorithm: The vendor's number of the algorithm, 0..65535.
    """

    score: int
    algorithm_vendor: int
    algorithm: int


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
        pose: The pose as coded.
        landmarks: Landmarks.
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
        return _HEADER.size + sum(_block_length(one) for one in self.representations)


def count_2011(data: bytes) -> int:
    """Returns the number of representations that the header states.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: the header is cut off.
    """
    return int(_read_header(data)[1])


def parse_2011(data: bytes) -> Record2011:
    """Reads a record.

    Bytes after the last face are kept in ``trailing``, and a header that states too small a length is
    tolerated (docs/trusted_images.md).

    Args:
        data: The record; the caller has limited its length and its number of representations.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: a length reaches beyond the data, or a representation cannot
            hold what it declares.
    """
    length, count, certification, semantics = _read_header(data)
    view, end, position = memoryview(data), len(data), _HEADER.size
    if length > end:
        what = f"the header declares {length} bytes, and there are {end}: the record is cut off"
        raise record_malformed(FORMAT_2011, what, field="record length", offset=8)
    faces = []
    for _ in range(count):
        face, position = _read_block(view, position, end)
        faces.append(face)
    return Record2011(
        representations=tuple(faces),
        certification=certification,
        temporal_semantics=semantics,
        trailing=bytes(view[position:]),
        declared_length=length,
    )


def serialise_2011(record: Record2011) -> bytes:
    """Writes a record. A conformant record that ``parse_2011`` has read is written byte for byte.

    Raises:
        RecordInvalid: The record has no face, a face without image or with too many points, or a value that
            does not fit its field.
    """
    if not record.representations:
        raise RecordInvalid("a record holds at least one face")
    count = len(record.representations)
    header = pack(
        _HEADER,
        (_MAGIC, record.length, count, record.certification, record.temporal_semantics),
        what="general header",
    )
    return b"".join((header, *(_write_block(one) for one in record.representations), record.trailing))


def _read_header(data: bytes) -> tuple[int, int, int, int]:
    require_field(len(data), 0, _HEADER.size, format_=FORMAT_2011, field="general header")
    _, length, count, certification, semantics = _HEADER.unpack_from(data)
    return length, count, certification, semantics


def _read_block(view: memoryview, start: int, end: int) -> tuple[Representation2011, int]:
    require_field(end, start, _LEAST_BLOCK, format_=FORMAT_2011, field="representation")
    length, *moment, source, vendor, device, qualities = _CAPTURE.unpack_from(view, start)
    after = start + length
    if after > end:
        what = f"a representation declares {length} bytes, and {end - start} are left"
        raise record_malformed(FORMAT_2011, what, field="representation length", offset=start)
    quality_start = start + _CAPTURE.size
    face_start = quality_start + _QUALITY.size * qualities
    require_field(after, face_start, _FACE.size, format_=FORMAT_2011, field="facial information")
    points, gender, eyes, hair, tall, features, expression, *pose = _FACE.unpack_from(view, face_start)
    points_start = face_start + _FACE.size
    if points > MOST_LANDMARKS:
        what = f"a representation declares {points} landmarks; up to {MOST_LANDMARKS} are read"
        raise record_malformed(FORMAT_2011, what, field="landmarks", offset=face_start)
    image_start = points_start + LANDMARK_BYTES * points
    require_field(after, image_start, _IMAGE.size, format_=FORMAT_2011, field="image information")
    face_type, data_type, width, height, sampling, processing, reference, colours, size = _IMAGE.unpack_from(
        view, image_start
    )
    data_start = image_start + _IMAGE.size
    if not size:
        raise record_malformed(
            FORMAT_2011, "a representation has no image", field="image length", offset=data_start - 4
        )
    require_field(after, data_start, size, format_=FORMAT_2011, field="picture")
    face = Representation2011(
        image=bytes(view[data_start : data_start + size]),
        width=width,
        height=height,
        face_image_type=face_type,
        image_data_type=data_type,
        sampling_rate_level=sampling,
        post_acquisition=processing,
        cross_reference=reference,
        colour_space=colours,
        capture_time=CaptureTime(*moment),
        source=source,
        device_vendor=vendor,
        device_type=device,
        quality=tuple(QualityBlock(*one) for one in _QUALITY.iter_unpack(view[quality_start:face_start]))
        if qualities
        else (),
        gender=gender,
        eye_colour=eyes,
        hair_colour=hair,
        subject_height=tall,
        features=int.from_bytes(features, "big"),
        expression=expression,
        pose=PoseCode(*pose),
        landmarks=tuple(Landmark(*one) for one in LAYOUT.iter_unpack(view[points_start:image_start]))
        if points
        else (),
        three_d=bytes(view[data_start + size : after]),
    )
    return face, after


def _block_length(face: Representation2011) -> int:
    variable = _QUALITY.size * len(face.quality) + LANDMARK_BYTES * len(face.landmarks)
    return _LEAST_BLOCK + variable + len(face.image) + len(face.three_d)


def _write_block(face: Representation2011) -> bytes:
    if not face.image:
        raise RecordInvalid("a face needs an image, and this one has no bytes")
    if len(face.landmarks) > MOST_LANDMARKS:
        raise RecordInvalid(f"a face has {len(face.landmarks)} landmarks; up to {MOST_LANDMARKS} are written")
    if not 0 <= face.features < 1 << 24:
        raise RecordInvalid(f"the property mask is {face.features}; it has 24 bits")
    moment, pose = face.capture_time, face.pose
    head = pack(
        _CAPTURE,
        (
            _block_length(face),
            moment.year,
            moment.month,
            moment.day,
            moment.hour,
            moment.minute,
            moment.second,
            moment.millisecond,
            face.source,
            face.device_vendor,
            face.device_type,
            len(face.quality),
        ),
        what="representation header",
    )
    qualities = b"".join(
        pack(_QUALITY, (one.score, one.algorithm_vendor, one.algorithm), what="quality blocks")
        for one in face.quality
    )
    facial = pack(
        _FACE,
        (
            len(face.landmarks),
            face.gender,
            face.eye_colour,
            face.hair_colour,
            face.subject_height,
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
        pack(LAYOUT, (point.type, point.code, point.x, point.y, point.z), what="landmarks")
        for point in face.landmarks
    )
    image = pack(
        _IMAGE,
        (
            face.face_image_type,
            face.image_data_type,
            face.width,
            face.height,
            face.sampling_rate_level,
            face.post_acquisition,
            face.cross_reference,
            face.colour_space,
            len(face.image),
        ),
        what="image information",
    )
    return b"".join((head, qualities, facial, points, image, face.image, face.three_d))
