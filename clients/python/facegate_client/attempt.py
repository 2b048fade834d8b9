"""One attempt: sends frames within the credit and reads messages until the server's result.

The gate controls when the device may send: credit, pauses, and the end of an attempt. The rules keep frames
within the limits on number, rate and size. The feed takes images from a source so that an attempt can stop
waiting without losing an image. The tallies count the frames that a scan and its attempts sent.
"""

import asyncio
from dataclasses import dataclass, replace

from facegate.v1 import scan_pb2

from facegate_client.encoding import CaptureLimits, EncodedImage, encode_image
from facegate_client.errors import (
    ClientError,
    ProtocolViolatedError,
    ScanEndedError,
    SourceError,
    StreamLostError,
)
from facegate_client.flash_screen import FlashScreen, FlashShow, seconds_of
from facegate_client.frame_source import CapturedImage, Exposure, FrameSource, QuarterTurn
from facegate_client.progress import ScanEvents
from facegate_client.scan_stream import ScanStream


class StopSignal:
    """Signals the end of an attempt with its cause. Only the first cause counts."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.cause = scan_pb2.AttemptEndBody.CAUSE_UNSPECIFIED
        """The cause; CAUSE_UNSPECIFIED without a signal, or if the stream is over."""

    @property
    def is_set(self) -> bool:
        """Whether the attempt is to end."""
        return self._event.is_set()

    def set(self, cause: scan_pb2.AttemptEndBody.Cause.ValueType) -> None:
        """End the attempt, unless it was ended before."""
        if not self._event.is_set():
            self.cause = cause
            self._event.set()

    async def wait(self) -> None:
        """Wait for the end."""
        await self._event.wait()


class SendGate:
    """The device's side of the credit.

    Sending beyond the credit violates the protocol, so the gate counts down before each frame.
    """

    def __init__(self, credit: scan_pb2.Credit) -> None:
        """Open with the credit of an AttemptStart, which replaces any credit left."""
        self._frames = credit.frames
        self._bytes = credit.bytes
        self.paused = False
        """Whether the server paused the capture."""
        self._changed = asyncio.Event()

    def add(self, credit: scan_pb2.Credit) -> None:
        """Add the credit of a Credit message."""
        self._frames += credit.frames
        self._bytes += credit.bytes
        self._changed.set()

    def pause(self, paused: bool) -> None:
        """Pause or resume sending."""
        self.paused = paused
        self._changed.set()

    def has_room(self, size: int = 1) -> bool:
        """Return whether a frame of ``size`` bytes may be sent now."""
        return not self.paused and self._frames >= 1 and self._bytes >= size

    def take_credit(self, size: int) -> bool:
        """Take the credit for a frame of ``size`` bytes; return False if there is too little."""
        if not self.has_room(size):
            return False
        self._frames -= 1
        self._bytes -= size
        return True

    async def wait_for_room(self, size: int, stop: StopSignal) -> bool:
        """Wait until a frame of ``size`` bytes may be sent; return False if the attempt ended before."""
        while not stop.is_set and not self.has_room(size):
            self._changed.clear()
            stopped = asyncio.ensure_future(stop.wait())
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait({stopped, changed}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
                changed.cancel()
        return not stop.is_set


@dataclass(slots=True)
class ScanTally:
    """The counts of a scan so far, over all attempts and streams.

    Attributes:
        frames: The number of frames sent with an index.
        bytes: Their encoded bytes.
        dropped: The number of images dropped before they got an index.
        awaiting_result: Whether an AttemptEnd was sent whose result has not arrived yet.
    """

    frames: int = 0
    bytes: int = 0
    dropped: int = 0
    awaiting_result: bool = False


@dataclass(slots=True)
class AttemptTally:
    """The counts of one attempt so far.

    Attributes:
        scan: The counts of the scan, which the attempt updates.
        frames: The number of frames sent with an index, which is the index of the next.
        dropped: The number of images dropped before they got an index.
        dropped_before: The number of images dropped since the last frame.
    """

    scan: ScanTally
    frames: int = 0
    dropped: int = 0
    dropped_before: int = 0

    def count_dropped(self, count: int) -> None:
        """Count dropped images."""
        self.dropped += count
        self.dropped_before += count
        self.scan.dropped += count

    def send(self, size: int) -> None:
        """Count a sent frame of ``size`` bytes."""
        self.dropped_before = 0
        self.frames += 1
        self.scan.frames += 1
        self.scan.bytes += size


_EARLY_SHARE = 0.25


class FrameRules:
    """Reduces the rate of images, encodes them, and tests them against the budget."""

    def __init__(self, limits: CaptureLimits, *, quality: int, budget: scan_pb2.CaptureBudget) -> None:
        """Begin a new attempt.

        Args:
            limits: The limits of frames at its start.
            budget: The server's budget for frames and bytes.
        """
        self._limits = limits
        self._quality = quality
        self._budget = budget
        self._next_due_us = 0.0

    def adjust(self, adjustment: scan_pb2.CaptureAdjustment) -> None:
        """Apply the server's request for smaller or fewer frames."""
        self._limits = self._limits.lowered(
            max_side=adjustment.max_side,
            max_bytes=adjustment.max_frame_bytes,
            max_frames_per_second=adjustment.max_frames_per_second,
        )

    def too_early(self, capture_time_us: int) -> bool:
        """Return whether an image comes too soon after the previous one for the limit on the rate.

        Such an image is treated as if it had never been captured. Any other image counts towards the rate,
        so call this once for each image.
        """
        rate = self._limits.max_frames_per_second
        if rate <= 0:
            return False
        interval = 1_000_000 / rate
        if capture_time_us < self._next_due_us - interval * _EARLY_SHARE:
            return True
        self._next_due_us = max(self._next_due_us, capture_time_us - interval) + interval
        return False

    async def encode(self, image: CapturedImage) -> EncodedImage | None:
        """Encode an image on another thread; return ``None`` if it cannot be made small enough.

        Once an image had to be scaled down for its bytes, so are those after it: a size that goes up and down
        looks like two cameras.

        Raises:
            SourceError: The image cannot be decoded or encoded.
        """
        encoded = await asyncio.to_thread(
            encode_image,
            image.image,
            limits=self._limits,
            quality=self._quality,
            rotation=image.rotation,
        )
        if encoded is not None:
            self._limits = replace(self._limits, shrunk=encoded.shrunk)
        return encoded

    def has_room(self, size: int, *, frames: int, scan_bytes: int) -> bool:
        """Return whether the budget has room for a frame; a budget of 0 is no limit.

        Args:
            size: Its encoded size, bytes.
            frames: The number of frames of the attempt before it.
            scan_bytes: The encoded bytes of the scan before it.
        """
        most_frames, most_bytes = self._budget.max_frames_per_attempt, self._budget.max_scan_bytes
        return not (
            (most_frames and frames >= most_frames) or (most_bytes and scan_bytes + size > most_bytes)
        )


