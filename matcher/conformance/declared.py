"""Compares the declarations of a facial record with the measurements of its image."""

import math
from collections.abc import Iterator, Mapping
from typing import Final

from formats.image_format import ImageHeader
from matcher.conformance.interface import Assessment, PortraitView, not_assessed
from matcher.conformance.requirement import (
    IntakeCode,
    Requirement,
    RequirementCode,
    Rule,
    assessed_requirement,
    stated_requirement,
)
from matcher.records import EyeCentres, Representation

__all__ = ["declared_requirements"]

_SIZE_CLAUSE: Final = "width and height are those of the image data"
_EYES_CLAUSE: Final = "feature points 12.1 and 12.2 are the eye centres"
_POSE_CLAUSE: Final = "pose angles of the head"
_UPRIGHT: Final = 1
_TURNED_AWAY: Final = 180.0


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

    Args:
        portrait: The measured portrait.
        header: The header of the image, before it was turned upright.
        declared: The declarations of the record; None for a bare image.
        rules: The rules of the policy.
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
        method=None,
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
        method=None,
    )
