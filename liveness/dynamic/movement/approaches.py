"""What the approaches of one challenge show, each measured as soon as it is complete."""

from liveness.dynamic.movement.approach import ApproachTracker, Parallax
from liveness.dynamic.movement.came_closer import ApproachKind, what_came_closer
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
    """Follows the face from each far oval to the near one after it."""

    def __init__(self, settings: MovementSettings) -> None:
        """Starts with nothing followed.

        Args:
            settings: ``FlashModel.movement``.
        """
        self._settings = settings
        self._tracker = ApproachTracker()
        self._measured: list[PerspectiveFinding | None] = []
        self._settled = False

    @property
    def measured(self) -> tuple[PerspectiveFinding | None, ...]:
        """What each whole approach showed; ``None`` where it showed nothing."""
        return tuple(self._measured)

    @property
    def settled(self) -> bool:
        """Whether another approach would tell nothing new."""
        return self._settled

    @property
    def unfinished(self) -> Parallax | None:
        """What was followed since the latest one began."""
        return self._tracker.parallax()

    def add(self, observation: FrameObservation) -> None:
        """Take the next frame, with its view."""
        self._tracker.add(observation)

    def begin(self, observation: FrameObservation) -> None:
        """Begin another at this frame, whose face fills a far oval."""
        self._tracker.begin(observation)

    def complete(self) -> None:
        """The near oval is filled: measure the approach, which takes some 35 ms."""
        lines = self._settings
        parallax, self._tracker = self._tracker.parallax(), ApproachTracker()
        self._measured.append(None if parallax is None else measure_perspective(parallax, lines.perspective))
        seen = pool_findings([one for one in self._measured if one is not None])
        # A camera whose pictures are too small shows no more the next time.
        small = parallax is not None and not large_enough(parallax, lines.perspective)
        self._settled = small or what_came_closer(seen, lines.came_closer).kind is not ApproachKind.UNSURE
