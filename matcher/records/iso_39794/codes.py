"""The codes of an ISO/IEC 39794-5 record, in the ICAO application profile.

Most differ from the codes of ISO/IEC 19794-5. Left and right are those of the person. The names of landmarks
are those of the schema, whose notice stands in ``blocks``; their codes count from 0.
"""

from enum import IntEnum

__all__ = [
    "AnthropometricName",
    "AnthropometricPoint",
    "AnthropometricPointId",
    "CaptureTechnology39794",
    "ColourSpace39794",
    "EyeColour39794",
    "FaceImageKind39794",
    "Gender39794",
    "HairColour39794",
    "ImageDataFormat39794",
    "LossyAttempts39794",
    "Mpeg4Point",
    "PadContext39794",
    "PadCriteria39794",
    "PadDecision39794",
    "PadSupervision39794",
    "ScoringError39794",
    "point_code",
]


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
    """Returns the code of the point in a 19794-5 record: the group and the number, four bits each."""
    _, group, number = point.name.split("_")
    return int(group) << 4 | int(number)
