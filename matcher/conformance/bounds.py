"""The ranges in which the measurements of the requirements, and so the bounds on them, can lie."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from matcher.conformance.interface import Component
from matcher.conformance.requirement import IntakeCode, RequirementCode, Rule
from matcher.errors import PortraitPolicyInvalid

__all__ = ["BOUNDS", "Span", "validate_bounds"]


@dataclass(frozen=True, slots=True)
class Span:
    """A closed range of numbers.

    Attributes:
        least: Its lower end; minus infinity for none.
        most: Its upper end; infinity for none.
    """

    least: float
    most: float

    def holds(self, number: float) -> bool:
        """Return whether a number lies in the range."""
        return self.least <= number <= self.most

    def words(self) -> str:
        """Return the range in words, such as ``"0 to 1"`` or ``"0 and more"``."""
        if math.isinf(self.most):
            return f"{self.least:g} and more"
        return f"{self.least:g} to {self.most:g}"


_SHARE: Final = Span(0.0, 1.0)
_ANGLE: Final = Span(-180.0, 180.0)
_LENGTH: Final = Span(0.0, math.inf)

BOUNDS: Final[Mapping[RequirementCode, Span]] = MappingProxyType(
    {
        Component.UNIFIED_QUALITY_SCORE: _LENGTH,
        # 16 weights of a Scharr filter, 255 levels, across and down.
        Component.BACKGROUND_UNIFORMITY: Span(0.0, math.ceil(16 * 255 * math.sqrt(2))),
        Component.ILLUMINATION_UNIFORMITY: _SHARE,
        Component.LUMINANCE_MEAN: _SHARE,
        # The variance of numbers from 0 to 1 is largest where half of them are 0 and half are 1.
        Component.LUMINANCE_VARIANCE: Span(0.0, 0.25),
        Component.UNDER_EXPOSURE_PREVENTION: _SHARE,
        Component.OVER_EXPOSURE_PREVENTION: _SHARE,
        Component.DYNAMIC_RANGE: Span(0.0, 8.0),
        Component.SHARPNESS: _SHARE,
        Component.COMPRESSION_ARTIFACTS: _SHARE,
        Component.NATURAL_COLOUR: Span(0.0, 100.0),
        Component.SINGLE_FACE_PRESENT: _SHARE,
        Component.EYES_OPEN: _LENGTH,
        Component.MOUTH_CLOSED: _LENGTH,
        Component.EYES_VISIBLE: Span(-1.0, 1.0),
        Component.MOUTH_OCCLUSION_PREVENTION: _SHARE,
        Component.FACE_OCCLUSION_PREVENTION: _SHARE,
        Component.INTER_EYE_DISTANCE: _LENGTH,
        Component.HEAD_SIZE: _SHARE,
        Component.LEFTWARD_CROP: _LENGTH,
        Component.RIGHTWARD_CROP: _LENGTH,
        Component.MARGIN_ABOVE: _LENGTH,
        Component.MARGIN_BELOW: _LENGTH,
        Component.HEAD_POSE_YAW: _ANGLE,
        Component.HEAD_POSE_PITCH: _ANGLE,
        Component.HEAD_POSE_ROLL: _ANGLE,
        # A mouth can be narrower than the neutral one, or wider than all that were measured.
        Component.EXPRESSION_NEUTRALITY: Span(-math.inf, math.inf),
        Component.NO_HEAD_COVERINGS: _SHARE,
        IntakeCode.FILE_SIZE: _LENGTH,
        IntakeCode.FACE_COUNT: _LENGTH,
        IntakeCode.FACE_INSIDE: _SHARE,
        IntakeCode.HEAD_POSITION_ACROSS: _SHARE,
        IntakeCode.HEAD_POSITION_DOWN: _SHARE,
        IntakeCode.DECLARED_EYE_POSITIONS: _LENGTH,
        # The difference between the sizes of two angles.
        IntakeCode.DECLARED_POSE: Span(0.0, 180.0),
    }
)
"""The range of every requirement that measures a number, in its unit. A bound outside this range refuses
every image or none. A measurement can lie outside, such as the position of eyes that the image cuts off; it
then fails the bound."""


def validate_bounds(code: RequirementCode, rule: Rule) -> None:
    """Checks that a rule's bounds lie in the range of the requirement.

    Args:
        code: The requirement.
        rule: Its rule, which has passed ``Rule.check``.

    Raises:
        PortraitPolicyInvalid: A bound lies outside; the message states the range and the bound.
    """
    span = BOUNDS.get(code)
    if span is None:
        return
    for name, bound in (("minimum", rule.minimum), ("maximum", rule.maximum)):
        if bound is not None and not span.holds(bound):
            raise PortraitPolicyInvalid(
                f"{code}: {name} must lie in its range, {span.words()}, got {bound:g}; a bound outside "
                "refuses every image or none"
            )
