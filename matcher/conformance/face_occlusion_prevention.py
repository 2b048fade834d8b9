"""Face occlusion prevention: whether anything covers the face."""

from typing import Final

from matcher.conformance.interface import Assessment, Component, Method, PortraitView, not_assessed

__all__ = ["FaceOcclusionPrevention"]


class FaceOcclusionPrevention:
    """Never assessed; implements ``Measure``.

    The standard's measure is the share of the face that a segmentation network labels as covered, and no pack
    has such a network. Skin colour and texture cannot replace it: glasses, a beard and hair on the forehead
    differ from skin as a scarf does, and a hand does not. ``MouthOcclusionPrevention`` detects masks.
    """

    component: Final = Component.FACE_OCCLUSION_PREVENTION
    method: Final = Method.STANDARD
    unit: Final = "fraction"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Returns why the component cannot be assessed."""
        return not_assessed("no pack has a network that detects coverings of the face")
