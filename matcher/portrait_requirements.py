"""Collects the requirements on a portrait from the measurements and the declarations of its record."""

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from formats.image_format import ImageFormat, ImageHeader
from matcher.conformance.interface import Assessment, Component, PortraitView, not_assessed
from matcher.conformance.measures import assess_all
from matcher.conformance.requirement import (
    IntakeCode,
    Requirement,
    RequirementCode,
    Rule,
    Severity,
    assessed_requirement,
    stated_requirement,
)
from matcher.portrait_report import PortraitPolicy
from matcher.records import EyeCentres, Representation
from vision.face import BgrImage, Box, DetectedFace

__all__ = ["FORMATS", "declared_requirements", "face_inside", "portrait_requirements"]

FORMATS: Final = frozenset({ImageFormat.PNG, ImageFormat.JPEG, ImageFormat.JP2, ImageFormat.J2K})
"""Formats of a trusted image."""
_HALF_WIDTH: Final = 0.9
"""Half the width of a face, in eye distances: a head of 180 px has its eyes about 90 px apart."""
_FOREHEAD: Final = 0.6
_CHIN: Final = 1.7
"""Distances from the eyes to the forehead and to the chin, in distances from the eyes to the mouth."""
_SIZE_CLAUSE: Final = "width and height are those of the image data"
_EYES_CLAUSE: Final = "feature points 12.1 and 12.2 are the eye centres"
_POSE_CLAUSE: Final = "pose angles of the head"
_UPRIGHT: Final = 1
_TURNED_AWAY: Final = 180.0
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

    ``size`` is that of the upload, bytes; ``declared`` the facial record's representation, None for a bare
    image.
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
    measured = Assessment(measured=float(value), score=None)
    return assessed_requirement(
        code, clause=_CLAUSES[code], rule=policy.rules[code], assessment=measured, unit=unit
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


def declared_requirements(
    portrait: PortraitView,
    *,
    header: ImageHeader,
    declared: Representation | None,
    rules: Mapping[RequirementCode, Rule],
) -> Iterator[Requirement]:
    """Yield one requirement for each declaration of a record that can be measured.

    If both disagree, the image counts as right. A property that the record does not state yields no
    requirement.

    The header is that of the image before it was turned upright; ``declared`` is None for a bare image.
    """
    if declared is None:
        return
    if declared.width is not None and declared.height is not None:
        yield stated_requirement(
            IntakeCode.DECLARED_SIZE,
            clause=f"{declared.standard}: {_SIZE_CLAUSE}",
            rule=rules[IntakeCode.DECLARED_SIZE],
            measured=f"{header.width} x {header.height} px",
            required=f"as declared: {declared.width} x {declared.height} px",
            passed=(header.width, header.height) == (declared.width, declared.height),
        )
    if declared.eye_centres is not None:
        yield _eyes(
            portrait, declared, declared.eye_centres, header, rules[IntakeCode.DECLARED_EYE_POSITIONS]
        )
    if declared.pose.given:
        yield _pose(portrait, declared, header, rules[IntakeCode.DECLARED_POSE])


def _eyes(
    portrait: PortraitView, declared: Representation, eyes: EyeCentres, header: ImageHeader, rule: Rule
) -> Requirement:
    """Measure how far the declared eye centres are from the measured ones, at most, in eye distances."""
    distance = portrait.face.eye_distance
    if header.orientation != _UPRIGHT:
        found = not_assessed("the image is turned by its EXIF orientation, the declared points are not")
    elif not 0 < distance < math.inf:
        found = not_assessed("the measured eye points determine no distance")
    else:
        # Paired by their position in the image, because issuers confuse the person's left with the image's.
        pairs = zip(sorted((eyes.left, eyes.right)), portrait.face.five_points[:2].tolist(), strict=True)
        apart = max(math.dist(one, other) for one, other in pairs)
        found = Assessment(measured=apart / distance, score=None)
    return assessed_requirement(
        IntakeCode.DECLARED_EYE_POSITIONS,
        clause=f"{declared.standard}: {_EYES_CLAUSE}",
        rule=rule,
        assessment=found,
        unit="eye distances",
    )


def _pose(portrait: PortraitView, declared: Representation, header: ImageHeader, rule: Rule) -> Requirement:
    """Measure the largest difference between the magnitudes of the declared and the measured angles.

    Signs do not count, because issuers interpret the standard's figures differently.
    """
    pose, measured = declared.pose, portrait.pose
    if header.orientation != _UPRIGHT:
        found = not_assessed("the image is turned by its EXIF orientation, the declared angles are not")
    elif measured.yaw >= _TURNED_AWAY:
        found = not_assessed("the landmarks do not determine a head pose")
    else:
        pairs = ((pose.yaw, measured.yaw), (pose.pitch, measured.pitch), (pose.roll, measured.roll))
        apart = max(abs(abs(said) - abs(seen)) for said, seen in pairs if said is not None)
        found = Assessment(measured=apart, score=None)
    return assessed_requirement(
        IntakeCode.DECLARED_POSE,
        clause=f"{declared.standard}: {_POSE_CLAUSE}",
        rule=rule,
        assessment=found,
        unit="deg",
    )
