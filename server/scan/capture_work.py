"""Runs the work of an attempt on the worker pool: measures its frames in order and examines selected ones.

Only one thread at a time uses the capture (``attempt.capture``). A frame is processed in one call to a
worker, and nothing reads the capture meanwhile. Only examinations run in parallel, on frames that do not
change any more. The trace records how the frames were made, for the tests of device integrity.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from attempt import Action, AttemptCapture, ExaminedFrame, Feedback, Frame, FrameUnusable
from device_integrity.camera import FrameClaim
from device_integrity.stream import StreamTracer, frame_layout, picture_hash
from server.base.errors import Reason, Refusal, camel
from server.base.worker_pool import LaterWork, WorkerPool
from server.device.assessment import ObservedFrames
from vision.face import BgrImage
from vision.image import GreyImage, rotate_upright

_COLOUR = 3


class AttemptTrace:
    """Traces an attempt's frames in order. Belongs to one attempt; not safe for concurrent tasks.

    Attributes:
        adjustments: The number of requests for smaller frames.
    """

    def __init__(self, *, blocks: Callable[[Frame], GreyImage]) -> None:
        """Start an empty trace.

        Args:
            blocks: Decodes the mean luma of each block of a frame (``FrameDecoder.coded_blocks``).
        """
        self._blocks = blocks
        self._tracer = StreamTracer()
        self._claims: list[FrameClaim] = []
        self._images: list[bytes] = []
        self.pictures: dict[bytes, bytes] = {}
        """The hashes of what the frames show (``device_integrity.stream.picture_hash``) by ``images``."""
        self.layouts: list[tuple[int, NDArray[np.float32]]] = []
        """The capture time and the ``device_integrity.stream.frame_layout`` of each frame, in order."""
        self._late: list[bytes] = []
        self._measured: list[FrameClaim] = []
        self.adjustments = 0

    def record_frame(self, frame: Frame) -> None:
        """Record the header and the image hash of a received frame, before it is measured."""
        self._claims.append(frame.claim)
        self._images.append(sha256(frame.image).digest())

    def record_picture(self, frame: Frame) -> None:
        """Record, on the worker pool, what the frame that was recorded last shows.

        Every frame is decoded in the same way, measured or not. Otherwise a recording that begins elsewhere
        would have other frames measured, and none of them recognised.

        Raises:
            FrameUnusable: The image cannot be decoded.
        """
        blocks = self._blocks(frame)
        self.pictures[self._images[-1]] = picture_hash(blocks)
        upright = rotate_upright(blocks, degrees=frame.rotation_degrees, mirrored=frame.mirrored)
        self.layouts.append((frame.capture_time_us, frame_layout(upright)))

    def arrived_late(self, frame: Frame) -> None:
        """Record the image hash of a frame that is received after the attempt is settled."""
        self._late.append(sha256(frame.image).digest())

    def record_pixels(self, frame: Frame, pixels: GreyImage | BgrImage, *, arrival: float) -> None:
        """Trace, on the worker pool, how a frame was coded. ``arrival`` is in monotonic seconds."""
        luma = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY) if pixels.ndim == _COLOUR else pixels
        self._tracer.add(
            frame.image,
            np.asarray(luma, np.uint8),
            capture_time_us=frame.capture_time_us,
            arrival_time_us=round(arrival * 1e6),
            flash_step=frame.flash_step,
        )
        self._measured.append(frame.claim)

    @property
    def images(self) -> tuple[bytes, ...]:
        """SHA-256 of the encoded image of every frame until the attempt was settled, in order."""
        return tuple(self._images)

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


@dataclass(slots=True, eq=False)
class CaptureWork:
    """Runs the work of one attempt. Belongs to one stream; not safe for concurrent tasks.

    Attributes:
        trace: Measures how its frames were encoded.
    """

    capture: AttemptCapture
    _: KW_ONLY
    pool: WorkerPool
    trace: AttemptTrace
    monotonic: Callable[[], float]
    _latest: int = field(default=0, init=False)
    _ahead: tuple[int, LaterWork[ExaminedFrame]] | None = field(default=None, init=False)

    async def measure_frame(
        self, frame: Frame, *, arrival: float, then_act: bool
    ) -> tuple[Feedback | None, tuple[Action, ...]]:
        """Process a frame; return the feedback for the person and the actions of the challenge.

        If the device disconnects meanwhile, the pool still finishes the frame, so that nothing reads the
        capture while it changes.

        Args:
            arrival: When it arrived, seconds of the server's monotonic clock.
            then_act: Whether the challenge's actions are also computed.

        Raises:
            Refusal: The frame's image cannot be used (FRAME_IMAGE_INVALID).
        """
        self.trace.record_frame(frame)
        with _refused():
            done = await self.pool.run(self._measure_and_act, frame, arrival, then_act)
        self._latest = frame.index
        return done

    async def act(self) -> tuple[Action, ...]:
        """Return the actions that are due now, without a further frame.

        Once the challenge is settled, this uses no worker, so that its closing step does not wait for the
        frames of other scans.
        """
        challenge = self.capture.challenge
        if challenge is None or challenge.settled:
            return self._act(self._latest)
        return await self.pool.run(self._act, self._latest)

    def pass_over(self, frame: Frame, *, arrival: float) -> None:
        """Skip a frame that arrives after the attempt is settled; see ``AttemptCapture.skip_frame``.

        Raises:
            Refusal: The frame's image cannot be used (FRAME_IMAGE_INVALID).
        """
        with _refused():
            self.capture.skip_frame(frame, arrival=arrival)
        self.trace.arrived_late(frame)

    async def examine_ahead(self) -> None:
        """Start the next examination at low priority, and collect the previous one when it is done."""
        if self._ahead is not None:
            _, work = self._ahead
            if not work.done:
                return
            self._ahead = None
            self.capture.examiner.keep_examined([await work.result()])
        if (examination := self.capture.next_examination()) is not None:
            self._ahead = examination.index, self.pool.run_later(examination)

    async def examine_rest(self) -> None:
        """Examine and identify all remaining selected frames in parallel, ahead of other scans' frames.

        If an examination fails or the caller is cancelled, this returns only after no worker runs any of
        them. An examination of a frame that is not selected any more is left to ``close``.
        """
        began = self._ahead
        left = self.capture.examinations(begun=None if began is None else began[0])
        working = [self.pool.run_first(examination) for examination in left]
        if began is not None and began[0] in self.capture.selected:
            self._ahead = None
            working.append(began[1].result())
        self.capture.examiner.keep_examined(await _all_of(working))
        with _refused():
            identifications = await self.pool.run_first(self.capture.identifications)
            self.capture.examiner.witnesses = await _all_of(
                self.pool.run_first(identify) for identify in identifications
            )

    async def close(self) -> None:
        """End the examination that was started ahead; no worker uses the attempt when this returns."""
        began, self._ahead = self._ahead, None
        if began is not None:
            await began[1].discard()

    async def verify_sample(self) -> None:
        """Decode a sample of the frames that were not measured; called at the end of the attempt.

        Raises:
            Refusal: An image does not decode, or its size differs from the declared size
                (FRAME_IMAGE_INVALID).
        """
        with _refused():
            await self.pool.run_first(self.capture.verify_sample)

    def _measure_and_act(
        self, frame: Frame, arrival: float, then_act: bool
    ) -> tuple[Feedback | None, tuple[Action, ...]]:
        coded = partial(self.trace.record_pixels, arrival=arrival)
        feedback = self.capture.capture_frame(frame, arrival=arrival, coded=coded)
        self.trace.record_picture(frame)
        return feedback, self._act(frame.index) if then_act else ()

    def _act(self, frame_index: int) -> tuple[Action, ...]:
        return self.capture.act(self.monotonic(), frame_index=frame_index)


async def _all_of(working: Iterable[Coroutine[Any, Any, ExaminedFrame]]) -> tuple[ExaminedFrame, ...]:
    """Return all results, or raise the first error after all other tasks have ended or were cancelled."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in working]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return tuple(task.result() for task in tasks)


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except FrameUnusable as error:
        raise Refusal(Reason.FRAME_IMAGE_INVALID, str(error), details=camel(error.details)) from error
