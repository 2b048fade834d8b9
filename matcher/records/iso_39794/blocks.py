"""The blocks of an ISO/IEC 39794-5 record, in the ICAO application profile: the schema as dataclasses.

``asn1`` reads and writes them. Classes and fields are named as in the schema, without "Block" in fields. A
code is a member of its enumeration if that names it, and otherwise the number. Units: pixels of the image,
millimetres, degrees, UTC.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated, Final

from matcher.records.asn1 import (
    Alternatives,
    Base,
    Boolean,
    Enumerated,
    ExtensibleCode,
    Integer,
    Octets,
    Sequence,
    SequenceOf,
    Tagged,
)
from matcher.records.values import MOST_LANDMARKS

# The codes of an ISO/IEC 39794-5 record, in the ICAO application profile.
#
# Most differ from the codes of ISO/IEC 19794-5. Left and right are those of the person. The names of
# landmarks are those of the schema, whose notice stands in ``blocks``; their codes count from 0.


class Gender39794(IntEnum):
    """Gender of the person."""

    OTHER = 1
    MALE = 2
    FEMALE = 3


class EyeColour39794(IntEnum):
    """Eye colour."""

    UNKNOWN = 0
    OTHER = 1
    BLACK = 2
    BLUE = 3
    BROWN = 4
    GREY = 5
    GREEN = 6
    HAZEL = 7
    MULTI_COLOURED = 8
    PINK = 9


class HairColour39794(IntEnum):
    """Hair colour."""

    UNKNOWN = 0
    OTHER = 1
    BALD = 2
    BLACK = 3
    BLONDE = 4
    BROWN = 5
    GREY = 6
    WHITE = 7
    RED = 8
    KNOWN_COLOURED = 9


class CaptureTechnology39794(IntEnum):
    """Technology of the capture device, as the record codes it."""

    UNKNOWN = 0
    STATIC_PHOTO_UNKNOWN = 1
    STATIC_PHOTO_DIGITAL_CAMERA = 2
    STATIC_PHOTO_SCANNER = 3
    VIDEO_FRAME_UNKNOWN = 4
    VIDEO_FRAME_ANALOGUE = 5
    VIDEO_FRAME_DIGITAL = 6


class FaceImageKind39794(IntEnum):
    """The rules that the image follows."""

    MRTD = 0


class LossyAttempts39794(IntEnum):
    """How often the image went through a lossy transformation."""

    UNKNOWN = 0
    ZERO = 1
    ONE = 2
    MORE_THAN_ONE = 3


class ImageDataFormat39794(IntEnum):
    """The coding of the image."""

    JPEG = 2
    JPEG_2000_LOSSY = 3
    JPEG_2000_LOSSLESS = 4


class ColourSpace39794(IntEnum):
    """Colour space of the image."""

    UNKNOWN = 0
    OTHER = 1
    RGB_24 = 2
    RGB_48 = 3
    YUV_422 = 4
    GREY_8 = 5
    GREY_16 = 6


class ScoringError39794(IntEnum):
    """Why an algorithm gave no score."""

    FAILURE_TO_ASSESS = 0


class PadDecision39794(IntEnum):
    """What presentation attack detection decided when the image was taken."""

    NO_ATTACK = 0
    ATTACK = 1
    FAILURE_TO_ASSESS = 2


class PadContext39794(IntEnum):
    """The purpose for which the image was taken."""

    ENROLMENT = 0
    VERIFICATION = 1
    IDENTIFICATION = 2


class PadSupervision39794(IntEnum):
    """How closely the capture was supervised."""

    UNKNOWN = 0
    CONTROLLED = 1
    ASSISTED = 2
    OBSERVED = 3
    UNATTENDED = 4


class PadCriteria39794(IntEnum):
    """Whether the criteria of the PAD decision were individual or common."""

    UNKNOWN = 0
    INDIVIDUAL = 1
    COMMON = 2


Mpeg4Point = IntEnum(
    "Mpeg4Point",
    "POINT_2_1 POINT_2_2 POINT_2_3 POINT_2_4 POINT_2_5 POINT_2_6 POINT_2_7 POINT_2_8 POINT_2_9 POINT_2_10 "
    "POINT_2_11 POINT_2_12 POINT_2_13 POINT_2_14 POINT_3_1 POINT_3_2 POINT_3_3 POINT_3_4 POINT_3_5 "
    "POINT_3_6 POINT_3_7 POINT_3_8 POINT_3_9 POINT_3_10 POINT_3_11 POINT_3_12 POINT_3_13 POINT_3_14 "
    "POINT_4_1 POINT_4_2 POINT_4_3 POINT_4_4 POINT_4_5 POINT_4_6 POINT_5_1 POINT_5_2 POINT_5_3 POINT_5_4 "
    "POINT_6_1 POINT_6_2 POINT_6_3 POINT_6_4 POINT_7_1 POINT_8_1 POINT_8_2 POINT_8_3 POINT_8_4 POINT_8_5 "
    "POINT_8_6 POINT_8_7 POINT_8_8 POINT_8_9 POINT_8_10 POINT_9_1 POINT_9_2 POINT_9_3 POINT_9_4 POINT_9_5 "
    "POINT_9_6 POINT_9_7 POINT_9_8 POINT_9_9 POINT_9_10 POINT_9_11 POINT_9_12 POINT_9_13 POINT_9_14 "
    "POINT_9_15 POINT_10_1 POINT_10_2 POINT_10_3 POINT_10_4 POINT_10_5 POINT_10_6 POINT_10_7 POINT_10_8 "
    "POINT_10_9 POINT_10_10 POINT_11_1 POINT_11_2 POINT_11_3 POINT_11_4 POINT_11_5 POINT_11_6 POINT_12_1 "
    "POINT_12_2 POINT_12_3 POINT_12_4",
    start=0,
)
"""A feature point of MPEG-4, such as 12.1, the centre of the left eye."""

AnthropometricPoint = IntEnum(
    "AnthropometricPoint",
    "POINT_1_1 POINT_1_2 POINT_1_5 POINT_1_6 POINT_1_7 POINT_1_8 POINT_1_9 POINT_2_1 POINT_2_2 POINT_2_3 "
    "POINT_2_4 POINT_2_5 POINT_2_6 POINT_2_7 POINT_2_9 POINT_2_10 POINT_3_1 POINT_3_2 POINT_3_3 POINT_3_4 "
    "POINT_3_5 POINT_3_6 POINT_3_7 POINT_3_8 POINT_3_9 POINT_3_10 POINT_3_11 POINT_3_12 POINT_4_1 "
    "POINT_4_2 POINT_4_3 POINT_4_4 POINT_5_1 POINT_5_2 POINT_5_3 POINT_5_4 POINT_5_6",
    start=0,
)
"""An anthropometric landmark by the number of its point."""

AnthropometricName = IntEnum(
    "AnthropometricName",
    "VERTEX GLABELLA OPISTHOCRANION EURION_LEFT EURION_RIGHT FRONTOTEMPORALE_LEFT FRONTOTEMPORALE_RIGHT "
    "TRICHION ZYGION_LEFT ZYGION_RIGHT GONION_LEFT GONION_RIGHT SUBLABIALE POGONION MENTON "
    "CONDYLION_LATERALE_LEFT CONDYLION_LATERALE_RIGHT ENDOCANTHION_LEFT ENDOCANTHION_RIGHT "
    "EXOCANTHION_LEFT EXOCANTHION_RIGHT CENTER_POINT_OF_PUPIL_LEFT CENTER_POINT_OF_PUPIL_RIGHT "
    "ORBITALE_LEFT ORBITALE_RIGHT PALPEBRALE_SUPERIUS_LEFT PALPEBRALE_SUPERIUS_RIGHT "
    "PALPEBRALE_INFERIUS_LEFT PALPEBRALE_INFERIUS_RIGHT ORBITALE_SUPERIUS_LEFT ORBITALE_SUPERIUS_RIGHT "
    "SUPERCILIARE_LEFT SUPERCILIARE_RIGHT NASION SELLION ALARE_LEFT ALARE_RIGHT PRONASALE SUBNASALE "
    "SUBALARE ALAR_CURVATURE_LEFT ALAR_CURVATURE_RIGHT MAXILLOFRONTALE CHRISTA_PHILTRA_LANDMARK_LEFT "
    "CHRISTA_PHILTRA_LANDMARK_RIGHT LABIALE_SUPERIUS LABIALE_INFERIUS CHEILION_LEFT CHEILION_RIGHT "
    "STOMION SUPERAURALE_LEFT SUPERAURALE_RIGHT SUBAURALE_LEFT SUBAURALE_RIGHT PREAURALE POSTAURALE "
    "OTOBASION_SUPERIUS_LEFT OTOBASION_SUPERIUS_RIGHT OTOBASION_INFERIUS PORION TRAGION",
    start=0,
)
"""An anthropometric landmark by its name."""

AnthropometricPointId = IntEnum(
    "AnthropometricPointId",
    "V G OP EU_LEFT EU_RIGHT FT_LEFT FT_RIGHT TR ZY_LEFT ZY_RIGHT GO_LEFT GO_RIGHT SL PG GN CDL_LEFT "
    "CDL_RIGHT EN_LEFT EN_RIGHT EX_LEFT EX_RIGHT P_LEFT P_RIGHT OR_LEFT OR_RIGHT PS_LEFT PS_RIGHT PI_LEFT "
    "PI_RIGHT OS_LEFT OS_RIGHT SCI_LEFT SCI_RIGHT N SE AL_LEFT AL_RIGHT PRN SN SBAL AC_LEFT AC_RIGHT "
    "MF_LEFT MF_RIGHT CPH_LEFT CPH_RIGHT LS LI CH_LEFT CH_RIGHT STO SA_LEFT SA_RIGHT SBA_LEFT SBA_RIGHT "
    "PRA_LEFT PRA_RIGHT PA OBS_LEFT OBS_RIGHT OBI PO T",
    start=0,
)
"""An anthropometric landmark by the abbreviation of its name."""


def point_code(point: Mpeg4Point | AnthropometricPoint) -> int:
    """Return the code of the point in a 19794-5 record: the group and the number, four bits each."""
    _, group, number = point.name.split("_")
    return int(group) << 4 | int(number)


# This software makes use of the schemas from ISO/IEC 39794-1 and ISO/IEC 39794-5 (modules
# ID-ICAO-ISO-IEC-39794-1-ed-1-v1 and ID-ICAO-ISO-IEC-39794-5-ed-1-v1) within modifications permitted in
# the relevant ISO/IEC standards. Please reproduce this note if possible.
#
# Use of ISO/IEC copyright in this Schema is licensed for the purpose of developing, implementing, and using
# software based on this Schema, subject to the following conditions:
#
# * Software developed from this Schema must retain the Copyright Notice, this list of conditions and the
#   disclaimer below ("Disclaimer").
#
# * Neither the name or logo of ISO or of IEC, nor the names of specific contributors, may be used to
#   endorse or promote software derived from this Schema without specific prior written permission.
#
# * The software developer shall attribute the Schema to ISO/IEC and identify the ISO/IEC standard from
#   which it is taken. Such attribution (e.g., "This software makes use of the Schema from ISO/IEC 39794-5
#   within modifications permitted in the relevant ISO/IEC standard. Please reproduce this note if
#   possible."), may be placed in the software itself or any other reasonable location.
#
# The Disclaimer is:
# THE SCHEMA ON WHICH THIS SOFTWARE IS BASED IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"
# AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF
# MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT OWNER
# OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
# DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR
# PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT,
# STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THE
# CODE COMPONENTS, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.


_UNLIMITED: Final = Integer(0, None)
_SHORT: Final = Integer(0, 0xFFFF)
_FLAG: Final = Boolean()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionBlock:
    """Edition of the standard: generation 3 and year 2019 for the first."""

    generation: Annotated[int, Tagged(0, Integer(3, 0xFFFF))]
    year: Annotated[int, Tagged(1, Integer(2019, 9999))]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryIdBlock:
    """A registered organisation, and its number of a product or an algorithm."""

    organization: Annotated[int, Tagged(0, Integer(1, 0xFFFF))]
    id: Annotated[int, Tagged(1, Integer(1, 0xFFFF))]


_REGISTRY_ID: Final = Sequence(RegistryIdBlock, extensible=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTimeBlock:
    """A time in UTC, as exact as it is known."""

    year: Annotated[int, Tagged(0, Integer(0, 9999))]
    month: Annotated[int | None, Tagged(1, Integer(1, 12))] = None
    day: Annotated[int | None, Tagged(2, Integer(1, 31))] = None
    hour: Annotated[int | None, Tagged(3, Integer(0, 23))] = None
    minute: Annotated[int | None, Tagged(4, Integer(0, 59))] = None
    second: Annotated[int | None, Tagged(5, Integer(0, 59))] = None
    millisecond: Annotated[int | None, Tagged(6, Integer(0, 999))] = None


_DATE_TIME: Final = Sequence(DateTimeBlock, extensible=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOrError:
    """A score, 0..100 and higher is better, or why there is none (``codes.ScoringError39794``)."""

    score: Annotated[int | None, Tagged(0, Integer(0, 100))] = None
    error: Annotated[int | None, Tagged(1, ExtensibleCode(ScoringError39794))] = None


_SCORE_OR_ERROR: Final = Alternatives(ScoreOrError)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityBlock39794:
    """The quality score that one algorithm gives the image."""

    algorithm_id: Annotated[RegistryIdBlock, Tagged(0, _REGISTRY_ID)]
    score_or_error: Annotated[ScoreOrError, Tagged(1, _SCORE_OR_ERROR)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PadScoreBlock:
    """The score that one mechanism of presentation attack detection gives."""

    mechanism_id: Annotated[RegistryIdBlock, Tagged(0, _REGISTRY_ID)]
    score_or_error: Annotated[ScoreOrError, Tagged(1, _SCORE_OR_ERROR)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedDataBlock:
    """Data of a registered type."""

    data_type_id: Annotated[RegistryIdBlock, Tagged(0, _REGISTRY_ID)]
    data: Annotated[bytes, Tagged(1, Octets())]


@dataclass(frozen=True, slots=True, kw_only=True)
class PadDataBlock:
    """What presentation attack detection found when the image was taken; the issuer's claim."""

    decision: Annotated[int | None, Tagged(0, ExtensibleCode(PadDecision39794))] = None
    scores: Annotated[tuple[PadScoreBlock, ...] | None, Tagged(1, SequenceOf(Sequence(PadScoreBlock)))] = None
    extended_data: Annotated[
        tuple[ExtendedDataBlock, ...] | None,
        Tagged(2, SequenceOf(Sequence(ExtendedDataBlock, extensible=False))),
    ] = None
    capture_context: Annotated[int | None, Tagged(3, ExtensibleCode(PadContext39794))] = None
    supervision_level: Annotated[int | None, Tagged(4, ExtensibleCode(PadSupervision39794))] = None
    risk_level: Annotated[int | None, Tagged(5, Integer(0, 100))] = None
    criteria_category: Annotated[int | None, Tagged(6, ExtensibleCode(PadCriteria39794))] = None
    parameter: Annotated[bytes | None, Tagged(7, Octets())] = None
    challenges: Annotated[tuple[bytes, ...] | None, Tagged(8, SequenceOf(Octets()))] = None
    capture_date_time: Annotated[DateTimeBlock | None, Tagged(9, _DATE_TIME)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureDeviceBlock:
    """The device that took the image."""

    model_id: Annotated[RegistryIdBlock | None, Tagged(0, _REGISTRY_ID)] = None
    certification_ids: Annotated[tuple[RegistryIdBlock, ...] | None, Tagged(1, SequenceOf(_REGISTRY_ID))] = (
        None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertiesBlock:
    """Properties of the face; None for one that is not stated."""

    glasses: Annotated[bool | None, Tagged(0, _FLAG)] = None
    moustache: Annotated[bool | None, Tagged(1, _FLAG)] = None
    beard: Annotated[bool | None, Tagged(2, _FLAG)] = None
    teeth_visible: Annotated[bool | None, Tagged(3, _FLAG)] = None
    pupil_or_iris_not_visible: Annotated[bool | None, Tagged(4, _FLAG)] = None
    mouth_open: Annotated[bool | None, Tagged(5, _FLAG)] = None
    left_eye_patch: Annotated[bool | None, Tagged(6, _FLAG)] = None
    right_eye_patch: Annotated[bool | None, Tagged(7, _FLAG)] = None
    dark_glasses: Annotated[bool | None, Tagged(8, _FLAG)] = None
    biometric_absent: Annotated[bool | None, Tagged(9, _FLAG)] = None
    head_coverings_present: Annotated[bool | None, Tagged(10, _FLAG)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpressionBlock:
    """Expressions; None for one that is not stated."""

    neutral: Annotated[bool | None, Tagged(0, _FLAG)] = None
    smile: Annotated[bool | None, Tagged(1, _FLAG)] = None
    raised_eyebrows: Annotated[bool | None, Tagged(2, _FLAG)] = None
    eyes_looking_away_from_the_camera: Annotated[bool | None, Tagged(3, _FLAG)] = None
    squinting: Annotated[bool | None, Tagged(4, _FLAG)] = None
    frowning: Annotated[bool | None, Tagged(5, _FLAG)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AngleDataBlock:
    """An angle in degrees, -180..180, and its uncertainty, 0..180."""

    angle_value: Annotated[int, Tagged(0, Integer(-180, 180))]
    angle_uncertainty: Annotated[int | None, Tagged(1, Integer(0, 180))] = None


_ANGLE: Final = Sequence(AngleDataBlock)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseAngleBlock:
    """The pose of the head; the signs are those of ``pose``."""

    yaw_angle: Annotated[AngleDataBlock | None, Tagged(0, _ANGLE)] = None
    pitch_angle: Annotated[AngleDataBlock | None, Tagged(1, _ANGLE)] = None
    roll_angle: Annotated[AngleDataBlock | None, Tagged(2, _ANGLE)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityMetadataBlock:
    """The person; ``subject_height`` is in millimetres, 1..65535."""

    gender: Annotated[int | None, Tagged(0, ExtensibleCode(Gender39794))] = None
    eye_colour: Annotated[int | None, Tagged(1, ExtensibleCode(EyeColour39794))] = None
    hair_colour: Annotated[int | None, Tagged(2, ExtensibleCode(HairColour39794))] = None
    subject_height: Annotated[int | None, Tagged(3, Integer(1, 0xFFFF))] = None
    properties: Annotated[PropertiesBlock | None, Tagged(4, Sequence(PropertiesBlock))] = None
    expression: Annotated[ExpressionBlock | None, Tagged(5, Sequence(ExpressionBlock))] = None
    pose_angle: Annotated[PoseAngleBlock | None, Tagged(6, Sequence(PoseAngleBlock, extensible=False))] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnthropometricLandmark:
    """An anthropometric landmark by its name, the number of its point, or its abbreviation: one of them."""

    name: Annotated[int | None, Tagged(0, ExtensibleCode(AnthropometricName))] = None
    point_name: Annotated[int | None, Tagged(1, ExtensibleCode(AnthropometricPoint))] = None
    point_id: Annotated[int | None, Tagged(2, ExtensibleCode(AnthropometricPointId))] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkKind:
    """A feature point of MPEG-4 (``landmark_codes.Mpeg4Point``) or an anthropometric landmark."""

    mpeg4_feature_point: Annotated[int | None, Tagged(0, ExtensibleCode(Mpeg4Point))] = None
    anthropometric_landmark: Annotated[
        AnthropometricLandmark | None, Tagged(1, Base(Alternatives(AnthropometricLandmark)))
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinateCartesian2DBlock:
    """A place in the image, in pixels from the top left corner."""

    x: Annotated[int, Tagged(0, _SHORT)]
    y: Annotated[int, Tagged(1, _SHORT)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinateTextureImageBlock:
    """A place in the texture of a 3-D shape, in pixels."""

    u_in_pixel: Annotated[int, Tagged(0, _UNLIMITED)]
    v_in_pixel: Annotated[int, Tagged(1, _UNLIMITED)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinateCartesian3DBlock:
    """A place in space."""

    x: Annotated[int, Tagged(0, _SHORT)]
    y: Annotated[int, Tagged(1, _SHORT)]
    z: Annotated[int, Tagged(2, _SHORT)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkCoordinates:
    """The place of a landmark, in one of three systems."""

    cartesian_2d: Annotated[
        CoordinateCartesian2DBlock | None,
        Tagged(0, Sequence(CoordinateCartesian2DBlock, extensible=False)),
    ] = None
    texture_image: Annotated[
        CoordinateTextureImageBlock | None,
        Tagged(1, Sequence(CoordinateTextureImageBlock, extensible=False)),
    ] = None
    cartesian_3d: Annotated[
        CoordinateCartesian3DBlock | None,
        Tagged(2, Sequence(CoordinateCartesian3DBlock, extensible=False)),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkBlock:
    """A landmark; the kind is None if it is given by an extension only."""

    landmark_kind: Annotated[LandmarkKind | None, Tagged(0, Base(Alternatives(LandmarkKind)))]
    landmark_coordinates: Annotated[
        LandmarkCoordinates | None, Tagged(1, Base(Alternatives(LandmarkCoordinates)))
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureDeviceSpectral2DBlock:
    """The light to which the device is sensitive; None for one that is not stated."""

    white_light: Annotated[bool | None, Tagged(0, _FLAG)] = None
    near_infrared: Annotated[bool | None, Tagged(1, _FLAG)] = None
    thermal: Annotated[bool | None, Tagged(2, _FLAG)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureDevice2DBlock:
    """The kind of device that took the image."""

    spectral: Annotated[
        CaptureDeviceSpectral2DBlock | None, Tagged(0, Sequence(CaptureDeviceSpectral2DBlock))
    ] = None
    technology_id: Annotated[int | None, Tagged(1, ExtensibleCode(CaptureTechnology39794))] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostAcquisitionProcessingBlock:
    """Processing of the image after it was taken; None for one that is not stated."""

    rotated: Annotated[bool | None, Tagged(0, _FLAG)] = None
    cropped: Annotated[bool | None, Tagged(1, _FLAG)] = None
    down_sampled: Annotated[bool | None, Tagged(2, _FLAG)] = None
    white_balance_adjusted: Annotated[bool | None, Tagged(3, _FLAG)] = None
    multiply_compressed: Annotated[bool | None, Tagged(4, _FLAG)] = None
    interpolated: Annotated[bool | None, Tagged(5, _FLAG)] = None
    contrast_stretched: Annotated[bool | None, Tagged(6, _FLAG)] = None
    pose_corrected: Annotated[bool | None, Tagged(7, _FLAG)] = None
    multi_view_image: Annotated[bool | None, Tagged(8, _FLAG)] = None
    age_progressed: Annotated[bool | None, Tagged(9, _FLAG)] = None
    super_resolution_processed: Annotated[bool | None, Tagged(10, _FLAG)] = None
    normalised: Annotated[bool | None, Tagged(11, _FLAG)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSizeBlock:
    """Declared size of the image in pixels."""

    width: Annotated[int, Tagged(0, _SHORT)]
    height: Annotated[int, Tagged(1, _SHORT)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFaceMeasurementsBlock:
    """Distances in the face, in pixels of the image."""

    image_head_width: Annotated[int | None, Tagged(0, _UNLIMITED)] = None
    image_inter_eye_distance: Annotated[int | None, Tagged(1, _UNLIMITED)] = None
    image_eye_to_mouth_distance: Annotated[int | None, Tagged(2, _UNLIMITED)] = None
    image_head_length: Annotated[int | None, Tagged(3, _UNLIMITED)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceColourBlock:
    """A reference colour: its definition and its value in the image."""

    definition: Annotated[bytes | None, Tagged(0, Octets())] = None
    value: Annotated[bytes | None, Tagged(1, Octets())] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceColourMappingBlock:
    """The reference colours of the image."""

    schema: Annotated[bytes | None, Tagged(0, Octets())] = None
    definitions_and_values: Annotated[
        tuple[ReferenceColourBlock, ...] | None, Tagged(1, SequenceOf(Sequence(ReferenceColourBlock)))
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInformation2DBlock:
    """The image; ``image_data_format`` is None if only an extension gives it. Distances in millimetres."""

    image_data_format: Annotated[int | None, Tagged(0, Base(Enumerated(ImageDataFormat39794)))]
    face_image_kind: Annotated[int | None, Tagged(1, ExtensibleCode(FaceImageKind39794))] = None
    post_acquisition_processing: Annotated[
        PostAcquisitionProcessingBlock | None, Tagged(2, Sequence(PostAcquisitionProcessingBlock))
    ] = None
    lossy_transformation_attempts: Annotated[int | None, Tagged(3, ExtensibleCode(LossyAttempts39794))] = None
    camera_to_subject_distance: Annotated[int | None, Tagged(4, Integer(0, 50_000))] = None
    sensor_diagonal: Annotated[int | None, Tagged(5, Integer(0, 2_000))] = None
    lens_focal_length: Annotated[int | None, Tagged(6, Integer(0, 2_000))] = None
    image_size: Annotated[ImageSizeBlock | None, Tagged(7, Sequence(ImageSizeBlock, extensible=False))] = None
    image_face_measurements: Annotated[
        ImageFaceMeasurementsBlock | None, Tagged(8, Sequence(ImageFaceMeasurementsBlock))
    ] = None
    image_colour_space: Annotated[int | None, Tagged(9, ExtensibleCode(ColourSpace39794))] = None
    reference_colour_mapping: Annotated[
        ReferenceColourMappingBlock | None, Tagged(10, Sequence(ReferenceColourMappingBlock))
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRepresentation2DBlock:
    """The image file, what is known about it, and the device that took it."""

    representation_data: Annotated[bytes, Tagged(0, Octets())] = field(repr=False)
    image_information: Annotated[ImageInformation2DBlock, Tagged(1, Sequence(ImageInformation2DBlock))]
    capture_device: Annotated[CaptureDevice2DBlock | None, Tagged(2, Sequence(CaptureDevice2DBlock))] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepresentationBlock:
    """One face. ``image_representation`` is None if the block has no 2-D image that the profile knows."""

    representation_id: Annotated[int, Tagged(0, _UNLIMITED)]
    image_representation: Annotated[
        ImageRepresentation2DBlock | None,
        Tagged(1, Base(Base(Sequence(ImageRepresentation2DBlock), extensible=False))),
    ]
    capture_date_time: Annotated[DateTimeBlock | None, Tagged(2, _DATE_TIME)] = None
    quality: Annotated[
        tuple[QualityBlock39794, ...] | None, Tagged(3, SequenceOf(Sequence(QualityBlock39794)))
    ] = None
    pad_data: Annotated[PadDataBlock | None, Tagged(4, Sequence(PadDataBlock))] = None
    session_id: Annotated[int | None, Tagged(5, _UNLIMITED)] = None
    derived_from: Annotated[int | None, Tagged(6, _UNLIMITED)] = None
    capture_device: Annotated[CaptureDeviceBlock | None, Tagged(7, Sequence(CaptureDeviceBlock))] = None
    identity_metadata: Annotated[IdentityMetadataBlock | None, Tagged(8, Sequence(IdentityMetadataBlock))] = (
        None
    )
    landmarks: Annotated[
        tuple[LandmarkBlock, ...] | None,
        Tagged(9, SequenceOf(Sequence(LandmarkBlock), most=MOST_LANDMARKS)),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceImageDataBlock:
    """The content of a record: its edition and one representation block."""

    version: Annotated[VersionBlock, Tagged(0, Sequence(VersionBlock))]
    representations: Annotated[
        tuple[RepresentationBlock, ...],
        Tagged(1, SequenceOf(Sequence(RepresentationBlock), most=1)),
    ]
