"""One stream of a client after its Challenge, as a scenario drives it.

Order, MACs, clock, credit, budget, images and signatures are tested by the parts of the server's own session,
which refuse what breaks a rule. The books here test what a session tolerates, and a client must keep. All of
them raise ``Violation`` if the client breaks a rule.
"""

import asyncio
import base64
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from facegate.v1 import scan_pb2

from attempt import FrameDecoder, FrameUnusable
from device_integrity import EvidenceMalformed
from device_integrity.web import parse_client_data
from facegate_protocol import (
    KeyMaterialError,
    attempt_end_message,
    attestation_message,
    evidence_challenge,
    load_public_key,
    resume_message,
    verify,
)
from lab.conformance.endpoint import AttemptReady, name_of
from lab.conformance.opening import Start
from lab.conformance.rules import HalfClosed, Rule, Violation, refusals_broken
from liveness.dynamic.challenge import SHORTEST_HOLD_SECONDS
from server.device.evidence import (
    MAX_ATTESTATIONS,
    AndroidKeyEvidence,
    UnknownEvidence,
    WebAuthnEvidence,
    WebCryptoEvidence,
)
from server.edge.fields import duration, message_of, value_of
from server.scan.budget import require_within_budget
from server.scan.inbox import Arrival, ConnectionLost, CreditLedger
from server.scan.messages import (
    AttemptEndMessage,
    AttestationMessage,
    CaptureBudget,
    FrameMessage,
    ResumeProofMessage,
    StartMessage,
)
from server.scan.transcript import StreamTranscript

Response = scan_pb2.ScanFaceResponse
Cause = scan_pb2.AttemptEndBody.Cause

GRACE_SECONDS: Final = 0.7
"""How long after a message of the server frames may come that the client sent before it."""
_WAIT_SECONDS: Final = 5.0
_MOST_AGE_SECONDS: Final = 1.0
_EARLY_SHARE: Final = 0.25
_ROUNDING_US: Final = 1_000.0
_NONCE_BYTES: Final = 16
_TOLERANCE_SECONDS: Final = 0.05
_RAW_SIGNATURE_BYTES: Final = 64


@dataclass(slots=True)
class AttemptBook:
    """What a session tolerates in the frames of one attempt: pauses, adjustments and rates that are not kept.

    Attributes:
        budget_rate: The frames a second that the budget allows.
        times: When each frame arrived, seconds of the loop's clock.
        sizes: The bytes of each of them.
        least_side: The shortest side of any of them, pixels.
        pauses: When each pause began and ended, seconds of the loop's clock.
        adjustments: The adjustments, each with the time when it was sent.
    """

    number: int
    budget_rate: float
    times: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    least_side: int = 1_000_000
    pauses: list[list[float]] = field(default_factory=list)
    adjustments: list[tuple[float, scan_pb2.CaptureAdjustment]] = field(default_factory=list)
    _due_us: float = 0.0
    _rate: float = 0.0

    def accept(self, frame: FrameMessage, *, arrival: float, captured: float) -> None:
        """Test a frame, and count it.

        Args:
            arrival: When it arrived, seconds of the loop's clock.
            captured: When it was captured, or somewhat later, by the same clock.
        """
        for since, until in self.pauses:
            if since + GRACE_SECONDS < arrival < until:
                raise Violation(
                    Rule.PAUSE, f"frame {frame.index} arrived {arrival - since:.1f} s after CapturePause"
                )
            if since + GRACE_SECONDS < captured < until:
                raise Violation(
                    Rule.PAUSE, f"frame {frame.index} was captured in a pause and sent after it; discard it"
                )
        size, known = len(frame.image), [one for at, one in self.adjustments if at + GRACE_SECONDS <= arrival]
        side = min((one.max_side for one in known if one.max_side), default=0)
        most = min((one.max_frame_bytes for one in known if one.max_frame_bytes), default=0)
        if side and max(frame.width, frame.height) > side:
            raise Violation(
                Rule.ADJUSTMENT,
                f"frame {frame.index} has {frame.width} x {frame.height} pixels; the longest side was "
                f"adjusted to {side}",
            )
        if most and size > most:
            raise Violation(
                Rule.ADJUSTMENT, f"frame {frame.index} has {size} bytes; they were adjusted to {most}"
            )
        self._verify_rate(frame, [one.max_frames_per_second for one in known if one.max_frames_per_second])
        self.times.append(arrival)
        self.sizes.append(size)
        self.least_side = min(self.least_side, frame.width, frame.height)

    def _verify_rate(self, frame: FrameMessage, adjusted: list[float]) -> None:
        rate = min([*adjusted, self.budget_rate])
        if rate != self._rate:
            self._rate, self._due_us = rate, 0.0
        interval = 1e6 / rate
        time_us = frame.capture_time_us
        if time_us < self._due_us - interval * _EARLY_SHARE - _ROUNDING_US:
            raise Violation(
                Rule.ADJUSTMENT if adjusted else Rule.RATE,
                f"frame {frame.index} was captured too early for {rate:g} frames a second: leave it out, as "
                "`Thinning` describes",
            )
        self._due_us = max(self._due_us, time_us - interval) + interval


