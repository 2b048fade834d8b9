"""The content of an image file, as rows for people and as values for programs.

The fields of an ISO/IEC 39794-5 record come in the order of the schema, under its names in words, without
those that the record leaves out.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum, StrEnum
from typing import Any, Final

from cli.shown import Section
from matcher.records import (
    CBEFF_TYPES,
    CODES_2005,
    CODES_2011,
    SAMPLING_RATE_BOUNDS,
    Dg2,
    Expression2005,
    FacialRecord,
    Landmark,
    LandmarkType,
    Record2011,
    Record39794,
    Representation,
    TrustedImageContent,
    describe_code,
    representations_of,
)
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

_NOT_GIVEN: Final = "not given"
_FAILED_SCORE: Final = 255
_DEPTHS: Final = {0x75: "EF.DG2 (75)", 0x7F61: "biometric group (7F61)", 0x7F60: "biometric template (7F60)"}
_RELATIONS: Final = {
    0: "one representation",
    1: "relation unknown",
    2: "irregular intervals, one session",
    3: "irregular intervals, several sessions",
    0xFFFF: "65,535 ms or more apart",
}


def sections(content: TrustedImageContent, data: bytes) -> tuple[Section, ...]:
    """Returns the content as names and values: the file, a DG2, a record, its faces, the image."""
    found = [Section("File", (("form", nesting(content)), ("bytes", f"{len(data):,}")))]
    if content.dg2 is not None:
        found.append(_dg2_section(content.dg2))
    if content.record is not None:
        found.append(_record_section(content.record))
        found += [
            _face_section(face, content.record)
            if face.block_39794 is None
            else Section(f"Face {face.position} as declared", block_rows(face.block_39794))
            for face in representations_of(content.record)
        ]
    found.append(_picture_section(content, data))
    return tuple(found)


def as_json(content: TrustedImageContent, data: bytes) -> dict[str, Any]:
    """Returns the content for programs, with every code as number and as word; no pixels."""
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
            _face_json(face)
            | (
                {"expression_code": _coded_expression(face, record)}
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
    """Returns the layers, outermost first, such as ``"ICAO DG2 > ISO/IEC 19794-5:2005 > image/jp2"``."""
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


def _dg2_section(dg2: Dg2) -> Section:
    rows = [
        ("outermost data object", _DEPTHS.get(dg2.outermost, f"{dg2.outermost:X}")),
        ("records", str(len(dg2.blocks))),
        ("records, as stated", _NOT_GIVEN if dg2.declared_count is None else str(dg2.declared_count)),
    ]
    for number, block in enumerate(dg2.blocks, start=1):
        kind = block.biometric_type
        rows.append((f"record {number}", f"{len(block.record):,} bytes in data object {block.tag:X}"))
        rows += [(f"  {name}", value) for name, value in block.header_words]
        if kind is not None:
            rows.append(("  that is", f"{CBEFF_TYPES.get(kind, 'unknown type')} data"))
    rows.append(("trailing bytes", f"{len(dg2.trailing):,}"))
    return Section("ICAO DG2", tuple(rows))


def _record_section(record: FacialRecord) -> Section:
    if isinstance(record, Record39794):
        version = record.version
        rows = [
            ("version", f"generation {version.generation} ({version.year})"),
            ("outermost data object", "context tag [1] (A1)" if record.wrapped else "data block (65)"),
            ("ignored extensions", str(record.ignored_extensions)),
            ("trailing bytes", f"{len(record.trailing):,}"),
            ("faces", str(len(record.representations))),
        ]
        return Section("Facial record", tuple(rows))
    rows = [
        ("version", "030 (2011)" if isinstance(record, Record2011) else "010 (2005)"),
        ("length, as stated", f"{record.declared_length:,}"),
        ("length, as found", f"{record.length:,}"),
        ("trailing bytes", f"{len(record.trailing):,}"),
        ("faces", str(len(record.representations))),
    ]
    if isinstance(record, Record2011):
        semantics = record.temporal_semantics
        rows.append(("certification flag", str(record.certification)))
        rows.append(("temporal semantics", _RELATIONS.get(semantics, f"{semantics} ms apart")))
    return Section("Facial record", tuple(rows))


def _face_section(face: Representation, record: FacialRecord) -> Section:
    pose, eyes = face.pose, face.eye_centres
    kinds = CODES_2011 if isinstance(record, Record2011) else CODES_2005
    rows = [
        ("face image type", describe_code(kinds["face_image_type"], face.face_image_type)),
        ("image data type", describe_code(kinds["image_data_type"], face.image_data_type)),
        ("width x height", f"{face.width or 0} x {face.height or 0}"),
        ("colour space", describe_code(kinds["colour_space"], face.colour_space)),
        ("source", describe_code(kinds["source"], face.source)),
        ("device type", _maybe(face.device_type)),
        ("gender", describe_code(kinds["gender"], face.gender)),
        ("eye colour", describe_code(kinds["eye_colour"], face.eye_colour)),
        ("hair colour", describe_code(kinds["hair_colour"], face.hair_colour)),
        ("features", _flags(face.features)),
        ("expression", _expression(face, _coded_expression(face, record), record)),
        *(
            (name, _angle(angle, uncertainty))
            for name, angle, uncertainty in (
                ("yaw", pose.yaw, pose.yaw_uncertainty),
                ("pitch", pose.pitch, pose.pitch_uncertainty),
                ("roll", pose.roll, pose.roll_uncertainty),
            )
        ),
        ("eye centres", _NOT_GIVEN if eyes is None else f"left {eyes.left}, right {eyes.right}"),
        ("landmarks", str(len(face.landmarks))),
        *(
            (
                f"  {point.number} ({describe_code(LandmarkType, point.type)})",
                _point(point),
            )
            for point in face.landmarks
        ),
    ]
    if isinstance(record, Record2011):
        rows += _rows_2011(face)
    return Section(f"Face {face.position} as declared", tuple(rows))


def _rows_2011(face: Representation) -> list[tuple[str, str]]:
    moment, level = face.capture_time, face.sampling_rate_level or 0
    given = None if moment is None else moment.utc
    shown = "impossible date" if moment is not None and given is None else _NOT_GIVEN
    return [
        ("capture time", shown if given is None else given.isoformat(timespec="milliseconds")),
        ("device vendor", _maybe(face.device_vendor)),
        ("height of the person", _NOT_GIVEN if face.subject_height is None else f"{face.subject_height} cm"),
        ("spatial sampling rate", f"level {level}: {_level(level)}"),
        ("post-acquisition processing", _flags(face.post_acquisition)),
        ("cross reference", _maybe(face.cross_reference)),
        ("quality blocks", str(len(face.quality))),
        *(
            (
                f"  vendor {one.algorithm_vendor:#06x}, algorithm {one.algorithm:#06x}",
                "failed" if one.score == _FAILED_SCORE else str(one.score),
            )
            for one in face.quality
        ),
        ("3-D data", f"{face.three_d_bytes:,} bytes"),
    ]


def _picture_section(content: TrustedImageContent, data: bytes) -> Section:
    header = content.header
    rows = [
        ("media type", content.media_type or "none that is known"),
        ("bytes", f"{len(content.image):,} from byte {data.find(content.image):,} of the file on"),
    ]
    if header is None:
        rows.append(("header", "cannot be read"))
    else:
        rows += [
            ("width x height", f"{header.width} x {header.height}"),
            ("channels x bits", f"{header.channels} x {header.bits_per_channel}"),
            ("EXIF orientation", str(header.orientation)),
        ]
    return Section("Picture as found", tuple(rows))


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


def _face_json(face: Representation) -> dict[str, Any]:
    pose, eyes, moment = face.pose, face.eye_centres, face.capture_time
    given = None if moment is None else moment.utc
    return {
        "position": face.position,
        "width": face.width,
        "height": face.height,
        "face_image_type": _coded(face.face_image_type),
        "image_data_type": _coded(face.image_data_type),
        "colour_space": _coded(face.colour_space),
        "source": _coded(face.source),
        "device_vendor": face.device_vendor,
        "device_type": face.device_type,
        "gender": _coded(face.gender),
        "eye_colour": _coded(face.eye_colour),
        "hair_colour": _coded(face.hair_colour),
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


def _coded(value: int) -> dict[str, Any]:
    return {
        "code": int(value),
        "meaning": describe_code(type(value), value) if isinstance(value, IntEnum) else None,
    }


def _maybe(value: int | None) -> str:
    return _NOT_GIVEN if value is None else str(value)


def _names(flags: Iterable[StrEnum] | None) -> Sequence[str] | None:
    return None if flags is None else sorted(flag.value for flag in flags)


def _flags(flags: Iterable[StrEnum] | None) -> str:
    names = _names(flags)
    if names is None:
        return _NOT_GIVEN
    return ", ".join(name.lower().replace("_", " ") for name in names) or "none"


def _coded_expression(face: Representation, record: FacialRecord) -> int:
    if isinstance(record, Record39794):
        return 0
    return record.representations[face.position - 1].expression


def _expression(face: Representation, code: int, record: FacialRecord) -> str:
    """Returns the expression in words; for a vendor's or a reserved code, the code."""
    if face.expressions or not code:
        return _flags(face.expressions)
    return f"mask {code:#06x}" if isinstance(record, Record2011) else describe_code(Expression2005, code)


