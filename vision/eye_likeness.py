"""Similarity of an eye to the average eye, in grey."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage

EYE_WIDTH: Final = 24
EYE_HEIGHT: Final = 14
"""Size of the template, pixels."""
EYE_WIDTH_IN_EYES: Final = 1.5
"""Width of the image area that the template covers, in widths of an eye from corner to corner."""


# The mean over the eyes of 119 persons (each the mean of their photos, both eyes, the right one mirrored;
# MediaPipe's and dlib's landmarks; yaw below 25 degrees), without brightness and contrast: one byte per
# pixel, 128 for the mean.
_ROWS: Final = (
    "8c909191928f8c898785817d7976757476797b7e81858b94",
    "8c8e8d8a8683817e7b78736f6b69686a6f74797d80848890",
    "8987817a746f6b655d56514e4c4c51575e6671787d81858b",
    "827a6f645b524a40362e2c2d2f323b464f596470787d8289",
    "7768584a3c32302e27262b303034435257565b68757e848b",
    "68523e2e242c4342332d2623293a577478685d6374858d93",
    "5a402b1d2448695d413326222f45688c927f6b63718a9ba0",
    "563c2a2a40627d795c494140495d7b8f8f857c798497a6ab",
    "66555055617280877d6d6668738090999b9b9ea4abb0b3b3",
    "847f7d7b7e82878a8d8b8a8d93999fa3a5a7aaaeb4b7b8b9",
    "9f9e9b9693959798999b9da0a3a5a6a5a5a8abb1b6babcbe",
    "b0aeaaa6a3a1a3a4a4a5a5a6a5a5a5a7aaafb4b9bec1c3c3",
    "bcb9b5b1aeabaaaaa9a8a7a6a7a9adb1b6bbc0c5c8c9c8c8",
    "c4c3c1bdbab6b3b2b1b0b0b2b5b8bcc1c5c9cdd0d0cecccb",
)


def _template() -> NDArray[np.float64]:
    values = np.frombuffer(bytes.fromhex("".join(_ROWS)), dtype=np.uint8).astype(np.float64)
    centred = values.reshape(EYE_HEIGHT, EYE_WIDTH) - values.mean()
    normalised: NDArray[np.float64] = centred / np.linalg.norm(centred)
    normalised.setflags(write=False)
    return normalised


EYE_TEMPLATE: Final = _template()
"""Shape (14, 24), mean 0, length 1; the outer corner of the eye is on the left."""

_FINER: Final = 2


def eye_piece(
    image: BgrImage,
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    *,
    mirrored: bool,
    least_width: float,
) -> NDArray[np.float64] | None:
    """Cut out an eye for the comparison with the average eye.

    The corners are (x, y), pixels, at least ``least_width`` apart. ``mirrored`` is for the image's right eye,
    whose outer corner is on the right.

    Returns:
        Shape (14, 24), grey, mean 0 and length 1 (all 0 if the eye is flat), the outer corner on the left;
        None if the eye is narrower than ``least_width``.
    """
    across = right - left
    width = float(np.linalg.norm(across))
    if width < least_width:
        return None
    columns, rows = _FINER * EYE_WIDTH, _FINER * EYE_HEIGHT
    x, y = across / width * (EYE_WIDTH_IN_EYES * width / columns)
    turn = np.array([[x, -y], [y, x]])
    shift = (left + right) / 2 - turn @ ((columns - 1) / 2, (rows - 1) / 2)
    matrix = np.column_stack([turn, shift])
    piece = cv2.warpAffine(image, matrix, (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    grey = cv2.cvtColor(piece, cv2.COLOR_BGR2GRAY)
    eye = cv2.resize(grey, (EYE_WIDTH, EYE_HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float64)
    if mirrored:
        eye = eye[:, ::-1]
    centred: NDArray[np.float64] = eye - eye.mean()
    length = float(np.linalg.norm(centred))
    if length > 0:
        centred /= length
    return centred


def eye_likeness(piece: NDArray[np.float64]) -> float:
    """Return the correlation of an eye from ``eye_piece`` with the average eye, -1 to 1; 0 if it is flat."""
    return float((piece * EYE_TEMPLATE).sum())
