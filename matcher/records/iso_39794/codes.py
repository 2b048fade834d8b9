"""The codes of an ISO/IEC 39794-5 record, in the ICAO application profile; those of landmarks are beside it.

Most differ from the codes of ISO/IEC 19794-5. The notice of the schema stands in ``blocks``.
"""

from enum import IntEnum

__all__ = [
    "CaptureTechnology39794",
    "ColourSpace39794",
    "EyeColour39794",
    "FaceImageKind39794",
    "Gender39794",
    "HairColour39794",
    "ImageDataFormat39794",
    "LossyAttempts39794",
    "PadContext39794",
    "PadCriteria39794",
    "PadDecision39794",
    "PadSupervision39794",
    "ScoringError39794",
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