class FrameFeed:
    """Returns one image at a time from a `FrameSource`, over all attempts and streams of a scan."""

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._pending: asyncio.Task[CapturedImage] | None = None
        self._stale: asyncio.Task[CapturedImage] | None = None
        self.exhausted = False
        """Whether the source has no more images, or failed."""
        self.failure: SourceError | None = None
        """Why the source failed; ``None`` if it did not fail."""

    @property
    def realtime(self) -> bool:
        """Whether an image that cannot be sent now is dropped, as with a camera."""
        return self._source.pace == "realtime"

    def begin_attempt(self) -> None:
        """Start an attempt. In real time, an image that was requested before it is stale and is dropped."""
        self._source.begin_attempt()
        if self.realtime:
            self._stale = self._pending

    async def next(self, stop: StopSignal) -> CapturedImage | None:
        """Return the next image.

        Args:
            stop: Ends the wait; a later call then returns the image.

        Returns:
            The image; ``None`` if the attempt is to end, or the source is exhausted or failed.
        """
        while not self.exhausted and not stop.is_set:
            task = self._pending or asyncio.ensure_future(self._source.__anext__())
            self._pending = task
            stopped = asyncio.ensure_future(stop.wait())
            try:
                await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
            if not task.done():
                return None
            self._pending = None
            image = self._result(task)
            if task is not self._stale:
                return image
            self._stale = None
        return None

    async def aclose(self) -> None:
        """Close the source. Safe to call twice."""
        if self._pending is not None:
            self._pending.cancel()
            await asyncio.gather(self._pending, return_exceptions=True)
            self._pending = None
        await self._source.aclose()

    def _result(self, task: asyncio.Task[CapturedImage]) -> CapturedImage | None:
        try:
            return task.result()
        except StopAsyncIteration:
            self.exhausted = True
        except SourceError as error:
            self.exhausted = True
            self.failure = error
        return None


