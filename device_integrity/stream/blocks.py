"""Blocks of a picture's luma, what they differ by from the last picture's, and how they were quantised.

The blocks are those of the JPEG's own grid, so the luma has to be as it was decoded: neither turned nor
scaled. Only some are looked at: enough for a scan, at a small part of the price of decoding a frame.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BRIGHTNESS_BINS", "COEFFICIENTS", "NOISE_STEP", "BlockTally", "tally_of"]

_MOST_BLOCKS: Final = 500
BRIGHTNESS_BINS: Final = 8
"""Bins of 32 grey levels each."""

NOISE_STEP: Final = 0.1
"""Grey levels of a bin of noise."""

_NOISE_BINS: Final = 64
COEFFICIENTS: Final = 24
"""Quantised coefficients are counted from 0 to this."""

_MODES: Final = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))
"""Vertical and horizontal frequency: low ones, which natural pictures fill with many values."""

Luma = NDArray[np.uint8]


def _basis() -> NDArray[np.float32]:
    """The DCT's basis pictures for the modes, shape (64, modes) (ITU-T T.81, A.3.3)."""
    place = np.arange(8)
    waves = [
        np.sqrt((1 if order == 0 else 2) / 8) * np.cos((2 * place + 1) * order * np.pi / 16)
        for order in range(8)
    ]
    return np.stack([np.outer(waves[down], waves[across]).ravel() for down, across in _MODES], axis=1).astype(
        np.float32
    )


_BASIS: Final = _basis()
_AT: Final = np.array([8 * down + across for down, across in _MODES])


@dataclass(slots=True, eq=False)
class BlockTally:
    """Counts over a scan's frames of one size; grows with every frame.

    Attributes:
        shape: Of the frames, rows and columns.
        pairs: Frames that had one of the same size before them, not the very same picture.
        noise: Shape (brightness bins, noise bins): blocks by their brightness and by the mean absolute
            difference from the frame before, less a common change.
        still: Shape (rows, columns) of blocks: how often a block was exactly as in the frame before.
        brightness: Shape (rows, columns): sum of each block's mean over the pairs, grey levels.
        coefficients: Shape (modes, ``COEFFICIENTS`` + 1): blocks by their quantised coefficient's size.
    """

    shape: tuple[int, int]
    pairs: int
    noise: NDArray[np.int64]
    still: NDArray[np.int64]
    brightness: NDArray[np.float64]
    coefficients: NDArray[np.int64]
    _stride: int
    _last: NDArray[np.float32] | None = None

    def add(self, luma: Luma, *, luma_table: NDArray[np.float32] | None, new: bool) -> None:
        """Count one frame.

        Args:
            luma: Of ``shape``, as decoded.
            luma_table: Its quantisation steps, row by row; ``None`` where unknown.
            new: False for a frame with the very bytes of the one before, which tells nothing of noise.
        """
        grid = self.still.shape
        blocks = _blocks(luma, self._stride)
        if luma_table is not None:
            sizes = np.abs(np.rint(blocks @ (_BASIS / luma_table[_AT]))).astype(np.intp)
            np.minimum(sizes, COEFFICIENTS, out=sizes)
            sizes += np.arange(len(_MODES)) * (COEFFICIENTS + 1)
            self.coefficients += np.bincount(sizes.ravel(), minlength=self.coefficients.size).reshape(
                self.coefficients.shape
            )
        if self._last is not None and new:
            means = blocks.mean(axis=1)
            change = blocks - self._last
            self.pairs += 1
            self.still += (~change.any(axis=1)).reshape(grid)
            self.brightness += means.reshape(grid)
            change -= change.mean(axis=1, keepdims=True)
            level = (np.abs(change).mean(axis=1) / NOISE_STEP).astype(np.intp)
            np.minimum(level, _NOISE_BINS - 1, out=level)
            bins = (means / (256 / BRIGHTNESS_BINS)).astype(np.intp) * _NOISE_BINS + level
            self.noise += np.bincount(bins, minlength=self.noise.size).reshape(self.noise.shape)
        self._last = blocks


def tally_of(shape: tuple[int, int]) -> BlockTally | None:
    """An empty tally for frames of a size; ``None`` for frames smaller than one block."""
    down, across = shape[0] // 8, shape[1] // 8
    if not down or not across:
        return None
    stride = max(1, math.ceil(math.sqrt(down * across / _MOST_BLOCKS)))
    grid = (-(-down // stride), -(-across // stride))
    return BlockTally(
        shape=shape,
        pairs=0,
        noise=np.zeros((BRIGHTNESS_BINS, _NOISE_BINS), np.int64),
        still=np.zeros(grid, np.int64),
        brightness=np.zeros(grid, np.float64),
        coefficients=np.zeros((len(_MODES), COEFFICIENTS + 1), np.int64),
        _stride=stride,
    )


def _blocks(luma: Luma, stride: int) -> NDArray[np.float32]:
    """Shape (blocks, 64): every ``stride``-th block down and across."""
    down, across = luma.shape[0] // 8, luma.shape[1] // 8
    grid = luma[: down * 8, : across * 8].reshape(down, 8, across, 8)[::stride, :, ::stride, :]
    return grid.transpose(0, 2, 1, 3).reshape(-1, 64).astype(np.float32)
