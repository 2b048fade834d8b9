"""Measures blocks of a frame's luma: their change since the last frame, and their quantisation.

The blocks are those of the JPEG's grid, so the luma has to be as decoded: neither rotated nor scaled. Only a
sample of the blocks is measured: enough for a scan, at a small part of the cost of decoding a frame.
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
"""Width of a bin of noise, grey levels."""

_NOISE_BINS: Final = 64
COEFFICIENTS: Final = 24
"""Highest size of a quantised coefficient that is counted by itself; it includes all larger ones."""

_MODES: Final = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))
"""Vertical and horizontal frequencies. They are low, so natural images give them many different values."""

Luma = NDArray[np.uint8]


def _basis() -> NDArray[np.float32]:
    """Returns the DCT's basis images of the modes, shape (64, modes) (ITU-T T.81, A.3.3)."""
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
        shape: Rows and columns of the frames.
        pairs: Number of frames that follow a frame of the same size and have other bytes.
        noise: Shape (brightness bins, noise bins): number of blocks by brightness and by mean absolute
            difference from the previous frame, without the block's mean change.
        still: Shape (rows, columns) of blocks: how often a block was equal to that of the previous frame.
        brightness: Shape (rows, columns): sum of each block's mean over the pairs, grey levels.
        coefficients: Shape (modes, ``COEFFICIENTS`` + 1): number of blocks by the size of their quantised
            coefficient.
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
        """Counts one frame.

        Args:
            luma: The frame as decoded, of ``shape``.
            luma_table: Its quantisation steps, row by row; ``None`` if unknown.
            new: False for a frame with the same bytes as the previous one, which shows no noise.
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
    """Returns an empty tally for frames of a size, or ``None`` for frames smaller than one block."""
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
    """Returns every ``stride``-th block down and across, shape (blocks, 64)."""
    down, across = luma.shape[0] // 8, luma.shape[1] // 8
    grid = luma[: down * 8, : across * 8].reshape(down, 8, across, 8)[::stride, :, ::stride, :]
    return grid.transpose(0, 2, 1, 3).reshape(-1, 64).astype(np.float32)