_ATTEMPT_NONCE_BYTES = 16
# The device ends an attempt a little before the server would, so that its own AttemptEnd arrives.
_DURATION_SHARE = 0.95
_LEAVE_SECONDS = 2.0

_Cause = scan_pb2.AttemptEndBody

_ROTATIONS: dict[QuarterTurn, scan_pb2.Rotation.ValueType] = {
    0: scan_pb2.ROTATION_UNSPECIFIED,
    90: scan_pb2.ROTATION_90,
    180: scan_pb2.ROTATION_180,
    270: scan_pb2.ROTATION_270,
}


_WITHOUT_SCREEN = frozenset({scan_pb2.PLAN_EXPRESS, scan_pb2.PLAN_UNSPECIFIED})


class DeviceAttempt:
    """The device's side of one attempt over a stream. ``run`` plays it to the server's result."""

    def __init__(
        self,
        *,
        stream: ScanStream,
        start: scan_pb2.AttemptStart,
        feed: FrameFeed,
        limits: CaptureLimits,
        quality: int,
        tally: ScanTally,
        events: ScanEvents,
        screen: FlashScreen | None,
    ) -> None:
        """Add the attempt marker to the stream's MAC chain.

        Args:
            limits: The limits of frames at the start of the attempt.
            tally: The tally of the scan, which the attempt updates.
            screen: The screen; ``None`` if none was announced.

        Raises:
            ProtocolViolatedError: The AttemptStart cannot be used.
        """
        if len(start.nonce) != _ATTEMPT_NONCE_BYTES or not start.attempt:
            raise ProtocolViolatedError("the AttemptStart has no number or no nonce of 16 bytes")
        if not _can_follow(start.plan, screen):
            raise ProtocolViolatedError(
                f"the server asks for {scan_pb2.Plan.Name(start.plan)}, which this client did not announce"
            )
        stream.mark_attempt(start)
        self._stream = stream
        self._number = start.attempt
        self._feed = feed
        self._rules = FrameRules(limits, quality=quality, budget=stream.challenge.budget)
        self._tally = AttemptTally(tally)
        tally.awaiting_result = False
        self._events = events
        self._screen = screen
        self._show = None if screen is None or start.plan in _WITHOUT_SCREEN else FlashShow(screen)
        self._gate = SendGate(start.credit)
        self._stop = StopSignal()
        self._source_error: SourceError | None = None

    @property
    def source_error(self) -> SourceError | None:
        """Why the source failed during the attempt; ``None`` if it did not fail."""
        return self._source_error or self._feed.failure

    def cancel(self) -> None:
        """End the attempt with CAUSE_CANCELLED, because the person cancels."""
        self._stop.set(_Cause.CAUSE_CANCELLED)

    async def run(self, *, result_timeout_s: float) -> scan_pb2.ScanResult:
        """Send frames until the attempt ends, and return the server's result.

        Args:
            result_timeout_s: The longest wait for the result after AttemptEnd, seconds.

        Raises:
            StreamLostError: The stream was lost.
            CallRefusedError: The server refused a message.
            ScanEndedError: The server sent a Goodbye that allows no reconnect.
            ProtocolViolatedError: The server sent a message that the protocol does not allow.
        """
        self._feed.begin_attempt()
        reader = asyncio.create_task(self._read())
        sender = asyncio.create_task(self._send())
        duration = seconds_of(self._stream.challenge.budget.max_attempt_duration)
        timer = asyncio.get_running_loop().call_later(
            duration * _DURATION_SHARE if duration else result_timeout_s,
            self._stop.set,
            _Cause.CAUSE_TIMED_OUT,
        )
        try:
            await asyncio.wait({reader, sender}, return_when=asyncio.FIRST_COMPLETED)
            if not reader.done():
                await self._wait_for_result(reader, sender, result_timeout_s)
            self._stop.set(_Cause.CAUSE_UNSPECIFIED)
            await asyncio.wait({sender}, timeout=_LEAVE_SECONDS)
            if sender.done() and (error := sender.exception()) and not isinstance(error, ClientError):
                raise error
            return reader.result()
        finally:
            timer.cancel()
            self._restore_screen()
            await _cancelled(reader, sender)

    async def _wait_for_result(
        self, reader: "asyncio.Task[scan_pb2.ScanResult]", sender: "asyncio.Task[None]", timeout_s: float
    ) -> None:
        error = sender.exception()
        if error is not None and not isinstance(error, ClientError):
            raise error
        # The reader is about to get the stream's status, which has more details than a failed send.
        await asyncio.wait({reader}, timeout=_LEAVE_SECONDS if error else timeout_s)
        if not reader.done():
            raise error or StreamLostError(f"no result within {timeout_s:g} seconds of the attempt's end")

    async def _read(self) -> scan_pb2.ScanResult:
        while True:
            message = await self._stream.receive()
            if message is None:
                raise StreamLostError("the server closed the stream without a result")
            match message.WhichOneof("message"):
                case "credit":
                    self._gate.add(message.credit)
                case "feedback":
                    if self._screen is not None:
                        self._screen.show_hint(message.feedback)
                    self._events.feedback(message.feedback)
                case "flash_step" if self._show is not None:
                    # A step that arrives after the device ended the capture is not shown any more.
                    if not self._stop.is_set:
                        self._show.add(message.flash_step)
                        self._events.flash_step(message.flash_step)
                case "oval_change" if self._show is not None:
                    self._show.screen.show_oval(message.oval_change)
                    self._events.oval_changed(message.oval_change)
                case "capture_adjustment":
                    self._rules.adjust(message.capture_adjustment)
                    self._events.adjusted(message.capture_adjustment)
                case "capture_pause":
                    self._gate.pause(message.capture_pause.paused)
                    self._events.paused(message.capture_pause)
                case "capture_complete":
                    if message.capture_complete.attempt == self._number:
                        self._stop.set(_Cause.CAUSE_COMPLETE)
                case "scan_result":
                    self._tally.scan.awaiting_result = False
                    return message.scan_result
                case "goodbye":
                    raise goodbye_error(message.goodbye)
                case None:
                    pass  # A message kind of a later version, which a receiver ignores.
                case kind:
                    raise ProtocolViolatedError(f"the server sent {kind} during an attempt")

    async def _send(self) -> None:
        try:
            cause = await self._send_frames()
        finally:
            self._restore_screen()
        if cause == _Cause.CAUSE_UNSPECIFIED:
            return  # The result or the end of the stream came first.
        body = scan_pb2.AttemptEndBody(
            attempt=self._number,
            frame_count=self._tally.frames,
            last_mac=self._stream.last_mac,
            dropped_count=self._tally.dropped,
            cause=cause,
        )
        self._tally.scan.awaiting_result = True
        await self._stream.send_attempt_end(body.SerializeToString())
        self._events.capture_finished(self._number, self._tally.frames, self._tally.dropped)

    async def _send_frames(self) -> scan_pb2.AttemptEndBody.Cause.ValueType:
        while (image := await self._feed.next(self._stop)) is not None:
            self._tally.count_dropped(image.lost_before)
            if self._rules.too_early(image.capture_time_us):
                continue
            if self._feed.realtime and not self._gate.has_room():
                # While the server pauses the capture, no image is dropped for lack of credit.
                self._tally.count_dropped(0 if self._gate.paused else 1)
                continue
            try:
                encoded = await self._rules.encode(image)
            except SourceError as error:
                self._source_error = error
                return _Cause.CAUSE_CAMERA_FAILED
            if encoded is None:
                self._tally.count_dropped(1)
                continue
            size = len(encoded.jpeg)
            if not self._rules.has_room(size, frames=self._tally.frames, scan_bytes=self._tally.scan.bytes):
                return _Cause.CAUSE_TIMED_OUT
            if not self._feed.realtime:
                await self._gate.wait_for_room(size, self._stop)
            if self._stop.is_set:
                return self._stop.cause
            if not self._gate.take_credit(size):
                self._tally.count_dropped(1)
                continue
            await self._send_frame(image, encoded)
        if self._stop.is_set:
            return self._stop.cause
        return _Cause.CAUSE_CAMERA_FAILED if self._feed.failure else _Cause.CAUSE_SOURCE_ENDED

    async def _send_frame(self, image: CapturedImage, encoded: EncodedImage) -> None:
        index = self._tally.frames
        header = scan_pb2.FrameHeader(
            attempt=self._number,
            index=index,
            capture_time_us=image.capture_time_us,
            rotation=_ROTATIONS[image.rotation],
            mirrored=image.mirrored,
            dropped_before=self._tally.dropped_before,
            width=encoded.width,
            height=encoded.height,
            exposure=None if image.exposure is None else _exposure(image.exposure),
        )
        if self._show is not None:
            shown = self._show.displayed(image.capture_time_us)
            header.flash_step = shown.number
            header.flash_step_since_us = shown.since_us
        self._tally.send(len(encoded.jpeg))
        await self._stream.send_frame(header=header.SerializeToString(), image=encoded.jpeg)
        self._events.frame_sent(self._number, index, len(encoded.jpeg))

    def _restore_screen(self) -> None:
        if self._show is not None:
            self._show.close()


