"""A frame in small, for finding it again: as a thumbnail within a scan, as a hash across scans."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["HASH_BITS", "THUMBNAIL", "difference_hash", "hash_distances", "thumbnail_of"]

THUMBNAIL: Final = (24, 32)
"""Rows and columns: small enough to compare all frames of a scan with each other."""

HASH_BITS: Final = 256

Luma = NDArray[np.uint8]


def thumbnail_of(luma: Luma) -> NDArray[np.float32]:
    """Mean brightness in a grid of ``THUMBNAIL``, shape (24 x 32,), grey levels."""
    # A third of the resolution to begin with is a quarter of the price and tells the same.
    step = max(1, min(luma.shape[0] // (4 * THUMBNAIL[0]), luma.shape[1] // (4 * THUMBNAIL[1])))
    small = cv2.resize(
        luma[::step, ::step], (THUMBNAIL[1] * 2, THUMBNAIL[0] * 2), interpolation=cv2.INTER_AREA
    )
    shrunk = small.reshape(THUMBNAIL[0], 2, THUMBNAIL[1], 2).mean(axis=(1, 3), dtype=np.float32)
    return np.asarray(shrunk, np.float32).ravel()


def difference_hash(thumbnail: NDArray[np.float32]) -> bytes:
    """256 bits: whether each of 16 x 16 places is brighter than the one to its right (Krawetz's dHash).

    Unlike a cryptographic hash it hardly changes when a frame is encoded anew, scaled or brightened.

    Args:
        thumbnail: Of ``thumbnail_of``.
    """
    small = cv2.resize(thumbnail.reshape(THUMBNAIL), (17, 16), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, :-1] > small[:, 1:]).tobytes()


def hash_distances(one: bytes, others: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Bits by which hashes differ from one.

    Args:
        one: 32 bytes.
        others: Shape (n, 32).
    """
    different = np.bitwise_xor(others, np.frombuffer(one, np.uint8))
    return np.asarray(np.bitwise_count(different).sum(axis=1), np.int64)
