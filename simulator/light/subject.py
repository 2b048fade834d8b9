"""What the screen's light can fall on: a surface in front of a room."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simulator.backdrop import Backdrop
from simulator.geometry.relief import Relief, ReliefPose, Sight
from simulator.light.material import Material

__all__ = ["Follow", "Subject", "SubjectView"]

Follow: TypeAlias = Callable[[float], ReliefPose]
"""How far somebody who follows an oval has moved away from rest at a time in seconds."""


def _nowhere() -> NDArray[np.float32]:
    return np.zeros((0, 2), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SubjectView:
    """A subject at one moment.

    Attributes:
        layer: Its albedo, sRGB-coded blue-green-red, and its cover 0..255 as the fourth channel; of the
            frame's size. For a subject that shines, what it shows.
        sight: Where on its canvas the frame looks, and where its relief is.
        placement: The relief's movement away from rest.
        pan: Movement of the whole image in pixels.
        moved: Movement that the camera itself made, which the room behind shows too.
        eyes: Canvas places at rest of moist corneas that mirror the screen, shape (n, 2).
        glint: How much of that mirror is uncovered by the lids, 0..1.
    """

    layer: NDArray[np.uint8]
    sight: Sight
    placement: ReliefPose
    pan: tuple[float, float] = (0.0, 0.0)
    moved: ReliefPose = field(default_factory=ReliefPose)
    eyes: NDArray[np.float32] = field(default_factory=_nowhere)
    glint: float = 0.0


class Subject(Protocol):
    """Somebody or something in front of the camera."""

    @property
    def relief(self) -> Relief:
        """Its shape."""
        ...

    @property
    def material(self) -> Material:
        """Its surface."""
        ...

    @property
    def millimetres_per_pixel(self) -> float:
        """At the plane of depth 0 at rest."""
        ...

    @property
    def backdrop(self) -> Backdrop:
        """The room behind it."""
        ...

    def look(self, time: float) -> SubjectView:
        """What it shows at ``time`` seconds; times may have to grow from call to call."""
        ...
