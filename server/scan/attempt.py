"""One attempt of a stream: frames in, feedback and credit out, until the device ends it."""

from collections.abc import Callable
from uuid import UUID

from attempt.actions import Action, Feedback, PauseCapture, Reveal
from attempt.capture import AttemptCapture
from attempt.challenge import AttemptChallenge
from server.checks.running import CheckClosing
from server.domain.terms import Mode, Plan
from server.errors import Reason, Refusal
from server.scan.capture_rate import CaptureRate
from server.scan.capture_work import CaptureWork
from server.scan.credit import CreditLedger
from server.scan.endings import LeaseLost, ScanDeadlinePassed
from server.scan.environment import ScanEnvironment
from server.scan.frame_limits import check_budget, check_claim
from server.scan.handshake import OpenStream, Send, attempt_seconds
from server.scan.inbox import Arrival, Inbox
from server.scan.messages import (
    AttemptEndMessage,
    AttemptStartMessage,
    AttestationMessage,
    CompleteMessage,
    FrameMessage,
)
from server.scan.plans import expected_seconds, fewer_bytes, fewer_frames
from server.scan.scan_bytes import ScanBytes
from server.scan.stream_trace import AttemptTrace
from server.storage.errors import StorageUnavailable
from server.storage.records import NewAttempt

_NONCE_BYTES = 16
_RATE_AFTER_SECONDS = 2.0
_PAUSE_SECONDS = 0.25
"""Silence after which a device gets the credit that was held back while it had plenty."""
_RENEW_SECONDS = 1.5
"""A stream that was fenced learns of it before the newer one is far, and judges what it has seen itself."""
_LEAST_MEASURED_SHARE = 0.5
"""Of the least rate of frames, what must be measured of them: 0.85 are where they come evenly."""


