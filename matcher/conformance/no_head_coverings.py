"""No head coverings: whether the head is bare."""

from typing import Final

from matcher.conformance.interface import Assessment, Component, Method, PortraitView, not_assessed

__all__ = ["NoHeadCoverings"]


class NoHeadCoverings:
    """Never assessed; implements ``Measure``.

    The standard counts the pixels that a face parsing network labels as cloth or hat; no pack has such a
    network. Landmarks end at the brows, and colour does not distinguish a cap from hair.
    """

    component: Final = Component.NO_HEAD_COVERINGS
    method: Final = Method.STANDARD
    unit: Final = "fraction"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Returns why the component cannot be assessed."""
        return not_assessed("no pack has a network that distinguishes cloth from hair")
