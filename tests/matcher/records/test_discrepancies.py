"""Each disagreement separately; the ones with an image are in test_contents."""

import struct

import pytest

from formats.image_format import ImageFormat, ImageHeader
from matcher.records import Dg2, Landmark, Record2011
from matcher.records.codes import ColourSpace2005, ColourSpace2011
from matcher.records.dg2 import ISO_19794_5, ISO_39794_5, BiometricBlock
from matcher.records.discrepancies import DiscrepancyKind, of_dg2, of_picture, of_record
from matcher.records.iso_19794 import Record2005, Representation2005, Representation2011
from matcher.records.values import PoseCode, QualityBlock
from matcher.records.views import representation_of
from tests.matcher.records.builders import HEIGHT, JPEG, WIDTH

_HEADER = ImageHeader(ImageFormat.JPEG, WIDTH, HEIGHT, 3, 8)


def _face_2005(**fields: object) -> Representation2005:
    return Representation2005(image=JPEG, width=WIDTH, height=HEIGHT, **fields)  # type: ignore[arg-type]


def _face_2011(**fields: object) -> Representation2011:
    return Representation2011(image=JPEG, width=WIDTH, height=HEIGHT, **fields)  # type: ignore[arg-type]


def _of(
    face: Representation2005 | Representation2011, header: ImageHeader = _HEADER
) -> dict[DiscrepancyKind, str]:
    found = of_picture(face, representation_of(face), found_format=header.format, header=header, fault=None)
    return {one.kind: one.text for one in found}


@pytest.mark.parametrize(
    ("face", "format_"),
    [
        (_face_2005(), ImageFormat.JPEG),
        (_face_2005(image_data_type=1), ImageFormat.JP2),
        (_face_2005(image_data_type=1), ImageFormat.J2K),
        (_face_2011(), ImageFormat.JPEG),
        (_face_2011(image_data_type=2), ImageFormat.JP2),
        (_face_2011(image_data_type=3), ImageFormat.PNG),
        # A vendor's expression, and a quality algorithm that failed.
        (_face_2011(expression=1 << 15), ImageFormat.JPEG),
        (_face_2011(quality=(QualityBlock(255, 1, 1),)), ImageFormat.JPEG),
    ],
)
def test_a_sound_face_has_none(face: Representation2005 | Representation2011, format_: ImageFormat) -> None:
    assert _of(face, ImageHeader(format_, WIDTH, HEIGHT, 3, 8)) == {}


@pytest.mark.parametrize(
    "face", [_face_2005(image_data_type=1), _face_2005(image_data_type=9), _face_2011(image_data_type=3)]
)
def test_declared_types_that_are_wrong(face: Representation2005 | Representation2011) -> None:
    assert set(_of(face)) == {DiscrepancyKind.MEDIA_TYPE}


@pytest.mark.parametrize(
    ("face", "channels", "wrong"),
    [
        (_face_2005(colour_space=ColourSpace2005.GREY_8), 3, True),
        (_face_2005(colour_space=ColourSpace2005.GREY_8), 1, False),
        (_face_2005(colour_space=ColourSpace2005.RGB_24), 1, True),
        (_face_2005(colour_space=ColourSpace2005.YUV_422), 3, False),
        (_face_2005(colour_space=ColourSpace2005.OTHER), 1, False),
        (_face_2005(colour_space=ColourSpace2005.UNSPECIFIED), 1, False),
        (_face_2005(colour_space=200), 1, False),
        (_face_2011(colour_space=ColourSpace2011.RGB_48), 1, True),
        (_face_2011(colour_space=ColourSpace2011.GREY_16), 1, False),
        (_face_2011(colour_space=ColourSpace2011.OTHER), 1, False),
    ],
)
def test_colour_spaces(face: Representation2005 | Representation2011, channels: int, wrong: bool) -> None:
    found = _of(face, ImageHeader(ImageFormat.JPEG, WIDTH, HEIGHT, channels, 8))
    assert set(found) == ({DiscrepancyKind.COLOUR_SPACE} if wrong else set())


def test_points_outside_the_picture_are_counted() -> None:
    points = (
        Landmark(1, 0xC1, WIDTH - 1, HEIGHT - 1),
        Landmark(1, 0xC2, WIDTH, 0),
        Landmark(2, 1, 0, HEIGHT),
        Landmark(3, 1, 60_000, 60_000),
    )
    assert "2 of 4" in _of(_face_2011(landmarks=points))[DiscrepancyKind.LANDMARKS_OUTSIDE]


