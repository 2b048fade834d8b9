"""Records made by hand, byte by byte from the layout, and strategies that make any record."""

import struct
from collections.abc import Mapping

from hypothesis import strategies as st

from matcher.errors import TrustedImageRefused
from matcher.records import Landmark, Record2011, Representations, TrustedImageContent, open_trusted_image
from matcher.records.iso_19794 import Record2005, Representation2005, Representation2011
from matcher.records.values import CaptureTime, PoseCode, QualityBlock
from tests.formats.samples import j2k_head, jp2, jpeg_head, png

WIDTH, HEIGHT = 240, 320
JPEG = jpeg_head(WIDTH, HEIGHT)
JPEG_2000 = jp2(j2k_head(WIDTH, HEIGHT), width=WIDTH, height=HEIGHT)
PICTURES: Mapping[str, bytes] = {
    "JPEG": JPEG,
    "JP2": JPEG_2000,
    "J2K": j2k_head(WIDTH, HEIGHT),
    "PNG": png(WIDTH, HEIGHT),
}


def opened_or_refused(
    data: bytes, representations: Representations = Representations.EXACTLY_ONE
) -> tuple[TrustedImageContent | None, TrustedImageRefused | None]:
    """The outcome of ``open_trusted_image`` for the bytes: a content or a refusal, and nothing else."""
    try:
        return open_trusted_image(data, representations=representations), None
    except TrustedImageRefused as error:
        return None, error


def header_2005(length: int, count: int = 1) -> bytes:
    """The 14 bytes before the first face."""
    return b"FAC\x00010\x00" + struct.pack(">IH", length, count)


def landmark_bytes(kind: int, code: int, x: int, y: int, z: int = 0) -> bytes:
    """A landmark's 8 bytes."""
    return struct.pack(">BBHHH", kind, code, x, y, z)


def block_2005(
    image: bytes = JPEG,
    *,
    length: int | None = None,
    facial: bytes = bytes(14),
    points: bytes = b"",
    count: int | None = None,
    information: bytes = struct.pack(">BBHHBBHH", 1, 0, WIDTH, HEIGHT, 1, 2, 0, 0),
) -> bytes:
    """A face: length, number of points, 14 bytes of facial information, points, 12 of the image, image."""
    size = 20 + len(points) + 12 + len(image) if length is None else length
    number = len(points) // 8 if count is None else count
    return struct.pack(">IH", size, number) + facial + points + information + image


def header_2011(length: int, count: int = 1, *, certification: int = 0, semantics: int = 0) -> bytes:
    """The 17 bytes before the first representation."""
    return b"FAC\x00030\x00" + struct.pack(">IHBH", length, count, certification, semantics)


def block_2011(
    image: bytes = JPEG,
    *,
    length: int | None = None,
    capture: bytes = struct.pack(">HBBBBBHBHH", 2022, 12, 28, 20, 51, 16, 542, 2, 0x1234, 0x5678),
    qualities: bytes = b"",
    quality_count: int | None = None,
    facial: bytes = bytes(15),
    points: bytes = b"",
    count: int | None = None,
    information: bytes = struct.pack(">BBHHBHBB", 1, 0, WIDTH, HEIGHT, 1, 0, 0, 1),
    image_length: int | None = None,
    behind: bytes = b"",
) -> bytes:
    """A representation: header, quality, 17 bytes of facial information, points, image, 3-D data."""
    size = 51 + len(qualities) + len(points) + len(image) + len(behind) if length is None else length
    blocks = len(qualities) // 5 if quality_count is None else quality_count
    number = len(points) // 8 if count is None else count
    stated = len(image) if image_length is None else image_length
    return b"".join(
        (
            struct.pack(">I", size),
            capture,
            bytes([blocks]),
            qualities,
            struct.pack(">H", number),
            facial,
            points,
            information,
            struct.pack(">I", stated),
            image,
            behind,
        )
    )


_BYTE = st.integers(0, 0xFF)
_SHORT = st.integers(0, 0xFFFF)
_MASK = st.integers(0, 0xFFFFFF)
_IMAGES = st.one_of(st.binary(min_size=1, max_size=60), st.sampled_from(sorted(PICTURES.values())))
_POSES = st.builds(PoseCode, *(_BYTE,) * 6)
_LANDMARKS = st.lists(st.builds(Landmark, _BYTE, _BYTE, _SHORT, _SHORT, _SHORT), max_size=6).map(tuple)
_TIMES = st.builds(CaptureTime, _SHORT, _BYTE, _BYTE, _BYTE, _BYTE, _BYTE, _SHORT)
_TRAILING = st.binary(max_size=20)

_faces_2005 = st.builds(
    Representation2005,
    image=_IMAGES,
    width=_SHORT,
    height=_SHORT,
    face_image_type=_BYTE,
    image_data_type=_BYTE,
    colour_space=_BYTE,
    source=_BYTE,
    device_type=_SHORT,
    quality=_SHORT,
    gender=_BYTE,
    eye_colour=_BYTE,
    hair_colour=_BYTE,
    features=_MASK,
    expression=_SHORT,
    pose=_POSES,
    landmarks=_LANDMARKS,
)
_faces_2011 = st.builds(
    Representation2011,
    image=_IMAGES,
    width=_SHORT,
    height=_SHORT,
    face_image_type=_BYTE,
    image_data_type=_BYTE,
    sampling_rate_level=_BYTE,
    post_acquisition=_SHORT,
    cross_reference=_BYTE,
    colour_space=_BYTE,
    capture_time=_TIMES,
    source=_BYTE,
    device_vendor=_SHORT,
    device_type=_SHORT,
    quality=st.lists(st.builds(QualityBlock, _BYTE, _SHORT, _SHORT), max_size=4).map(tuple),
    gender=_BYTE,
    eye_colour=_BYTE,
    hair_colour=_BYTE,
    subject_height=_BYTE,
    features=_MASK,
    expression=_SHORT,
    pose=_POSES,
    landmarks=_LANDMARKS,
    three_d=st.binary(max_size=30),
)

records_2005 = st.builds(
    Record2005, representations=st.lists(_faces_2005, min_size=1, max_size=3).map(tuple), trailing=_TRAILING
)
"""Any 2005 record, with any code in any field."""
records_2011 = st.builds(
    Record2011,
    representations=st.lists(_faces_2011, min_size=1, max_size=3).map(tuple),
    certification=_BYTE,
    temporal_semantics=_SHORT,
    trailing=_TRAILING,
)
"""Any 2011 record, with any code in any field."""
