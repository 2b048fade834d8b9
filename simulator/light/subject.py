"""The interface of a subject that the screen lights: a surface in front of a room."""

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
"""Movement from rest, at a time in seconds, of a subject that follows an oval."""


def _nowhere() -> NDArray[np.float32]:
    return np.zeros((0, 2), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SubjectView:
    """A subject at one moment.

    Attributes:
        layer: Its albedo, sRGB-coded blue-green-red, and its coverage 0..255 as the fourth channel; of the
            frame's size. For a screen, the colours that it emits.
        sight: The part of its canvas that the frame shows, and the place of its relief.
        placement: The relief's movement away from rest.
        pan: Movement of the whole image in pixels.
        moved: Movement of the camera itself, which the room behind shows too.
        eyes: Canvas places at rest of moist corneas that mirror the screen, shape (n, 2).
        glint: Share of the cornea that the lids do not cover, 0..1.
    """

    layer: NDArray[np.uint8]
    sight: Sight
    placement: ReliefPose
    pan: tuple[float, float] = (0.0, 0.0)
    moved: ReliefPose = field(default_factory=ReliefPose)
    eyes: NDArray[np.float32] = field(default_factory=_nowhere)
    glint: float = 0.0


class Subject(Protocol):
    """A person or an instrument in front of the camera."""

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
        """Millimetres per pixel at the plane of depth 0 (of a person: the eyes) at rest."""
        ...

    @property
    def backdrop(self) -> Backdrop:
        """The room behind it."""
        ...

    def render(self, time: float) -> SubjectView:
        """Return the subject at ``time`` seconds; some subjects need rising times."""
        ...
