"""The room behind the person or the instrument: the farther away it is, the less it moves."""

import cv2
import numpy as np

from simulator.appearance.room import paint_room
from simulator.geometry.relief import ReliefPose, Viewport
from vision.face import BgrImage

__all__ = ["Backdrop"]

_MARGIN = 0.12
_FARTHEST = 6.0


class Backdrop:
    """A painted wall behind the face."""

    def __init__(self, rng: np.random.Generator, viewport: Viewport, *, nearest: float = 3.0) -> None:
        """Paints the wall.

        Args:
            rng: Draws the appearance and the distance of the wall.
            viewport: Frame and lens.
            nearest: Least distance of the wall, as a multiple of the face's distance; 1..6.
        """
        self._viewport = viewport
        self._nearness = 1 / float(rng.uniform(nearest, _FARTHEST))
        self._wall = paint_room(
            rng,
            width=round(viewport.width * (1 + 2 * _MARGIN)),
            height=round(viewport.height * (1 + 2 * _MARGIN)),
        )

    @property
    def nearness(self) -> float:
        """The distance of the face over that of the wall."""
        return self._nearness

    def show(self, *, pan: tuple[float, float], camera: ReliefPose | None = None) -> BgrImage:
        """Render the wall as the lens sees it.

        Args:
            pan: Movement of the whole image in pixels, from a turn of the camera.
            camera: The camera's own movement, as a movement of the face relative to the camera. The wall,
                which is farther away, shows the same roll and a small part of the rest.
        """
        view, moved = self._viewport, camera or ReliefPose()
        tall, wide = self._wall.shape[:2]
        turn = cv2.getRotationMatrix2D(
            ((wide - 1) / 2, (tall - 1) / 2), -moved.roll, 1 + self._nearness * moved.approach
        )
        turn[0, 2] += self._nearness * moved.shift_x + pan[0] - (wide - view.width) / 2
        turn[1, 2] += self._nearness * moved.shift_y + pan[1] - (tall - view.height) / 2
        size = (view.width, view.height)
        seen = cv2.warpAffine(self._wall, turn, size, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(seen, dtype=np.uint8)
