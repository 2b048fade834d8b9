"""Recorded live persons, as the reference client would send them, without injection."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from attempt import Frame
from device_integrity import DeviceCheck
from device_integrity.check import DeviceFinding
from device_integrity.stream import StreamTracer, check_stream
from evaluation.scans import clip_scans


def _checks(scan: Sequence[Frame]) -> list[DeviceCheck]:
    """The tests that a recording can measure; it has no times of arrival."""
    tracer = StreamTracer()
    for frame in scan:
        luma = cv2.imdecode(np.frombuffer(frame.image, np.uint8), cv2.IMREAD_GRAYSCALE)
        time = frame.capture_time_us
        tracer.add(frame.image, np.asarray(luma, np.uint8), capture_time_us=time, arrival_time_us=time)
    unmeasured = {"stream.arrival", "camera.timestamps"}
    return [check for check in check_stream(tracer.measurements) if check.name not in unmeasured]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_live_clips_fail_nothing_hard_and_noise_alone_softly(assets: Path) -> None:
    scans = [scan for clip in sorted((assets / "data/video/live").iterdir()) for scan in clip_scans(clip)]
    failed = {
        (check.name, check.soft)
        for scan in scans
        for check in _checks(scan)
        if check.outcome is DeviceFinding.FAIL
    }
    # One clip has such a low bit rate that no noise is left; see docs/device_integrity.md.
    assert failed <= {("stream.noise", True)}
    assert len(scans) > 40
