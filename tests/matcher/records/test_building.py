"""Records that are made from an image, and fields that are copied into another if it has a place for them."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from formats.image_header import parse_header
from matcher.errors import RecordInvalid
from matcher.records import (
    EyeCentres,
    Landmark,
    Record2011,
    Record39794,
    RecordMetadata,
    RecordVersion,
    build_record,
    fitted,
    metadata_of,
    open_trusted_image,
    representations_of,
    serialise,
    wrap_in_dg2,
)
from matcher.records.codes import (
    CaptureSource,
    ColourSpace2005,
    ColourSpace2011,
    Expression,
    Expression2005,
    EyeColour,
    FaceImageType2011,
    Feature,
    Gender,
    HairColour,
    ImageDataType2011,
    PostAcquisition,
)
from matcher.records.iso_19794 import Record2005, Representation2005, Representation2011
from matcher.records.iso_39794.blocks import (
    AnthropometricPoint,
    CaptureTechnology39794,
    ColourSpace39794,
    DateTimeBlock,
    EyeColour39794,
    FaceImageKind39794,
    Gender39794,
    HairColour39794,
    ImageDataFormat39794,
    ImageSizeBlock,
    Mpeg4Point,
    RegistryIdBlock,
    ScoringError39794,
    point_code,
)
from matcher.records.iso_39794.conversion import (
    EYE_COLOURS,
    GENDERS,
    HAIR_COLOURS,
    POINTS,
    SOURCES,
    build_39794,
    is_reversible,
)
from matcher.records.values import PoseDegrees, QualityBlock
from matcher.records.views import representation_of
from tests.formats.samples import bmp, exif, j2k_head, jpeg_head, jpeg_segment, png
from tests.matcher.records.builders import HEIGHT, JPEG, PICTURES, WIDTH, records_2005, records_2011
from tests.matcher.records.iso_39794.samples import ALL_FIELDS, real_file, records_39794

_2005, _2011 = RecordVersion.ISO_19794_5_2005, RecordVersion.ISO_19794_5_2011
_39794 = RecordVersion.ISO_39794_5
_EYES = EyeCentres(left=(150, 130), right=(90, 131))
_KNOWN = RecordMetadata(
    face_image_type=FaceImageType2011.FULL_FRONTAL,
    eyes=_EYES,
    landmarks=(Landmark(1, 0x93, 120, 170),),
    pose=PoseDegrees(yaw=-4.0, pitch=2.0, roll=0.0, yaw_uncertainty=5.0),
    gender=Gender.FEMALE,
    eye_colour=EyeColour.GREEN,
    hair_colour=HairColour.RED,
    features=frozenset({Feature.GLASSES, Feature.DISTORTING_CONDITION}),
    expressions=frozenset({Expression.NEUTRAL}),
    source=CaptureSource.VIDEO_FRAME_DIGITAL,
    device_type=7,
)


@pytest.mark.parametrize("version", RecordVersion)
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_wrapped_as_it_is(version: RecordVersion, name: str) -> None:
    picture = PICTURES[name]
    if version is not _2011 and name == "PNG":
        with pytest.raises(RecordInvalid, match=r"holds no PNG; it holds JPEG, JP2, J2K"):
            build_record(picture, version=version)
        return
    record = build_record(picture, version=version)
    content = open_trusted_image(serialise(record))
    assert content.record == record
    assert content.image == picture
    assert content.notes == ()
    view = content.representation
    assert view is not None
    assert (view.width, view.height) == (WIDTH, HEIGHT)
    assert (view.features, view.expressions, view.eye_centres) == (None, None, None)
    assert not view.pose.given


_EYE_POINTS = (Landmark(1, 0xC1, 150, 130), Landmark(1, 0xC2, 90, 131))
_MORE = replace(
    _KNOWN,
    capture_time=datetime(2026, 11, 20, 14, 0, 1, 250_000, tzinfo=UTC),
    device_vendor=3,
    subject_height=181,
    quality=(QualityBlock(88, 1, 2),),
    head_width=240.0,
    post_acquisition=frozenset({PostAcquisition.CROPPED, PostAcquisition.DOWN_SAMPLED}),
    features=frozenset({Feature.HEAD_COVERING}),
    expressions=frozenset({Expression.SMILE, Expression.SQUINTING}),
)


@pytest.mark.parametrize(
    ("version", "name", "known"), [(_2005, "JPEG", _KNOWN), (_2011, "JPEG", _MORE), (_2011, "PNG", _MORE)]
)
def test_a_record_holds_every_field_of_its_version(
    version: RecordVersion, name: str, known: RecordMetadata
) -> None:
    content = open_trusted_image(serialise(build_record(PICTURES[name], version=version, metadata=known)))
    assert content.notes == ()
    assert content.representation is not None
    assert content.representation.eye_centres == _EYES
    expected = replace(known, eyes=None, landmarks=(*_EYE_POINTS, *known.landmarks))
    assert metadata_of(content.representation) == expected


@pytest.mark.parametrize(
    ("version", "irreversible", "expected"),
    [
        (_2011, True, ImageDataType2011.JPEG_2000_LOSSY),
        (_2011, False, ImageDataType2011.JPEG_2000_LOSSLESS),
        (_39794, True, ImageDataFormat39794.JPEG_2000_LOSSY),
        (_39794, False, ImageDataFormat39794.JPEG_2000_LOSSLESS),
    ],
)
def test_lossy_and_lossless_jpeg_2000_are_told_apart(
    version: RecordVersion, irreversible: bool, expected: int
) -> None:
    stored = io.BytesIO()
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(
        stored, format="JPEG2000", irreversible=irreversible
    )
    (view,) = representations_of(build_record(stored.getvalue(), version=version))
    assert view.image_data_type is expected


def test_a_record_that_states_a_loss_states_it_in_every_version() -> None:
    # The code stream is that of a lossless image, whose layers may have been cut off.
    stored = io.BytesIO()
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(stored, format="JPEG2000", irreversible=False)
    lossy = RecordMetadata(lossy_jpeg_2000=True)
    first = build_record(stored.getvalue(), version=_39794, metadata=lossy)
    (view,) = representations_of(first)
    assert view.image_data_type is ImageDataFormat39794.JPEG_2000_LOSSY

    known, _ = fitted(metadata_of(view), _2011)
    second = build_record(stored.getvalue(), version=_2011, metadata=known)
    (view,) = representations_of(second)
    assert view.image_data_type is ImageDataType2011.JPEG_2000_LOSSY

    known, _ = fitted(metadata_of(view), _39794)
    third = build_record(stored.getvalue(), version=_39794, metadata=known)
    (view,) = representations_of(third)
    assert view.image_data_type is ImageDataFormat39794.JPEG_2000_LOSSY


@pytest.mark.parametrize(
    ("picture", "version", "colours"),
    [
        (jpeg_head(8, 8, channels=1), _2005, ColourSpace2005.GREY_8),
        (jpeg_head(8, 8, channels=4), _2005, ColourSpace2005.OTHER),
        (j2k_head(8, 8, components=1, bits=16), _2005, ColourSpace2005.OTHER),
        (jpeg_head(8, 8, channels=1), _2011, ColourSpace2011.GREY_8),
        (png(8, 8, bits=16), _2011, ColourSpace2011.RGB_48),
        (png(8, 8, bits=16, colour=0), _2011, ColourSpace2011.GREY_16),
        (jpeg_head(8, 8, channels=4), _2011, ColourSpace2011.OTHER),
        (jpeg_head(8, 8, channels=1), _39794, ColourSpace39794.GREY_8),
        (jpeg_head(8, 8, channels=4), _39794, ColourSpace39794.OTHER),
        (JPEG, _39794, ColourSpace39794.RGB_24),
        (j2k_head(8, 8, components=1, bits=16), _39794, ColourSpace39794.GREY_16),
        (j2k_head(8, 8, bits=16), _39794, ColourSpace39794.RGB_48),
    ],
)
def test_the_colour_space_is_the_pictures(picture: bytes, version: RecordVersion, colours: int) -> None:
    assert representations_of(build_record(picture, version=version))[0].colour_space == colours


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (b"", "no bytes"),
        (b"no picture", "not JPEG"),
        (JPEG[:8], "JPEG"),
        (bmp(8, 8), "holds no BMP"),
        (png(65_536, 8), "65535 a side"),
        (b"\xff\xd8" + jpeg_segment(0xE1, b"Exif\0\0" + exif(6)) + JPEG[2:], "orientation 6"),
    ],
)
def test_a_picture_that_does_not_fit_is_refused(picture: bytes, says: str) -> None:
    with pytest.raises(RecordInvalid, match=says):
        build_record(picture, version=_2011)


@pytest.mark.parametrize(
    "known",
    [
        RecordMetadata(device_vendor=1),
        RecordMetadata(subject_height=180),
        RecordMetadata(quality=(QualityBlock(1, 1, 1),)),
        RecordMetadata(post_acquisition=frozenset({PostAcquisition.CROPPED})),
        RecordMetadata(expressions=frozenset({Expression.SMILE})),
        RecordMetadata(expressions=frozenset({Expression.NEUTRAL, Expression.SQUINTING})),
        RecordMetadata(face_image_type=FaceImageType2011.BASIC_3D),
    ],
)
def test_what_a_version_has_no_field_for_is_left_out(known: RecordMetadata) -> None:
    assert build_record(JPEG, version=_2005, metadata=known) == build_record(JPEG, version=_2005)


@pytest.mark.parametrize(
    ("version", "known", "says"),
    [
        (_2005, RecordMetadata(eyes=EyeCentres((70_000, 1), (1, 1))), "feature points"),
        (_2005, RecordMetadata(pose=PoseDegrees(yaw=200.0)), "yaw"),
        (_2005, RecordMetadata(device_type=70_000), "image information"),
        (_2011, RecordMetadata(subject_height=300), "facial information"),
        (_2011, RecordMetadata(quality=(QualityBlock(1, 1, 1),) * 256), "representation header"),
        (_39794, RecordMetadata(subject_height=7000), "subject height 70000"),
        (_39794, RecordMetadata(pose=PoseDegrees(yaw=181.0)), "angle value 181"),
    ],
)
def test_values_out_of_range_are_refused(version: RecordVersion, known: RecordMetadata, says: str) -> None:
    with pytest.raises(RecordInvalid, match=says):
        build_record(JPEG, version=version, metadata=known)


_FACE = Representation2005(image=JPEG, width=WIDTH, height=HEIGHT)


def test_converting_2011_to_2005_reports_the_lost_fields() -> None:
    face = Representation2011(
        image=JPEG,
        width=WIDTH,
        height=HEIGHT,
        face_image_type=3,
        sampling_rate_level=2,
        quality=(QualityBlock(40, 1, 1),),
        subject_height=180,
        device_vendor=4,
        device_type=5,
        gender=2,
        features=1 | 1 << 1 | 1 << 10,
        expression=1 | 1 << 2,
        post_acquisition=2,
        landmarks=(Landmark(1, 0xC1, 1, 2, 9), Landmark(2, 0x11, 3, 4)),
    )
    known = metadata_of(representation_of(face))
    assert known.face_image_type is FaceImageType2011.POST_PROCESSED_FRONTAL
    assert known.head_width == 240.0
    assert fitted(known, _2011) == (known, ())
    fitting, left_out = fitted(known, _2005)
    assert set(left_out) == {
        "quality scores",
        "height of the person",
        "device vendor",
        "head covering",
        "expressions",
        "post-acquisition processing",
        "anthropometric landmarks",
        "face image type",
    }
    view = representation_of(build_record(JPEG, version=_2005, metadata=fitting).representations[0])
    assert view.gender is Gender.FEMALE
    assert view.features == frozenset({Feature.GLASSES})
    assert view.landmarks == (Landmark(1, 0xC1, 1, 2),)
    assert view.device_type == 5


def test_a_2005_record_goes_into_2011() -> None:
    face = replace(
        _FACE,
        face_image_type=2,
        expression=Expression2005.SMILE_OPEN,
        source=CaptureSource.UNKNOWN,
        features=1 | 1 << 10,
        gender=1,
    )
    fitting, left_out = fitted(metadata_of(representation_of(face)), _2011)
    assert left_out == ()
    view = representation_of(build_record(JPEG, version=_2011, metadata=fitting).representations[0])
    assert view.expressions == frozenset({Expression.SMILE})
    assert view.features == frozenset({Feature.DISTORTING_CONDITION})
    assert view.face_image_type is FaceImageType2011.TOKEN_FRONTAL
    assert view.source is CaptureSource.UNSPECIFIED


def test_other_of_2005_is_not_post_processed_of_2011() -> None:
    view = representation_of(replace(_FACE, face_image_type=3))
    assert metadata_of(view).face_image_type is FaceImageType2011.BASIC


def test_unknown_codes_are_left_out() -> None:
    known = metadata_of(representation_of(replace(_FACE, gender=77, eye_colour=200, face_image_type=99)))
    assert known == RecordMetadata()
    assert known.eye_colour is EyeColour.UNSPECIFIED


@pytest.mark.parametrize("version", RecordVersion)
@settings(max_examples=80, deadline=None)
@given(record=records_2005 | records_2011)
def test_metadata_of_any_record_can_be_written_again(
    version: RecordVersion, record: Record2005 | Record2011
) -> None:
    for view in representations_of(record):
        fitting, _ = fitted(metadata_of(view), version)
        built = build_record(JPEG, version=version, metadata=fitting)
        assert open_trusted_image(serialise(built)).record == built


@pytest.mark.parametrize(("coded", "meant"), [(0x80, 0), (0x81, 1), (0x82, 2)])
def test_a_record_that_loses_its_3d_data_is_declared_2d(coded: int, meant: int) -> None:
    face = Representation2011(
        image=JPEG, width=WIDTH, height=HEIGHT, face_image_type=coded, three_d=b"3-D data"
    )
    fitting, _ = fitted(metadata_of(representation_of(face)), _2011)
    record = build_record(JPEG, version=_2011, metadata=fitting)
    assert representations_of(record)[0].face_image_type == meant


def test_2011_has_one_code_for_unknown() -> None:
    known = metadata_of(representation_of(replace(_FACE, gender=3, eye_colour=8)))
    fitting, left_out = fitted(known, _2011)
    assert (fitting.gender, fitting.eye_colour, left_out) == (Gender.UNKNOWN, EyeColour.UNKNOWN, ())
    assert fitted(known, _2005)[0].gender is Gender.UNKNOWN_3


_KNOWN_39794 = RecordMetadata(
    face_image_type=FaceImageType2011.FULL_FRONTAL,
    eyes=EyeCentres(left=(150, 130), right=(90, 130)),
    landmarks=(Landmark(1, 0x93, 120, 160), Landmark(2, 0x11, 120, 20)),
    pose=PoseDegrees(yaw=-4.0, pitch=2.4, yaw_uncertainty=2.5),
    gender=Gender.FEMALE,
    eye_colour=EyeColour.MULTI_COLOURED,
    hair_colour=HairColour.RED,
    features=frozenset({Feature.GLASSES, Feature.BLINK}),
    expressions=frozenset({Expression.NEUTRAL}),
    source=CaptureSource.VIDEO_FRAME_DIGITAL,
    device_vendor=7,
    device_type=9,
    capture_time=datetime(2026, 11, 20, 14, 0, 1, 250_000, tzinfo=UTC),
    subject_height=178,
    quality=(QualityBlock(40, 1, 2), QualityBlock(255, 3, 4)),
    post_acquisition=frozenset({PostAcquisition.CROPPED}),
)


def _build(image: bytes = JPEG, known: RecordMetadata | None = None) -> Record39794:
    record = build_record(image, version=_39794, metadata=known)
    assert isinstance(record, Record39794)
    return record


def test_the_same_points_have_the_same_numbers() -> None:
    assert point_code(Mpeg4Point.POINT_12_1) == 0xC1
    assert point_code(Mpeg4Point.POINT_9_15) == 0x9F
    assert point_code(AnthropometricPoint.POINT_5_6) == 0x56
    assert len(Mpeg4Point) == 88
    assert len(POINTS) == 88 + 37


def test_codes_that_mean_the_same_are_paired_by_their_names() -> None:
    assert dict(GENDERS) == {Gender39794.MALE: Gender.MALE, Gender39794.FEMALE: Gender.FEMALE}
    assert set(EyeColour39794) - set(EYE_COLOURS) == {EyeColour39794.OTHER, EyeColour39794.HAZEL}
    assert set(HairColour39794) - set(HAIR_COLOURS) == {
        HairColour39794.OTHER,
        HairColour39794.KNOWN_COLOURED,
    }
    assert SOURCES[CaptureTechnology39794.VIDEO_FRAME_ANALOGUE] is CaptureSource.VIDEO_FRAME_ANALOGUE
    assert SOURCES[CaptureTechnology39794.UNKNOWN] is CaptureSource.UNKNOWN


def test_an_image_alone() -> None:
    record = _build()
    face = record.representation
    assert record.picture.representation_data == JPEG
    information = record.picture.image_information
    assert information.image_data_format is ImageDataFormat39794.JPEG
    assert information.image_size == ImageSizeBlock(width=WIDTH, height=HEIGHT)
    assert information.image_colour_space is ColourSpace39794.RGB_24
    assert (face.capture_date_time, face.quality, face.identity_metadata, face.landmarks) == (None,) * 4
    assert (face.capture_device, record.picture.capture_device, information.face_image_kind) == (None,) * 3
    content = open_trusted_image(serialise(record))
    assert content.record == record
    assert content.notes == ()
    # An uncertainty of no angle is none.
    assert _build(known=RecordMetadata(pose=PoseDegrees(yaw_uncertainty=3.0))) == record


def test_every_field_of_the_metadata() -> None:
    record = _build(known=_KNOWN_39794)
    content = open_trusted_image(serialise(record))
    assert content.record == record
    assert content.notes == ()
    face, identity = record.representation, record.representation.identity_metadata
    assert identity is not None
    assert identity.subject_height == 1780
    assert identity.gender is Gender39794.FEMALE
    assert identity.properties is not None
    assert (identity.properties.glasses, identity.properties.beard) == (True, False)
    assert identity.properties.biometric_absent is None
    assert face.capture_date_time == DateTimeBlock(
        year=2026, month=11, day=20, hour=14, minute=0, second=1, millisecond=250
    )
    assert face.quality is not None
    assert face.quality[0].algorithm_id == RegistryIdBlock(organization=1, id=2)
    assert face.quality[1].score_or_error.error == ScoringError39794.FAILURE_TO_ASSESS
    assert record.picture.image_information.face_image_kind is FaceImageKind39794.MRTD
    view = content.representation
    assert view is not None
    assert view.eye_centres == _KNOWN_39794.eyes
    # Angles are rounded to whole degrees, uncertainties up.
    assert view.pose == PoseDegrees(yaw=-4.0, pitch=2.0, yaw_uncertainty=3.0)
    again = metadata_of(view)
    expected = replace(
        _KNOWN_39794,
        eyes=None,
        landmarks=(Landmark(1, 0xC1, 150, 130), Landmark(1, 0xC2, 90, 130), *_KNOWN_39794.landmarks),
        pose=view.pose,
        block_39794=face,
    )
    assert again == expected


def test_what_it_cannot_hold_is_left_out_and_named() -> None:
    face = Representation2011(
        image=JPEG,
        width=WIDTH,
        height=HEIGHT,
        face_image_type=2,
        hair_colour=9,
        gender=0xFF,
        eye_colour=0xFF,
        device_type=5,
        features=1 | 1 << 1 | 1 << 11,
        quality=(QualityBlock(40, 0, 1), QualityBlock(50, 1, 1)),
        landmarks=(Landmark(1, 0xC1, 1, 2), Landmark(3, 0x11, 3, 4)),
    )
    known, left_out = fitted(metadata_of(representation_of(face)), _39794)
    assert set(left_out) == {
        "landmarks that it does not name",
        "distorting condition",
        "hair colour",
        "device without vendor and number",
        "quality scores without a registered algorithm",
        "face image type",
    }
    view = representations_of(_build(known=known))[0]
    assert view.features == frozenset({Feature.GLASSES})
    assert view.quality == (QualityBlock(50, 1, 1),)
    assert view.landmarks == (Landmark(1, 0xC1, 1, 2),)
    assert (view.gender, view.eye_colour, view.hair_colour) == (0, EyeColour.UNKNOWN, 0)


def test_a_code_without_a_counterpart_is_refused() -> None:
    known = RecordMetadata(hair_colour=HairColour.GREEN)
    with pytest.raises(RecordInvalid, match="no code for this hair_colour: GREEN"):
        build_39794(JPEG, parse_header(JPEG), known)


def test_a_2005_record_goes_into_it() -> None:
    face = Representation2005(
        image=JPEG, width=WIDTH, height=HEIGHT, expression=3, eye_colour=8, source=7, face_image_type=1
    )
    known, left_out = fitted(metadata_of(representation_of(face)), _39794)
    assert left_out == ()
    record = _build(known=known)
    device = record.picture.capture_device
    assert device is not None
    assert device.technology_id is CaptureTechnology39794.UNKNOWN
    view = representations_of(record)[0]
    assert view.expressions == frozenset({Expression.SMILE})
    assert view.eye_colour is EyeColour.UNKNOWN


def test_a_real_record_keeps_every_field(assets: Path) -> None:
    content = open_trusted_image(real_file(assets, ALL_FIELDS))
    assert content.representation is not None
    known, left_out = fitted(metadata_of(content.representation), _39794)
    assert left_out == ()
    old = content.record
    assert isinstance(old, Record39794)
    new = _build(content.image, known)
    # Only the size was wrong; it is now the image's.
    information = replace(old.picture.image_information, image_size=ImageSizeBlock(width=413, height=531))
    picture = replace(old.picture, image_information=information)
    assert new == replace(old, representation=replace(old.representation, image_representation=picture))


def test_of_a_real_record_only_what_changes_is_changed(assets: Path) -> None:
    content = open_trusted_image(real_file(assets, ALL_FIELDS))
    assert content.representation is not None
    known = replace(
        metadata_of(content.representation),
        gender=Gender.MALE,
        landmarks=(),
        post_acquisition=frozenset({PostAcquisition.MULTIPLY_COMPRESSED}),
    )
    new, old = _build(JPEG, known), content.record
    assert isinstance(old, Record39794)
    before = old.representation
    assert new.representation == replace(
        before,
        image_representation=new.picture,
        landmarks=None,
        identity_metadata=replace(before.identity_metadata, gender=Gender39794.MALE),  # type: ignore[type-var]
    )
    information = new.picture.image_information
    assert information.lossy_transformation_attempts is None
    assert information.camera_to_subject_distance == 3000
    processing = information.post_acquisition_processing
    assert processing is not None
    assert (processing.multiply_compressed, processing.rotated) == (True, False)


def test_what_a_19794_record_cannot_hold_is_named(assets: Path) -> None:
    content = open_trusted_image(real_file(assets, ALL_FIELDS))
    assert content.representation is not None
    known, left_out = fitted(metadata_of(content.representation), _2011)
    assert set(left_out) == {
        "lossy transformations",
        "camera distance",
        "sensor diagonal",
        "focal length",
        "face measurements",
        "reference colours",
        "spectral range",
        "certificates of the device",
        "PAD data",
        "session",
        "origin",
    }
    view = representations_of(build_record(content.image, version=_2011, metadata=known))[0]
    assert (view.gender, view.eye_colour, view.hair_colour) == (
        Gender.FEMALE,
        EyeColour.BLUE,
        HairColour.BROWN,
    )
    assert (view.subject_height, view.landmarks) == (179, (Landmark(1, 0x2B, 90, 22),))
    assert view.quality == (QualityBlock(99, 1, 1),)
    assert view.capture_time is not None
    assert view.capture_time.utc == datetime(2024, 1, 20, 13, 23, 9, 908_000, tzinfo=UTC)
    _, from_2005 = fitted(metadata_of(content.representation), _2005)
    assert set(left_out) | {"capture time", "device vendor", "height of the person", "quality scores"} == set(
        from_2005
    )


def test_a_dg2_of_it_is_like_the_real_one(assets: Path) -> None:
    content = open_trusted_image(real_file(assets, ALL_FIELDS.replace("AllFields", "MandFields")))
    assert content.record is not None
    wrapped = open_trusted_image(wrap_in_dg2([serialise(content.record)]))
    assert (wrapped.record, wrapped.notes) == (content.record, ())
    assert wrapped.dg2 is not None
    (block,) = wrapped.dg2.blocks
    assert (block.tag, block.biometric_type, block.format_owner, block.format_type) == (
        0x7F2E,
        0x02,
        0x0101,
        0x002A,
    )


def test_a_dg2_holds_records_of_one_kind() -> None:
    new, old = serialise(_build()), serialise(build_record(JPEG, version=_2005))
    bare = serialise(replace(_build(), wrapped=False))
    for records in ([new, old], [old, new], [bare], [serialise(build_record(JPEG, version=_2011))]):
        with pytest.raises(RecordInvalid):
            wrap_in_dg2(records)


@pytest.mark.parametrize("version", RecordVersion)
@settings(max_examples=40, deadline=None)
@given(record=records_39794)
def test_whatever_a_39794_record_says_can_be_said_again(version: RecordVersion, record: Record39794) -> None:
    for view in representations_of(record):
        known, left_out = fitted(metadata_of(view), version)
        assert all(left_out)
        built = build_record(JPEG, version=version, metadata=known)
        assert open_trusted_image(serialise(built)).record == built


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    y, x = np.mgrid[0:24, 0:24]
    return Image.fromarray(np.dstack([x * 9, y * 9, 255 - x * 4]).astype(np.uint8))


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("irreversible", [True, False])
def test_a_real_encoders_choice_is_read(picture: Image.Image, bare: bool, irreversible: bool) -> None:
    stored = io.BytesIO()
    picture.save(stored, format="JPEG2000", irreversible=irreversible, no_jp2=bare)
    assert is_reversible(stored.getvalue()) is not irreversible


def test_an_unstated_compression_is_not_lossless() -> None:
    head = j2k_head(24, 24)
    tile = b"\xff\x90\x00\x0a" + bytes(8)
    coding = b"\xff\x52\x00\x0c" + bytes(9) + b"\x01"
    assert not is_reversible(b"")
    assert not is_reversible(b"\xff\xd8\xff")
    assert not is_reversible(head)
    assert is_reversible(head + coding)
    assert not is_reversible(head + coding[:-1])
    # After the first tile a coding style is that tile's own.
    assert not is_reversible(head + tile + coding)
    assert not is_reversible(head + b"\xff\x64\x00\x02" * 100 + coding)
    assert not is_reversible(head + b"\xff\x64\x00\x01" + coding)
