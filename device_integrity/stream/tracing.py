"""Measures a stream's frames as they arrive, at a fraction of the cost of decoding them."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device_integrity.stream.blocks import BlockTally, tally_of
from device_integrity.stream.jpeg import JpegFacts, read_jpeg_facts
from device_integrity.stream.thumbnails import thumbnail_of

__all__ = ["FrameTrace", "StreamMeasurements", "StreamTracer"]

_LEAST_CONTRAST: Final = 4.0
"""Standard deviation of a thumbnail's grey levels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameTrace:
    """The measurements of one frame, kept until the scan is judged.

    Attributes:
        capture_time_us: The time that the device states, microseconds of its clock.
        arrival_time_us: The time of arrival, microseconds of the server's monotonic clock.
        sha256: The SHA-256 of the encoded image, 32 bytes.
        thumbnail: See ``thumbnails.thumbnail_of``; in the sensor's orientation.
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
        """Measures the contrast once, on arrival, so that the later tests do not delay the result."""
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
        """Starts empty."""
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
        """Measures one frame.

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
        """Returns the facts in a JPEG's header; ``None`` if it cannot be read.

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
