"""Fields of one record are copied into another if that has a place for them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from matcher.records import (
    Landmark,
    Record2011,
    RecordMetadata,
    RecordVersion,
    build_record,
    fitted,
    metadata_of,
    representations_of,
)
from matcher.records.codes import (
    CaptureSource,
    Expression,
    Expression2005,
    EyeColour,
    FaceImageType2011,
    Feature,
    Gender,
)
from matcher.records.iso_19794 import Record2005, Representation2005, Representation2011
from matcher.records.values import QualityBlock
from matcher.records.views import representation_of
from tests.matcher.records.builders import HEIGHT, JPEG, WIDTH, records_2005, records_2011

_2005, _2011 = RecordVersion.ISO_19794_5_2005, RecordVersion.ISO_19794_5_2011
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


def _rebuild(view_metadata: RecordMetadata, version: RecordVersion) -> None:
    fitting, _ = fitted(view_metadata, version)
    build_record(JPEG, version=version, metadata=fitting)


@pytest.mark.parametrize("version", RecordVersion)
@settings(max_examples=40)
@given(record=records_2005)
def test_metadata_of_any_2005_record_can_be_written_again(version: RecordVersion, record: Record2005) -> None:
    for view in representations_of(record):
        _rebuild(metadata_of(view), version)


@pytest.mark.parametrize("version", RecordVersion)
@settings(max_examples=40)
@given(record=records_2011)
def test_metadata_of_any_2011_record_can_be_written_again(version: RecordVersion, record: Record2011) -> None:
    for view in representations_of(record):
        _rebuild(metadata_of(view), version)


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
