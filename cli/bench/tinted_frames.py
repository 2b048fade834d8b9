"""The frames of a scan in the light of a screen, in each of its colours.

Rendering a face in the light of a screen takes as much time as the server's own work. Here the screen's
colour scales the channels of each frame, of face and background alike. So the challenge runs completely and
measures colours, as with a person; its spatial measurements are those of an attack.

All frames are encoded in advance. A phone encodes on its own processors; here the encoding would use the
server's: on two cores, four phones that encoded during the scan used half as much as the server did.
"""

import os
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Final, TypeAlias

import cv2
import numpy as np

from vision.face import BgrImage
from vision.image import encode_jpeg

__all__ = ["Rgb", "TintedFrames", "tinted"]

Rgb: TypeAlias = tuple[int, int, int]
"""Red, green and blue of a screen, sRGB, each 0..255."""

_AMBIENT, _SCREEN = 0.45, 0.55
"""Shares of the light, in the values that JPEGs store; the second is the share that white adds."""
_QUALITY: Final = 85


class TintedFrames:
    """The frames of one scan, as JPEG files in memory."""

    def __init__(self, frames: Sequence[BgrImage], *, colours: Collection[Rgb]) -> None:
        """Encodes every frame in every colour and in the light of a dark screen, on all cores.

        Args:
            frames: The frames in white light, in order.
            colours: The possible colours of the screen.
        """
        wanted = tuple(product(range(len(frames)), (None, *colours)))

        def encoded(one: tuple[int, Rgb | None]) -> bytes:
            number, colour = one
            return encode_jpeg(tinted(frames[number], colour), quality=_QUALITY)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            self._jpegs = dict(zip(wanted, pool.map(encoded, wanted), strict=True))
        self._count = len(frames)

    def __len__(self) -> int:
        """Returns the number of frames."""
        return self._count

    def jpeg(self, number: int, colour: Rgb | None) -> bytes:
        """Returns a frame in the light of a colour, ``None`` for a dark screen.

        Raises:
            KeyError: There is no such frame, or it was not encoded in this colour.
        """
        return self._jpegs[number, colour]


def tinted(pixels: BgrImage, colour: Rgb | None) -> BgrImage:
    """Returns a frame as if a screen lit all of it.

    Args:
        pixels: The frame in white light.
        colour: Colour of the screen; ``None`` for a dark screen.
    """
    red, green, blue = colour or (0, 0, 0)
    gains = _AMBIENT + _SCREEN * np.array([blue, green, red]) / 255
    table = (np.arange(256)[:, None] * gains).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table.reshape(1, 256, 3)), np.uint8)