class AttemptRun:
    """Runs one attempt. Made anew for each; what it holds at any moment can be recorded."""

    def __init__(
        self,
        env: ScanEnvironment,
        stream: OpenStream,
        *,
        number: int,
        scan_bytes: ScanBytes,
        credit: CreditLedger,
        attempts_left: int,
        plan: Plan = Plan.EXPRESS,
        challenge: AttemptChallenge | None = None,
    ) -> None:
        """Prepares an attempt.

        Args:
            env: What every stream shares.
            stream: The stream.
            number: The attempt's number in the check, from 1.
            scan_bytes: What the stream has taken so far; kept up to date.
            credit: What the stream's device may send; frames are counted against it as they arrive.
            attempts_left: How many attempts there may be from this one on.
            plan: What the attempt asks for.
            challenge: What the plan asks for beside frames; ``None`` in EXPRESS.
        """
        settings = env.settings
        self._env = env
        self._stream = stream
        self._bytes = scan_bytes
        self._attempts_left = attempts_left
        self.number = number
        self.plan = plan
        self._challenge = challenge
        self._latest = 0
        self.capture = AttemptCapture(
            analyst=env.models.analyst,
            plan=settings.plan,
            oval=settings.oval,
            guidance=settings.guidance,
            random=env.random,
            challenge=challenge,
        )
        self.trace = AttemptTrace()
        self.work = CaptureWork(self.capture, pool=env.pool, trace=self.trace, monotonic=env.clock.monotonic)
        self._credit = credit
        self._renewed = env.clock.monotonic()
        self._settled = False
        self._told_complete: float | None = None
        self._adjusted = False
        self._rate = CaptureRate()
        self._revealed = stream.plans.first_step - 1
        self._recorded = False
        self._shown: dict[str, None] = {}
        self._on_settled: Callable[[AttemptRun], None] | None = None

    @property
    def mode(self) -> Mode:
        """How the attempt proves life. The movement challenge is no mode of its own: it only stands in."""
        return Mode.DYNAMIC if self.plan is Plan.FLASH else Mode.EXPRESS

    @property
    def check_id(self) -> UUID:
        """The check that it is an attempt of."""
        return self._stream.record.check_id

    @property
    def challenge(self) -> AttemptChallenge | None:
        """What was asked for beside frames."""
        return self._challenge

    @property
    def expected_seconds(self) -> float:
        """How long it takes if it is a good one."""
        return expected_seconds(self.plan, capture=self._env.settings.plan.seconds)

    @property
    def frames(self) -> int:
        """Frames accepted."""
        return self._rate.frames

    @property
    def shown(self) -> tuple[str, ...]:
        """Feedback codes that the device was shown so far, in the order in which they came up."""
        return tuple(self._shown)

    @property
    def recorded(self) -> bool:
        """Whether the attempt stands in the database: from its first accepted frame on."""
        return self._recorded

    @property
    def complete(self) -> bool:
        """Whether no further frame is asked for: what there is then is a whole attempt, signed or not."""
        return self._settled or self._told_complete is not None

    @property
    def too_slow(self) -> bool:
        """Whether fewer frames came than show how a face moves, or nearly all of them at the same moments."""
        rate = self._rate.per_second
        measured = self.capture.measured_per_second(paused_seconds=self._rate.paused_seconds)
        least = self._env.settings.budget.min_frames_per_second
        return (rate is not None and rate < least) or (
            measured is not None and measured < _LEAST_MEASURED_SHARE * least
        )

    async def run(
        self, inbox: Inbox, send: Send, *, on_settled: Callable[["AttemptRun"], None]
    ) -> AttemptEndMessage:
        """Captures until the device ends the attempt.

        Args:
            inbox: The device's messages.
            send: Sends a message to the device.
            on_settled: Is called once, when no further frame is looked at: the closing step of a challenge
                may still be on display, and the device has the end to sign.

        Raises:
            Refusal: The device broke the protocol or a limit.
            StreamEnded: The device half-closed.
            LeaseLost: A newer stream took over.
            ScanDeadlinePassed: The scan's deadline passed.
        """
        env, transcript = self._env, self._stream.transcript
        self._on_settled = on_settled
        nonce = env.random(_NONCE_BYTES)
        transcript.start_attempt(attempt=self.number, nonce=nonce, time=env.clock.monotonic())
        await send(
            AttemptStartMessage(
                attempt=self.number,
                nonce=nonce,
                plan=self.plan,
                expected_seconds=self.expected_seconds,
                credit=self._credit.open(),
                oval=env.settings.oval,
            )
        )
        scarce = self._bytes.scarce(
            seconds=self.expected_seconds, attempts=self._attempts_left, budget=env.settings.budget
        )
        if (paced := fewer_frames(self.plan, scarce=scarce)) is not None:
            await send(paced)
        began = heard = env.clock.monotonic()
        while True:
            await self._examine_ahead()
            arrival = await inbox.next(timeout=self._tick(heard, began))
            await self.renew_lease()
            if arrival is None:
                await self._challenge_further(send)
                await self._give_held_back(heard, send)
                await self._look_at_clocks(heard, began, send)
                continue
            match arrival.message:
                case FrameMessage() as frame:
                    await self._take_frame(frame, arrival, send)
                case AttestationMessage() as attestation:
                    self._stream.evidence.take(attestation)
                case AttemptEndMessage() as end:
                    transcript.end_attempt(end)
                    return end
                case _:
                    raise Refusal(
                        Reason.UNEXPECTED_MESSAGE,
                        "during an attempt only `frame`, `attestation` and `attempt_end` are expected",
                    )
            # While the server works on a frame the device waits for it, and is not idle.
            heard = env.clock.monotonic()
            await self._look_at_clocks(heard, began, send)

    async def record(self) -> None:
        """Writes the attempt to the database, once."""
        if self._recorded:
            return
        self._recorded = True
        record = self._stream.record
        try:
            await self._env.repository.start_attempt(
                record.check_id,
                epoch=record.lease_epoch,
                attempt=NewAttempt(
                    number=self.number, start_time=self._env.clock.now(), mode=self.mode, plan=self.plan
                ),
            )
        except StorageUnavailable:
            self._recorded = False
            raise

    async def _take_frame(self, frame: FrameMessage, arrival: Arrival, send: Send) -> None:
        size = len(frame.image)
        check_budget(
            frame, before=self.frames, bytes_before=self._bytes.used, budget=self._env.settings.budget
        )
        self._stream.transcript.accept_frame(frame, arrival=arrival.time)
        self._bytes.add(size)
        self._rate.frame(frame.capture_time_us / 1e6)
        check_claim(frame, revealed=self._revealed)
        await self.record()
        await self._count()
        feedback = None
        if self._settled:
            self.work.glance(frame, arrival=arrival.time)
            await self._challenge_further(send)
        else:
            speaks = self._challenge_speaks
            feedback, actions = await self.work.take(frame, arrival=arrival.time, then_act=speaks)
            self._latest = frame.index
            if speaks:
                await self._do(actions, send)
        self._credit.processed(size)
        if feedback is not None:
            self._show(feedback.code)
            await send(feedback)
        await self._look_whether_enough(send)
        if self._told_complete is not None:
            return
        await self._adjust_capture(send)
        if (grant := self._credit.grant()) is not None:
            await send(grant)

    async def _challenge_further(self, send: Send) -> None:
        """Does what the challenge wants done now, without a further frame."""
        if self._challenge_speaks:
            await self._do(await self.work.act(frame_index=self._latest), send)

    @property
    def _challenge_speaks(self) -> bool:
        """Whether a challenge may say something: until the capture is complete.

        A colour is shown only in attempts that count: else one could look at many draws and pick.
        """
        counts = self.frames >= self._env.settings.counted_frames
        return self._challenge is not None and self._told_complete is None and counts

    async def _do(self, actions: tuple[Action, ...], send: Send) -> None:
        for action in actions:
            match action:
                case Feedback(code=code):
                    self._show(code)
                case Reveal(step):
                    self._revealed = step.number
                case PauseCapture(paused=True):
                    self._rate.pause(self._env.clock.monotonic())
                case PauseCapture():
                    self._rate.resume(self._env.clock.monotonic())
                case _:
                    pass
            await send(action)
        await self._look_whether_enough(send)

    def _show(self, code: str) -> None:
        self._shown[code] = None
        self._env.metrics.feedback_sent(code)

    async def _give_held_back(self, heard: float, send: Send) -> None:
        paused = self._env.clock.monotonic() - heard >= _PAUSE_SECONDS
        if (
            paused
            and not self.capture.complete
            and (grant := self._credit.grant(everything=True)) is not None
        ):
            await send(grant)

    async def _count(self) -> None:
        if self.frames == self._env.settings.counted_frames:
            record = self._stream.record
            await self._env.repository.count_attempt(
                record.check_id, epoch=record.lease_epoch, attempt=self.number, frames=self.frames
            )

    async def _examine_ahead(self) -> None:
        if not self._settled:
            await self.work.examine_ahead()

    async def _look_whether_enough(self, send: Send) -> None:
        if self.capture.settled:
            self._settle()
        if self.capture.complete:
            await self._tell_complete(send)

    def _settle(self) -> None:
        if not self._settled:
            self._settled = True
            if self._on_settled is not None:
                self._on_settled(self)

    async def _tell_complete(self, send: Send) -> None:
        if self._told_complete is None:
            self._told_complete = self._env.clock.monotonic()
            await send(CompleteMessage(attempt=self.number))
            self._settle()

    async def _adjust_capture(self, send: Send) -> None:
        rate = self._rate.per_second
        if self._adjusted or rate is None:
            return
        slow = rate < self._env.settings.budget.min_frames_per_second
        if slow and self._rate.seconds >= _RATE_AFTER_SECONDS and self._stream.transcript.dropped:
            self._adjusted = True
            self.trace.adjusted()
            budget = self._env.settings.budget
            await send(fewer_bytes(self.plan, max_frame_bytes=budget.max_frame_bytes))

    def _tick(self, heard: float, began: float) -> float:
        now = self._env.clock.monotonic()
        settings = self._env.settings
        due = [self._renewed + self._renew_seconds, heard + self._stream.policy.deadlines.idle_seconds]
        if self._credit.held_back and not self.capture.complete:
            due.append(heard + _PAUSE_SECONDS)
        if self._told_complete is not None:
            due.append(self._told_complete + settings.end_seconds)
        else:
            due.append(began + self._attempt_seconds)
            if self._challenge is not None and (says := self._challenge.due(now)) is not None:
                due.append(says)
        remaining = (self._stream.record.scan_deadline - self._env.clock.now()).total_seconds()
        return max(0.0, min(min(due) - now, remaining))

    @property
    def _renew_seconds(self) -> float:
        """After how long the lease is renewed, which is when a silent stream learns that it lost it."""
        return min(_RENEW_SECONDS, self._env.settings.lease_seconds / 3)

    @property
    def _attempt_seconds(self) -> float:
        return attempt_seconds(self._stream.policy, self._env.settings.budget)

    async def _look_at_clocks(self, heard: float, began: float, send: Send) -> None:
        now = self._env.clock.monotonic()
        if self._env.clock.now() >= self._stream.record.scan_deadline:
            raise ScanDeadlinePassed
        if self._told_complete is None:
            if now - began >= self._attempt_seconds:
                await self._tell_complete(send)
        elif now - self._told_complete >= self._env.settings.end_seconds:
            raise _idle("`attempt_end` did not come", self._env.settings.end_seconds)
        idle = self._stream.policy.deadlines.idle_seconds
        if now - heard >= idle:
            raise _idle("nothing came", idle)

    async def renew_lease(self) -> None:
        """Prolongs the stream's lease where that is due.

        Raises:
            LeaseLost: A newer stream took over.
            CheckClosing: The orchestrator closes the check.
        """
        now = self._env.clock.monotonic()
        lease = self._env.settings.lease_seconds
        if now - self._renewed < self._renew_seconds:
            return
        epoch = self._stream.record.lease_epoch
        held = await self._env.repository.renew_lease(
            self.check_id,
            epoch=epoch,
            now=self._env.clock.now(),
            lease_seconds=lease,
            bytes_received=self._bytes.used,
        )
        if not held:
            record = await self._env.repository.get(self.check_id)
            if record is not None and record.lease_epoch == epoch and record.closing is not None:
                raise CheckClosing(record.closing)
            raise LeaseLost
        self._renewed = now


def _idle(what: str, seconds: float) -> Refusal:
    return Refusal(
        Reason.STREAM_IDLE,
        f"{what} for {seconds:g} seconds; reconnect with `resume`",
        details={"idleSeconds": seconds},
    )
