"""Collects the requirements on a portrait from the measurements and the declarations of its record."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from formats.image_format import ImageFormat, ImageHeader
from matcher.conformance.declared import declared_requirements
from matcher.conformance.factory import assess_all
from matcher.conformance.interface import Component, PortraitView
from matcher.conformance.requirement import (
    IntakeCode,
    Requirement,
    RequirementCode,
    Severity,
    assessed_requirement,
    measured_requirement,
    stated_requirement,
)
from matcher.portrait_report import PortraitPolicy
from matcher.records import Representation
from vision.face import BgrImage, Box, DetectedFace

__all__ = ["FORMATS", "face_inside", "portrait_requirements"]

FORMATS: Final = frozenset({ImageFormat.PNG, ImageFormat.JPEG, ImageFormat.JP2, ImageFormat.J2K})
"""Formats of a trusted image."""
_HALF_WIDTH: Final = 0.9
"""Half the width of a face, in eye distances: a head of 180 px has its eyes about 90 px apart."""
_FOREHEAD: Final = 0.6
_CHIN: Final = 1.7
"""Distances from the eyes to the forehead and to the chin, in distances from the eyes to the mouth."""
_FULL_FRONTAL: Final = "ISO/IEC 19794-5: full frontal, "
_CLAUSES: Final[Mapping[RequirementCode, str]] = MappingProxyType(
    {
        IntakeCode.MEDIA_TYPE: "Facegate: formats of a trusted image, by content",
        IntakeCode.FILE_SIZE: "Facegate: size of an upload",
        IntakeCode.FACE_COUNT: "ISO/IEC 19794-5: an image shows one subject",
        IntakeCode.FACE_INSIDE: f"{_FULL_FRONTAL}the whole head is in the image",
        IntakeCode.HEAD_POSITION_ACROSS: f"{_FULL_FRONTAL}horizontal position of the face",
        IntakeCode.HEAD_POSITION_DOWN: f"{_FULL_FRONTAL}vertical position of the face",
        Component.INTER_EYE_DISTANCE: "ISO/IEC 29794-5: inter-eye distance, as seen",
        Component.HEAD_POSE_YAW: f"{_FULL_FRONTAL}pose; ISO/IEC 29794-5: head pose yaw",
        Component.HEAD_POSE_PITCH: f"{_FULL_FRONTAL}pose; ISO/IEC 29794-5: head pose pitch",
        Component.HEAD_POSE_ROLL: f"{_FULL_FRONTAL}pose; ISO/IEC 29794-5: head pose roll",
        Component.HEAD_SIZE: f"{_FULL_FRONTAL}length of the head; ISO/IEC 29794-5: head size",
    }
)


def portrait_requirements(
    view: PortraitView,
    *,
    size: int,
    persons: int,
    header: ImageHeader,
    declared: Representation | None,
    policy: PortraitPolicy,
) -> tuple[Requirement, ...]:
    """Return every requirement that is not ignored, in the order of the report.

    Args:
        view: The portrait.
        size: Bytes of the upload.
        persons: Number of persons in the image.
        header: The header of the image.
        declared: The facial record's representation; None for a bare image.
        policy: The demands.
    """
    found = (
        *_intake(view, size=size, persons=persons, header=header, policy=policy),
        *_components(view, policy=policy),
        *declared_requirements(view, header=header, declared=declared, rules=policy.rules),
    )
    return tuple(requirement for requirement in found if requirement.severity is not Severity.IGNORED)


def face_inside(face: DetectedFace, *, image: BgrImage, policy: PortraitPolicy) -> Requirement:
    """Return the requirement on the share of the face inside the image.

    The share is computed for the detector's box and for the box estimated from the five points; the smaller
    one counts.
    """
    height, width = image.shape[:2]
    inside = min(box.inside_fraction(width, height) for box in (face.box, _reckoned_box(face)))
    return _number(IntakeCode.FACE_INSIDE, inside, "fraction", policy)


def _intake(
    view: PortraitView, *, size: int, persons: int, header: ImageHeader, policy: PortraitPolicy
) -> Iterator[Requirement]:
    yield stated_requirement(
        IntakeCode.MEDIA_TYPE,
        clause=_CLAUSES[IntakeCode.MEDIA_TYPE],
        rule=policy.rules[IntakeCode.MEDIA_TYPE],
        measured=header.format.value,
        required="PNG, JPEG or JPEG 2000",
        passed=header.format in FORMATS,
    )
    yield _number(IntakeCode.FILE_SIZE, size, "bytes", policy)
    yield _number(IntakeCode.FACE_COUNT, persons, "faces", policy)
    yield face_inside(view.face, image=view.image, policy=policy)
    left, right = view.face.five_points[:2].astype(np.float64)
    height, width = view.image.shape[:2]
    across, down = ((left + right) / 2 / (width, height)).tolist()
    yield _number(IntakeCode.HEAD_POSITION_ACROSS, across, "of the width", policy)
    yield _number(IntakeCode.HEAD_POSITION_DOWN, down, "of the height", policy)


def _components(view: PortraitView, *, policy: PortraitPolicy) -> Iterator[Requirement]:
    for measure, assessment in assess_all(view):
        code = measure.component
        yield assessed_requirement(
            code,
            clause=_CLAUSES.get(code, f"ISO/IEC 29794-5: {code.replace('_', ' ')}"),
            rule=policy.rules[code],
            assessment=assessment,
            unit=measure.unit,
            method=measure.method,
        )


def _number(code: IntakeCode, value: float, unit: str, policy: PortraitPolicy) -> Requirement:
    return measured_requirement(
        code, clause=_CLAUSES[code], rule=policy.rules[code], value=float(value), unit=unit
    )


def _reckoned_box(face: DetectedFace) -> Box:
    """Estimate the box of the face, ear to ear and forehead to chin, from the five points.

    Some detectors draw the box around the visible part of a face only. By that box alone, a face that is cut
    off would lie inside the image.
    """
    left_eye, right_eye, _, left_mouth, right_mouth = face.five_points.astype(np.float64)
    (x, y), mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    drop = float(np.hypot(mouth[0] - x, mouth[1] - y))
    half = _HALF_WIDTH * face.eye_distance
    return Box(
        left=float(x) - half,
        top=float(y) - _FOREHEAD * drop,
        right=float(x) + half,
        bottom=float(y) + _CHIN * drop,
    )