def test_bytes_behind_a_2_d_picture() -> None:
    assert set(_of(_face_2011(three_d=b"abc"))) == {DiscrepancyKind.EXTRA_BYTES}
    assert _of(_face_2011(three_d=b"abc", face_image_type=0x80)) == {}


@pytest.mark.parametrize(
    ("face", "named"),
    [
        (_face_2005(quality=1), "quality 1"),
        (_face_2005(pose=PoseCode(200)), "pose"),
        (_face_2005(features=1 << 11 | 1 << 23), "feature bits 11 23"),
        (_face_2011(features=1 << 12), "feature bits 12"),
        (_face_2011(expression=1 << 7), "expression bits 7"),
        (_face_2011(post_acquisition=1 << 11), "post-acquisition bits 11"),
        (_face_2011(sampling_rate_level=8), "level 8"),
        (_face_2011(quality=(QualityBlock(100, 1, 1), QualityBlock(101, 1, 1))), "quality score 101"),
    ],
)
def test_reserved_values_are_named(face: Representation2005 | Representation2011, named: str) -> None:
    assert named in _of(face)[DiscrepancyKind.RESERVED_VALUE]


def test_discrepancies_of_a_record_are_found() -> None:
    sound = Record2005(representations=(_face_2005(),))
    assert of_record(sound) == ()
    short = Record2005(representations=(_face_2005(),), declared_length=3)
    assert [one.kind for one in of_record(short)] == [DiscrepancyKind.RECORD_LENGTH]
    # More than its faces take: the rest is reported as trailing bytes.
    long = Record2005(representations=(_face_2005(),), declared_length=sound.length + 2, trailing=b"ab")
    assert [one.kind for one in of_record(long)] == [DiscrepancyKind.TRAILING_BYTES]


def test_discrepancies_of_a_2011_header_are_found() -> None:
    odd = Record2011(representations=(_face_2011(),), certification=1, temporal_semantics=5)
    (found,) = of_record(odd)
    assert found.kind is DiscrepancyKind.RESERVED_VALUE
    assert found.found == "certification flag 1, temporal semantics 5 of a single face"
    two = Record2011(representations=(_face_2011(), _face_2011()), temporal_semantics=5)
    assert of_record(two) == ()


def test_discrepancies_of_a_dg2_are_found() -> None:
    owner, kind = struct.pack(">H", 0x0101), struct.pack(">H", 0x0008)
    sound = BiometricBlock(((0x81, b"\x02"), (0x87, owner), (0x88, kind)), b"record")
    assert of_dg2(Dg2((sound,), declared_count=1), format_type=ISO_19794_5) == ()
    assert of_dg2(Dg2((BiometricBlock((), b"record"),)), format_type=ISO_19794_5) == ()
    odd = BiometricBlock(((0x81, b"\x10"), (0x87, owner), (0x88, b"\0\x09")), b"record")
    dg2 = Dg2((odd,), declared_count=2, trailing=b"a")
    found = {one.kind: one for one in of_dg2(dg2, format_type=ISO_19794_5)}
    assert set(found) == {
        DiscrepancyKind.BLOCK_COUNT,
        DiscrepancyKind.TRAILING_BYTES,
        DiscrepancyKind.BIOMETRIC_TYPE,
        DiscrepancyKind.RECORD_FORMAT,
    }
    assert found[DiscrepancyKind.BIOMETRIC_TYPE].declared == "iris"
    assert found[DiscrepancyKind.RECORD_FORMAT].declared == "0101/0009"
    assert found[DiscrepancyKind.BLOCK_COUNT].found == "1"


def test_the_header_of_a_dg2_names_the_format_of_its_record() -> None:
    owner = struct.pack(">H", 0x0101)
    old, new = (
        Dg2((BiometricBlock(((0x87, owner), (0x88, struct.pack(">H", kind))), b"record"),))
        for kind in (ISO_19794_5, ISO_39794_5)
    )
    assert of_dg2(old, format_type=ISO_19794_5) == of_dg2(new, format_type=ISO_39794_5) == ()
    (found,) = of_dg2(old, format_type=ISO_39794_5)
    assert (found.kind, found.declared, found.found) == (
        DiscrepancyKind.RECORD_FORMAT,
        "0101/0008",
        "0101/002A",
    )
    (found,) = of_dg2(new, format_type=ISO_19794_5)
    assert (found.declared, found.found) == ("0101/002A", "0101/0008")
