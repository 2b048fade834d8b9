"""One attempt: sends frames within the credit and reads messages until the server's result."""

import asyncio

from facegate.v1 import scan_pb2
from google.protobuf.duration_pb2 import Duration

from facegate_client.encoding import CaptureLimits, EncodedImage
from facegate_client.errors import (
    ClientError,
    ProtocolViolatedError,
    ScanEndedError,
    SourceError,
    StreamLostError,
)
from facegate_client.flash_screen import FlashScreen
from facegate_client.flash_show import FlashShow
from facegate_client.frame_feed import FrameFeed
from facegate_client.frame_rules import FrameRules
from facegate_client.frame_source import CapturedImage, Exposure, QuarterTurn
from facegate_client.progress import ScanEvents
from facegate_client.scan_stream import ScanStream
from facegate_client.send_gate import SendGate, StopSignal
from facegate_client.tally import AttemptTally, ScanTally

__all__ = ["DeviceAttempt", "goodbye_error"]

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
        """Adds the attempt marker to the stream's MAC chain.

        Args:
            stream: The open stream.
            start: The server's AttemptStart.
            feed: The source of images.
            limits: The limits of frames at the start of the attempt.
            quality: JPEG quality to begin with.
            tally: The tally of the scan, which the attempt updates.
            events: The scan's callbacks.
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
        """Ends the attempt with CAUSE_CANCELLED, because the person cancels."""
        self._stop.set(_Cause.CAUSE_CANCELLED)

    async def run(self, *, result_timeout_s: float) -> scan_pb2.ScanResult:
        """Sends frames until the attempt ends, and returns the server's result.

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
        duration = _seconds(self._stream.challenge.budget.max_attempt_duration)
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
                    self._show.move_oval(message.oval_change)
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
                    self._tally.note_result()
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
        self._tally.note_end()
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
            if not self._rules.has_room(size, frames=self._tally.frames, scan_bytes=self._tally.scan_bytes):
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
    """Returns the error for a Goodbye: a lost stream if a reconnect is allowed, or the end of the scan."""
    try:
        name = scan_pb2.Goodbye.Reason.Name(goodbye.reason).removeprefix("REASON_")
    except ValueError:
        name = str(goodbye.reason)
    ended = ScanEndedError(name)
    if goodbye.HasField("reconnect_after"):
        return StreamLostError(
            f"the server ended the stream: {name}",
            retry_after_s=_seconds(goodbye.reconnect_after),
            final=ended,
        )
    return ended


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


async def _cancelled(*tasks: "asyncio.Task[scan_pb2.ScanResult] | asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
