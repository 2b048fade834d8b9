"""Reduces frames so that they can be recognised: to thumbnails within a scan, to hashes across scans."""

import hashlib
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["HASH_BITS", "THUMBNAIL", "difference_hash", "picture_hash", "thumbnail_of"]

THUMBNAIL: Final = (24, 32)
"""Rows and columns: small enough to compare all frames of a scan with each other."""

_A_PLACE: Final = 4

HASH_BITS: Final = 256

_DARKEST, _BRIGHTEST = 16, 240
_LEAST_UNSATURATED: Final = 0.25
"""Least share of blocks that are neither black nor white."""

_LEAST_STEPS: Final = 0.2
"""Least share of these that differ from their right neighbour. The lowest of 2,306 recorded frames is 0.51
(quality 85); a drawn picture, such as that of a blocked camera, has less."""

Luma = NDArray[np.uint8]


def thumbnail_of(luma: Luma) -> NDArray[np.float32]:
    """Returns the mean brightness in a grid of ``THUMBNAIL``, shape (24 x 32,), grey levels."""
    # 16 evenly spread pixels for each cell give the same result as all pixels, at a third of the cost.
    rows, columns = (
        _places(size, _A_PLACE * count) for size, count in zip(luma.shape, THUMBNAIL, strict=True)
    )
    taken = luma.take(rows, axis=0).take(columns, axis=1)
    small = cv2.resize(taken.astype(np.float32), THUMBNAIL[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).ravel()


@cache
def _places(size: int, count: int) -> NDArray[np.intp]:
    """Returns the centres of ``count`` equal parts of ``size`` pixels."""
    return np.asarray((np.arange(count) * size + size // 2) // count, np.intp)


def picture_hash(blocks: Luma) -> bytes:
    """Returns a hash of what a frame shows, 32 bytes, whatever file it is in; empty without enough texture.

    The hash is exact: the noise of a camera changes it, and so does any new encoding. It is the same for a
    picture that is rotated or mirrored by whole blocks, which needs no new encoding.

    Args:
        blocks: The decoded mean luma of each block of 8 x 8 pixels (``vision.image.decode_jpeg_blocks``).
    """
    clear = (blocks > _DARKEST) & (blocks < _BRIGHTEST)
    steps = (blocks[:, :-1] != blocks[:, 1:]) & clear[:, :-1]
    if clear.mean() < _LEAST_UNSATURATED or steps.sum() < _LEAST_STEPS * clear[:, :-1].sum():
        return b""
    # The brighter halves go left and up, so that every orientation gives the same picture.
    turned = blocks.T if blocks.shape[0] > blocks.shape[1] else blocks
    across, down = turned.sum(axis=0, dtype=np.int64), turned.sum(axis=1, dtype=np.int64)
    if across[: len(across) // 2].sum() < across[-(len(across) // 2) :].sum():
        turned = turned[:, ::-1]
    if down[: len(down) // 2].sum() < down[-(len(down) // 2) :].sum():
        turned = turned[::-1]
    shape = b"%dx%d" % turned.shape
    return hashlib.sha256(shape + b":" + np.ascontiguousarray(turned).tobytes()).digest()


def difference_hash(thumbnail: NDArray[np.float32]) -> bytes:
    """Returns whether each of 16 x 16 cells is brighter than its right neighbour (Krawetz's dHash), 256 bits.

    Unlike a cryptographic hash it hardly changes if a frame is re-encoded, scaled or brightened.

    Args:
        thumbnail: The result of ``thumbnail_of``.
    """
    small = cv2.resize(thumbnail.reshape(THUMBNAIL), (17, 16), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, :-1] > small[:, 1:]).tobytes()
