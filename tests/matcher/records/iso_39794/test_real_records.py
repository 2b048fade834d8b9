"""The real records of the test data: every field, typed, and byte for byte through reading and writing.

The values were read from the files with ``openssl asn1parse``.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from matcher.records import Container, Record39794, open_trusted_image, serialise
from matcher.records.codes import CaptureSource, Expression, EyeColour, FaceImageType2011, Gender, HairColour
from matcher.records.dg2 import parse_dg2, serialise_dg2
from matcher.records.discrepancies import DiscrepancyKind
from matcher.records.iso_39794.blocks import (
    AngleDataBlock,
    CaptureDevice2DBlock,
    CaptureDeviceBlock,
    CaptureDeviceSpectral2DBlock,
    CaptureTechnology39794,
    ColourSpace39794,
    CoordinateCartesian2DBlock,
    DateTimeBlock,
    ExpressionBlock,
    ExtendedDataBlock,
    EyeColour39794,
    FaceImageKind39794,
    Gender39794,
    HairColour39794,
    IdentityMetadataBlock,
    ImageDataFormat39794,
    ImageFaceMeasurementsBlock,
    ImageInformation2DBlock,
    ImageRepresentation2DBlock,
    ImageSizeBlock,
    LandmarkBlock,
    LandmarkCoordinates,
    LandmarkKind,
    LossyAttempts39794,
    Mpeg4Point,
    PadContext39794,
    PadCriteria39794,
    PadDataBlock,
    PadDecision39794,
    PadScoreBlock,
    PadSupervision39794,
    PoseAngleBlock,
    PostAcquisitionProcessingBlock,
    PropertiesBlock,
    QualityBlock39794,
    ReferenceColourBlock,
    ReferenceColourMappingBlock,
    RegistryIdBlock,
    RepresentationBlock,
    ScoreOrError,
    VersionBlock,
)
from matcher.records.values import CaptureTime, Landmark, PoseDegrees, QualityBlock
from tests.matcher.records.iso_39794.samples import (
    ALL_FIELDS,
    DG2_ALL_FIELDS,
    DG2_MANDATORY,
    INVALID_IMAGE,
    MANDATORY,
    real_file,
)

_ONE = RegistryIdBlock(organization=1, id=1)
_ALL = RepresentationBlock(
    representation_id=0,
    image_representation=ImageRepresentation2DBlock(
        representation_data=b"",
        image_information=ImageInformation2DBlock(
            image_data_format=ImageDataFormat39794.JPEG_2000_LOSSY,
            face_image_kind=FaceImageKind39794.MRTD,
            post_acquisition_processing=PostAcquisitionProcessingBlock(
                rotated=False,
                cropped=False,
                down_sampled=False,
                white_balance_adjusted=False,
                multiply_compressed=False,
                interpolated=False,
                contrast_stretched=False,
                pose_corrected=False,
                multi_view_image=False,
                age_progressed=False,
                super_resolution_processed=False,
                normalised=False,
            ),
            lossy_transformation_attempts=LossyAttempts39794.ZERO,
            camera_to_subject_distance=3000,
            sensor_diagonal=43,
            lens_focal_length=55,
            image_size=ImageSizeBlock(width=572, height=731),
            image_face_measurements=ImageFaceMeasurementsBlock(
                image_head_width=300,
                image_inter_eye_distance=150,
                image_eye_to_mouth_distance=180,
                image_head_length=500,
            ),
            image_colour_space=ColourSpace39794.RGB_24,
            reference_colour_mapping=ReferenceColourMappingBlock(
                schema=b"Reference Colour Schema Example",
                definitions_and_values=(
                    ReferenceColourBlock(
                        definition=b"Reference Colour Definition Example",
                        value=b"Reference Colour Value Example",
                    ),
                ),
            ),
        ),
        capture_device=CaptureDevice2DBlock(
            spectral=CaptureDeviceSpectral2DBlock(white_light=False, near_infrared=False, thermal=False),
            technology_id=CaptureTechnology39794.STATIC_PHOTO_DIGITAL_CAMERA,
        ),
    ),
    capture_date_time=DateTimeBlock(
        year=2024, month=1, day=20, hour=13, minute=23, second=9, millisecond=908
    ),
    quality=(QualityBlock39794(algorithm_id=_ONE, score_or_error=ScoreOrError(score=99)),),
    pad_data=PadDataBlock(
        decision=PadDecision39794.NO_ATTACK,
        scores=(PadScoreBlock(mechanism_id=_ONE, score_or_error=ScoreOrError(score=99)),),
        extended_data=(ExtendedDataBlock(data_type_id=_ONE, data=b"ExtendedDataBlock data"),),
        capture_context=PadContext39794.ENROLMENT,
        supervision_level=PadSupervision39794.UNKNOWN,
        risk_level=5,
        criteria_category=PadCriteria39794.COMMON,
        parameter=b"PAD Parameter",
        challenges=(b"Challenge1",),
        capture_date_time=DateTimeBlock(
            year=2024, month=1, day=22, hour=15, minute=16, second=17, millisecond=18
        ),
    ),
    session_id=9,
    derived_from=0,
    capture_device=CaptureDeviceBlock(
        model_id=_ONE, certification_ids=(RegistryIdBlock(organization=2, id=2),)
    ),
    identity_metadata=IdentityMetadataBlock(
        gender=Gender39794.FEMALE,
        eye_colour=EyeColour39794.BLUE,
        hair_colour=HairColour39794.BROWN,
        subject_height=1786,
        properties=PropertiesBlock(
            glasses=False,
            moustache=False,
            beard=False,
            teeth_visible=False,
            pupil_or_iris_not_visible=False,
            mouth_open=False,
            left_eye_patch=False,
            right_eye_patch=False,
            dark_glasses=False,
            biometric_absent=False,
            head_coverings_present=False,
        ),
        expression=ExpressionBlock(
            neutral=True,
            smile=False,
            raised_eyebrows=False,
            eyes_looking_away_from_the_camera=False,
            squinting=False,
            frowning=False,
        ),
        pose_angle=PoseAngleBlock(
            yaw_angle=AngleDataBlock(angle_value=2, angle_uncertainty=1),
            pitch_angle=AngleDataBlock(angle_value=3, angle_uncertainty=1),
            roll_angle=AngleDataBlock(angle_value=1, angle_uncertainty=2),
        ),
    ),
    landmarks=(
        LandmarkBlock(
            landmark_kind=LandmarkKind(mpeg4_feature_point=Mpeg4Point.POINT_2_11),
            landmark_coordinates=LandmarkCoordinates(cartesian_2d=CoordinateCartesian2DBlock(x=90, y=22)),
        ),
    ),
)
_NAMES = (ALL_FIELDS, MANDATORY, INVALID_IMAGE, DG2_ALL_FIELDS, DG2_MANDATORY)


def _record(assets: Path, name: str) -> Record39794:
    record = open_trusted_image(real_file(assets, name)).record
    assert isinstance(record, Record39794)
    return record


def _with_image(block: RepresentationBlock, image: bytes) -> RepresentationBlock:
    assert block.image_representation is not None
    picture = replace(block.image_representation, representation_data=image)
    return replace(block, image_representation=picture)


@pytest.mark.parametrize("name", [ALL_FIELDS, DG2_ALL_FIELDS])
def test_all_fields(assets: Path, name: str) -> None:
    record = _record(assets, name)
    assert record.version == VersionBlock(generation=3, year=2019)
    assert record.picture.representation_data[4:12] == b"jP  \r\n\x87\n"
    assert record.representation == _with_image(_ALL, record.picture.representation_data)
    # A code is a member of its enumeration, not only equal to it.
    identity = record.representation.identity_metadata
    assert identity is not None
    assert isinstance(identity.gender, Gender39794)
    assert isinstance(identity.hair_colour, HairColour39794)
    assert isinstance(record.picture.image_information.image_data_format, ImageDataFormat39794)
    assert (record.wrapped, record.trailing, record.ignored_extensions) == (True, b"", 0)


@pytest.mark.parametrize("name", [MANDATORY, DG2_MANDATORY])
def test_mandatory_fields_only(assets: Path, name: str) -> None:
    record = _record(assets, name)
    portrait = real_file(assets, ALL_FIELDS.replace("AllFields.dat", "Face.jpg"))
    expected = RepresentationBlock(
        representation_id=0,
        image_representation=ImageRepresentation2DBlock(
            representation_data=portrait,
            image_information=ImageInformation2DBlock(image_data_format=ImageDataFormat39794.JPEG_2000_LOSSY),
        ),
    )
    assert record.representation == expected


@pytest.mark.parametrize("name", _NAMES)
def test_byte_for_byte(assets: Path, name: str) -> None:
    data = real_file(assets, name)
    content = open_trusted_image(data)
    assert content.record is not None
    written = serialise(content.record)
    if content.dg2 is None:
        assert written == data
        return
    assert written == content.dg2.blocks[0].record
    assert serialise_dg2(parse_dg2(data)) == data
    assert content.dg2.blocks[0].format_type == 0x002A
    assert content.dg2.blocks[0].tag == 0x7F2E


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        # Its fields are examples: they declare another size than the code stream has.
        (ALL_FIELDS, {DiscrepancyKind.SIZE}),
        (DG2_ALL_FIELDS, {DiscrepancyKind.SIZE}),
        (MANDATORY, set()),
        (DG2_MANDATORY, set()),
        (INVALID_IMAGE, {DiscrepancyKind.MEDIA_TYPE, DiscrepancyKind.PICTURE_HEADER}),
    ],
)
def test_what_the_image_contradicts(assets: Path, name: str, kinds: set[DiscrepancyKind]) -> None:
    content = open_trusted_image(real_file(assets, name))
    assert content.container is Container.ISO_39794_5
    assert content.in_dg2 == ("DG2" in name)
    assert {one.kind for one in content.discrepancies} == kinds
    if name == INVALID_IMAGE:
        assert (content.media_type, content.header) == (None, None)
        return
    assert content.media_type == "image/jp2"
    assert content.header is not None
    assert (content.header.width, content.header.height) == (413, 531)


def test_the_view_of_all_fields(assets: Path) -> None:
    view = open_trusted_image(real_file(assets, ALL_FIELDS)).representation
    assert view is not None
    assert view.standard == "ISO/IEC 39794-5"
    assert (view.width, view.height) == (572, 731)
    assert view.face_image_type is FaceImageType2011.FULL_FRONTAL
    assert view.source is CaptureSource.STATIC_PHOTO_DIGITAL_CAMERA
    assert (view.device_vendor, view.device_type) == (1, 1)
    assert (view.gender, view.eye_colour, view.hair_colour) == (
        Gender.FEMALE,
        EyeColour.BLUE,
        HairColour.BROWN,
    )
    assert (view.features, view.expressions) == (frozenset(), frozenset({Expression.NEUTRAL}))
    assert view.pose == PoseDegrees(2.0, 3.0, 1.0, 1.0, 1.0, 2.0)
    assert view.landmarks == (Landmark(1, 0x2B, 90, 22),)
    assert view.capture_time == CaptureTime(2024, 1, 20, 13, 23, 9, 908)
    assert view.subject_height == 179
    assert view.quality == (QualityBlock(99, 1, 1),)
    assert view.post_acquisition == frozenset()


def test_the_view_of_mandatory_fields_states_nothing(assets: Path) -> None:
    view = open_trusted_image(real_file(assets, MANDATORY)).representation
    assert view is not None
    assert (view.width, view.height, view.features, view.expressions, view.capture_time) == (None,) * 5
    assert (view.gender, view.eye_colour, view.hair_colour, view.source) == (0, 0, 0, 0)
    assert (view.landmarks, view.quality, view.eye_centres) == ((), (), None)
    assert not view.pose.given
