"""The measures of the conformance report: one row for each component of ISO/IEC 29794-5."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Final

from matcher.conformance import detail, features, framing, light
from matcher.conformance.background import background_uniformity
from matcher.conformance.interface import (
    Assess,
    Assessment,
    Component,
    Method,
    PortraitView,
    not_assessed,
)
from matcher.conformance.requirement import IntakeCode, RequirementCode, Rule
from matcher.errors import PortraitPolicyInvalid


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


@dataclass(frozen=True, slots=True)
class Measure:
    """The measure of one component.

    Attributes:
        component: The component of ISO/IEC 29794-5.
        method: Whether the algorithm is the standard's.
        unit: Unit of ``Assessment.measured``, such as ``"px"``, ``"deg"`` or ``"fraction"``.
        span: The range in which a bound on ``Assessment.measured`` can lie.
    """

    component: Component
    method: Method
    unit: str
    span: Span
    assess: Assess


def _never(reason: str) -> Assess:
    """Make the measure of a component that no pack has a model for."""
    return lambda _: not_assessed(reason)


_STANDARD, _OWN = Method.STANDARD, Method.APPROXIMATION
_SHARE: Final = Span(0.0, 1.0)
_ANGLE: Final = Span(-180.0, 180.0)
_LENGTH: Final = Span(0.0, math.inf)
# 16 weights of a Scharr filter, 255 levels, across and down.
_GRADIENT: Final = Span(0.0, math.ceil(16 * 255 * math.sqrt(2)))
# The variance of numbers from 0 to 1 is largest where half of them are 0 and half are 1.
_VARIANCE: Final = Span(0.0, 0.25)
# A mouth can be narrower than the neutral one, or wider than all that were measured.
_DEPARTURE: Final = Span(-math.inf, math.inf)

MEASURES: Final = (
    # The standard uses the magnitude of the embedding of MagFace. That of another embedder is not trained to
    # measure quality, and a mean of the other components does not predict recognition. Either would put the
    # standard's name on another quantity.
    Measure(
        Component.UNIFIED_QUALITY_SCORE,
        _STANDARD,
        "",
        _LENGTH,
        _never("no pack has the network that the standard uses"),
    ),
    Measure(Component.BACKGROUND_UNIFORMITY, _OWN, "luminance steps", _GRADIENT, background_uniformity),
    Measure(Component.ILLUMINATION_UNIFORMITY, _STANDARD, "fraction", _SHARE, light.illumination_uniformity),
    Measure(Component.LUMINANCE_MEAN, _STANDARD, "fraction", _SHARE, light.luminance_mean),
    Measure(Component.LUMINANCE_VARIANCE, _STANDARD, "fraction", _VARIANCE, light.luminance_variance),
    Measure(Component.UNDER_EXPOSURE_PREVENTION, _OWN, "fraction", _SHARE, light.under_exposure_prevention),
    Measure(Component.OVER_EXPOSURE_PREVENTION, _OWN, "fraction", _SHARE, light.over_exposure_prevention),
    Measure(Component.DYNAMIC_RANGE, _STANDARD, "bit", Span(0.0, 8.0), light.dynamic_range),
    Measure(Component.SHARPNESS, _OWN, "fraction", _SHARE, detail.sharpness),
    Measure(Component.COMPRESSION_ARTIFACTS, _OWN, "similarity", _SHARE, detail.compression_artifacts),
    Measure(Component.NATURAL_COLOUR, _STANDARD, "CIELAB", Span(0.0, 100.0), light.natural_colour),
    Measure(Component.SINGLE_FACE_PRESENT, _STANDARD, "fraction", _SHARE, framing.single_face_present),
    Measure(Component.EYES_OPEN, _STANDARD, "eyes to chin", _LENGTH, features.eyes_open),
    Measure(Component.MOUTH_CLOSED, _STANDARD, "eyes to chin", _LENGTH, features.mouth_closed),
    Measure(Component.EYES_VISIBLE, _OWN, "correlation", Span(-1.0, 1.0), features.eyes_visible),
    Measure(
        Component.MOUTH_OCCLUSION_PREVENTION,
        _OWN,
        "probability",
        _SHARE,
        features.mouth_occlusion_prevention,
    ),
    # The standard's measure is the share of the face that a segmentation network labels as covered. Skin
    # colour and texture cannot replace it: glasses, a beard and hair on the forehead differ from skin as a
    # scarf does, and a hand does not. ``features.mouth_occlusion_prevention`` detects masks.
    Measure(
        Component.FACE_OCCLUSION_PREVENTION,
        _STANDARD,
        "fraction",
        _SHARE,
        _never("no pack has a network that detects coverings of the face"),
    ),
    Measure(Component.INTER_EYE_DISTANCE, _OWN, "px", _LENGTH, framing.inter_eye_distance),
    Measure(Component.HEAD_SIZE, _STANDARD, "fraction", _SHARE, framing.head_size),
    Measure(Component.LEFTWARD_CROP, _STANDARD, "eye distances", _LENGTH, framing.leftward_crop),
    Measure(Component.RIGHTWARD_CROP, _STANDARD, "eye distances", _LENGTH, framing.rightward_crop),
    Measure(Component.MARGIN_ABOVE, _STANDARD, "eyes to chin", _LENGTH, framing.margin_above),
    Measure(Component.MARGIN_BELOW, _STANDARD, "eyes to chin", _LENGTH, framing.margin_below),
    Measure(Component.HEAD_POSE_YAW, _STANDARD, "deg", _ANGLE, framing.head_pose(attrgetter("yaw"))),
    Measure(Component.HEAD_POSE_PITCH, _STANDARD, "deg", _ANGLE, framing.head_pose(attrgetter("pitch"))),
    Measure(Component.HEAD_POSE_ROLL, _STANDARD, "deg", _ANGLE, framing.head_pose(attrgetter("roll"))),
    Measure(Component.EXPRESSION_NEUTRALITY, _OWN, "departure", _DEPARTURE, features.expression_neutrality),
    # The standard counts the pixels that a face parsing network labels as cloth or hat. Landmarks end at the
    # brows, and colour does not distinguish a cap from hair.
    Measure(
        Component.NO_HEAD_COVERINGS,
        _STANDARD,
        "fraction",
        _SHARE,
        _never("no pack has a network that distinguishes cloth from hair"),
    ),
)
"""One measure for each component, in the order of ISO/IEC 29794-5."""

BOUNDS: Final[Mapping[RequirementCode, Span]] = MappingProxyType(
    {
        **{measure.component: measure.span for measure in MEASURES},
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

_NEVER: Final = frozenset(
    {Component.UNIFIED_QUALITY_SCORE, Component.FACE_OCCLUSION_PREVENTION, Component.NO_HEAD_COVERINGS}
)
_OF_LANDMARKS: Final = frozenset(
    {
        Component.EYES_OPEN,
        Component.EYES_VISIBLE,
        Component.MOUTH_CLOSED,
        Component.HEAD_SIZE,
        Component.MARGIN_ABOVE,
        Component.MARGIN_BELOW,
        Component.EXPRESSION_NEUTRALITY,
    }
)


def assess_all(portrait: PortraitView) -> tuple[tuple[Measure, Assessment], ...]:
    """Assess one portrait with every measure, in the order of ``MEASURES``."""
    return tuple((measure, measure.assess(portrait)) for measure in MEASURES)


def unassessable(scheme: str | None) -> Mapping[Component, str]:
    """Return the components that cannot be assessed in any portrait, and why.

    Args:
        scheme: Scheme of the pack's dense landmarks (``vision.face.Landmarks``); None for a pack without any.
    """
    missing = dict.fromkeys(_NEVER, "no pack has a model for it")
    if scheme is None:
        missing |= dict.fromkeys(_OF_LANDMARKS, "the pack has no dense landmarks")
    elif scheme == features.BLIND_SCHEME:
        missing[Component.EYES_OPEN] = "the pack's 68 landmarks do not show closed eyes"
    return MappingProxyType(missing)


def validate_bounds(code: RequirementCode, rule: Rule) -> None:
    """Check that a rule's bounds lie in the range of the requirement.

    The rule has passed ``Rule.check``.

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
