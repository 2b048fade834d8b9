"""The demands on a trusted image, and the report on it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from formats.image_format import ImageFormat, ImageHeader
from matcher.conformance.interface import Assessment, Component, PortraitView, not_assessed
from matcher.conformance.measures import assess_all, unassessable, validate_bounds
from matcher.conformance.requirement import (
    ALWAYS_HARD,
    IntakeCode,
    Profile,
    Requirement,
    RequirementCode,
    Rule,
    Severity,
    assessed_requirement,
    profile_rules,
    stated_requirement,
)
from matcher.errors import PortraitPolicyInvalid
from matcher.records import EyeCentres, Representation, Representations
from vision.face import BgrImage, Box, DetectedFace, HeadPose
from vision.geometry import FaceChip
from vision.packs import Template

_MOST_PIXELS: Final = 80_000_000
"""Above this, the decoder's own limit (``vision.image.DecodeLimits``) would refuse first."""
_NO_CHANGES: Final[Mapping[RequirementCode, "RuleChange"]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """The change of a policy to one requirement of its profile; None keeps the profile's value.

    Attributes:
        severity: What follows if the requirement is not met.
        minimum: Least native measure, in the measure's unit.
        maximum: Largest native measure.
        minimum_score: Least quality score, 0..100.
    """

    severity: Severity | None = None
    minimum: float | None = None
    maximum: float | None = None
    minimum_score: int | None = None

    def applied_to(self, rule: Rule) -> Rule:
        """Return the rule with this change."""
        changed = {name: value for name, value in asdict(self).items() if value is not None}
        return replace(rule, **changed)


@dataclass(frozen=True, slots=True)
class PortraitPolicy:
    """The demands of a policy on the trusted image.

    Attributes:
        max_bytes: Largest upload, bytes. 2 MB are 2,000,000 bytes.
        max_pixels: Most pixels that a header may declare, up to 80 million; checked before memory
            is taken.
        max_side: Longest side that a header may declare, pixels.
        min_side: Shortest side that a header may declare, pixels.
        min_eye_distance: Least distance between the eye centres, pixels of the upload; a profile may
            demand more.
        min_inside_fraction: Least share (0..1) of the face that must be inside the image. It is measured on
            the detector's box and on the face estimated from eyes and mouth; the smaller share counts.
        second_face_fraction: A further face counts as a second person when its box is at least
            this share (greater than 0, at most 1) of the largest face's width. Smaller faces count as
            posters, badges and passers-by; the report states how many there are.
        min_face_confidence: A face counts as a person when the detector is at least this sure
            (0..1), or if the image has no surer face.
        profile: The rules for all other requirements.
        changes: Changes to the rules of the profile; a code of ``ALWAYS_HARD`` is not allowed.
        representations: Whether facial records with several faces are accepted.
    """

    max_bytes: int = 2_000_000
    max_pixels: int = 25_000_000
    max_side: int = 10_000
    min_side: int = 32
    min_eye_distance: float = 85.0
    min_inside_fraction: float = 0.9
    second_face_fraction: float = 1 / 3
    min_face_confidence: float = 0.6
    profile: Profile = Profile.FACEGATE
    changes: Mapping[RequirementCode, RuleChange] = field(default_factory=lambda: _NO_CHANGES)
    representations: Representations = Representations.EXACTLY_ONE
    rules: Mapping[RequirementCode, Rule] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            PortraitPolicyInvalid: A number is out of its range, or a change is not allowed.
        """
        for name in ("max_bytes", "max_pixels", "max_side", "min_side", "min_eye_distance"):
            if not getattr(self, name) > 0:
                raise PortraitPolicyInvalid(f"{name} must be greater than 0, got {getattr(self, name)}")
        if self.max_pixels > _MOST_PIXELS:
            raise PortraitPolicyInvalid(f"max_pixels must be at most {_MOST_PIXELS}, got {self.max_pixels}")
        if self.min_side > self.max_side:
            raise PortraitPolicyInvalid(f"min_side {self.min_side} is greater than max_side {self.max_side}")
        for name in ("min_inside_fraction", "min_face_confidence"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise PortraitPolicyInvalid(f"{name} must lie in 0..1, got {getattr(self, name)}")
        if not 0.0 < self.second_face_fraction <= 1.0:
            raise PortraitPolicyInvalid(
                f"second_face_fraction must lie above 0 and at most at 1, got {self.second_face_fraction}"
            )
        object.__setattr__(self, "rules", MappingProxyType(self._all_rules()))

    def _all_rules(self) -> dict[RequirementCode, Rule]:
        rules = dict(profile_rules(self.profile))
        eyes = rules[Component.INTER_EYE_DISTANCE]
        least = max(self.min_eye_distance, eyes.minimum or 0.0)
        rules[Component.INTER_EYE_DISTANCE] = replace(eyes, minimum=least)
        rules[IntakeCode.FACE_INSIDE] = replace(
            rules[IntakeCode.FACE_INSIDE], minimum=self.min_inside_fraction
        )
        rules[IntakeCode.FILE_SIZE] = replace(rules[IntakeCode.FILE_SIZE], maximum=float(self.max_bytes))
        for code, change in self.changes.items():
            if code in ALWAYS_HARD:
                raise PortraitPolicyInvalid(f"{code} is always hard and cannot be changed")
            rules[code] = change.applied_to(rules[code])
            rules[code].check(code)
            validate_bounds(code, rules[code])
        self._validate_eye_distance(self.changes.get(Component.INTER_EYE_DISTANCE))
        return rules

    def _validate_eye_distance(self, change: RuleChange | None) -> None:
        """Refuse a change of the eye distance that contradicts ``min_eye_distance``."""
        if change is None or change.minimum is None or change.minimum >= self.min_eye_distance:
            return
        raise PortraitPolicyInvalid(
            f"{Component.INTER_EYE_DISTANCE} asks for at least {change.minimum:g} pixels, min_eye_distance "
            f"for {self.min_eye_distance:g}: lower min_eye_distance too, if you want the smaller one"
        )

    def shortfall(self, scheme: str | None) -> str | None:
        """Name the hard requirements of the policy that a pack cannot assess in any portrait.

        Args:
            scheme: Scheme of the pack's dense landmarks (``vision.face.Landmarks``); None for a pack
                without landmarks.

        Returns:
            The requirements and why, in words; None if the pack can assess all of them.
        """
        missing = [
            f"{code} ({why})"
            for code, why in unassessable(scheme).items()
            if self.rules[code].severity is Severity.HARD
        ]
        if not missing:
            return None
        return f"it makes requirements hard that cannot be assessed: {', '.join(missing)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortraitReport:
    """The report on a trusted image.

    Attributes:
        container: The container of the image, in words, such as ``"ISO/IEC 19794-5:2011 in ICAO DG2"``;
            empty for a bare image.
        media_type: Detected from the content: ``"image/png"``, ``"image/jpeg"``, ``"image/jp2"``, or
            ``"image/j2c"`` for a raw JPEG 2000 code stream.
        width: Width of the upright image, pixels.
        height: Height of the upright image, pixels.
        eye_distance_px: Distance between the eye centres, pixels.
        pose: Head pose, degrees.
        background_faces: Number of further faces that are too small or too doubtful to count as persons.
        requirements: Every requirement that is not ignored, with its measurement.
        notes: Disagreements between the record and its content, in words.
    """

    container: str
    media_type: str
    width: int
    height: int
    eye_distance_px: float
    face_box: Box
    pose: HeadPose
    background_faces: int
    requirements: tuple[Requirement, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Portrait:
    """The decoded face of a trusted image.

    Attributes:
        template: The face's template, for ``matcher.comparison.compare``.
        chip: The aligned face, to tell whether a scan shows this very image.
    """

    template: Template
    chip: FaceChip
    report: PortraitReport


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
