"""Unified quality score: how useful the image is for recognition."""

from typing import Final

from matcher.conformance.interface import Assessment, Component, Method, PortraitView, not_assessed

__all__ = ["UnifiedQualityScore"]


class UnifiedQualityScore:
    """Never assessed; implements ``Measure``.

    The standard uses the magnitude of the embedding of MagFace, a network that no pack has. The magnitude of
    another embedder is not trained to measure quality, and a mean of the other components does not predict
    recognition. Either would put the standard's name on another quantity.
    """

    component: Final = Component.UNIFIED_QUALITY_SCORE
    method: Final = Method.STANDARD
    unit: Final = ""

    def assess(self, portrait: PortraitView) -> Assessment:
        """Returns why the component cannot be assessed."""
        return not_assessed("no pack has the network that the standard uses")
