"""One attempt of a stream: receives frames and sends feedback and credit until the device ends it."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from attempt import Action, AttemptCapture, AttemptChallenge, Feedback, PauseCapture, Reveal
from server.domain.terms import Mode, Plan
from server.errors import Reason, Refusal
from server.scan.attempt_clocks import AttemptClocks
from server.scan.attempt_row import AttemptRow
from server.scan.capture_rate import CaptureRate
from server.scan.capture_work import CaptureWork
from server.scan.credit import CreditLedger
from server.scan.disclosure import CAPTURE_TOO_SLOW, NETWORK_TOO_SLOW
from server.scan.environment import ScanEnvironment
from server.scan.frame_limits import require_within_budget, validate_claim
from server.scan.handshake import OpenStream, Send
from server.scan.inbox import Arrival, Inbox
from server.scan.lease import HeldLease
from server.scan.messages import (
    AttemptEndMessage,
    AttemptStartMessage,
    AttestationMessage,
    CompleteMessage,
    FrameMessage,
)
from server.scan.plans import fewer_bytes, fewer_frames, leaner_frames, smallest_frame
from server.scan.scan_bytes import AttemptShare, ScanBytes
from server.scan.shown import Shown
from server.scan.stream_trace import AttemptTrace

__all__ = ["AttemptRun"]

_NONCE_BYTES = 16
_GOOD = "GOOD"
_RATE_AFTER_SECONDS = 2.0
_PAUSE_SECONDS = 0.25
"""Silence after which the device gets the credit that was held back while it still had enough."""
_ONLY_SURE = "ENVIRONMENT_NOT_SUPPORTED"
"""The hint at the start of attempts of a device that no challenge can follow."""
_LEAST_MEASURED_SHARE = 0.5
"""The lowest rate of measured frames, as a share of the lowest frame rate; evenly spaced frames have 0.85."""


class AttemptRun:
    """Runs one attempt. Each attempt has its own instance, whose state can be recorded at any time.

    Attributes:
        work: The attempt's work on the worker pool.
        kind: The kind of its challenge; ``None`` without one.
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
        on_settled: Callable[["AttemptRun"], None],
    ) -> None:
        """Prepares an attempt.

        Args:
            env: The environment that all streams share.
            stream: The stream.
            number: The attempt's number in the check, from 1.
            scan_bytes: The bytes that the scan has used so far; updated with each frame.
            credit: The credit of the stream's device; frames are counted against it as they arrive.
            plan: The plan of the attempt.
            challenge: The challenge of the plan; ``None`` in EXPRESS.
            on_settled: Called once, when no further frame is measured. The closing step of a challenge may
                still be on display, and the device has not signed the end yet.
        """
        settings = env.settings
        self._env = env
        self._stream = stream
        self.kind = stream.plans.challenge
        self._row = AttemptRow(env, stream.record, number=number, plan=plan)
        self._bytes = scan_bytes
        self._credit = credit
        self._lease = HeldLease(env, stream.record, scan_bytes=scan_bytes)
        self._clocks = AttemptClocks(env, stream)
        self._rate = CaptureRate()
        self._shown = Shown(step=stream.plans.first_step - 1)
        self._share: AttemptShare | None = None
        self._asked_slow = self._asked_late = False
        self._settled = False
        self._on_settled = on_settled
        capture = AttemptCapture(
            analyst=env.models.analyst,
            plan=stream.plans.capture_plan(settings.plan),
            oval=settings.oval,
            guidance=settings.guidance,
            random=env.random,
            challenge=challenge,
            subject=stream.policy.subject.as_rule(),
        )
        trace = AttemptTrace(blocks=env.models.analyst.blocks)
        self.work = CaptureWork(capture, pool=env.pool, trace=trace, monotonic=env.clock.monotonic)

    @property
    def number(self) -> int:
        """The attempt's number in the check, from 1."""
        return self._row.number

    @property
    def plan(self) -> Plan:
        """The plan of the attempt."""
        return self._row.plan

    @property
    def mode(self) -> Mode:
        """The mode of the attempt."""
        return self._row.mode

    @property
    def recorded(self) -> bool:
        """Whether the database has a row of the attempt, which begins with its first received frame."""
        return self._row.recorded

    @property
    def check_id(self) -> UUID:
        """The check that the attempt belongs to."""
        return self._stream.record.check_id

    @property
    def capture(self) -> AttemptCapture:
        """The capture up to now."""
        return self.work.capture

    @property
    def trace(self) -> AttemptTrace:
        """The trace of how the attempt's frames were encoded."""
        return self.work.trace

    @property
    def challenge(self) -> AttemptChallenge | None:
        """The challenge of the attempt; ``None`` in EXPRESS."""
        return self.capture.challenge

    @property
    def frames(self) -> int:
        """The number of frames received."""
        return self._rate.frames

    @property
    def shown(self) -> tuple[str, ...]:
        """Feedback codes that the device has shown so far, in the order in which they first occurred."""
        return self._shown.codes

    @property
    def complete(self) -> bool:
        """Whether no further frame is needed. The attempt is then whole, signed or not."""
        return self._settled or self._clocks.completed is not None

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
    def _captures_too_few(self) -> bool:
        captured = self._rate.captured_per_second
        return captured is not None and captured < self._stream.budget.min_frames_per_second

    async def run(self, inbox: Inbox, send: Send, *, attempts_left: int) -> AttemptEndMessage:
        """Runs the capture until the device ends the attempt, and returns the device's signed end.

        Args:
            inbox: The device's messages.
            send: Sends a message to the device.
            attempts_left: The number of attempts that share the scan's bytes, this one included.

        Raises:
            Refusal: The device broke the protocol or a limit.
            StreamEnded: The device half-closed.
            LeaseLost: A newer stream took over.
            CheckClosing: The orchestrator closes the check.
            ScanDeadlinePassed: The scan's deadline passed.
        """
        env, transcript, budget = self._env, self._stream.transcript, self._stream.budget
        seconds = self._stream.plans.expected_seconds(capture=env.settings.plan.seconds)
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
                oval=env.settings.oval,
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
        """Writes the attempt to the database, once."""
        await self._row.record()

    async def renew_lease(self) -> None:
        """Renews the stream's lease if that is due.

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
        validate_claim(frame, revealed=self._shown.step)
        await self._row.record()
        feedback, actions = await self._measure(frame, arrival)
        self._rate.count_frame(frame.capture_time_us / 1e6, dropped=frame.dropped_before)
        await self._row.count(self.frames)
        if actions:
            await self._do(actions, send)
        self._credit.note_processed(size)
        if feedback is not None:
            if (
                feedback.code == _GOOD
                and self._rate.seconds >= _RATE_AFTER_SECONDS
                and self._captures_too_few
            ):
                feedback = replace(feedback, code=CAPTURE_TOO_SLOW)
            self._show(feedback.code)
            await send(feedback)
        await self._send_complete_if_due(send)
        if self._clocks.completed is not None:
            return
        await self._adjust_capture(send)
        await self._grant(send)

    async def _measure(
        self, frame: FrameMessage, arrival: Arrival
    ) -> tuple[Feedback | None, tuple[Action, ...]]:
        """Returns the feedback for the person and the challenge's actions."""
        may_act = self._challenge_may_act(frames=self.frames + 1)
        if not self._settled:
            return await self.work.take(frame, arrival=arrival.time, then_act=may_act)
        self.work.skip(frame, arrival=arrival.time)
        return None, await self.work.act() if may_act else ()

    async def _act_on_challenge(self, send: Send) -> None:
        """Performs the challenge's actions that are due now, without a further frame."""
        if self._challenge_may_act(frames=self.frames):
            await self._do(await self.work.act(), send)

    def _challenge_may_act(self, *, frames: int) -> bool:
        """Returns whether the challenge may act: from the first counted frame until the capture is complete.

        A colour is shown only in attempts that count. Otherwise a device could see many draws and choose one.
        """
        counts = frames >= self._env.settings.counted_frames
        return self.challenge is not None and self._clocks.completed is None and counts

    async def _do(self, actions: tuple[Action, ...], send: Send) -> None:
        for action in actions:
            match action:
                case Feedback(code=code):
                    self._show(code)
                case Reveal(step):
                    self._shown.step = step.number
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
        self._shown.feedback(code)
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
        """Requests smaller or fewer frames if the network is too slow, or the bytes would not last."""
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
