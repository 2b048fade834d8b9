"""Flat instruments under the screen's light: a print on paper, a recording on glass."""

from typing import Protocol

from liveness import FaceExtent
from simulator.attacks.sheet import Sheet, SheetLook
from simulator.backdrop import Backdrop
from simulator.geometry.relief import Relief, ReliefPose
from simulator.light.material import Material
from simulator.light.subject import Follow, SubjectView

__all__ = ["HandHeld", "LitSheet"]


class HandHeld(Protocol):
    """A sheet in a moving hand."""

    @property
    def sheet(self) -> Sheet:
        """The sheet."""
        ...

    @property
    def outline(self) -> FaceExtent:
        """The face on it at rest, frame pixels."""
        ...

    def render(self, time: float, *, moved: ReliefPose) -> SheetLook:
        """Render the sheet without its background.

        Some sheets keep state, so call this with increasing times.

        Args:
            time: Seconds.
            moved: Pose of the hand that follows an oval.
        """
        ...


class LitSheet:
    """A hand-held sheet as a subject: it reflects light as a plane or a slight bow."""

    def __init__(
        self, held: HandHeld, *, material: Material, follow: Follow, millimetres_per_pixel: float
    ) -> None:
        """Makes a subject of a sheet.

        Args:
            held: The sheet and the hand.
            material: Paper, or the glass of a screen that emits light.
            follow: Movement of the hand that follows an oval.
            millimetres_per_pixel: Millimetres per pixel at the sheet's plane at rest; it defines the
                distance.
        """
        self._held = held
        self._material = material
        self._follow = follow
        self._millimetres_per_pixel = millimetres_per_pixel

    @property
    def relief(self) -> Relief:
        """The sheet's shape."""
        return self._held.sheet.relief

    @property
    def material(self) -> Material:
        """Paper or glass."""
        return self._material

    @property
    def millimetres_per_pixel(self) -> float:
        """Millimetres per pixel at the sheet's plane at rest."""
        return self._millimetres_per_pixel

    @property
    def backdrop(self) -> Backdrop:
        """The room behind."""
        return self._held.sheet.backdrop

    def render(self, time: float) -> SubjectView:
        """Return the sheet at ``time`` seconds."""
        seen = self._held.render(time, moved=self._follow(time))
        return SubjectView(
            layer=seen.layer,
            sight=seen.sight,
            placement=seen.placement,
            pan=seen.pan,
        )
