"""One attempt of a stream: receives frames and sends feedback and credit until the device ends it."""

import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from attempt import (
    CAPTURE_TOO_SLOW,
    NETWORK_TOO_SLOW,
    SERVER_BUSY,
    Action,
    AttemptCapture,
    AttemptChallenge,
    Feedback,
    PauseCapture,
    Reveal,
)
from server.base.errors import Reason, Refusal, invalid_field
from server.domain.terms import Mode, Plan
from server.scan.capture_work import AttemptTrace, CaptureWork
from server.scan.endings import ScanDeadlinePassed
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream, Send
from server.scan.inbox import Arrival, CreditLedger, Inbox
from server.scan.lease import HeldLease
from server.scan.messages import (
    AttemptEndMessage,
    AttemptStartMessage,
    AttestationMessage,
    CaptureBudget,
    CompleteMessage,
    FrameMessage,
)
from server.scan.plans import (
    AttemptShare,
    ScanBytes,
    fewer_bytes,
    fewer_frames,
    leaner_frames,
    smallest_frame,
)
from server.storage.errors import StorageUnavailable


class AttemptClocks:
    """Measures one attempt against its time limits. Times are seconds of the server's monotonic clock.

    Attributes:
        last_activity: When the device last sent something that the server has processed.
        completed: When the device was notified that the capture is complete; ``None`` before.
    """

    def __init__(self, env: ScanEnvironment, stream: OpenStream) -> None:
        """Start the clocks of an attempt."""
        self._clock = env.clock
        self._end_seconds = env.limits.end_seconds
        self._seconds = stream.budget.max_attempt_seconds
        self._idle_seconds = stream.policy.deadlines.idle_seconds
        self._deadline = stream.record.scan_deadline
        self.completed: float | None = None
        self.begin()

    def begin(self) -> None:
        """Start the attempt's time, when the device has been notified that the attempt begins."""
        self._began = self.last_activity = self._clock.monotonic()

    def note_activity(self) -> None:
        """Restart the measurement of silence, when a message of the device has been processed."""
        self.last_activity = self._clock.monotonic()

    def overdue(self, now: float) -> bool:
        """Return whether an attempt that is not complete has exceeded its time."""
        return self.completed is None and now - self._began >= self._seconds

    def wait(self, due: Iterable[float]) -> float:
        """Return the seconds until the next time limit or task, if no message arrives before.

        Args:
            due: The times at which other tasks are due.
        """
        ends = self._began + self._seconds if self.completed is None else self.completed + self._end_seconds
        soonest = min(self.last_activity + self._idle_seconds, ends, *due)
        remaining = (self._deadline - self._clock.now()).total_seconds()
        return max(0.0, min(soonest - self._clock.monotonic(), remaining))

    def require_before_deadline(self) -> None:
        """Test the scan's deadline.

        Raises:
            ScanDeadlinePassed: The deadline has passed.
        """
        if self._clock.now() >= self._deadline:
            raise ScanDeadlinePassed

    def require_activity(self, now: float) -> None:
        """Test how long the server has waited for the device.

        Raises:
            Refusal: The server waited too long (STREAM_IDLE).
        """
        if self.completed is not None and now - self.completed >= self._end_seconds:
            raise _idle("`attempt_end` did not arrive", self._end_seconds)
        if now - self.last_activity >= self._idle_seconds:
            raise _idle("nothing arrived", self._idle_seconds)


def _idle(what: str, seconds: float) -> Refusal:
    return Refusal(
        Reason.STREAM_IDLE,
        f"{what} for {seconds:g} seconds; reconnect with `resume`",
        details={"idleSeconds": seconds},
    )


