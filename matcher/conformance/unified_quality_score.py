"""How useful is the picture for recognition, all in all?"""

from typing import Final

from matcher.conformance.interface import Assessment, Component, Method, PortraitView, not_assessed

__all__ = ["UnifiedQualityScore"]


class UnifiedQualityScore:
    """Never assessed; implements ``Measure``.

    The standard's is the magnitude of MagFace's embedding, a network that no pack has. The magnitude of
    another embedder is not trained to tell quality, and a mean of the other components is not what
    recognition depends on; either would be a number under the standard's name that means something else.
    """

    component: Final = Component.UNIFIED_QUALITY_SCORE
    method: Final = Method.STANDARD
    unit: Final = ""

    def assess(self, portrait: PortraitView) -> Assessment:
        """Says why not."""
        return not_assessed("no pack has the network that the standard takes it from")