@dataclass(slots=True)
class FlashBook:
    """The colours of an attempt: the steps that were revealed, and those that frames named.

    Attributes:
        flashing: Whether the plan of the attempt is a flash.
        revealed: The steps, by number, with the time when each was sent, seconds of the loop's clock.
        since_us: When each step appeared, as the frames state, microseconds of the capture clock.
        named: The step that the latest frame named; 0 for none.
    """

    flashing: bool = False
    revealed: dict[int, tuple[scan_pb2.FlashStep, float]] = field(default_factory=dict)
    since_us: dict[int, int] = field(default_factory=dict)
    named: int = 0
    _shown: int = 0
    _captured_us: int = 0

    def reveal(self, step: scan_pb2.FlashStep, at: float) -> None:
        """Note a step that is sent."""
        self.revealed[step.step] = (step, at)

    def accept(self, frame: FrameMessage, *, captured: float) -> None:
        """Test the statement of a frame about the screen.

        Args:
            captured: When it was captured, or somewhat later, seconds of the loop's clock.
        """
        number, since = frame.flash_step, frame.flash_step_since_us
        self.named = number
        before_us, self._captured_us = self._captured_us, frame.capture_time_us
        if number == 0 or not self.flashing:
            if number or since:
                raise Violation(
                    Rule.FLASH,
                    f"frame {frame.index} names flash step {number} since {since} us, and none is shown",
                )
            return
        if number not in self.revealed:
            raise Violation(
                Rule.FLASH, f"frame {frame.index} names flash step {number}, which was not revealed"
            )
        if not 0 < since <= frame.capture_time_us:
            raise Violation(
                Rule.FLASH,
                f"frame {frame.index} was captured at {frame.capture_time_us} us and names a step "
                f"since {since} us",
            )
        if number != self._shown:
            self._next(frame, captured, before_us)
        elif since != self.since_us[number]:
            raise Violation(
                Rule.FLASH, f"frame {frame.index} states another time for the appearance of step {number}"
            )

    def _next(self, frame: FrameMessage, captured: float, before_us: int) -> None:
        number, since = frame.flash_step, frame.flash_step_since_us
        # A device that captures nothing for a while names no frame for the steps that it shows meanwhile.
        unnamed = [step for step in self.revealed if step < number and step not in self.since_us]
        too_short = (since - before_us) / 1e6 < self._needed(unnamed) - _TOLERANCE_SECONDS
        if number < self._shown or (unnamed and too_short):
            raise Violation(
                Rule.FLASH_HOLD,
                f"frame {frame.index} names step {number} after step {self._shown}: show each step, in order",
            )
        _, sent = self.revealed[number]
        appeared = captured - (frame.capture_time_us - since) / 1e6
        if appeared < sent - _TOLERANCE_SECONDS:
            raise Violation(
                Rule.FLASH,
                f"step {number} appeared {sent - appeared:.2f} s before it was revealed, by frame "
                f"{frame.index}",
            )
        if self._shown:
            held = (since - self.since_us[self._shown]) / 1e6
            needed = self._needed([self._shown, *unnamed])
            if held < needed - _TOLERANCE_SECONDS:
                raise Violation(
                    Rule.FLASH_HOLD,
                    f"step {number} was shown {held:.2f} s after step {self._shown}; "
                    f"at least {needed:.2f} s are due",
                )
        self._shown = number
        self.since_us[number] = since

    def _needed(self, numbers: list[int]) -> float:
        """Return the shortest time in which steps can be shown, seconds."""
        steps = [self.revealed[number][0] for number in numbers]
        return sum(
            step.transition_duration.ToNanoseconds() / 1e9
            + max(SHORTEST_HOLD_SECONDS, step.minimum_hold.ToNanoseconds() / 1e9)
            for step in steps
        )


