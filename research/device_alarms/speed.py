"""Measures the cost of tracing a frame, compared with decoding it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from device_integrity.stream import StreamTracer, check_stream
from research.device_alarms.material import SentScan, encoded

__all__ = ["StreamCost", "stream_cost"]

_SIZE = (640, 480)
_JUDGED = 9

Luma = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamCost:
    """Medians over a scan's frames of 640 x 480, milliseconds of processor time on one thread.

    Attributes:
        decode: ``cv2.imdecode`` to colours.
        decode_luma: ``cv2.imdecode`` to luma.
        trace: ``StreamTracer.add``.
        judge: ``check_stream`` over the scan, divided by its frames.
    """

    decode: float
    decode_luma: float
    trace: float
    judge: float

    @property
    def share(self) -> float:
        """Cost of the tests divided by that of decoding to colours."""
        return (self.trace + self.judge) / self.decode


def stream_cost(scan: SentScan) -> StreamCost:
    """Measure the processor time of decoding, tracing and testing a scan's frames."""
    frames = []
    for image in scan.pixels():
        jpeg = encoded(np.asarray(cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA), np.uint8))
        frames.append((jpeg, np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), 0), np.uint8)))
    tracer = StreamTracer()

    def decode(jpeg: bytes, _: Luma) -> None:
        cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)

    def decode_luma(jpeg: bytes, _: Luma) -> None:
        cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)

    def trace(jpeg: bytes, luma: Luma) -> None:
        tracer.add(jpeg, luma, capture_time_us=0, arrival_time_us=0)

    def judge(_: bytes, __: Luma) -> None:
        check_stream(tracer.measurements)

    costs = [_milliseconds(work, frames) for work in (decode, decode_luma, trace)]
    return StreamCost(
        decode=costs[0],
        decode_luma=costs[1],
        trace=costs[2],
        judge=_milliseconds(judge, frames[:_JUDGED]) / len(frames),
    )


def _milliseconds(work: Callable[[bytes, Luma], None], frames: Sequence[tuple[bytes, Luma]]) -> float:
    """Return the median over frames of this thread's CPU time, independent of other load."""
    spent = []
    for jpeg, luma in frames:
        begun = time.thread_time()
        work(jpeg, luma)
        spent.append((time.thread_time() - begun) * 1e3)
    return float(np.median(spent))
