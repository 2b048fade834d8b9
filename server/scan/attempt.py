"""One attempt of a stream: receives frames and sends feedback and credit until the device ends it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from attempt import Action, AttemptCapture, AttemptChallenge, Feedback, PauseCapture, Reveal
from server.base.errors import Reason, Refusal, invalid_field
from server.scan.budget import AttemptBudget, ScanBytes, require_within_budget
from server.scan.capture_work import AttemptTrace, CaptureWork
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream, Send
from server.scan.inbox import CreditLedger, Inbox
from server.scan.lease import HeldLease
from server.scan.messages import (
    AttemptEndMessage,
    AttemptStartMessage,
    AttestationMessage,
    CompleteMessage,
    FrameMessage,
)
from server.scan.timing import AttemptClocks, AttemptPace, CaptureRate
from server.storage.errors import StorageUnavailable

_NONCE_BYTES = 16
_GOOD = "GOOD"
_PAUSE_SECONDS = 0.25
"""Silence after which the device gets the credit that was held back while it still had enough."""
_ONLY_SURE = "ENVIRONMENT_NOT_SUPPORTED"
"""The hint at the start of attempts of a device that no challenge can follow."""


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


class AttemptRun:
    """Runs one attempt. Each attempt has its own instance, whose state can be recorded at any time.

    Attributes:
        number: The attempt's number in the check, from 1.
        plan: What it requires of the device and the person.
        kind: The kind of its challenge; ``None`` without one.
        challenge: Its challenge; ``None`` in EXPRESS.
        capture: The capture up to now.
        trace: The trace of how its frames were encoded.
        work: The attempt's work on the worker pool.
        pace: Whether its frames come fast enough.
        lease: The stream's lease, which it renews.
        shown: Feedback codes that the device has shown so far, in the order in which they first occurred.
        recorded: Whether the database has a row of the attempt, which begins with its first received frame.
    """

    def __init__(
        self,
        env: ScanEnvironment,
        stream: OpenStream,
        *,
        number: int,
        attempts_left: int,
        scan_bytes: ScanBytes,
        credit: CreditLedger,
        challenge: AttemptChallenge | None,
        send: Send,
        look_early: Callable[["AttemptRun"], Awaitable[bool]],
        on_settled: Callable[["AttemptRun"], None],
    ) -> None:
        """Prepare the next attempt of the stream's plans.

        Args:
            number: The attempt's number in the check, from 1.
            attempts_left: The number of attempts that share the scan's bytes, this one included.
            scan_bytes: The bytes that the scan has used so far; updated with each frame.
            credit: The credit of the stream's device; frames are counted against it as they arrive.
            challenge: The challenge of the plan; ``None`` in EXPRESS.
            look_early: Judges the attempt so far and returns whether it is clear, so that it ends. Called at
                most once, and only in a check's first attempt: a later one would be another chance.
            on_settled: Called once, when no further frame is measured. The closing step of a challenge may
                still be on display, and the device has not signed the end yet.
        """
        plans, limits, analyst = stream.plans, env.limits, env.models.analyst
        self.number = number
        self.plan = plans.next
        self.kind = plans.challenge
        self.challenge = challenge
        self.capture = AttemptCapture(
            analyst=analyst,
            plan=plans.capture_plan(limits.plan, early=number == 1 and env.models.sure_early),
            oval=limits.oval,
            guidance=limits.guidance,
            random=env.random,
            challenge=challenge,
            subject=stream.policy.subject.as_rule(),
        )
        self.trace = AttemptTrace(blocks=analyst.decoder.coded_blocks)
        self.work = CaptureWork(self.capture, pool=env.pool, trace=self.trace, monotonic=env.clock.monotonic)
        self._rate = CaptureRate()
        self.pace = AttemptPace(
            rate=self._rate, capture=self.capture, credit=credit, least=stream.budget.min_frames_per_second
        )
        self.lease = HeldLease(env, stream.record, scan_bytes=scan_bytes)
        self.shown: dict[str, None] = {}
        self.recorded = False
        self._env = env
        self._stream = stream
        self._bytes = scan_bytes
        self._credit = credit
        self._send = send
        self._look_early = look_early
        self._on_settled = on_settled
        self._expected_seconds = plans.expected_seconds(capture=limits.plan.seconds)
        self._budget = AttemptBudget(
            self.plan,
            scan=scan_bytes,
            limits=stream.budget,
            attempts=attempts_left,
            seconds=self._expected_seconds,
        )
        self._clocks = AttemptClocks(env, stream)
        self._step = plans.first_step - 1
        """The last flash step that was revealed in the stream; 0 for none."""
        self._settled = False

    @property
    def frames(self) -> int:
        """The number of frames received."""
        return self._rate.frames

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

    async def run(self, inbox: Inbox) -> AttemptEndMessage:
        """Run the capture until the device ends the attempt, and return the device's signed end.

        Raises:
            Refusal: The device broke the protocol or a limit.
            StreamEnded: The device half-closed.
            LeaseLost: A newer stream took over.
            CheckClosing: The orchestrator closes the check.
            ScanDeadlinePassed: The scan's deadline passed.
        """
        await self._start()
        while True:
            if not self._settled:
                await self.work.examine_ahead()
            arrival = await inbox.next(timeout=self._clocks.wait(self._due()))
            await self.lease.renew()
            if arrival is None:
                await self._act_in_silence()
            else:
                match arrival.message:
                    case FrameMessage() as frame:
                        await self._receive_frame(frame, arrival.time)
                    case AttestationMessage() as attestation:
                        self._stream.evidence.begin_verification(attestation)
                    case AttemptEndMessage() as end:
                        self._stream.transcript.end_attempt(end)
                        return end
                    case _:
                        raise Refusal(
                            Reason.UNEXPECTED_MESSAGE,
                            "during an attempt only `frame`, `attestation` and `attempt_end` are expected",
                        )
                # While the server processed the frame, the device waited for credit and was not idle.
                self._clocks.note_activity()
            await self._apply_clocks()

    async def _start(self) -> None:
        """Notify the device that the attempt begins, and ask for fewer frames if the bytes are scarce."""
        env, clock = self._env, self._env.clock
        nonce = env.random(_NONCE_BYTES)
        self.capture.round_trip.note_request(clock.monotonic())
        self._stream.transcript.start_attempt(attempt=self.number, nonce=nonce, time=clock.monotonic())
        await self._send(
            AttemptStartMessage(
                attempt=self.number,
                nonce=nonce,
                plan=self.plan,
                expected_seconds=self._expected_seconds,
                credit=self._credit.open(),
                oval=env.limits.oval,
            )
        )
        if self._stream.plans.only_sure:
            only_sure = Feedback(code=_ONLY_SURE, progress=0.0, frame_index=0)
            self._note_shown(only_sure.code)
            await self._send(only_sure)
        if self._budget.first is not None:
            await self._send(self._budget.first)
        self._clocks.begin()

    def _due(self) -> list[float]:
        """Return when the next tasks are due that need no message, seconds of the monotonic clock."""
        due = [self.lease.due]
        if self._credit.held_back and not self.capture.complete:
            due.append(self._clocks.last_activity + _PAUSE_SECONDS)
        if self.challenge is not None and self._clocks.completed is None:
            action_due = self.challenge.due(self._env.clock.monotonic())
            due += [] if action_due is None else [action_due]
        return due

    async def _act_in_silence(self) -> None:
        """Do what is due now without a further frame: the challenge's actions, and a grant held back."""
        if self._challenge_may_act(frames=self.frames):
            await self._do(await self.work.act())
        paused = self._env.clock.monotonic() - self._clocks.last_activity >= _PAUSE_SECONDS
        if paused and not self.capture.complete:
            await self._grant(everything=True)

    async def _apply_clocks(self) -> None:
        now = self._env.clock.monotonic()
        self._clocks.require_before_deadline()
        if self._clocks.overdue(now):
            await self._complete()
        self._clocks.require_activity(now)

    async def _receive_frame(self, frame: FrameMessage, arrived: float) -> None:
        size = len(frame.image)
        require_within_budget(
            frame, before=self.frames, bytes_before=self._bytes.used, budget=self._stream.budget
        )
        self._stream.transcript.accept_frame(frame, arrival=arrived)
        self._budget.add(size)
        validate_claim(frame, revealed=self._step)
        await self.record()
        feedback, actions = await self._measure(frame, arrived)
        self._rate.count_frame(frame.capture_time_us / 1e6, dropped=frame.dropped_before)
        await self._count()
        if actions:
            await self._do(actions)
        self._credit.note_processed(size, waited=self._env.clock.monotonic() - arrived)
        if feedback is not None:
            if feedback.code == _GOOD and (slow := self.pace.slow_by_now) is not None:
                feedback = replace(feedback, code=slow)
            self._note_shown(feedback.code)
            await self._send(feedback)
        if self.capture.look_due:
            self.capture.note_look(clear=await self._look_early(self))
        await self._complete_if_due()
        if self._clocks.completed is None:
            await self._adjust_capture()
            await self._grant()

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
                mode=self.plan.mode,
                plan=self.plan,
            )
        except StorageUnavailable:
            self.recorded = False
            raise

    async def _measure(
        self, frame: FrameMessage, arrived: float
    ) -> tuple[Feedback | None, tuple[Action, ...]]:
        """Return the feedback for the person and the challenge's actions."""
        may_act = self._challenge_may_act(frames=self.frames + 1)
        if not self._settled:
            return await self.work.measure_frame(frame, arrival=arrived, then_act=may_act)
        self.work.pass_over(frame, arrival=arrived)
        return None, await self.work.act() if may_act else ()

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

    def _challenge_may_act(self, *, frames: int) -> bool:
        """Return whether the challenge may act: from the first counted frame until the capture is complete.

        A colour is shown only in attempts that count. Otherwise a device could see many draws and choose one.
        """
        counts = frames >= self._env.limits.counted_frames
        return self.challenge is not None and self._clocks.completed is None and counts

    async def _do(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            match action:
                case Feedback(code=code):
                    self._note_shown(code)
                case Reveal(step):
                    self._step = step.number
                case PauseCapture(paused=True):
                    self._rate.pause(self._env.clock.monotonic())
                case PauseCapture():
                    self._rate.resume(self._env.clock.monotonic())
                case _:
                    pass
            self.capture.note_sent(action, at=self._env.clock.monotonic())
            await self._send(action)
        await self._complete_if_due()

    def _note_shown(self, code: str) -> None:
        self.shown[code] = None
        self._env.metrics.checks.feedback_sent(code)

    async def _complete_if_due(self) -> None:
        if self.capture.settled:
            self._settle()
        if self.capture.complete:
            await self._complete()

    async def _complete(self) -> None:
        if self._clocks.completed is None:
            self._clocks.completed = self._env.clock.monotonic()
            await self._send(CompleteMessage(attempt=self.number))
            self._settle()

    def _settle(self) -> None:
        if not self._settled:
            self._settled = True
            self._on_settled(self)

    async def _adjust_capture(self) -> None:
        """Request smaller or fewer frames if the network is too slow, or the bytes would not last."""
        request = self._budget.request(
            self._rate.seconds,
            slow=self.pace.stays_slow and self._stream.transcript.dropped > 0,
            late=self.challenge is not None and self.challenge.late,
        )
        if request is not None:
            self.trace.adjustments += request.max_frame_bytes > 0
            await self._send(request)

    async def _grant(self, *, everything: bool = False) -> None:
        spent = self._credit.spent_since
        if (grant := self._credit.grant(everything=everything)) is not None:
            if spent is not None:
                self.capture.round_trip.note_request(self._env.clock.monotonic(), waiting_since=spent)
            await self._send(grant)
