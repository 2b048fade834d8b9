"""The codes of a facial record.

Records keep every number unchanged, so that vendors' and reserved codes are not lost. The classes here name
the codes that the standard names. Sources: ISO/IEC 19794-5:2005, 5.5 to 5.7, and 19794-5:2011, tables 6 to 20
(codes as several independent implementations read them).
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from functools import cache
from types import MappingProxyType
from typing import Final, TypeVar

from formats.image_format import ImageHeader


class Gender(IntEnum):
    """Gender of the subject."""

    UNSPECIFIED = 0
    MALE = 1
    FEMALE = 2
    UNKNOWN_3 = 3
    """Unknown, as some writers of 2005 records code it."""
    UNKNOWN = 0xFF


class EyeColour(IntEnum):
    """Eye colour (not the codes of INCITS 385, which differ)."""

    UNSPECIFIED = 0
    BLACK = 1
    BLUE = 2
    BROWN = 3
    GREY = 4
    GREEN = 5
    MULTI_COLOURED = 6
    PINK = 7
    UNKNOWN_8 = 8
    """Unknown, as some writers of 2005 records code it."""
    UNKNOWN = 0xFF


class HairColour(IntEnum):
    """Hair colour."""

    UNSPECIFIED = 0
    BALD = 1
    BLACK = 2
    BLONDE = 3
    BROWN = 4
    GREY = 5
    WHITE = 6
    RED = 7
    GREEN = 8
    BLUE = 9
    UNKNOWN = 0xFF


class Expression2005(IntEnum):
    """The one expression of a 2005 record; codes from 0x8000 are a vendor's."""

    UNSPECIFIED = 0
    NEUTRAL = 1
    SMILE_CLOSED = 2
    SMILE_OPEN = 3
    RAISED_EYEBROWS = 4
    EYES_LOOKING_AWAY = 5
    SQUINTING = 6
    FROWNING = 7


class FaceImageType2005(IntEnum):
    """The rules that the image of a 2005 record follows."""

    BASIC = 0
    FULL_FRONTAL = 1
    TOKEN_FRONTAL = 2
    OTHER = 3


class FaceImageType2011(IntEnum):
    """The rules that the image of a 2011 record follows."""

    BASIC = 0
    FULL_FRONTAL = 1
    TOKEN_FRONTAL = 2
    POST_PROCESSED_FRONTAL = 3
    BASIC_3D = 0x80
    FULL_FRONTAL_3D = 0x81
    TOKEN_FRONTAL_3D = 0x82


class ImageDataType2005(IntEnum):
    """The coding of the image of a 2005 record."""

    JPEG = 0
    JPEG_2000 = 1


class ImageDataType2011(IntEnum):
    """The coding of the image of a 2011 record."""

    JPEG = 0
    JPEG_2000_LOSSY = 1
    JPEG_2000_LOSSLESS = 2
    PNG = 3


class ColourSpace2005(IntEnum):
    """Colour space of a 2005 record; codes from 128 are a vendor's."""

    UNSPECIFIED = 0
    RGB_24 = 1
    YUV_422 = 2
    GREY_8 = 3
    OTHER = 4


class ColourSpace2011(IntEnum):
    """Colour space of a 2011 record; codes from 128 are a vendor's."""

    UNSPECIFIED = 0
    RGB_24 = 1
    YUV_422 = 2
    GREY_8 = 3
    RGB_48 = 4
    GREY_16 = 5
    OTHER = 6


class CaptureSource(IntEnum):
    """Source type (2005) or capture device technology (2011); codes from 128 are a vendor's."""

    UNSPECIFIED = 0
    STATIC_PHOTO_UNKNOWN = 1
    STATIC_PHOTO_DIGITAL_CAMERA = 2
    STATIC_PHOTO_SCANNER = 3
    VIDEO_FRAME_UNKNOWN = 4
    VIDEO_FRAME_ANALOGUE = 5
    VIDEO_FRAME_DIGITAL = 6
    UNKNOWN = 7


class LandmarkType(IntEnum):
    """The code system of a landmark. Other values are reserved by the standard."""

    MPEG_4 = 1
    """A feature point of MPEG-4, in pixels of the image; the only type of 2005."""
    ANTHROPOMETRIC_2D = 2
    ANTHROPOMETRIC_3D = 3


