"""The approaches of one challenge, each measured as soon as it is complete."""

from liveness.dynamic.movement.approach import ApproachTracker, Parallax
from liveness.dynamic.movement.came_closer import ApproachKind, classify_approach
from liveness.dynamic.movement.perspective import (
    PerspectiveFinding,
    large_enough,
    measure_perspective,
    pool_findings,
)
from liveness.dynamic.movement.settings import MovementSettings
from liveness.observation import FrameObservation

__all__ = ["Approaches"]


class Approaches:
    """Follows the face from each far oval to the next near one."""

    def __init__(self, settings: MovementSettings) -> None:
        """Starts without an approach.

        Args:
            settings: ``FlashModel.movement``.
        """
        self._settings = settings
        self._tracker = ApproachTracker()
        self._measured: list[PerspectiveFinding | None] = []
        self._kind = ApproachKind.UNSURE
        self._settled = False

    @property
    def measured(self) -> tuple[PerspectiveFinding | None, ...]:
        """The finding of each whole approach; ``None`` if it could not be measured."""
        return tuple(self._measured)

    @property
    def settled(self) -> bool:
        """Whether another approach would add nothing."""
        return self._settled

    @property
    def of_a_head(self) -> bool:
        """Whether all whole approaches together are those of a head."""
        return self._kind is ApproachKind.HEAD

    @property
    def unfinished(self) -> Parallax | None:
        """The approach that is not complete; ``None`` if none has begun."""
        return self._tracker.parallax()

    def add(self, observation: FrameObservation) -> None:
        """Adds the next frame, which must have its view."""
        self._tracker.add(observation)

    def begin(self, observation: FrameObservation) -> None:
        """Begins an approach at this frame, whose face fills a far oval."""
        self._tracker.begin(observation)

    def complete(self) -> None:
        """Measures the approach once the near oval is filled, which takes about 35 ms."""
        lines = self._settings
        parallax, self._tracker = self._tracker.parallax(), ApproachTracker()
        self._measured.append(None if parallax is None else measure_perspective(parallax, lines.perspective))
        seen = pool_findings([one for one in self._measured if one is not None])
        # A camera whose frames are too small shows no more in another approach.
        small = parallax is not None and not large_enough(parallax, lines.perspective)
        self._kind = classify_approach(seen, lines.came_closer).kind
        self._settled = small or self._kind is not ApproachKind.UNSURE