@dataclass(slots=True)
class ClientScan:
    """The state of one scan of the client, over all its streams.

    Attributes:
        session_key: The session key of the first stream, SubjectPublicKeyInfo.
        image_bytes: The bytes of all frames.
    """

    session_key: bytes = b""
    shares: set[bytes] = field(default_factory=set)
    challenged: bool = False
    image_bytes: int = 0
    attestations: int = 0
    attempts: int = 0


class StrictStream:
    """A stream as a scenario drives it, from the verified ScanStart to its end.

    Attributes:
        book: The running or last attempt; of number 0 before the first.
    """

    _credit: CreditLedger

    def __init__(
        self, start: Start, body: scan_pb2.ChallengeBody, transcript: StreamTranscript, scan: ClientScan
    ) -> None:
        """Begin before the Challenge is sent, in a scan of the client that may have had other streams."""
        self.start = start
        self.body = body
        self.book = AttemptBook(0, body.budget.max_frames_per_second)
        self.flash = FlashBook()
        self._budget = value_of(CaptureBudget, body.budget, max_attempt_seconds=0.0)
        self._decoder = FrameDecoder(self._budget.frame_limits)
        self._stream = start.stream
        self._transcript = transcript
        self._scan = scan
        self._loop = asyncio.get_running_loop()
        self._clock_offset = float("inf")
        self._evidence_came = False
        self._capturing = False
        self._over = False
        self._end: AttemptEndMessage | None = None
        self._ready_for = 0

    @property
    def dropped(self) -> int:
        """The number of dropped images that the frames of the attempt, or its end, state."""
        return self._transcript.dropped

    async def receive_proof(self) -> None:
        """Wait for the resume proof."""
        arrival = await self._stream.expect(
            _WAIT_SECONDS, Rule.RESUME_PROOF, "no resume proof came after the Challenge"
        )
        proof, binding = arrival.message, self._transcript.binding
        if not isinstance(proof, ResumeProofMessage):
            raise Violation(Rule.RESUME_PROOF, f"{name_of(proof)} came where `resume_proof` comes next")
        with self._signed(resume_message(binding=binding), proof.signature, unframed=binding):
            self._transcript.prove_resume(proof.signature)

    def _signed(self, message: bytes, signature: bytes, *, unframed: bytes) -> AbstractContextManager[None]:
        """Make a refusal within it a violation, which names the mistake of a signature."""
        return refusals_broken(
            lambda: _mistake(self.start.session_key, message, signature, unframed=unframed)
        )

    async def begin_attempt(
        self,
        *,
        frames: int = 8,
        octets: int = 1_048_576,
        plan: scan_pb2.Plan.ValueType = scan_pb2.PLAN_EXPRESS,
        change: Callable[[Response], None] = lambda _response: None,
    ) -> AttemptBook:
        """Start the next attempt of the scan."""
        self._scan.attempts += 1
        self._credit = CreditLedger(
            window_frames=frames, window_bytes=octets, largest_frame=self._budget.max_frame_bytes
        )
        self._stream.arrives = self._credit.count_arrival
        attempt = scan_pb2.AttemptStart(
            attempt=self._scan.attempts,
            nonce=secrets.token_bytes(_NONCE_BYTES),
            plan=plan,
            expected_duration=duration(2),
            credit=message_of(scan_pb2.Credit, self._credit.open()),
            oval=self.body.oval,
        )
        self._transcript.start_attempt(attempt=attempt.attempt, nonce=attempt.nonce, time=self._loop.time())
        self.book = AttemptBook(attempt.attempt, self.body.budget.max_frames_per_second)
        self.flash = FlashBook(flashing=plan == scan_pb2.PLAN_FLASH)
        self._capturing, self._end = True, None
        response = Response(attempt_start=attempt)
        change(response)
        await self._stream.send(response)
        return self.book

    async def send(self, response: Response) -> None:
        """Send a message, and record what it demands of the frames that follow."""
        now, book = self._loop.time(), self.book
        match response.WhichOneof("message"):
            case "capture_adjustment":
                book.adjustments.append((now, response.capture_adjustment))
            case "capture_pause" if response.capture_pause.paused:
                book.pauses.append([now, float("inf")])
            case "capture_pause":
                book.pauses[-1][1] = now
            case "flash_step":
                self.flash.reveal(response.flash_step, now)
            case _:
                pass
        await self._stream.send(response)

    async def receive_frames(self, count: int, *, grant: bool = True) -> None:
        """Wait for further frames of the attempt."""
        frames = self.book.sizes
        target = len(frames) + count
        while (before := len(frames)) < target:
            await self._take(
                _WAIT_SECONDS, Rule.FRAMES, "no frame came for 5 seconds, although credit was left"
            )
            if self._end is not None:
                raise Violation(
                    Rule.ATTEMPT_END, "the client ended the attempt while the server waited for frames"
                )
            if grant and len(frames) > before:
                await self.grant_credit()

    async def grant_credit(self) -> None:
        """Give back the credit of all frames that came."""
        grant = self._credit.grant(everything=True)
        if grant is not None:
            await self._stream.send(Response(credit=message_of(scan_pb2.Credit, grant)))

    async def receive_for(self, seconds: float) -> None:
        """Receive and test messages for some time."""
        until = self._loop.time() + seconds
        while (left := until - self._loop.time()) > 0:
            try:
                arrival = await self._stream.receive(left)
            except ConnectionLost as error:
                raise Violation(Rule.MESSAGE_ORDER, "the client dropped the connection") from error
            if arrival is not None:
                self._accept(arrival)

    def verify_rate(self) -> None:
        """Test that the frames of the attempt came often enough."""
        times = self.book.times
        rate = (len(times) - 1) / max(times[-1] - times[0], 1e-6)
        least = self._budget.min_frames_per_second
        if rate < least:
            raise Violation(
                Rule.FRAMES,
                f"with credit for all of them, {rate:.1f} frames a second came; at least {least:g} are due",
            )

    async def complete_capture(self) -> AttemptEndMessage:
        """Send CaptureComplete and wait for the end of the attempt."""
        number = self.book.number
        await self.send(Response(capture_complete=scan_pb2.CaptureComplete(attempt=number)))
        return await self.wait_for_attempt_end(Cause.CAUSE_COMPLETE, within_s=_WAIT_SECONDS)

    async def wait_for_attempt_end(self, cause: Cause.ValueType, *, within_s: float) -> AttemptEndMessage:
        """Wait for the end of the attempt."""
        until = self._loop.time() + within_s
        while self._end is None:
            await self._take(
                until - self._loop.time(),
                Rule.ATTEMPT_END_IN_TIME,
                f"`attempt_end` did not come within {within_s:g} seconds",
            )
        stated = scan_pb2.AttemptEndBody.FromString(self._end.body).cause
        if stated != cause:
            raise Violation(Rule.ATTEMPT_END, f"the cause is {_name(stated)}; expected {_name(cause)}")
        return self._end

    async def send_result(
        self,
        status: scan_pb2.ScanStatus.ValueType = scan_pb2.SCAN_STATUS_SUCCESS,
        *,
        another: bool = False,
        change: Callable[[Response], None] = lambda _response: None,
    ) -> None:
        """Send the result of an attempt, and wait for the half-close that ends the stream.

        With ``another``, it waits until the person is ready instead.
        """
        self._capturing = False
        number = self.book.number
        result = scan_pb2.ScanResult(
            attempt=number, status=status, another_attempt=another, attempts_remaining=2 if another else 0
        )
        if another and scan_pb2.CAPABILITY_READY in self.start.capabilities:
            result.ready_within.CopyFrom(duration(60))
            self._ready_for = number
        response = Response(scan_result=result)
        change(response)
        self._over = not another
        await self._stream.send(response)
        while self._ready_for:
            await self._take(_WAIT_SECONDS, Rule.READY, "no `attempt_ready` came within 5 seconds")
        try:
            while self._over:
                await self._take(
                    _WAIT_SECONDS,
                    Rule.HALF_CLOSE,
                    "no half-close came within 5 seconds of the last ScanResult",
                )
        except HalfClosed:
            self._stream.finish()

    async def send_goodbye(self, reason: scan_pb2.Goodbye.Reason.ValueType, *, after_s: float | None) -> None:
        """End the stream with a Goodbye.

        Args:
            after_s: When the client is to reconnect, seconds; ``None`` if a reconnect is useless.
        """
        goodbye = scan_pb2.Goodbye(reason=reason)
        if after_s is not None:
            goodbye.reconnect_after.CopyFrom(duration(after_s))
        await self._stream.send(Response(goodbye=goodbye))
        self._stream.finish()

    async def wait_for_evidence(self) -> None:
        """Wait for the first attestation, up to the grace of the Challenge."""
        grace = float(self.body.attestation.grace.ToSeconds())
        until = self._loop.time() + grace
        while not self._evidence_came:
            await self._take(
                until - self._loop.time(),
                Rule.ATTESTATION,
                f"no evidence came within {grace:g} seconds of `attempt_end`, and no AttestationUnavailable",
            )

    async def _take(self, timeout_s: float, rule: Rule, late: str) -> None:
        self._accept(await self._stream.expect(timeout_s, rule, late))

    def _accept(self, arrival: Arrival) -> None:
        """Test a message, and update the state of the stream."""
        match arrival.message:
            case FrameMessage() as frame:
                self._accept_frame(frame, arrival.time)
            case AttemptEndMessage() as end:
                self._accept_attempt_end(end)
            case AttestationMessage() as attestation:
                self._accept_attestation(attestation)
            case AttemptReady(after_attempt=number):
                self._accept_ready(number)
            case StartMessage():
                raise Violation(Rule.START_FIRST, "a second `start` came on the stream")
            case other:
                raise Violation(Rule.MESSAGE_ORDER, f"{name_of(other)} was not expected")

    def _accept_frame(self, frame: FrameMessage, arrival: float) -> None:
        # A frame may be under way when a result ends the attempt.
        if self._end is not None or not (self._capturing or self._over):
            raise Violation(Rule.MESSAGE_ORDER, f"frame {frame.index} came outside of an attempt")
        size, scan = len(frame.image), self._scan
        with refusals_broken():
            require_within_budget(
                frame,
                before=self._transcript.frames,
                bytes_before=scan.image_bytes,
                budget=self._budget,
            )
            self._transcript.accept_frame(frame, arrival=arrival)
        try:
            self._decoder.validate_header(frame)
        except FrameUnusable as error:
            raise Violation(Rule.FRAME_IMAGE, str(error)) from error
        captured = self._captured(frame, arrival)
        self.book.accept(frame, arrival=arrival, captured=captured)
        self.flash.accept(frame, captured=captured)
        scan.image_bytes += size
        self._credit.note_processed(size)

    def _captured(self, frame: FrameMessage, arrival: float) -> float:
        """Return when a frame was captured, or somewhat later, seconds of the loop's clock."""
        self._clock_offset = min(self._clock_offset, arrival - frame.capture_time_us / 1e6)
        captured = frame.capture_time_us / 1e6 + self._clock_offset
        if arrival - captured > _MOST_AGE_SECONDS:
            raise Violation(
                Rule.FRAME_TIME,
                f"frame {frame.index} arrived {arrival - captured:.1f} s later after its capture than the "
                "quickest one; never queue frames: drop an image that cannot be sent at once",
            )
        return captured

    def _accept_attempt_end(self, end: AttemptEndMessage) -> None:
        if not self.book.number or self._end is not None:
            raise Violation(Rule.MESSAGE_ORDER, "`attempt_end` came outside of an attempt, or twice")
        if not self._capturing:
            raise Violation(
                Rule.MESSAGE_ORDER, "`attempt_end` came after the ScanResult of its attempt; send none"
            )
        dropped = self.dropped
        message = attempt_end_message(binding=self._transcript.binding, body=end.body)
        with self._signed(message, end.signature, unframed=end.body):
            self._transcript.end_attempt(end)
        if end.dropped_count < dropped:
            raise Violation(
                Rule.DROPPED, f"`dropped_count` is {end.dropped_count}; the frames stated {dropped} already"
            )
        self._end, self._capturing = end, False

    def _accept_attestation(self, attestation: AttestationMessage) -> None:
        self._scan.attestations += 1
        if self._scan.attestations > MAX_ATTESTATIONS:
            raise Violation(Rule.ATTESTATION, f"more than {MAX_ATTESTATIONS} attestations came in the scan")
        if attestation.findings and not self.body.attestation.runtime_findings:
            raise Violation(
                Rule.ATTESTATION, "findings at run time came, and the Challenge did not allow them"
            )
        _verify_evidence(attestation, binding=self._transcript.binding)
        self._evidence_came = True

    def _accept_ready(self, after_attempt: int) -> None:
        if not self._ready_for:
            raise Violation(Rule.READY, "`attempt_ready` came when no result waited for it")
        if after_attempt != self._ready_for:
            raise Violation(
                Rule.READY,
                f"`after_attempt` is {after_attempt}; the result was of attempt {self._ready_for}",
            )
        self._ready_for = 0