class Feature(StrEnum):
    """A property of the face in the features (2005) or property (2011) mask."""

    GLASSES = "GLASSES"
    MOUSTACHE = "MOUSTACHE"
    BEARD = "BEARD"
    TEETH_VISIBLE = "TEETH_VISIBLE"
    BLINK = "BLINK"
    MOUTH_OPEN = "MOUTH_OPEN"
    LEFT_EYE_PATCH = "LEFT_EYE_PATCH"
    RIGHT_EYE_PATCH = "RIGHT_EYE_PATCH"
    DARK_GLASSES = "DARK_GLASSES"
    HEAD_COVERING = "HEAD_COVERING"
    """Only in 2011 records."""
    DISTORTING_CONDITION = "DISTORTING_CONDITION"


class Expression(StrEnum):
    """An expression, of either version."""

    NEUTRAL = "NEUTRAL"
    SMILE = "SMILE"
    """Only in 2011 records."""
    SMILE_CLOSED = "SMILE_CLOSED"
    """Only in 2005 records: with a closed jaw."""
    SMILE_OPEN = "SMILE_OPEN"
    """Only in 2005 records: with an open jaw."""
    RAISED_EYEBROWS = "RAISED_EYEBROWS"
    EYES_LOOKING_AWAY = "EYES_LOOKING_AWAY"
    SQUINTING = "SQUINTING"
    FROWNING = "FROWNING"


class PostAcquisition(StrEnum):
    """Processing of the image after it was taken (2011)."""

    ROTATED = "ROTATED"
    CROPPED = "CROPPED"
    DOWN_SAMPLED = "DOWN_SAMPLED"
    WHITE_BALANCE_ADJUSTED = "WHITE_BALANCE_ADJUSTED"
    MULTIPLY_COMPRESSED = "MULTIPLY_COMPRESSED"
    INTERPOLATED = "INTERPOLATED"
    CONTRAST_STRETCHED = "CONTRAST_STRETCHED"
    POSE_CORRECTED = "POSE_CORRECTED"
    MULTI_VIEW = "MULTI_VIEW"
    AGE_PROCESSED = "AGE_PROCESSED"
    SUPER_RESOLUTION = "SUPER_RESOLUTION"


_FACE = (
    Feature.GLASSES,
    Feature.MOUSTACHE,
    Feature.BEARD,
    Feature.TEETH_VISIBLE,
    Feature.BLINK,
    Feature.MOUTH_OPEN,
    Feature.LEFT_EYE_PATCH,
    Feature.RIGHT_EYE_PATCH,
    Feature.DARK_GLASSES,
)
FEATURE_BITS_2005: Final[Mapping[int, Feature]] = MappingProxyType(
    dict(enumerate((*_FACE, Feature.DISTORTING_CONDITION), start=1))
)
"""Bit of the 2005 mask, from the lowest; bit 0 states that features are specified."""
FEATURE_BITS_2011: Final[Mapping[int, Feature]] = MappingProxyType(
    dict(enumerate((*_FACE, Feature.HEAD_COVERING, Feature.DISTORTING_CONDITION), start=1))
)
"""Bit of the 2011 mask, from the lowest; bit 0 states that properties are specified."""
EXPRESSION_BITS_2011: Final[Mapping[int, Expression]] = MappingProxyType(
    {
        1: Expression.NEUTRAL,
        2: Expression.SMILE,
        3: Expression.RAISED_EYEBROWS,
        4: Expression.EYES_LOOKING_AWAY,
        5: Expression.SQUINTING,
        6: Expression.FROWNING,
    }
)
"""Bit of the 2011 expression mask; bit 0 states that expressions are specified, 12 to 15 are a vendor's."""
POST_ACQUISITION_BITS: Final[Mapping[int, PostAcquisition]] = MappingProxyType(
    dict(enumerate(PostAcquisition))
)
"""Bit of the post-acquisition mask."""

SAMPLING_RATE_BOUNDS: Final = (180, 240, 300, 370, 480, 610, 750)
"""Widths of a head in pixels at which the spatial sampling rate levels 1 to 7 begin."""

