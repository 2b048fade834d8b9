"""The content of an image file, as values for programs and, made from them, as rows for people.

The fields of an ISO/IEC 39794-5 record come in the order of the schema, without those that the record leaves
out.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Any, Final

from cli.shown import Section
from matcher.records import (
    CODES_2005,
    CODES_2011,
    Dg2,
    FacialRecord,
    Record2005,
    Record2011,
    Record39794,
    Representation,
    TrustedImageContent,
    describe_code,
    representations_of,
)
from matcher.records.iso_39794 import AnthropometricPoint, Mpeg4Point

_INDENT: Final = "  "
_LONGEST_SHOWN: Final = 64
_MOST_ON_A_LINE: Final = 7


def sections(content: TrustedImageContent, data: bytes) -> tuple[Section, ...]:
    """Return the content as names and values: the file, a DG2, a record, its faces, the image."""
    values = as_json(content, data)
    faces = values.pop("representations")
    titles = {"dg2": "ICAO DG2", "record": "Facial record", "picture": "Picture as found"}
    of_file = {name: values[name] for name in ("nesting", "container", "bytes")}
    found = [Section("File", tuple(_rows(of_file)))]
    for name, title in titles.items():
        if name == "picture":
            found += [
                Section(f"Face {face['position']} as declared", tuple(_rows(face.get("blocks", face))))
                for face in faces
            ]
        if values[name] is not None:
            found.append(Section(title, tuple(_rows(values[name]))))
    return tuple(found)


def _rows(values: Mapping[str, Any], indent: str = "") -> Iterator[tuple[str, str]]:
    """Yield values for programs as (name, value in words); names of nested fields are indented."""
    for name, value in values.items():
        title = indent + name.replace("_", " ")
        if (words := _words(value)) is not None:
            yield title, words
        elif isinstance(value, list):
            yield title, str(len(value))
            for number, one in enumerate(value, start=1):
                yield f"{indent}{_INDENT}{number}", _words(one) or ""
                if _words(one) is None:
                    yield from _rows(one, indent + 2 * _INDENT)
        else:
            yield title, ""
            yield from _rows(value, indent + _INDENT)


def _words(value: Any) -> str | None:
    """Return a value in words on one line; None if it needs rows of its own."""
    match value:
        case None:
            return "not given"
        case bool():
            return "yes" if value else "no"
        case str():
            return value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}..."
        case int() | float():
            return f"{value:g}" if isinstance(value, float) else str(value)
        case {"code": code, "meaning": meaning}:
            return meaning or f"code {code:#04x}"
        case dict() if value and all(isinstance(one, bool) for one in value.values()):
            return ", ".join(name.replace("_", " ") for name, one in value.items() if one) or "none"
        case dict():
            nested = any(isinstance(one, dict) and "code" not in one for one in value.values())
            parts = {name: _words(one) for name, one in value.items() if one is not None}
            if nested or None in parts.values() or len(parts) > _MOST_ON_A_LINE:
                return None
            return (
                ", ".join(f"{name.replace('_', ' ')} {words}" for name, words in parts.items()) or "not given"
            )
        case list():
            words = [_words(one) for one in value]
            if any(isinstance(one, dict) for one in value):
                return None
            return ", ".join(one.lower().replace("_", " ") for one in words if one) or "none"
    return str(value)


def as_json(content: TrustedImageContent, data: bytes) -> dict[str, Any]:
    """Return the content for programs, with every code as number and as word; no pixels."""
    record, header = content.record, content.header
    return {
        "bytes": len(data),
        "container": content.container.value,
        "nesting": nesting(content),
        "dg2": None if content.dg2 is None else _dg2_json(content.dg2),
        "record": None if record is None else _record_json(record),
        "representations": []
        if record is None
        else [
            _face_json(face, record)
            | (
                {
                    "expression_code": 0
                    if isinstance(record, Record39794)
                    else record.representations[face.position - 1].expression
                }
                if face.block_39794 is None
                else {"blocks": block_json(face.block_39794)}
            )
            for face in representations_of(record)
        ],
        "picture": {
            "media_type": content.media_type,
            "bytes": len(content.image),
            "offset": data.find(content.image),
            "width": None if header is None else header.width,
            "height": None if header is None else header.height,
            "channels": None if header is None else header.channels,
            "bits_per_channel": None if header is None else header.bits_per_channel,
            "exif_orientation": None if header is None else header.orientation,
        },
        "discrepancies": [
            {"kind": one.kind.value, "text": one.text, "declared": one.declared, "found": one.found}
            for one in content.discrepancies
        ],
    }


def nesting(content: TrustedImageContent) -> str:
    """Return the layers, outermost first, such as ``"ICAO DG2 > ISO/IEC 19794-5:2005 > image/jp2"``."""
    parts = []
    if content.dg2 is not None:
        parts.append("ICAO DG2")
    if isinstance(content.record, Record39794):
        parts.append(f"ISO/IEC 39794-5:{content.record.version.year}")
    elif content.record is not None:
        year = 2011 if isinstance(content.record, Record2011) else 2005
        parts.append(f"ISO/IEC 19794-5:{year}")
    parts.append(content.media_type or "unknown picture")
    return " > ".join(parts)


def _dg2_json(dg2: Dg2) -> dict[str, Any]:
    return {
        "outermost_tag": f"{dg2.outermost:X}",
        "declared_count": dg2.declared_count,
        "trailing_bytes": len(dg2.trailing),
        "records": [
            {"tag": f"{block.tag:X}", "bytes": len(block.record), "header": dict(block.header_words)}
            for block in dg2.blocks
        ],
    }


def _record_json(record: FacialRecord) -> dict[str, Any]:
    if isinstance(record, Record39794):
        return {
            "version": {"generation": record.version.generation, "year": record.version.year},
            "in_context_tag": record.wrapped,
            "ignored_extensions": record.ignored_extensions,
            "trailing_bytes": len(record.trailing),
            "representations": len(record.representations),
        }
    found: dict[str, Any] = {
        "version": "030" if isinstance(record, Record2011) else "010",
        "declared_length": record.declared_length,
        "length": record.length,
        "trailing_bytes": len(record.trailing),
        "representations": len(record.representations),
    }
    if isinstance(record, Record2011):
        found |= {"certification": record.certification, "temporal_semantics": record.temporal_semantics}
    return found


def _face_json(face: Representation, record: FacialRecord) -> dict[str, Any]:
    kinds = CODES_2005 if isinstance(record, Record2005) else CODES_2011
    pose, eyes, moment = face.pose, face.eye_centres, face.capture_time
    given = None if moment is None else moment.utc

    def coded(name: str) -> dict[str, Any]:
        code = getattr(face, name)
        # A plain number of ISO/IEC 39794-5 is a code that its schema does not have.
        unknown = isinstance(record, Record39794) and not isinstance(code, IntEnum)
        return {"code": int(code), "meaning": None if unknown else describe_code(kinds[name], code)}

    return {
        "position": face.position,
        "width": face.width,
        "height": face.height,
        "face_image_type": coded("face_image_type"),
        "image_data_type": coded("image_data_type"),
        "colour_space": coded("colour_space"),
        "source": coded("source"),
        "device_vendor": face.device_vendor,
        "device_type": face.device_type,
        "gender": coded("gender"),
        "eye_colour": coded("eye_colour"),
        "hair_colour": coded("hair_colour"),
        "features": _names(face.features),
        "expressions": _names(face.expressions),
        "pose": {
            name: {"degrees": angle, "uncertainty": uncertainty}
            for name, angle, uncertainty in (
                ("yaw", pose.yaw, pose.yaw_uncertainty),
                ("pitch", pose.pitch, pose.pitch_uncertainty),
                ("roll", pose.roll, pose.roll_uncertainty),
            )
        },
        "eye_centres": None if eyes is None else {"left": list(eyes.left), "right": list(eyes.right)},
        "landmarks": [
            {
                "type": point.type,
                "point": point.number,
                "name": point.name,
                "x": point.x,
                "y": point.y,
                "z": point.z,
            }
            for point in face.landmarks
        ],
        "capture_time": None if given is None else given.isoformat(timespec="milliseconds"),
        "subject_height_cm": face.subject_height,
        "quality": [
            {"score": one.score, "algorithm_vendor": one.algorithm_vendor, "algorithm": one.algorithm}
            for one in face.quality
        ],
        "spatial_sampling_rate_level": face.sampling_rate_level,
        "post_acquisition": _names(face.post_acquisition),
        "cross_reference": face.cross_reference,
        "three_d_bytes": face.three_d_bytes,
    }


def _names(flags: Iterable[StrEnum] | None) -> Sequence[str] | None:
    return None if flags is None else sorted(flag.value for flag in flags)


def block_json(block: object) -> dict[str, Any]:
    """Return the fields of a block as values: codes with number and word, octets as hexadecimal digits.

    The image is not among them.
    """
    return {
        field.name: _value(value)
        for field in dataclasses.fields(block)  # type: ignore[arg-type]  # a dataclass, always
        if field.name != "representation_data" and (value := getattr(block, field.name)) is not None
    }


def _value(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return block_json(value)
    if isinstance(value, tuple):
        return [_value(one) for one in value]
    if isinstance(value, IntEnum):
        return {"code": int(value), "meaning": _word(value)}
    return value.hex() if isinstance(value, bytes) else value


def _word(code: IntEnum) -> str:
    if isinstance(code, Mpeg4Point | AnthropometricPoint):
        return code.name.removeprefix("POINT_").replace("_", ".")
    return describe_code(type(code), code)
