"""Facial records of ISO/IEC 39794-5 in the ICAO application profile: typed blocks, reader and writer."""

from matcher.records.iso_39794.blocks import (
    AnthropometricPoint,
    Mpeg4Point,
    RepresentationBlock,
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
    "AnthropometricPoint",
    "Mpeg4Point",
    "Record39794",
    "RepresentationBlock",
    "count_39794",
    "parse_39794",
    "recognise_39794",
]