def _can_follow(plan: scan_pb2.Plan.ValueType, screen: FlashScreen | None) -> bool:
    if plan == scan_pb2.PLAN_FLASH:
        return screen is not None
    if plan == scan_pb2.PLAN_MOVEMENT:
        return screen is not None and scan_pb2.CAPABILITY_OVAL_CHANGE in screen.capabilities
    return plan in _WITHOUT_SCREEN


def _exposure(exposure: Exposure) -> scan_pb2.ExposureMetadata:
    return scan_pb2.ExposureMetadata(
        exposure_time_ns=exposure.exposure_time_ns,
        iso=exposure.iso,
        white_balance_kelvin=exposure.white_balance_kelvin,
        rolling_shutter_skew_ns=exposure.rolling_shutter_skew_ns,
        exposure_locked=exposure.exposure_locked,
        white_balance_locked=exposure.white_balance_locked,
    )


def goodbye_error(goodbye: scan_pb2.Goodbye) -> ClientError:
    """Return the error for a Goodbye: a lost stream if a reconnect is allowed, or the end of the scan."""
    try:
        name = scan_pb2.Goodbye.Reason.Name(goodbye.reason).removeprefix("REASON_")
    except ValueError:
        name = str(goodbye.reason)
    ended = ScanEndedError(name)
    if goodbye.HasField("reconnect_after"):
        return StreamLostError(
            f"the server ended the stream: {name}",
            retry_after_s=seconds_of(goodbye.reconnect_after),
            final=ended,
        )
    return ended


async def _cancelled(*tasks: "asyncio.Task[scan_pb2.ScanResult] | asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
