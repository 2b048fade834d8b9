"""Measures a stream's frames as they arrive, at a fraction of the cost of decoding them."""

import hashlib
import math
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from formats.errors import ImageUnreadable
from formats.jpeg import SOF, read_segments

THUMBNAIL: Final = (24, 32)
"""Rows and columns: small enough to compare all frames of a scan with each other."""

_A_PLACE: Final = 4

_DARKEST, _BRIGHTEST = 16, 240
_LEAST_UNSATURATED: Final = 0.25
"""Least share of blocks that are neither black nor white."""

_LEAST_STEPS: Final = 0.2
"""Least share of these that differ from their right neighbour. The lowest of 2,306 recorded frames is 0.51
(quality 85); a drawn picture, such as that of a blocked camera, has less."""

Luma = NDArray[np.uint8]


def thumbnail_of(luma: Luma) -> NDArray[np.float32]:
    """Return the mean brightness in a grid of ``THUMBNAIL``, shape (24 x 32,), grey levels."""
    # 16 evenly spread pixels for each cell give the same result as all pixels, at a third of the cost.
    rows, columns = (
        _places(size, _A_PLACE * count) for size, count in zip(luma.shape, THUMBNAIL, strict=True)
    )
    taken = luma.take(rows, axis=0).take(columns, axis=1)
    small = cv2.resize(taken.astype(np.float32), THUMBNAIL[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).ravel()


@cache
def _places(size: int, count: int) -> NDArray[np.intp]:
    """Return the centres of ``count`` equal parts of ``size`` pixels."""
    return np.asarray((np.arange(count) * size + size // 2) // count, np.intp)


def picture_hash(blocks: Luma) -> bytes:
    """Return a hash of what a frame shows, 32 bytes, whatever file it is in; empty without enough texture.

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
    """Return whether each of 16 x 16 cells is brighter than its right neighbour (Krawetz's dHash), 256 bits.

    Unlike a cryptographic hash it hardly changes if a frame is re-encoded, scaled or brightened.
    """
    small = cv2.resize(thumbnail.reshape(THUMBNAIL), (17, 16), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, :-1] > small[:, 1:]).tobytes()


_MOST_SEGMENTS: Final = 64
_MOST_STRAY: Final = 64
_LONGEST_COMMENT: Final = 64
_MOST_TABLES: Final = 16
"""Maximum number of quantisation tables. Each of four destinations holds one; B.2.4.1 allows redefinition."""
_DESTINATIONS: Final = 4

_SOI: Final = b"\xff\xd8"
_DQT: Final = 0xDB
_SOS: Final = 0xDA
_EOI: Final = 0xD9
_COMMENT: Final = 0xFE


def _zigzag() -> NDArray[np.intp]:
    """Return the natural position of each zigzag position (ITU-T T.81, figure 5)."""
    order = sorted(
        range(64), key=lambda at: (at // 8 + at % 8, at // 8 if (at // 8 + at % 8) % 2 else at % 8)
    )
    return np.array(order)


_NATURAL: Final = _zigzag()


@dataclass(frozen=True, slots=True, eq=False)
class JpegFacts:
    """The settings of the encoder, as a JPEG's header states them.

    Attributes:
        structure: The markers before the compressed data, the coding process and the sampling factors. They
            are the same for every image of one encoder, at any quality.
        luma_table: Quantisation steps of the luma, shape (64,), row by row.
        comments: The printable characters among the first 64 bytes of each comment segment.
        header: The bytes that were read. An image that begins with them has the same settings.
    """

    structure: bytes
    luma_table: NDArray[np.float32]
    comments: tuple[str, ...]
    header: bytes


def read_jpeg_facts(data: bytes) -> JpegFacts | None:
    """Read the header of a JPEG; ``None`` if it cannot be read or has no luma table."""
    if not data.startswith(_SOI):
        return None
    end = len(_SOI)
    structure = bytearray()
    tables: dict[int, NDArray[np.float32]] = {}
    left = _MOST_TABLES
    luma_selector: int | None = None
    comments: list[str] = []
    try:
        for segment in islice(read_segments(data), _MOST_SEGMENTS):
            # Decoders pass over what lies before a marker; encoders write little there.
            if segment.start + 2 > end + _MOST_STRAY or segment.marker == _EOI:
                return None
            end, body = segment.end, segment.body
            structure.append(segment.marker)
            if segment.marker == _SOS:
                table = tables.get(luma_selector) if luma_selector is not None else None
                if table is None:
                    return None
                return JpegFacts(
                    structure=bytes(structure), luma_table=table, comments=tuple(comments), header=data[:end]
                )
            if segment.marker == _DQT:
                read = _read_tables(body, tables, most=left)
                if read is None:
                    return None
                left -= read
            if segment.marker in SOF:
                if len(body) < 9:
                    return None
                luma_selector = body[8]
                # Sampling factors; not the size, the identifiers or the selectors.
                structure += body[7::3]
            if segment.marker == _COMMENT:
                comments.append(_printable(body))
    except ImageUnreadable:
        return None
    return None


def _read_tables(body: bytes, tables: dict[int, NDArray[np.float32]], *, most: int) -> int | None:
    """Add a segment's tables to ``tables``; return their number, ``None`` if over ``most`` or damaged."""
    at, count = 0, 0
    while at < len(body):
        wide, selector = body[at] >> 4, body[at] & 0x0F
        size = 64 * (1 + wide)
        steps = body[at + 1 : at + 1 + size]
        if wide > 1 or selector >= _DESTINATIONS or len(steps) != size or count == most:
            return None
        table = np.empty(64, np.float32)
        table[_NATURAL] = np.frombuffer(steps, ">u2" if wide else np.uint8)
        tables[selector] = np.maximum(table, 1.0)
        at, count = at + 1 + size, count + 1
    return count


def _printable(body: bytes) -> str:
    return "".join(chr(byte) for byte in body[:_LONGEST_COMMENT] if 0x20 <= byte < 0x7F)


# Measures blocks of a frame's luma: their change since the last frame, and their quantisation.
#
# The blocks are those of the JPEG's grid, so the luma has to be as decoded: neither rotated nor scaled.
# Only a sample of the blocks is measured: enough for a scan, at a small part of the cost of decoding a
# frame.

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


def _basis() -> NDArray[np.float32]:
    """Return the DCT's basis images of the modes, shape (64, modes) (ITU-T T.81, A.3.3)."""
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
        """Count one frame.

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
    """Return an empty tally for frames of a size, or ``None`` for frames smaller than one block."""
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
    """Return every ``stride``-th block down and across, shape (blocks, 64)."""
    down, across = luma.shape[0] // 8, luma.shape[1] // 8
    grid = luma[: down * 8, : across * 8].reshape(down, 8, across, 8)[::stride, :, ::stride, :]
    return grid.transpose(0, 2, 1, 3).reshape(-1, 64).astype(np.float32)


_LEAST_CONTRAST: Final = 4.0
"""Standard deviation of a thumbnail's grey levels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameTrace:
    """The measurements of one frame, kept until the scan is judged.

    Attributes:
        capture_time_us: The time that the device states, microseconds of its clock.
        arrival_time_us: The time of arrival, microseconds of the server's monotonic clock.
        sha256: The SHA-256 of the encoded image, 32 bytes.
        thumbnail: See ``thumbnail_of``; in the sensor's orientation.
        facts: The contents of its JPEG header; ``None`` if it cannot be read.
        flash_step: The colour step on display, as the device states; 0 for none.
        textured: Whether the frame has contrast. Frames of a covered lens resemble each other anyway.
    """

    capture_time_us: int
    arrival_time_us: int
    sha256: bytes
    thumbnail: NDArray[np.float32]
    facts: JpegFacts | None
    flash_step: int
    textured: bool = field(init=False)

    def __post_init__(self) -> None:
        """Measure the contrast once, on arrival, so that the later tests do not delay the result."""
        object.__setattr__(self, "textured", float(self.thumbnail.std()) >= _LEAST_CONTRAST)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamMeasurements:
    """The measurements of a stream.

    Attributes:
        frames: The measurements of each frame, in order.
        tallies: The counts over the frames' blocks of 8 x 8 pixels, one tally for each size of frame.
    """

    frames: tuple[FrameTrace, ...]
    tallies: tuple[BlockTally, ...]


class StreamTracer:
    """Measures the frames of one stream in order. Not safe for concurrent use."""

    def __init__(self) -> None:
        """Start empty."""
        self._frames: list[FrameTrace] = []
        self._tallies: dict[tuple[int, int], BlockTally] = {}
        self._facts: JpegFacts | None = None

    def add(
        self,
        jpeg: bytes,
        luma: NDArray[np.uint8],
        *,
        capture_time_us: int,
        arrival_time_us: int,
        flash_step: int = 0,
    ) -> FrameTrace:
        """Measure one frame.

        Args:
            jpeg: The encoded image as received.
            luma: Its luma as decoded, shape (height, width): not yet rotated, mirrored or scaled.
            capture_time_us: The time that the device states, microseconds.
            arrival_time_us: The time of arrival on the server's monotonic clock, microseconds.
            flash_step: The colour step on display, as the device states.
        """
        trace = FrameTrace(
            capture_time_us=capture_time_us,
            arrival_time_us=arrival_time_us,
            sha256=hashlib.sha256(jpeg).digest(),
            thumbnail=thumbnail_of(luma),
            facts=self._facts_of(jpeg),
            flash_step=flash_step,
        )
        new = not self._frames or self._frames[-1].sha256 != trace.sha256
        self._frames.append(trace)
        shape = (luma.shape[0], luma.shape[1])
        tally = self._tallies.get(shape) or tally_of(shape)
        if tally is not None:
            self._tallies[shape] = tally
            tally.add(luma, luma_table=None if trace.facts is None else trace.facts.luma_table, new=new)
        return trace

    def _facts_of(self, jpeg: bytes) -> JpegFacts | None:
        """Return the facts in a JPEG's header; ``None`` if it cannot be read.

        The header is parsed only if it differs from the header of the frame before, for example because the
        quality changed.
        """
        if self._facts is None or not jpeg.startswith(self._facts.header):
            self._facts = read_jpeg_facts(jpeg)
        return self._facts

    @property
    def measurements(self) -> StreamMeasurements:
        """The measurements of all frames so far. Later frames still increase the counts."""
        return StreamMeasurements(frames=tuple(self._frames), tallies=tuple(self._tallies.values()))
