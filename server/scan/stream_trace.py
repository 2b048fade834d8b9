"""What arrives of one attempt's frames, for the checks of device integrity."""

from collections.abc import Callable
from functools import partial
from hashlib import sha256

import cv2
import numpy as np

from attempt.frame import Frame
from device_integrity.camera import ExposureClaim as CameraExposure
from device_integrity.camera import FrameClaim
from device_integrity.stream import StreamTracer
from server.device.assessment import ObservedFrames
from vision.face import BgrImage
from vision.image import GreyImage

__all__ = ["AttemptTrace"]

_COLOUR = 3


class AttemptTrace:
    """Takes an attempt's frames in order. Belongs to one attempt; not for several tasks at once.

    Attributes:
        adjustments: How often the device was asked for smaller frames.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self._tracer = StreamTracer()
        self._claims: list[FrameClaim] = []
        self._images: list[bytes] = []
        self._measured: list[FrameClaim] = []
        self.adjustments = 0

    def arrived(self, frame: Frame) -> None:
        """Notes a frame's header, and its image's hash. Every frame's, before it is measured."""
        self._claims.append(_claim(frame))
        self._images.append(sha256(frame.image).digest())

    def measurer(self, *, arrival: float) -> Callable[[Frame, GreyImage | BgrImage], None]:
        """What measures the picture of a frame that arrived then, by the server's monotonic clock."""
        return partial(self._measure, arrival)

    def _measure(self, arrival: float, frame: Frame, pixels: GreyImage | BgrImage) -> None:
        """Work for the worker pool."""
        luma = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY) if pixels.ndim == _COLOUR else pixels
        self._tracer.add(
            frame.image,
            np.asarray(luma, np.uint8),
            capture_time_us=frame.capture_time_us,
            arrival_time_us=round(arrival * 1e6),
            flash_step=frame.flash_step,
        )
        self._measured.append(_claim(frame))

    @property
    def images(self) -> tuple[bytes, ...]:
        """SHA-256 of every frame's encoded image, in order."""
        return tuple(self._images)

    @property
    def observed(self) -> ObservedFrames:
        """All frames so far."""
        return ObservedFrames(
            claims=tuple(self._claims),
            measured_claims=tuple(self._measured),
            measurements=self._tracer.measurements,
            adjustments=self.adjustments,
        )


def _claim(frame: Frame) -> FrameClaim:
    exposure = frame.exposure
    return FrameClaim(
        capture_time_us=frame.capture_time_us,
        width=frame.width,
        height=frame.height,
        rotation_degrees=frame.rotation_degrees,
        mirrored=frame.mirrored,
        flash_step=frame.flash_step,
        exposure=None
        if exposure is None
        else CameraExposure(
            exposure_time_ns=exposure.exposure_time_ns,
            iso=exposure.iso,
            exposure_locked=exposure.exposure_locked,
        ),
    )
