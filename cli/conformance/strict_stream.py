"""One stream of a client after its Challenge, as a scenario drives it."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from facegate.v1 import scan_pb2

from cli.conformance.attempt_book import AttemptBook
from cli.conformance.client_stream import Arrival, StreamLost
from cli.conformance.rules import Rule, Violation
from cli.conformance.signature import signature_fault
from cli.conformance.stream_messages import StreamMessages, named
from facegate_protocol import resume_message
from server.scan.messages import AttemptEndMessage

__all__ = ["StrictStream"]

Response = scan_pb2.ScanFaceResponse
Cause = scan_pb2.AttemptEndBody.Cause

_PROOF_SECONDS: Final = 5.0
_FRAME_SECONDS: Final = 5.0
_END_SECONDS: Final = 5.0
_HALF_CLOSE_SECONDS: Final = 5.0
_NONCE_BYTES: Final = 16
_LEAST_RATE: Final = 8.0


class StrictStream(StreamMessages):
    """A stream as a scenario drives it, from the verified ScanStart to its end."""

    async def take_proof(self) -> None:
        """Waits for the resume proof.

        Raises:
            Violation: Another message came, or the proof is wrong.
        """
        arrival = await self._arrival(
            _PROOF_SECONDS, Rule.RESUME_PROOF, "no resume proof came after the Challenge"
        )
        request = arrival.request
        if request is None or request.WhichOneof("message") != "resume_proof":
            raise Violation(Rule.RESUME_PROOF, f"{named(arrival)} came where `resume_proof` comes next")
        binding = self._opened.binding
        fault = signature_fault(
            self._opened.session_key,
            message=resume_message(binding=binding),
            signature=request.resume_proof.signature,
            unframed=binding,
        )
        if fault:
            raise Violation(Rule.RESUME_PROOF, fault)

    async def begin_attempt(
        self,
        *,
        frames: int = 8,
        octets: int = 1_048_576,
        plan: scan_pb2.Plan.ValueType = scan_pb2.PLAN_EXPRESS,
        change: Callable[[Response], None] = lambda _response: None,
    ) -> AttemptBook:
        """Starts the next attempt of the scan.

        Args:
            frames: Frames of credit.
            octets: Bytes of credit.
            plan: The plan.
            change: Changes the message before it is sent.
        """
        self._scan.attempts += 1
        attempt = scan_pb2.AttemptStart(
            attempt=self._scan.attempts,
            nonce=secrets.token_bytes(_NONCE_BYTES),
            plan=plan,
            credit=scan_pb2.Credit(frames=frames, bytes=octets),
            oval=self.body.oval,
        )
        attempt.expected_duration.FromSeconds(2)
        self._opened.chain.mark_attempt(attempt=attempt.attempt, nonce=attempt.nonce)
        now = asyncio.get_running_loop().time()
        if self._clock.began is None:
            self._clock.began = now
        self.book = AttemptBook(attempt, self.body.budget, self._clock, self._scan.image_bytes)
        self.book.grant(attempt.credit, now)
        self.flash.begin_attempt()
        self._capturing, self._end, self._plan = True, None, plan
        response = Response(attempt_start=attempt)
        change(response)
        await self._stream.send(response)
        return self.book

    async def send(self, response: Response) -> None:
        """Sends a message, and records the credit and the state that it changes."""
        now = asyncio.get_running_loop().time()
        match response.WhichOneof("message"):
            case "credit":
                self._running.grant(response.credit, now)
            case "capture_adjustment":
                self._running.adjust(response.capture_adjustment, now)
            case "capture_pause":
                self._running.pause(response.capture_pause.paused, now)
            case "flash_step":
                self.flash.reveal(response.flash_step, now)
            case _:
                pass
        await self._stream.send(response)

    async def receive_frames(self, count: int, *, grant: bool = True) -> None:
        """Waits for further frames of the attempt.

        Args:
            count: The number of frames.
            grant: Whether each gives its credit back.

        Raises:
            Violation: A rule is broken, or too few frames come.
        """
        target = self._running.frames + count
        while (before := self._running.frames) < target:
            await self._take(
                _FRAME_SECONDS, Rule.FRAMES, "no frame came for 5 seconds, although credit was left"
            )
            if self._end is not None:
                raise Violation(
                    Rule.ATTEMPT_END, "the client ended the attempt while the server waited for frames"
                )
            if grant and self._running.frames > before:
                await self.send_credit(1, self._running.sizes[-1])

    async def send_credit(self, frames: int, octets: int) -> None:
        """Sends credit."""
        await self.send(Response(credit=scan_pb2.Credit(frames=frames, bytes=octets)))

    async def receive_for(self, seconds: float) -> None:
        """Receives and tests messages for some time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0:
            try:
                arrival = await self._stream.receive(left)
            except TimeoutError:
                return
            except StreamLost as error:
                raise Violation(Rule.MESSAGE_ORDER, "the client dropped the connection") from error
            self.accept(arrival)

    def verify_rate(self) -> None:
        """Tests that the frames of the attempt came often enough.

        Raises:
            Violation: They came less often than 8 times a second.
        """
        times = self._running.times
        rate = (len(times) - 1) / max(times[-1] - times[0], 1e-6)
        if rate < _LEAST_RATE:
            raise Violation(
                Rule.FRAMES,
                f"with credit for all of them, {rate:.1f} frames a second came; at least 8 are due",
            )

    async def complete_capture(self) -> AttemptEndMessage:
        """Sends CaptureComplete and waits for the end of the attempt."""
        await self.send(
            Response(capture_complete=scan_pb2.CaptureComplete(attempt=self._running.start.attempt))
        )
        return await self.wait_for_attempt_end(scan_pb2.AttemptEndBody.CAUSE_COMPLETE, within_s=_END_SECONDS)

    async def wait_for_attempt_end(self, cause: Cause.ValueType, *, within_s: float) -> AttemptEndMessage:
        """Waits for the end of the attempt.

        Args:
            cause: The cause that the client has.
            within_s: The longest wait, seconds.

        Raises:
            Violation: It is late, or wrong.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while self._end is None:
            await self._take(
                max(0.0, until - loop.time()),
                Rule.ATTEMPT_END_IN_TIME,
                f"`attempt_end` did not come within {within_s:g} seconds",
            )
        body = scan_pb2.AttemptEndBody.FromString(self._end.body)
        if body.cause != cause:
            raise Violation(Rule.ATTEMPT_END, f"the cause is {_cause(body.cause)}; expected {_cause(cause)}")
        return self._end

    async def send_result(
        self,
        status: scan_pb2.ScanStatus.ValueType = scan_pb2.SCAN_STATUS_SUCCESS,
        *,
        another: bool = False,
        change: Callable[[Response], None] = lambda _response: None,
    ) -> None:
        """Sends the result of the attempt; with ``another``, waits until the person is ready.

        Args:
            status: The status.
            another: Whether another attempt follows.
            change: Changes the message before it is sent.

        Raises:
            Violation: ``attempt_ready`` is missing or wrong.
        """
        self._capturing = False
        number = self._running.start.attempt
        result = scan_pb2.ScanResult(
            attempt=number, status=status, another_attempt=another, attempts_remaining=2 if another else 0
        )
        awaits_ready = another and scan_pb2.CAPABILITY_READY in self.start.capabilities
        if awaits_ready:
            result.ready_within.FromSeconds(60)
            self._ready_for = number
        response = Response(scan_result=result)
        change(response)
        self._half_close_due = not another
        await self._stream.send(response)
        while awaits_ready and self._ready_for:
            await self._take(_FRAME_SECONDS, Rule.READY, "no `attempt_ready` came within 5 seconds")

    async def wait_for_half_close(self) -> None:
        """Waits for the half-close after the last result, and ends the stream.

        Raises:
            Violation: It does not come.
        """
        self._half_close_due = True
        while True:
            try:
                arrival = await self._stream.receive(_HALF_CLOSE_SECONDS)
            except TimeoutError as error:
                raise Violation(
                    Rule.HALF_CLOSE, "no half-close came within 5 seconds of the last ScanResult"
                ) from error
            except StreamLost as error:
                raise Violation(
                    Rule.HALF_CLOSE, "the client dropped the connection after the last ScanResult"
                ) from error
            if arrival.request is None:
                break
            self.accept(arrival)
        self._stream.finish()

    async def send_goodbye(self, reason: scan_pb2.Goodbye.Reason.ValueType, *, after_s: float | None) -> None:
        """Ends the stream with a Goodbye.

        Args:
            reason: The reason.
            after_s: When the client is to reconnect, seconds; ``None`` if a reconnect is useless.
        """
        goodbye = scan_pb2.Goodbye(reason=reason)
        if after_s is not None:
            goodbye.reconnect_after.FromMilliseconds(round(after_s * 1000))
        await self._stream.send(Response(goodbye=goodbye))
        self._stream.finish()

    def lose(self) -> None:
        """Cuts the connection."""
        self._stream.cut()

    def end(self) -> None:
        """Ends the stream with status OK."""
        self._stream.finish()

    async def wait_for_evidence(self) -> None:
        """Waits for the first attestation, up to the grace of the Challenge.

        Raises:
            Violation: None comes.
        """
        grace = float(self.body.attestation.grace.ToSeconds())
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        while self.evidence_at is None:
            await self._take(
                max(0.0, until - loop.time()),
                Rule.ATTESTATION,
                f"no evidence came within {grace:g} seconds of `attempt_end`, and no AttestationUnavailable",
            )

    async def _arrival(self, timeout_s: float, rule: Rule, late: str) -> Arrival:
        try:
            return await self._stream.receive(timeout_s)
        except TimeoutError as error:
            raise Violation(rule, late) from error
        except StreamLost as error:
            raise Violation(rule, f"the client dropped the connection; {late}") from error

    async def _take(self, timeout_s: float, rule: Rule, late: str) -> None:
        self.accept(await self._arrival(timeout_s, rule, late))


def _cause(number: int) -> str:
    return Cause.Name(number) if number in Cause.values() else str(number)  # type: ignore[arg-type]  # tested