_SPECIFIED: Final = 1
_VENDOR: Final = 0x80
_VENDOR_WORD: Final = 0x8000
_PLAIN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "UNKNOWN_3": "unknown (3)",
        "UNKNOWN_8": "unknown (8)",
        "RGB_24": "24-bit RGB",
        "RGB_48": "48-bit RGB",
        "GREY_8": "8-bit grey",
        "GREY_16": "16-bit grey",
        "YUV_422": "YUV 4:2:2",
        "JPEG": "JPEG",
        "JPEG_2000": "JPEG 2000",
        "JPEG_2000_LOSSY": "JPEG 2000 lossy",
        "JPEG_2000_LOSSLESS": "JPEG 2000 lossless",
        "PNG": "PNG",
        "MPEG_4": "MPEG-4",
        "ANTHROPOMETRIC_2D": "anthropometric 2-D",
        "ANTHROPOMETRIC_3D": "anthropometric 3-D",
        "BASIC_3D": "basic 3-D",
        "FULL_FRONTAL_3D": "full frontal 3-D",
        "TOKEN_FRONTAL_3D": "token frontal 3-D",
    }
)
"""Words for members, by name, because members of different enumerations can be equal."""
_VENDORS: Final[Mapping[type[IntEnum], int]] = MappingProxyType(
    {
        CaptureSource: _VENDOR,
        ColourSpace2005: _VENDOR,
        ColourSpace2011: _VENDOR,
        Expression2005: _VENDOR_WORD,
    }
)

_Code = TypeVar("_Code", bound=IntEnum)
_Flag = TypeVar("_Flag", bound=StrEnum)


@cache
def _members(kind: type[IntEnum]) -> Mapping[int, int]:
    """Return the members by code. A look-up here is several times cheaper than in the enumeration."""
    return {int(member): member for member in kind}


def named(kind: type[IntEnum], code: int) -> int:
    """Return the member of ``kind`` for ``code``; the code itself if the standard names none."""
    return _members(kind).get(code, code)


def describe_code(kind: type[IntEnum], code: int) -> str:
    """Return the code in words: ``"full frontal"``, ``"vendor code 0x81"`` or ``"reserved code 0x07"``."""
    member = code if isinstance(code, IntEnum) else named(kind, code)
    if isinstance(member, IntEnum):
        return _PLAIN.get(member.name) or member.name.lower().replace("_", " ")
    whose = "vendor" if kind in _VENDORS and code >= _VENDORS[kind] else "reserved"
    return f"{whose} code {code:#04x}"


def flags_of(mask: int, bits: Mapping[int, _Flag]) -> frozenset[_Flag] | None:
    """Return the flags of a mask; None if it specifies none.

    Some writers set flags without bit 0, which states that flags are specified; the flags count.
    """
    if not mask:
        return None
    return frozenset(flag for bit, flag in bits.items() if mask >> bit & 1)


def mask_of(flags: frozenset[_Flag] | None, bits: Mapping[int, _Flag], *, specified: bool = True) -> int:
    """Return the mask for ``flags``, each of which has a bit.

    Args:
        flags: The flags; None for "not specified", the mask 0.
        specified: Whether bit 0 of the mask states that flags are specified.
    """
    if flags is None:
        return 0
    positions = {flag: bit for bit, flag in bits.items()}
    return sum((1 << positions[flag] for flag in flags), _SPECIFIED if specified else 0)


def bits_of(mask: int, bits: Mapping[int, StrEnum], *, specified: bool = True) -> Sequence[int]:
    """Return the bits that are set and that the standard does not name.

    Args:
        mask: Any mask, not negative.
        specified: Whether bit 0 of the mask states that flags are specified.
    """
    return tuple(
        bit
        for bit in range(mask.bit_length())
        if mask >> bit & 1 and bit not in bits and (bit or not specified)
    )


def sampling_rate_level(head_width: float) -> int:
    """Return the spatial sampling rate level, 0..7, for a head of ``head_width`` pixels (2011, table 18)."""
    return sum(head_width >= bound for bound in SAMPLING_RATE_BOUNDS)


def colour_space_of(header: ImageHeader, kind: type[_Code]) -> _Code:
    """Return the colour space of an image as ``kind`` codes it: OTHER unless it names that many bits."""
    deep = header.bits_per_channel > 8
    grey, colour = ("GREY_16", "RGB_48") if deep else ("GREY_8", "RGB_24")
    name = {1: grey, 3: colour}.get(header.channels, "OTHER")
    return kind[name] if name in kind.__members__ else kind["OTHER"]
