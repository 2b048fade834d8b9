"""Facial records of ISO/IEC 39794-5 in the ICAO application profile: typed blocks, reader and writer."""

from matcher.records.iso_39794.blocks import (
    AngleDataBlock,
    AnthropometricPoint,
    DateTimeBlock,
    ImageSizeBlock,
    LandmarkBlock,
    LandmarkCoordinates,
    LandmarkKind,
    Mpeg4Point,
    RegistryIdBlock,
    RepresentationBlock,
    ScoreOrError,
)
from matcher.records.iso_39794.record import (
    FORMAT_39794,
    Record39794,
    count_39794,
    parse_39794,
    recognise_39794,
)

__all__ = [
    "FORMAT_39794",
    "AngleDataBlock",
    "AnthropometricPoint",
    "DateTimeBlock",
    "ImageSizeBlock",
    "LandmarkBlock",
    "LandmarkCoordinates",
    "LandmarkKind",
    "Mpeg4Point",
    "Record39794",
    "RegistryIdBlock",
    "RepresentationBlock",
    "ScoreOrError",
    "count_39794",
    "parse_39794",
    "recognise_39794",
]
