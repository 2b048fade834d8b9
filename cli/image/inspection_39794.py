"""The blocks of an ISO/IEC 39794-5 record, as rows for people and as values for programs.

Fields come in the order of the schema, under its names in words, without those that the record leaves out.
"""

import dataclasses
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, Final

from matcher.records import describe_code
from matcher.records.iso_39794 import (
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

__all__ = ["block_json", "block_rows"]

_INDENT: Final = "  "
_LONGEST_SHOWN: Final = 24
_UNITS: Final = {
    "subject_height": "mm",
    "camera_to_subject_distance": "mm",
    "sensor_diagonal": "mm",
    "lens_focal_length": "mm",
    "image_head_width": "px",
    "image_inter_eye_distance": "px",
    "image_eye_to_mouth_distance": "px",
    "image_head_length": "px",
}


def block_rows(face: RepresentationBlock) -> tuple[tuple[str, str], ...]:
    """Returns the fields of a face as (name, value); names of nested fields are indented.

    Args:
        face: The face as coded.
    """
    return tuple(_rows(face, ""))


def block_json(block: object) -> dict[str, Any]:
    """Returns the fields of a block as values: codes with number and word, octets as hexadecimal digits.

    The image is not among them.

    Args:
        block: A dataclass of ``matcher.records.iso_39794.blocks``.
    """
    return {name: _value(value) for name, value in _fields(block) if name != "representation_data"}


def _fields(block: object) -> Iterator[tuple[str, object]]:
    for field in dataclasses.fields(block):  # type: ignore[arg-type]  # a dataclass, always
        value = getattr(block, field.name)
        if value is not None:
            yield field.name, value


def _value(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return block_json(value)
    if isinstance(value, tuple):
        return [_value(one) for one in value]
    if isinstance(value, IntEnum):
        return {"code": int(value), "meaning": _word(value)}
    return value.hex() if isinstance(value, bytes) else value


def _rows(block: object, indent: str) -> Iterator[tuple[str, str]]:
    for name, value in _fields(block):
        if name == "representation_data":
            continue
        title = indent + name.replace("_", " ")
        if isinstance(value, tuple):
            yield title, str(len(value))
            for number, one in enumerate(value, start=1):
                yield from _item(number, one, indent + _INDENT)
        elif (shown := _shown(value, name)) is not None:
            yield title, shown
        else:
            yield title, ""
            yield from _rows(value, indent + _INDENT)


def _item(number: int, value: object, indent: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, LandmarkBlock):
        yield indent + _landmark(value.landmark_kind), _place(value.landmark_coordinates)
    elif (shown := _shown(value)) is not None:
        yield f"{indent}{number}", shown
    else:
        yield f"{indent}{number}", ""
        yield from _rows(value, indent + _INDENT)


def _shown(value: object, name: str = "") -> str | None:
    """Returns the value in words; None for a block, which has its own rows."""
    if isinstance(value, IntEnum):
        return _word(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value} {_UNITS[name]}" if name in _UNITS else str(value)
    if isinstance(value, bytes):
        rest = "..." if len(value) > _LONGEST_SHOWN else ""
        return f"{len(value):,} bytes: {value[:_LONGEST_SHOWN].hex()}{rest}"
    if isinstance(value, RegistryIdBlock):
        return f"organization {value.organization}, number {value.id}"
    if isinstance(value, DateTimeBlock):
        return _moment(value)
    if isinstance(value, ImageSizeBlock):
        return f"{value.width} x {value.height}"
    if isinstance(value, AngleDataBlock):
        uncertainty = value.angle_uncertainty
        return f"{value.angle_value} degrees" + (
            "" if uncertainty is None else f", uncertain by {uncertainty}"
        )
    if isinstance(value, ScoreOrError):
        return str(value.score) if value.score is not None else _shown(value.error)
    flags = [(field, flag) for field, flag in _fields(value) if isinstance(flag, bool)]
    if flags and len(flags) == sum(1 for _ in _fields(value)):
        return ", ".join(field.replace("_", " ") for field, flag in flags if flag) or "none"
    return None


def _moment(block: DateTimeBlock) -> str:
    """Returns the stated parts of a time, such as ``"2024-01-20 13:23:09.908"``."""
    day = "-".join(
        f"{part:0{width}d}"
        for part, width in ((block.year, 4), (block.month, 2), (block.day, 2))
        if part is not None
    )
    time = ":".join(f"{part:02d}" for part in (block.hour, block.minute, block.second) if part is not None)
    thousandths = "" if block.millisecond is None else f".{block.millisecond:03d}"
    return f"{day} {time}{thousandths}".strip()


def _landmark(kind: LandmarkKind | None) -> str:
    if kind is None:
        return "of an extension"
    if kind.mpeg4_feature_point is not None:
        return f"{_point(kind.mpeg4_feature_point)} (MPEG-4)"
    known = kind.anthropometric_landmark
    codes = () if known is None else (known.name, known.point_name, known.point_id)
    code = next((code for code in codes if code is not None), None)
    return "of an extension" if code is None else f"{_point(code)} (anthropometric)"


def _point(code: int) -> str:
    if isinstance(code, Mpeg4Point | AnthropometricPoint):
        return code.name.removeprefix("POINT_").replace("_", ".")
    return _word(code) if isinstance(code, IntEnum) else f"reserved code {code}"


def _place(coordinates: LandmarkCoordinates | None) -> str:
    if coordinates is None:
        return "not given"
    for system in (coordinates.cartesian_2d, coordinates.texture_image, coordinates.cartesian_3d):
        if system is not None:
            return f"({', '.join(str(value) for _, value in _fields(system))})"
    return "not given"


def _word(code: IntEnum) -> str:
    if isinstance(code, Mpeg4Point | AnthropometricPoint):
        return _point(code)
    return describe_code(type(code), code)
