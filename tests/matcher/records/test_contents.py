"""The form of an upload, recognised by its content, and each disagreement of a record with it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.der import encode
from formats.errors import ImageFault
from formats.image_format import ImageFormat, ImageHeader
from matcher.errors import RefusalReason, TrustedImageRefused
from matcher.records import (
    Container,
    Dg2,
    EyeCentres,
    Landmark,
    Record2011,
    Representations,
    TrustedImageContent,
    open_trusted_image,
    wrap_in_dg2,
)
from matcher.records.codes import ColourSpace2005, ColourSpace2011
from matcher.records.contents import MAX_BYTES, MOST_REPRESENTATIONS
from matcher.records.dg2 import ISO_19794_5, ISO_39794_5, OTHER_RECORDS, BiometricBlock
from matcher.records.discrepancies import DiscrepancyKind, of_dg2, of_picture, of_record
from matcher.records.iso_19794 import Record2005, Representation2005, Representation2011
from matcher.records.values import PoseCode, QualityBlock
from matcher.records.views import representation_of
from tests.formats.samples import bmp, exif, jpeg_segment, vp8, webp
from tests.matcher.records.builders import (
    HEIGHT,
    JPEG,
    JPEG_2000,
    PICTURES,
    WIDTH,
    block_2005,
    block_2011,
    header_2005,
    header_2011,
    landmark_bytes,
    opened_or_refused,
)

_EYES = landmark_bytes(1, 0xC1, 150, 130) + landmark_bytes(1, 0xC2, 90, 130)


def _record_2005(*blocks: bytes, behind: bytes = b"") -> bytes:
    data = b"".join(blocks or (block_2005(),))
    return header_2005(14 + len(data), len(blocks) or 1) + data + behind


def _record_2011(*blocks: bytes, behind: bytes = b"") -> bytes:
    data = b"".join(blocks or (block_2011(),))
    return header_2011(17 + len(data), len(blocks) or 1) + data + behind


def _kinds(content: TrustedImageContent) -> set[DiscrepancyKind]:
    return {one.kind for one in content.discrepancies}


def _refused(
    data: bytes, representations: Representations = Representations.EXACTLY_ONE
) -> TrustedImageRefused:
    _, refusal = opened_or_refused(data, representations)
    assert refusal is not None
    return refusal


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PICTURES["JPEG"], "image/jpeg"),
        (PICTURES["PNG"], "image/png"),
        (PICTURES["JP2"], "image/jp2"),
        (PICTURES["J2K"], "image/j2c"),
        (webp(vp8(WIDTH, HEIGHT)), "image/webp"),
        (bmp(WIDTH, HEIGHT), "image/bmp"),
    ],
)
def test_a_bare_picture_is_its_own_content(data: bytes, media_type: str) -> None:
    content = open_trusted_image(data)
    assert content.container is Container.IMAGE
    assert content.image is data
    assert content.media_type == media_type
    assert content.header is not None
    assert (content.header.width, content.header.height) == (WIDTH, HEIGHT)
    assert (content.representation, content.record, content.dg2) == (None, None, None)
    assert content.notes == ()


def test_a_broken_picture_is_left_to_its_decoder() -> None:
    content = open_trusted_image(JPEG[:10])
    assert (content.media_type, content.header) == ("image/jpeg", None)


@pytest.mark.parametrize("in_dg2", [False, True])
def test_a_2005_record_is_opened(in_dg2: bool) -> None:
    record = _record_2005(block_2005(points=_EYES))
    content = open_trusted_image(wrap_in_dg2([record]) if in_dg2 else record)
    assert content.container is Container.ISO_19794_5_2005
    assert content.in_dg2 is in_dg2
    assert content.image == JPEG
    assert content.media_type == "image/jpeg"
    view = content.representation
    assert view is not None
    assert (view.width, view.height) == (WIDTH, HEIGHT)
    assert view.eye_centres == EyeCentres(left=(150, 130), right=(90, 130))
    assert view.capture_time is None
    assert content.notes == ()


@pytest.mark.parametrize("in_dg2", [False, True])
def test_a_2011_record_is_opened(in_dg2: bool) -> None:
    record = _record_2011(block_2011(points=_EYES))
    # Doc 9303 requires the 2005 edition; the reader accepts both.
    data = encode(0x7F61, encode(0x7F60, encode(0x5F2E, record))) if in_dg2 else record
    content = open_trusted_image(data)
    assert content.container is Container.ISO_19794_5_2011
    assert content.in_dg2 is in_dg2
    view = content.representation
    assert view is not None
    assert view.eye_centres is not None
    assert view.capture_time is not None
    assert view.capture_time.year == 2022
    assert content.notes == ()


def test_a_refusal_keeps_its_numbers_immutable() -> None:
    numbers: dict[str, str | int | float] = {"bytes": 3, "max_bytes": 2}
    refusal = TrustedImageRefused(ImageFault.TOO_MANY_BYTES, "too large", details=numbers)
    numbers["bytes"] = 1
    assert refusal.details == {"bytes": 3, "max_bytes": 2}
    with pytest.raises(TypeError):
        refusal.details["bytes"] = 1  # type: ignore[index]


def test_an_empty_upload_is_refused() -> None:
    assert _refused(b"").reason is ImageFault.EMPTY


def test_an_oversized_upload_is_not_read() -> None:
    error = _refused(b"FAC\x00010\x00" + bytes(MAX_BYTES))
    assert error.reason is ImageFault.TOO_MANY_BYTES
    assert error.details == {"bytes": MAX_BYTES + 8, "max_bytes": MAX_BYTES}
    with pytest.raises(TrustedImageRefused, match="at most 100"):
        open_trusted_image(bytes(101), max_bytes=100)


@pytest.mark.parametrize("data", [b"plain text", b"\0" * 100, b"%PDF-1.7", b"GIF89a", b"FAC", b"unknown"])
def test_an_unknown_format_is_refused(data: bytes) -> None:
    error = _refused(data)
    assert error.reason is ImageFault.UNSUPPORTED_FORMAT
    assert "facial record" in str(error)


@pytest.mark.parametrize("magic", OTHER_RECORDS)
def test_a_record_of_something_else_is_named(magic: bytes) -> None:
    error = _refused(magic + b" 20\0" + bytes(50))
    assert error.reason is RefusalReason.RECORD_WRONG_MODALITY
    assert error.details == dict(zip(("format", "modality"), OTHER_RECORDS[magic], strict=True))


@pytest.mark.parametrize(
    ("data", "modality"),
    [
        (encode(0x63, encode(0x7F61, b"\x02\x01\x01")), "finger"),
        (encode(0x76, encode(0x7F61, b"\x02\x01\x01")), "iris"),
        (encode(0x7F61, encode(0x7F60, encode(0x5F2E, b"IIR\0 020" + bytes(40)))), "iris image"),
        (encode(0x64, encode(0xA0, b"\x80\x01\x03\x81\x02\x07\xe3")), "finger image"),
    ],
)
def test_a_passports_other_files_are_named(data: bytes, modality: str) -> None:
    error = _refused(data)
    assert error.reason is RefusalReason.RECORD_WRONG_MODALITY
    assert error.details["modality"] == modality


def test_a_dg2_round_something_else_is_malformed() -> None:
    wrapped = encode(0x7F61, encode(0x7F60, encode(0x5F2E, JPEG)))
    error = _refused(wrapped)
    assert error.reason is RefusalReason.RECORD_MALFORMED
    assert error.details["format"] == "ICAO DG2"


@pytest.mark.parametrize("version", [b"020\0", b"040\0", b"\xff\0\0\0"])
def test_another_version_is_not_supported(version: bytes) -> None:
    error = _refused(b"FAC\0" + version + bytes(60))
    assert error.reason is ImageFault.UNSUPPORTED_FORMAT
    assert error.details["format"] == "ISO/IEC 19794-5"
    assert "'010' (2005) and '030' (2011)" in str(error)


def test_a_header_that_ends_in_its_version() -> None:
    assert _refused(b"FAC\x0001").reason is RefusalReason.RECORD_MALFORMED
    assert _refused(b"FAC\x00010\x00").reason is RefusalReason.RECORD_MALFORMED


@pytest.mark.parametrize("count", [0, 2, 0xFFFF])
def test_several_faces_are_refused_by_default(count: int) -> None:
    for header in (header_2005(14, count), header_2011(17, count)):
        error = _refused(header)
        assert error.reason is RefusalReason.RECORD_NOT_ONE_FACE
        assert error.details == {"representations": count, "required_representations": 1}


def test_the_first_face_is_used_if_the_policy_allows_it() -> None:
    first = Representations.FIRST
    other = b"\xff\xd8\xffother"
    for data in (
        _record_2005(block_2005(), block_2005(other)),
        _record_2011(block_2011(), block_2011(other)),
    ):
        content = open_trusted_image(data, representations=first)
        assert content.image == JPEG
        assert content.representation is not None
        assert content.representation.position == 1
    for count in (0, MOST_REPRESENTATIONS + 1):
        error = _refused(header_2005(14, count), representations=first)
        assert error.reason is RefusalReason.RECORD_NOT_ONE_FACE
        assert error.details["required_representations"] == MOST_REPRESENTATIONS


def test_several_records_in_a_dg2() -> None:
    data = wrap_in_dg2([_record_2005(), _record_2005(block_2005(JPEG_2000))])
    error = _refused(data)
    assert error.reason is RefusalReason.RECORD_NOT_ONE_FACE
    assert error.details["records"] == 2
    assert open_trusted_image(data, representations=Representations.FIRST).image == JPEG


def test_the_code_stream_is_believed() -> None:
    # As the passport sample of the BSI: the header declares another size than the code stream has.
    information = struct.pack(">BBHHBBHH", 1, 1, 337, 449, 3, 2, 0, 0)
    content = open_trusted_image(_record_2005(block_2005(JPEG_2000, information=information)))
    assert content.header is not None
    assert (content.header.width, content.header.height) == (WIDTH, HEIGHT)
    assert _kinds(content) == {DiscrepancyKind.SIZE, DiscrepancyKind.COLOUR_SPACE}
    size = next(one for one in content.discrepancies if one.kind is DiscrepancyKind.SIZE)
    assert (size.declared, size.found) == ("337 x 449", "240 x 320")
    assert size.text in content.notes


def test_no_size_is_no_error() -> None:
    information = struct.pack(">BBHHBBHH", 1, 0, 0, 0, 0, 0, 0, 0)
    content = open_trusted_image(_record_2005(block_2005(information=information)))
    assert content.representation is not None
    assert (content.representation.width, content.representation.height) == (None, None)
    assert _kinds(content) == {DiscrepancyKind.SIZE}


def test_trailing_bytes_are_reported() -> None:
    for data in (
        _record_2005(behind=b"abc"),
        _record_2011(behind=b"abc"),
        wrap_in_dg2([_record_2005()]) + b"abc",
    ):
        content = open_trusted_image(data)
        assert _kinds(content) == {DiscrepancyKind.TRAILING_BYTES}
        assert content.discrepancies[0].found == "3"


def test_a_picture_that_is_stored_turned_is_reported() -> None:
    turned = b"\xff\xd8" + jpeg_segment(0xE1, b"Exif\0\0" + exif(6)) + JPEG[2:]
    content = open_trusted_image(_record_2005(block_2005(turned)))
    assert _kinds(content) == {DiscrepancyKind.ORIENTATION}


def test_a_picture_of_no_known_format_is_reported() -> None:
    content = open_trusted_image(_record_2011(block_2011(b"no picture")))
    assert (content.image, content.media_type, content.header) == (b"no picture", None, None)
    assert _kinds(content) == {DiscrepancyKind.MEDIA_TYPE, DiscrepancyKind.PICTURE_HEADER}


def test_a_2_mb_file_of_tiny_faces_ends_at_once() -> None:
    tiny = block_2005(b"\xff", points=landmark_bytes(1, 1, 1, 1))
    data = _record_2005(*[tiny] * 40_000)
    assert len(data) < MAX_BYTES
    assert _refused(data, representations=Representations.FIRST).reason is RefusalReason.RECORD_NOT_ONE_FACE


@given(st.binary(max_size=200))
def test_any_bytes_are_opened_or_refused(data: bytes) -> None:
    for start in (b"", b"FAC\x00010\x00", b"FAC\x00030\x00", b"\x75\x81\xc8\x7f\x61\x81\xc4", b"\xa1\x65"):
        for how in Representations:
            content, refusal = opened_or_refused(start + data, how)
            assert refusal is None or len(str(refusal)) < 400
            assert content is None or content.image in start + data


_FOUND_HEADER = ImageHeader(ImageFormat.JPEG, WIDTH, HEIGHT, 3, 8)


def _face_2005(**fields: object) -> Representation2005:
    return Representation2005(image=JPEG, width=WIDTH, height=HEIGHT, **fields)  # type: ignore[arg-type]


def _face_2011(**fields: object) -> Representation2011:
    return Representation2011(image=JPEG, width=WIDTH, height=HEIGHT, **fields)  # type: ignore[arg-type]


def _of(
    face: Representation2005 | Representation2011, header: ImageHeader = _FOUND_HEADER
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
