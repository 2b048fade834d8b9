"""Runs the tests over scans."""

from typing import Final

import cv2
import numpy as np

from device_integrity import DeviceCheck
from device_integrity.stream import StreamMeasurements, StreamTracer, check_stream
from research.device_alarms.material import SentScan

__all__ = ["UNMEASURED", "checks_of", "traced"]

UNMEASURED: Final = {
    "stream.arrival": "recordings have no times of arrival",
    "camera.timestamps": "a file's times are its container's, always on a grid",
    "camera.exposure, contradiction.exposure": "recordings have no exposure metadata",
    "other camera.* and device.*": "recordings have no description of device and camera",
}
"""Tests that recorded material cannot measure, and why."""


def traced(scan: SentScan) -> StreamMeasurements:
    """Return the measurements of a scan."""
    tracer = StreamTracer()
    for jpeg, time in zip(scan.jpegs, scan.times_us, strict=True):
        luma = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        tracer.add(jpeg, np.asarray(luma, np.uint8), capture_time_us=time, arrival_time_us=time)
    return tracer.measurements


def checks_of(scan: SentScan) -> tuple[DeviceCheck, ...]:
    """Return all tests of the stream that recorded material can measure."""
    return tuple(check for check in check_stream(traced(scan)) if check.name not in UNMEASURED)