def _angle(degrees: float | None, uncertainty: float | None) -> str:
    if degrees is None:
        return _NOT_GIVEN
    return f"{degrees:g} degrees" + ("" if uncertainty is None else f", uncertain by {uncertainty:g}")


def _point(point: Landmark) -> str:
    place = f"({point.x}, {point.y}, {point.z})" if point.z else f"({point.x}, {point.y})"
    return place if point.name is None else f"{place}  {point.name}"


def _level(level: int) -> str:
    bounds = SAMPLING_RATE_BOUNDS
    if level == 0:
        return f"head below {bounds[0]} px wide"
    if level < len(bounds):
        return f"head {bounds[level - 1]} to {bounds[level]} px wide"
    return f"head from {bounds[-1]} px wide" if level == len(bounds) else "not in the standard"


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
    """Returns the fields of a face as (name, value); names of nested fields are indented."""
    return tuple(_rows(face, ""))


def block_json(block: object) -> dict[str, Any]:
    """Returns the fields of a block as values: codes with number and word, octets as hexadecimal digits.

    The image is not among them.
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
        return f"{_point_name(kind.mpeg4_feature_point)} (MPEG-4)"
    known = kind.anthropometric_landmark
    codes = () if known is None else (known.name, known.point_name, known.point_id)
    code = next((code for code in codes if code is not None), None)
    return "of an extension" if code is None else f"{_point_name(code)} (anthropometric)"


def _point_name(code: int) -> str:
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
        return _point_name(code)
    return describe_code(type(code), code)
