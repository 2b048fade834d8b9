"""Cuts the chips of one face for dlib's embedder: aligned, and moved a little.

dlib's network gives another template if a face lies two pixels further left. The mean over a few chips
with such small differences, and over their mirror images, is steadier in poor light or sharpness;
``research/scan_match/NOTES.md`` has the measurements. dlib draws such changes at random. Here they are
a fixed list, so that templates are reproducible.

Sources: ``dlib/image_transforms/interpolation.h`` (mean face, alignment); D. King, dlib-models (150 x 150
chips with padding 0.25).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["ALIGNED_POINTS", "CHIP_SIDE", "MEAN_FACE", "MOVES", "Move", "chip_frame", "cut_chips"]

CHIP_SIDE: Final = 150
_PADDING: Final = 0.25

MEAN_FACE: Final[NDArray[np.float64]] = np.array(
    [
        [0.000213256, 0.106454], [0.0752622, 0.038915], [0.18113, 0.0187482], [0.29077, 0.0344891],
        [0.393397, 0.0773906], [0.586856, 0.0773906], [0.689483, 0.0344891], [0.799124, 0.0187482],
        [0.904991, 0.038915], [0.98004, 0.106454], [0.490127, 0.203352], [0.490127, 0.307009],
        [0.490127, 0.409805], [0.490127, 0.515625], [0.36688, 0.587326], [0.426036, 0.609345],
        [0.490127, 0.628106], [0.554217, 0.609345], [0.613373, 0.587326], [0.121737, 0.216423],
        [0.187122, 0.178758], [0.265825, 0.179852], [0.334606, 0.231733], [0.260918, 0.245099],
        [0.182743, 0.244077], [0.645647, 0.231733], [0.714428, 0.179852], [0.793132, 0.178758],
        [0.858516, 0.216423], [0.79751, 0.244077], [0.719335, 0.245099], [0.254149, 0.780233],
        [0.340985, 0.745405], [0.428858, 0.727388], [0.490127, 0.742578], [0.551395, 0.727388],
        [0.639268, 0.745405], [0.726104, 0.780233], [0.642159, 0.864805], [0.556721, 0.902192],
        [0.490127, 0.909281], [0.423532, 0.902192], [0.338094, 0.864805], [0.290379, 0.784792],
        [0.428096, 0.778746], [0.490127, 0.785343], [0.552157, 0.778746], [0.689874, 0.784792],
        [0.553364, 0.824182], [0.490127, 0.831803], [0.42689, 0.824182],
    ]
)  # fmt: skip
"""Points 17..67 of the iBUG 68 in dlib's mean face, as shares of its side, shape (51, 2)."""
MEAN_FACE.setflags(write=False)

ALIGNED_POINTS: Final = tuple(index for index in range(27, 68) if not (55 <= index <= 59 or index >= 65))
"""The points by which dlib aligns: brows and the lower lip are left out, because they move."""


@dataclass(frozen=True, slots=True)
class Move:
    """A small change of a face's position in its chip.

    Attributes:
        degrees: Rotation around the chip's centre, clockwise.
        scale: Above 1 makes the face larger.
        shift: (x, y), as shares of the chip's side.
    """

    degrees: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)


MOVES: Final = (
    Move(degrees=3.0, shift=(0.02, 0.0)),
    Move(degrees=-3.0, shift=(-0.02, 0.0)),
    Move(degrees=1.0, scale=1.05, shift=(0.0, 0.02)),
    Move(degrees=-1.0, scale=0.95, shift=(0.0, -0.02)),
)
"""The chips whose mean is a template; each is used as it is and mirrored."""


def chip_frame(
    points: NDArray[np.float64],
    mean: NDArray[np.float64],
    *,
    side: int = CHIP_SIDE,
    padding: float = _PADDING,
    move: Move | None = None,
) -> Any:
    """Return the position of a chip in an image: ``dlib.chip_details``.

    Args:
        points: Shape (n, 2), n of 2 or more, the face's points in the image.
        mean: Shape (n, 2), the points in the mean face, as shares of its side.
        side: Side of the chip, pixels.
        padding: Border around the mean face, as a share of its side.
        move: The change after alignment.
    """
    import dlib

    wanted = (mean + padding) / (1.0 + 2.0 * padding)
    if move is not None:
        angle = np.radians(move.degrees)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        wanted = move.scale * (wanted - 0.5) @ turn.T + 0.5 + np.array(move.shift)
    ends = [dlib.dpoints([dlib.dpoint(x, y) for x, y in each.tolist()]) for each in (wanted * side, points)]
    return dlib.chip_details(*ends, dlib.chip_dims(rows=side, cols=side))


def cut_chips(
    picture: NDArray[np.uint8], points: NDArray[np.float64], *, moves: Sequence[Move] = MOVES
) -> NDArray[np.float32]:
    """Return the chips of one face for the embedder.

    Args:
        picture: RGB, shape (height, width, 3).
        points: Shape (68, 2), the iBUG points of the face in it.
        moves: One or more.

    Returns:
        Shape (2 n, 3, 150, 150), RGB, 0..255: all moves, then their mirror images.

    Raises:
        RuntimeError: dlib cannot cut the chips.
    """
    import dlib

    aligned = list(ALIGNED_POINTS)
    mean = MEAN_FACE[[index - 17 for index in aligned]]
    frames = [chip_frame(points[aligned], mean, move=move) for move in moves]
    plain = np.stack(dlib.extract_image_chips(picture, frames)).transpose(0, 3, 1, 2)
    return np.concatenate([plain, plain[..., ::-1]]).astype(np.float32)
