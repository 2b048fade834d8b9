"""Face occlusion prevention: is the face free of what hides it."""

from typing import Final

from matcher.conformance.interface import Assessment, Component, Method, PortraitView, not_assessed

__all__ = ["FaceOcclusionPrevention"]


class FaceOcclusionPrevention:
    """Never assessed; implements ``Measure``.

    The standard's measure is the share of the face that a segmentation network sees covered, which no pack
    has. Skin colour and texture do not stand in for it: glasses, a beard and hair in the forehead differ
    from skin as a scarf does, and a hand does not. A mask is found by ``MouthOcclusionPrevention``.
    """

    component: Final = Component.FACE_OCCLUSION_PREVENTION
    method: Final = Method.STANDARD
    unit: Final = "fraction"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Says why not."""
        return not_assessed("no pack has a network that tells what covers a face")
