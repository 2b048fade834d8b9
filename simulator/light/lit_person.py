"""A living person as a subject for the screen's light."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from simulator.backdrop import Backdrop
from simulator.geometry.relief import Relief
from simulator.light.material import Material
from simulator.light.subject import Follow, SubjectView
from simulator.person import Person

__all__ = ["LitPerson", "never"]

_WIDEST_MILLIMETRES: Final = 45.0
"""The gap between the lips of a mouth that is open as wide as people open it here when asked."""

Share = Callable[[float], float]
"""A share, 0..1, at a time in seconds."""


def never(time: float) -> float:
    """Return 0 at any time."""
    return 0.0


class LitPerson:
    """A person with matt, slightly glossy skin and corneas that mirror the screen."""

    def __init__(
        self,
        person: Person,
        *,
        material: Material,
        follow: Follow,
        corneas: bool = True,
        closure: Share = never,
        opening: Share = never,
    ) -> None:
        """Makes a subject of a person with albedo colours.

        Args:
            person: The person.
            material: The skin.
            follow: How the person follows an oval.
            corneas: Whether the eyes are moist; those of a mask are not.
            closure: How far the lids are closed on request at a time, 0..1.
            opening: How far the mouth is open on request at a time, 0..1; at 1 the lips are 45 mm apart.
        """
        self._person = person
        self._material = material
        self._follow = follow
        self._closure = closure
        self._opening = opening
        left, right = person.landmarks[36:42].mean(axis=0), person.landmarks[42:48].mean(axis=0)
        self._eyes = np.stack([left, right]).astype(np.float32)[: 2 if corneas else 0]

    @property
    def relief(self) -> Relief:
        """The head and shoulders."""
        return self._person.relief

    @property
    def material(self) -> Material:
        """The skin."""
        return self._material

    @property
    def millimetres_per_pixel(self) -> float:
        """Millimetres per pixel at the plane of the eyes at rest."""
        return self._person.millimetres_per_pixel

    @property
    def backdrop(self) -> Backdrop:
        """The room behind."""
        return self._person.backdrop

    def render(self, time: float) -> SubjectView:
        """Return the person at ``time`` seconds."""
        state = self._person.state_at(time)
        state = replace(
            state,
            head=state.head.moved(self._follow(time)),
            closure=max(state.closure, self._closure(time)),
            gap=self._opening(time) * _WIDEST_MILLIMETRES / self.millimetres_per_pixel,
        )
        seen = self._person.render(state)
        return SubjectView(
            layer=seen.layer,
            sight=seen.sight,
            placement=state.head,
            pan=state.pan,
            moved=state.head,
            eyes=self._eyes + np.array(state.gaze, np.float32),
            glint=max(0.0, 1 - 2 * state.closure),
        )