def _name(cause: int) -> str:
    return Cause.Name(cause) if cause in Cause.values() else str(cause)  # type: ignore[arg-type]  # tested


def _mistake(key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes, *, unframed: bytes) -> str:
    """Return the usual mistake that a wrong signature has, in words; empty if it is another.

    Args:
        unframed: The last field of the message, which a client may have signed alone.
    """
    if len(signature) == _RAW_SIGNATURE_BYTES:
        half = _RAW_SIGNATURE_BYTES // 2
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        if verify(public_key=key, message=message, signature=encode_dss_signature(r, s)):
            return ": it is r || s; convert it to ASN.1 DER"
    if verify(public_key=key, message=unframed, signature=signature):
        return ": it covers the last field alone, without the domain text and the lengths"
    return ""


def _verify_evidence(attestation: AttestationMessage, *, binding: bytes) -> None:
    """Test the parts of the platform's evidence that the protocol defines, not those of the platform."""
    challenge = evidence_challenge(binding=binding, findings=attestation.findings)
    try:
        match attestation.evidence:
            case WebCryptoEvidence(public_key=public_key, signature=signature):
                key = load_public_key(public_key)
            case AndroidKeyEvidence(certificate_chain=chain, signature=signature):
                leaf = x509.load_der_x509_certificate(chain[0]).public_key()
                key = load_public_key(leaf.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
            case WebAuthnEvidence(client_data_json=data):
                stated = parse_client_data(data).challenge
                if stated != base64.urlsafe_b64encode(challenge).rstrip(b"=").decode("ascii"):
                    raise Violation(
                        Rule.ATTESTATION,
                        "the challenge of the WebAuthn ceremony is not H in base64url without padding",
                    )
                return
            case UnknownEvidence():
                raise Violation(Rule.ATTESTATION, "an attestation has neither evidence nor findings")
            case _:
                return
    except (EvidenceMalformed, KeyMaterialError, IndexError, ValueError) as error:
        raise Violation(
            Rule.ATTESTATION,
            "the evidence has no public key on P-256, no certificate in DER, or no JSON of a browser",
        ) from error
    message = attestation_message(binding=challenge)
    if not verify(public_key=key, message=message, signature=signature):
        mistake = _mistake(key, message, signature, unframed=challenge)
        raise Violation(
            Rule.ATTESTATION,
            f"the signature of the evidence was not made by the attested key over this stream{mistake}",
        )