def require_within_budget(
    frame: FrameMessage, *, before: int, bytes_before: int, budget: CaptureBudget
) -> None:
    """Refuse a frame that is too large or exceeds the number of frames or bytes.

    Args:
        before: The number of frames that the attempt already has.
        bytes_before: The bytes of images that the scan already has.

    Raises:
        Refusal: The frame is too large (FRAME_TOO_LARGE), or exceeds the attempt's frames or the scan's bytes
            (SCAN_BUDGET_EXCEEDED).
    """
    size = len(frame.image)
    if size > budget.max_frame_bytes:
        raise Refusal(
            Reason.FRAME_TOO_LARGE,
            f"frame {frame.index} has {size} bytes; at most {budget.max_frame_bytes} are allowed",
            details={"frameIndex": frame.index, "frameBytes": size, "maxFrameBytes": budget.max_frame_bytes},
        )
    if before >= budget.max_frames_per_attempt:
        raise Refusal(
            Reason.SCAN_BUDGET_EXCEEDED,
            f"the attempt has its {budget.max_frames_per_attempt} frames already",
            details={"maxFramesPerAttempt": budget.max_frames_per_attempt},
        )
    total = bytes_before + size
    if total > budget.max_scan_bytes:
        raise Refusal(
            Reason.SCAN_BUDGET_EXCEEDED,
            f"the scan has {total} bytes of frames; at most {budget.max_scan_bytes} are allowed",
            details={"scanBytes": total, "maxScanBytes": budget.max_scan_bytes},
        )


def validate_claim(frame: FrameMessage, *, revealed: int) -> None:
    """Refuse a frame, also a skipped one, that claims a flash step which was not revealed.

    Args:
        revealed: The last step that was revealed in this stream; 0 for none.

    Raises:
        Refusal: The frame claims a later step (INVALID_FIELD).
    """
    if frame.flash_step > revealed:
        raise invalid_field(
            "frame.header.flash_step",
            f"frame {frame.index} claims to show flash step {frame.flash_step}, and the last step "
            f"revealed in this stream is {revealed}",
            frameIndex=frame.index,
        )


@dataclass(slots=True)
class _Pause:
    """One pause that the server requested.

    Attributes:
        began: When the request was sent, seconds of the server's monotonic clock.
        seconds: Its length by the same clock; ``None`` until the server asked the device to continue.
        gap: The longest time between two frames since the request, seconds of the device's clock.
    """

    began: float
    seconds: float | None = None
    gap: float = 0.0


