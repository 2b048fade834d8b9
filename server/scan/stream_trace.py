"""The trace of one attempt's frames: headers, hashes and coding, for the tests of device integrity."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256

import cv2
import numpy as np
from numpy.typing import NDArray

from attempt import Frame
from device_integrity.camera import ExposureClaim as CameraExposure
from device_integrity.camera import FrameClaim
from device_integrity.stream import StreamTracer, frame_layout, picture_hash
from server.device.assessment import ObservedFrames
from vision.face import BgrImage
from vision.image import GreyImage, rotate_upright

__all__ = ["AttemptTrace"]

_COLOUR = 3


class AttemptTrace:
    """Traces an attempt's frames in order. Belongs to one attempt; not safe for concurrent tasks.

    Attributes:
        adjustments: The number of requests for smaller frames.
    """

    def __init__(self, *, blocks: Callable[[Frame], GreyImage]) -> None:
        """Starts an empty trace.

        Args:
            blocks: Decodes the mean luma of each block of a frame (``FrameAnalyst.blocks``).
        """
        self._blocks = blocks
        self._tracer = StreamTracer()
        self._claims: list[FrameClaim] = []
        self._images: list[bytes] = []
        self._pictures: dict[bytes, bytes] = {}
        self._layouts: list[tuple[int, NDArray[np.float32]]] = []
        self._late: list[bytes] = []
        self._measured: list[FrameClaim] = []
        self.adjustments = 0

    def record_frame(self, frame: Frame) -> None:
        """Records the header and the image hash of a received frame, before it is measured."""
        self._claims.append(_claim(frame))
        self._images.append(sha256(frame.image).digest())

    def record_picture(self, frame: Frame) -> None:
        """Records what the frame that was recorded last shows; runs on the worker pool.

        Every frame is decoded in the same way, measured or not. Otherwise a recording that begins elsewhere
        would have other frames measured, and none of them recognised.

        Raises:
            FrameUnusable: The image cannot be decoded.
        """
        blocks = self._blocks(frame)
        self._pictures[self._images[-1]] = picture_hash(blocks)
        upright = rotate_upright(blocks, degrees=frame.rotation_degrees, mirrored=frame.mirrored)
        self._layouts.append((frame.capture_time_us, frame_layout(upright)))

    def arrived_late(self, frame: Frame) -> None:
        """Records the image hash of a frame that is received after the attempt is settled."""
        self._late.append(sha256(frame.image).digest())

    def measurer(self, *, arrival: float) -> Callable[[Frame, GreyImage | BgrImage], None]:
        """Returns a function that traces a frame's pixels; ``arrival`` is in monotonic seconds."""
        return partial(self._measure, arrival)

    def _measure(self, arrival: float, frame: Frame, pixels: GreyImage | BgrImage) -> None:
        """Traces the pixels of a frame; runs on the worker pool."""
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
        """SHA-256 of the encoded image of every frame until the attempt was settled, in order."""
        return tuple(self._images)

    @property
    def pictures(self) -> Mapping[bytes, bytes]:
        """The hashes of what the frames show (``device_integrity.stream.picture_hash``) by ``images``."""
        return self._pictures

    @property
    def layouts(self) -> Sequence[tuple[int, NDArray[np.float32]]]:
        """The capture time and the ``device_integrity.stream.frame_layout`` of each frame, in order."""
        return self._layouts

    @property
    def all_images(self) -> tuple[bytes, ...]:
        """SHA-256 of every received frame's encoded image, in order."""
        return (*self._images, *self._late)

    @property
    def observed(self) -> ObservedFrames:
        """The trace of all frames so far."""
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
