"""Measures the screen's light in a measured frame."""

from dataclasses import replace

import numpy as np

from attempt.analyst import SeenFrame
from device_integrity.camera import ExposureClaim
from liveness.dynamic import ExposureReading, FlashSample
from liveness.dynamic.measurement import sample_frame
from vision.face import Box, DetectedFace

__all__ = ["flash_sample"]


def flash_sample(
    seen: SeenFrame,
    *,
    capture_time: float,
    arrival: float,
    step: int,
    step_since: float | None,
    round_trip: float,
    waited: tuple[float, float] | None,
) -> FlashSample:
    """Returns the measurements of the screen's light in a frame.

    Args:
        seen: The frame, measured with ``with_light``.
        capture_time: Its capture time, seconds on the device's clock.
        arrival: Its arrival time, seconds on the server's monotonic clock.
        step: The step that the device claims was on display; 0 for none.
        step_since: When that step appeared, as the device claims, seconds on the device's clock.
        round_trip: The stream's round trip, seconds.
        waited: When the frame waited for credit (``RoundTrip.waited``).
    """
    observation, frame, pixels = seen.observation, seen.frame, seen.light
    if pixels is None:
        raise ValueError("the frame has no light to sample; measure it with with_light=True")
    # Two faces have two reflections, and it is unknown which is that of the larger one.
    face = observation.face if observation.faces == 1 else None
    sample = sample_frame(
        pixels,
        index=frame.index,
        capture_time=capture_time,
        arrival_time=arrival,
        face=None if face is None else _scaled(face, pixels.shape[1] / observation.width),
        followed=observation.followed,
        step=step,
        step_since=step_since,
        exposure=None if frame.exposure is None else _exposure(frame.exposure),
    )
    return replace(sample, round_trip=round_trip, waited=waited)


def _scaled(face: DetectedFace, scale: float) -> DetectedFace:
    """Scales a face to an image of another size. Pixel centres lie at whole coordinates."""
    box = face.box
    left, top, right, bottom = (
        (edge + 0.5) * scale - 0.5 for edge in (box.left, box.top, box.right, box.bottom)
    )
    points = ((face.five_points + 0.5) * scale - 0.5).astype(np.float32)
    return DetectedFace(box=Box(left, top, right, bottom), confidence=face.confidence, five_points=points)


def _exposure(claim: ExposureClaim) -> ExposureReading:
    return ExposureReading(
        exposure_seconds=claim.exposure_time_ns / 1e9 or None,
        iso=float(claim.iso) or None,
        white_balance_kelvin=float(claim.white_balance_kelvin) or None,
        exposure_locked=claim.exposure_locked,
        white_balance_locked=claim.white_balance_locked,
        readout_seconds=claim.rolling_shutter_skew_ns / 1e9 or None,
    )
