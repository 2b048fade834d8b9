"""The room behind the person or the instrument: the farther away it is, the less it moves.

It is a wall with objects, lit from one side, slightly blurred.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.simulator.geometry import ReliefPose, Viewport
from vision.face import BgrImage

_PLASTER = np.float32(5.0)
_WALLS = (
    (196, 205, 210),
    (178, 190, 186),
    (205, 196, 184),
    (168, 186, 204),
    (150, 152, 158),
    (214, 212, 206),
)
_BOOKS = ((52, 60, 120), (110, 70, 50), (60, 105, 70), (45, 45, 50), (140, 150, 165), (40, 110, 160))


def paint_room(rng: np.random.Generator, *, width: int, height: int) -> BgrImage:
    """Paint a wall with a door or window, pictures and a shelf.

    Args:
        rng: Draws colours and places.
        width: Pixels.
        height: Pixels.
    """
    room = np.empty((height, width, 3), np.float32)
    room[:] = np.array(_WALLS[int(rng.integers(len(_WALLS)))], np.float32) * rng.uniform(0.72, 1.0)
    if rng.random() < 0.5:
        _door(room, rng)
    else:
        _window(room, rng)
    for _ in range(int(rng.integers(1, 4))):
        _picture(room, rng)
    if rng.random() < 0.7:
        _shelf(room, rng)
    blur = width / 420 * float(rng.uniform(0.8, 2.2))
    lit = cv2.GaussianBlur(room, (0, 0), blur) * _light(rng, height, width)[..., None]
    plaster = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), 1.5)
    return np.asarray(np.clip(lit + _PLASTER * plaster[..., None], 0, 255), dtype=np.uint8)


def _rectangle(
    room: NDArray[np.float32],
    corner: tuple[float, float],
    size: tuple[float, float],
    colour: tuple[float, ...],
) -> None:
    first = (round(corner[0]), round(corner[1]))
    last = (round(corner[0] + size[0]), round(corner[1] + size[1]))
    cv2.rectangle(room, first, last, colour, -1, cv2.LINE_AA)


def _shade(colour: NDArray[np.float32] | tuple[float, ...], factor: float) -> tuple[float, ...]:
    return tuple(float(min(255.0, channel * factor)) for channel in colour)


def _door(room: NDArray[np.float32], rng: np.random.Generator) -> None:
    height, width = room.shape[:2]
    colour = _shade(room[0, 0], float(rng.uniform(0.55, 0.85)))
    door_width = width * float(rng.uniform(0.28, 0.4))
    left = -0.1 * width if rng.random() < 0.5 else 0.78 * width
    top = height * float(rng.uniform(0.02, 0.2))
    _rectangle(room, (left - 8, top - 10), (door_width + 16, height), _shade(colour, 1.25))
    _rectangle(room, (left, top), (door_width, height), colour)
    for row in range(3):
        panel_top = top + height * (0.05 + 0.3 * row)
        _rectangle(
            room,
            (left + 0.15 * door_width, panel_top),
            (0.7 * door_width, 0.24 * height),
            _shade(colour, 0.9),
        )


def _window(room: NDArray[np.float32], rng: np.random.Generator) -> None:
    height, width = room.shape[:2]
    left = width * (float(rng.uniform(-0.05, 0.08)) if rng.random() < 0.5 else float(rng.uniform(0.68, 0.8)))
    top, tall, wide = (
        height * float(rng.uniform(0.02, 0.15)),
        height * 0.45,
        width * float(rng.uniform(0.22, 0.32)),
    )
    _rectangle(room, (left - 9, top - 9), (wide + 18, tall + 18), (205, 210, 214))
    _rectangle(room, (left, top), (wide, tall), (238, 228, 214))
    _rectangle(room, (left, top + 0.62 * tall), (wide, 0.38 * tall), (168, 190, 176))
    _rectangle(room, (left + 0.47 * wide, top), (0.05 * wide, tall), (205, 210, 214))
    _rectangle(room, (left, top + 0.45 * tall), (wide, 0.025 * tall), (205, 210, 214))


def _picture(room: NDArray[np.float32], rng: np.random.Generator) -> None:
    height, width = room.shape[:2]
    wide, tall = width * float(rng.uniform(0.1, 0.2)), height * float(rng.uniform(0.1, 0.18))
    left, top = width * float(rng.uniform(0.02, 0.85)), height * float(rng.uniform(0.03, 0.5))
    _rectangle(room, (left, top), (wide, tall), _shade((60, 70, 85), float(rng.uniform(0.4, 1.4))))
    _rectangle(room, (left + 5, top + 5), (wide - 10, tall - 10), (225, 228, 230))
    for _ in range(7):
        spot = (left + wide * float(rng.uniform(0.25, 0.75)), top + tall * float(rng.uniform(0.25, 0.75)))
        colour = tuple(float(channel) for channel in rng.uniform(30, 220, 3))
        size = (0.2 * wide * float(rng.uniform(0.4, 1)), 0.2 * tall * float(rng.uniform(0.4, 1)))
        _rectangle(room, spot, size, colour)


def _shelf(room: NDArray[np.float32], rng: np.random.Generator) -> None:
    height, width = room.shape[:2]
    left = 0.0 if rng.random() < 0.5 else width * 0.66
    right, top = left + 0.34 * width, height * float(rng.uniform(0.4, 0.62))
    _rectangle(room, (left, top), (right - left, height * 0.02), (70, 95, 125))
    place = left + 4
    while place < right - 14:
        wide, tall = float(rng.uniform(8, 20)), height * float(rng.uniform(0.06, 0.13))
        book = _BOOKS[int(rng.integers(len(_BOOKS)))]
        _rectangle(room, (place, top - tall), (wide, tall), _shade(book, float(rng.uniform(0.7, 1.3))))
        place += wide + 1.5


def _light(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    across = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(rng.uniform(-0.16, 0.16))
    down = np.linspace(0, 1, height, dtype=np.float32) * np.float32(rng.uniform(-0.25, -0.02))
    light: NDArray[np.float32] = 1 + across[None, :] + down[:, None]
    return light


_MARGIN = 0.12
_FARTHEST = 6.0


class Backdrop:
    """A painted wall behind the face."""

    def __init__(self, rng: np.random.Generator, viewport: Viewport, *, nearest: float = 3.0) -> None:
        """Paint the wall.

        Args:
            rng: Draws the appearance and the distance of the wall.
            viewport: Frame and lens.
            nearest: Least distance of the wall, as a multiple of the face's distance; 1..6.
        """
        self._viewport = viewport
        self.nearness = 1 / float(rng.uniform(nearest, _FARTHEST))
        """The distance of the face over that of the wall."""
        self._wall = paint_room(
            rng,
            width=round(viewport.width * (1 + 2 * _MARGIN)),
            height=round(viewport.height * (1 + 2 * _MARGIN)),
        )

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
            ((wide - 1) / 2, (tall - 1) / 2), -moved.roll, 1 + self.nearness * moved.approach
        )
        turn[0, 2] += self.nearness * moved.shift_x + pan[0] - (wide - view.width) / 2
        turn[1, 2] += self.nearness * moved.shift_y + pan[1] - (tall - view.height) / 2
        size = (view.width, view.height)
        seen = cv2.warpAffine(self._wall, turn, size, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(seen, dtype=np.uint8)
