"""Measures a stream's frames as they arrive: a fraction of what decoding them costs."""

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
    """What is kept of one frame until the scan is judged.

    Attributes:
        capture_time_us: As the device says, microseconds of its clock.
        arrival_time_us: When it arrived, microseconds of the server's monotonic clock.
        sha256: Of the encoded image, 32 bytes.
        thumbnail: See ``thumbnails.thumbnail_of``; in the sensor's orientation.
        facts: Of its JPEG header; ``None`` where it cannot be read.
        flash_step: The colour step on display, as the device says; 0 for none.
        textured: Whether there is something to see: frames of a covered lens are alike by nature.
    """

    capture_time_us: int
    arrival_time_us: int
    sha256: bytes
    thumbnail: NDArray[np.float32]
    facts: JpegFacts | None
    flash_step: int
    textured: bool = field(init=False)

    def __post_init__(self) -> None:
        """Looks at the thumbnail once, while frames come: several checks ask later, and a verdict waits."""
        object.__setattr__(self, "textured", float(self.thumbnail.std()) >= _LEAST_CONTRAST)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamMeasurements:
    """A stream's frames in order, and the counts over their blocks by size of frame."""

    frames: tuple[FrameTrace, ...]
    tallies: tuple[BlockTally, ...]


class StreamTracer:
    """Takes a stream's frames in order. Belongs to one stream; not for several tasks at once."""

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
        """Measure one frame.

        Args:
            jpeg: The encoded image as received.
            luma: Its luma as decoded, shape (height, width): not yet turned upright, mirrored or scaled.
            capture_time_us: As the device says, microseconds.
            arrival_time_us: On the server's monotonic clock, microseconds.
            flash_step: The colour step on display, as the device says.
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
        """An encoder writes the same header until its quality changes."""
        if self._facts is None or not jpeg.startswith(self._facts.header):
            self._facts = read_jpeg_facts(jpeg)
        return self._facts

    @property
    def measurements(self) -> StreamMeasurements:
        """Of all frames so far. The counts go on growing with later frames."""
        return StreamMeasurements(frames=tuple(self._frames), tallies=tuple(self._tallies.values()))
