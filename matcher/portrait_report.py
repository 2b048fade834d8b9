"""The demands on a trusted image, and the report on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from matcher.conformance.interface import Component
from matcher.conformance.measures import unassessable, validate_bounds
from matcher.conformance.profiles import ALWAYS_HARD, Profile, profile_rules
from matcher.conformance.requirement import IntakeCode, Requirement, RequirementCode, Rule, Severity
from matcher.errors import PortraitPolicyInvalid
from matcher.records import Representations
from vision.face import Box, HeadPose
from vision.geometry import FaceChip
from vision.packs import Template

__all__ = [
    "Portrait",
    "PortraitPolicy",
    "PortraitReport",
    "Profile",
    "Representations",
    "Requirement",
    "RequirementCode",
    "RuleChange",
    "Severity",
]

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
        return Rule(
            severity=rule.severity if self.severity is None else self.severity,
            minimum=rule.minimum if self.minimum is None else self.minimum,
            maximum=rule.maximum if self.maximum is None else self.maximum,
            minimum_score=rule.minimum_score if self.minimum_score is None else self.minimum_score,
        )


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
        rules: The resulting rule for every requirement.
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
        face_box: Box of the face in the upright image.
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

    @property
    def conformant(self) -> bool:
        """True if every hard requirement is met."""
        return not any(requirement.refuses for requirement in self.requirements)


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