class CaptureRate:
    """Counts an attempt's frames and measures their rate.

    The server knows when it sent the request for a pause, not when the device received it. The pause of the
    device is therefore the longest time between two frames since the request. It is limited to the time that
    the server requested, so that a slow device cannot pass its slowness off as a pause.

    Attributes:
        frames: The number of frames received.
    """

    def __init__(self) -> None:
        """Start without frames."""
        self.frames = 0
        self._first = 0.0
        self._last = 0.0
        self._intervals: list[float] = []
        self._pauses: list[_Pause] = []

    @property
    def paused_seconds(self) -> float:
        """The seconds of the device's clock in which it sent no frames because of a pause."""
        return sum(min(pause.gap, pause.seconds or 0.0) for pause in self._pauses)

    @property
    def seconds(self) -> float:
        """The seconds from the first to the last frame by the device's clock, without pauses; at first 0."""
        return max(0.0, self._last - self._first - self.paused_seconds)

    @property
    def per_second(self) -> float | None:
        """The frames per second; ``None`` before there are two frames."""
        return (self.frames - 1) / self.seconds if self.seconds > 0 else None

    @property
    def captured_per_second(self) -> float | None:
        """The images per second that the camera gave while they could be sent; ``None`` before two frames.

        It is that of the shortest quarter of the intervals: on a slow network, images come in bursts with
        gaps between them, but a slow camera gives none faster.
        """
        if not self._intervals:
            return None
        interval = sorted(self._intervals)[len(self._intervals) // 4]
        return 1 / interval if interval > 0 else math.inf

    def count_frame(self, captured: float, *, dropped: int = 0) -> None:
        """Count a frame.

        Args:
            captured: When the device captured it, seconds of its clock.
            dropped: The images that the device captured since the last frame and did not send.
        """
        if not self.frames:
            self._first = captured
        else:
            self._intervals.append((captured - self._last) / (1 + dropped))
            if self._pauses:
                self._pauses[-1].gap = max(self._pauses[-1].gap, captured - self._last)
        self._last = captured
        self.frames += 1

    def pause(self, now: float) -> None:
        """Note that a pause was requested at ``now``, seconds of the server's monotonic clock."""
        self._pauses.append(_Pause(began=now))

    def resume(self, now: float) -> None:
        """Note that the pause was ended at ``now``, seconds of the server's monotonic clock."""
        if self._pauses and self._pauses[-1].seconds is None:
            self._pauses[-1].seconds = now - self._pauses[-1].began


_NONCE_BYTES = 16
_GOOD = "GOOD"
_RATE_AFTER_SECONDS = 2.0
_BUSY_AFTER_SECONDS = 1.0
_PAUSE_SECONDS = 0.25
"""Silence after which the device gets the credit that was held back while it still had enough."""
_ONLY_SURE = "ENVIRONMENT_NOT_SUPPORTED"
"""The hint at the start of attempts of a device that no challenge can follow."""
_BUSY_SHARE = 0.5
"""The share of an attempt without credit from which on few or late frames are the server's own fault."""
_LEAST_MEASURED_SHARE = 0.5
"""The lowest rate of measured frames, as a share of the lowest frame rate; evenly spaced frames have 0.85."""


class AttemptRun:
    """Runs one attempt. Each attempt has its own instance, whose state can be recorded at any time.

    Attributes:
        capture: The capture up to now.
        challenge: Its challenge; ``None`` in EXPRESS.
        trace: The trace of how its frames were encoded.
        work: The attempt's work on the worker pool.
        kind: The kind of its challenge; ``None`` without one.
        number: The attempt's number in the check, from 1.
        recorded: Whether the database has a row of the attempt, which begins with its first received frame.
    """

    def __init__(
        self,
        env: ScanEnvironment,
        stream: OpenStream,
        *,
        number: int,
        scan_bytes: ScanBytes,
        credit: CreditLedger,
        plan: Plan,
        challenge: AttemptChallenge | None,
        look_early: Callable[["AttemptRun"], Awaitable[bool]],
        on_settled: Callable[["AttemptRun"], None],
    ) -> None:
        """Prepare an attempt.

        Args:
            number: The attempt's number in the check, from 1.
            scan_bytes: The bytes that the scan has used so far; updated with each frame.
            credit: The credit of the stream's device; frames are counted against it as they arrive.
            challenge: The challenge of the plan; ``None`` in EXPRESS.
            look_early: Judges the attempt so far and returns whether it is clear, so that it ends. Called at
                most once, and only in a check's first attempt: a later one would be another chance.
            on_settled: Called once, when no further frame is measured. The closing step of a challenge may
                still be on display, and the device has not signed the end yet.
        """
        settings = env.limits
        self._env = env
        self._stream = stream
        self.kind = stream.plans.challenge
        self.number = number
        self.check_id = stream.record.check_id
        self.plan = plan
        self.recorded = False
        self._bytes = scan_bytes
        self._credit = credit
        self._lease = HeldLease(env, stream.record, scan_bytes=scan_bytes)
        self._clocks = AttemptClocks(env, stream)
        self._rate = CaptureRate()
        self._step = stream.plans.first_step - 1
        """The last flash step that was revealed in the stream; 0 for none."""
        self._shown: dict[str, None] = {}
        self._share: AttemptShare | None = None
        self._asked_slow = self._asked_late = False
        self._settled = False
        self._look_early = look_early
        self._on_settled = on_settled
        self.challenge = challenge
        self.capture = AttemptCapture(
            analyst=env.models.analyst,
            plan=stream.plans.capture_plan(settings.plan, early=number == 1 and env.models.sure_early),
            oval=settings.oval,
            guidance=settings.guidance,
            random=env.random,
            challenge=challenge,
            subject=stream.policy.subject.as_rule(),
        )
        self.trace = AttemptTrace(blocks=env.models.analyst.decoder.coded_blocks)
        self.work = CaptureWork(self.capture, pool=env.pool, trace=self.trace, monotonic=env.clock.monotonic)

    @property
    def mode(self) -> Mode:
        """The mode of the attempt. The movement challenge has no mode of its own; it counts as EXPRESS."""
        return Mode.DYNAMIC if self.plan is Plan.FLASH else Mode.EXPRESS

    @property
    def frames(self) -> int:
        """The number of frames received."""
        return self._rate.frames

    @property
    def shown(self) -> tuple[str, ...]:
        """Feedback codes that the device has shown so far, in the order in which they first occurred."""
        return tuple(self._shown)

    @property
    def complete(self) -> bool:
        """Whether no further frame is needed. The attempt is then whole, signed or not."""
        return self._settled or self._clocks.completed is not None

    @property
    def cut(self) -> bool:
        """Whether it makes no challenge, and shows a face for less time than one without a challenge needs.

        If it ends now, by its device or at its time limit, the device chose how much of it is judged.
        """
        return self.kind is None and not self.capture.enough

    @property
    def too_slow(self) -> str | None:
        """The hint if too few frames arrived to measure motion, or nearly all of them arrived in bursts.

        It names the camera if that captured too few images, and the network if they were not sent in time.
        """
        rate = self._rate.per_second
        measured = self.capture.measured_per_second(paused_seconds=self._rate.paused_seconds)
        least = self._stream.budget.min_frames_per_second
        if self._captures_too_few:
            return CAPTURE_TOO_SLOW
        if (rate is not None and rate < least) or (
            measured is not None and measured < _LEAST_MEASURED_SHARE * least
        ):
            return NETWORK_TOO_SLOW
        return None

    @property
    def busy(self) -> bool:
        """Whether the device waited for credit so long that few or late frames are the server's own fault.

        The wait is from the arrival of the frame that used the last credit to the grant of more, so that a
        slow network adds nothing to it.
        """
        waited = self._credit.waited_seconds
        return waited > 0.0 and waited >= _BUSY_SHARE * self._rate.seconds

    @property
    def _captures_too_few(self) -> bool:
        captured = self._rate.captured_per_second
        return captured is not None and captured < self._stream.budget.min_frames_per_second

    @property
    def _slow_by_now(self) -> str | None:
        """The code that tells the person, during the capture, what makes it slow; ``None`` if nothing."""
        if self.busy:
            slow = self._rate.seconds >= _BUSY_AFTER_SECONDS and self.too_slow is not None
            return SERVER_BUSY if slow else None
        slow = self._rate.seconds >= _RATE_AFTER_SECONDS and self._captures_too_few
        return CAPTURE_TOO_SLOW if slow else None

    async def run(self, inbox: Inbox, send: Send, *, attempts_left: int) -> AttemptEndMessage:
        """Run the capture until the device ends the attempt, and return the device's signed end.

        Args:
            attempts_left: The number of attempts that share the scan's bytes, this one included.

        Raises:
            Refusal: The device broke the protocol or a limit.
            StreamEnded: The device half-closed.
            LeaseLost: A newer stream took over.
            CheckClosing: The orchestrator closes the check.
            ScanDeadlinePassed: The scan's deadline passed.
        """
        env, transcript, budget = self._env, self._stream.transcript, self._stream.budget
        seconds = self._stream.plans.expected_seconds(capture=env.limits.plan.seconds)
        nonce = env.random(_NONCE_BYTES)
        self.capture.round_trip.note_request(env.clock.monotonic())
        transcript.start_attempt(attempt=self.number, nonce=nonce, time=env.clock.monotonic())
        await send(
            AttemptStartMessage(
                attempt=self.number,
                nonce=nonce,
                plan=self.plan,
                expected_seconds=seconds,
                credit=self._credit.open(),
                oval=env.limits.oval,
            )
        )
        if self._stream.plans.only_sure:
            only_sure = Feedback(code=_ONLY_SURE, progress=0.0, frame_index=0)
            self._show(only_sure.code)
            await send(only_sure)
        scarce = self._bytes.scarce(seconds=seconds, attempts=attempts_left, budget=budget)
        paced = fewer_frames(self.plan, scarce=scarce)
        if paced is not None:
            await send(paced)
        self._share = AttemptShare(
            self._bytes.share(attempts=attempts_left, budget=budget),
            longest=budget.max_attempt_seconds,
            smallest=smallest_frame(self.plan),
            fewer=paced is not None,
        )
        self._clocks.begin()
        while True:
            await self._examine_ahead()
            arrival = await inbox.next(timeout=self._tick())
            await self.renew_lease()
            if arrival is None:
                await self._act_on_challenge(send)
                await self._grant_held_back(send)
                await self._apply_clocks(send)
                continue
            match arrival.message:
                case FrameMessage() as frame:
                    await self._receive_frame(frame, arrival, send)
                case AttestationMessage() as attestation:
                    self._stream.evidence.begin_verification(attestation)
                case AttemptEndMessage() as end:
                    transcript.end_attempt(end)
                    return end
                case _:
                    raise Refusal(
                        Reason.UNEXPECTED_MESSAGE,
                        "during an attempt only `frame`, `attestation` and `attempt_end` are expected",
                    )
            # While the server processed the frame, the device waited for credit and was not idle.
            self._clocks.note_activity()
            await self._apply_clocks(send)

    async def record(self) -> None:
        """Write the attempt to the database unless it is written already.

        Raises:
            Conflict: Another stream holds the lease.
            StorageUnavailable: The database failed; the call may be repeated.
        """
        if self.recorded:
            return
        self.recorded = True
        env, check = self._env, self._stream.record
        try:
            await env.repository.start_attempt(
                check.check_id,
                epoch=check.lease_epoch,
                number=self.number,
                start_time=env.clock.now(),
                mode=self.mode,
                plan=self.plan,
            )
        except StorageUnavailable:
            self.recorded = False
            raise

    async def _count(self) -> None:
        """Count the attempt when its number of frames reaches ``counted_frames``.

        Raises:
            Conflict: Another stream holds the lease.
            StorageUnavailable: The database failed.
        """
        if self.frames == self._env.limits.counted_frames:
            check = self._stream.record
            await self._env.repository.count_attempt(
                check.check_id, epoch=check.lease_epoch, attempt=self.number, frames=self.frames
            )

    async def renew_lease(self) -> None:
        """Renew the stream's lease if that is due.

        Raises:
            LeaseLost: A newer stream took over.
            CheckClosing: The orchestrator closes the check.
        """
        await self._lease.renew()

    async def _receive_frame(self, frame: FrameMessage, arrival: Arrival, send: Send) -> None:
        size = len(frame.image)
        require_within_budget(
            frame, before=self.frames, bytes_before=self._bytes.used, budget=self._stream.budget
        )
        self._stream.transcript.accept_frame(frame, arrival=arrival.time)
        self._bytes.add(size)
        if self._share is not None:
            self._share.add(size)
        validate_claim(frame, revealed=self._step)
        await self.record()
        feedback, actions = await self._measure(frame, arrival)
        self._rate.count_frame(frame.capture_time_us / 1e6, dropped=frame.dropped_before)
        await self._count()
        if actions:
            await self._do(actions, send)
        self._credit.note_processed(size, waited=self._env.clock.monotonic() - arrival.time)
        if feedback is not None:
            if feedback.code == _GOOD and (slow := self._slow_by_now) is not None:
                feedback = replace(feedback, code=slow)
            self._show(feedback.code)
            await send(feedback)
        if self.capture.look_due:
            self.capture.note_look(clear=await self._look_early(self))
        await self._send_complete_if_due(send)
        if self._clocks.completed is not None:
            return
        await self._adjust_capture(send)
        await self._grant(send)

    async def _measure(
        self, frame: FrameMessage, arrival: Arrival
    ) -> tuple[Feedback | None, tuple[Action, ...]]:
        """Return the feedback for the person and the challenge's actions."""
        may_act = self._challenge_may_act(frames=self.frames + 1)
        if not self._settled:
            return await self.work.measure_frame(frame, arrival=arrival.time, then_act=may_act)
        self.work.pass_over(frame, arrival=arrival.time)
        return None, await self.work.act() if may_act else ()

    async def _act_on_challenge(self, send: Send) -> None:
        """Perform the challenge's actions that are due now, without a further frame."""
        if self._challenge_may_act(frames=self.frames):
            await self._do(await self.work.act(), send)

    def _challenge_may_act(self, *, frames: int) -> bool:
        """Return whether the challenge may act: from the first counted frame until the capture is complete.

        A colour is shown only in attempts that count. Otherwise a device could see many draws and choose one.
        """
        counts = frames >= self._env.limits.counted_frames
        return self.challenge is not None and self._clocks.completed is None and counts

    async def _do(self, actions: tuple[Action, ...], send: Send) -> None:
        for action in actions:
            match action:
                case Feedback(code=code):
                    self._show(code)
                case Reveal(step):
                    self._step = step.number
                case PauseCapture(paused=True):
                    self._rate.pause(self._env.clock.monotonic())
                case PauseCapture():
                    self._rate.resume(self._env.clock.monotonic())
                case _:
                    pass
            self.capture.note_sent(action, at=self._env.clock.monotonic())
            await send(action)
        await self._send_complete_if_due(send)

    def _show(self, code: str) -> None:
        self._shown[code] = None
        self._env.metrics.checks.feedback_sent(code)

    async def _grant_held_back(self, send: Send) -> None:
        paused = self._env.clock.monotonic() - self._clocks.last_activity >= _PAUSE_SECONDS
        if paused and not self.capture.complete:
            await self._grant(send, everything=True)

    async def _grant(self, send: Send, *, everything: bool = False) -> None:
        spent = self._credit.spent_since
        if (grant := self._credit.grant(everything=everything)) is not None:
            if spent is not None:
                self.capture.round_trip.note_request(self._env.clock.monotonic(), waiting_since=spent)
            await send(grant)

    async def _examine_ahead(self) -> None:
        if not self._settled:
            await self.work.examine_ahead()

    async def _send_complete_if_due(self, send: Send) -> None:
        if self.capture.settled:
            self._settle()
        if self.capture.complete:
            await self._send_complete(send)

    def _settle(self) -> None:
        if not self._settled:
            self._settled = True
            self._on_settled(self)

    async def _send_complete(self, send: Send) -> None:
        if self._clocks.completed is None:
            self._clocks.completed = self._env.clock.monotonic()
            await send(CompleteMessage(attempt=self.number))
            self._settle()

    async def _adjust_capture(self, send: Send) -> None:
        """Request smaller or fewer frames if the network is too slow, or the bytes would not last."""
        rate, budget = self._rate.per_second, self._stream.budget
        slow = rate is not None and rate < budget.min_frames_per_second
        if (
            slow
            and not self._asked_slow
            and self._rate.seconds >= _RATE_AFTER_SECONDS
            and self._stream.transcript.dropped
        ):
            self._asked_slow = True
            self.trace.adjustments += 1
            await send(fewer_bytes(self.plan, max_frame_bytes=budget.max_frame_bytes))
        elif self.challenge is not None and self.challenge.late and not self._asked_late:
            self._asked_late = True
            self.trace.adjustments += 1
            await send(leaner_frames(self.plan, mean=self._bytes.mean))
        elif self._share is not None and (leaner := self._share.request(self._rate.seconds)) is not None:
            self.trace.adjustments += leaner.max_frame_bytes > 0
            await send(leaner)

    def _tick(self) -> float:
        due = [self._lease.due]
        if self._credit.held_back and not self.capture.complete:
            due.append(self._clocks.last_activity + _PAUSE_SECONDS)
        if self.challenge is not None and self._clocks.completed is None:
            action_due = self.challenge.due(self._env.clock.monotonic())
            due += [] if action_due is None else [action_due]
        return self._clocks.wait(due)

    async def _apply_clocks(self, send: Send) -> None:
        now = self._env.clock.monotonic()
        self._clocks.require_before_deadline()
        if self._clocks.overdue(now):
            await self._send_complete(send)
        self._clocks.require_activity(now)
