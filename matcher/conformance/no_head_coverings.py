"""Is the head bare?"""

from typing import Final

from matcher.conformance.interface import Assessment, Component, Method, PortraitView, not_assessed

__all__ = ["NoHeadCoverings"]


class NoHeadCoverings:
    """Never assessed; implements ``Measure``.

    The standard's counts the pixels that a face parsing network labels as cloth or hat; no pack has such a
    network. Landmarks end at the brows, and colour tells a cap from hair no better than a wig from a cap.
    """

    component: Final = Component.NO_HEAD_COVERINGS
    method: Final = Method.STANDARD
    unit: Final = "fraction"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Says why not."""
        return not_assessed("no pack has a network that tells cloth from hair")
