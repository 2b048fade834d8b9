"""The device's side of a scan, from the first stream to the last result, and the platform's evidence."""

import asyncio
import platform
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

import grpc
from facegate.v1 import device_pb2, scan_pb2

from facegate_client.attempt import DeviceAttempt, FrameFeed, ScanTally, goodbye_error
from facegate_client.encoding import CaptureLimits
from facegate_client.errors import (
    CallRefusedError,
    ProtocolViolatedError,
    ServerError,
    SourceError,
    StreamLostError,
)
from facegate_client.flash_screen import FlashScreen
from facegate_client.frame_source import CameraDescription, FrameSource
from facegate_client.progress import GetReady, ScanEvents
from facegate_client.scan_stream import ReconnectPolicy, ScanStream, ScanStreams, ScanTicket
from facegate_protocol import evidence_challenge

_APP_ID = "org.facegate.reference-client"


def desktop_profile() -> device_pb2.DeviceProfile:
    """Return a PLATFORM_DESKTOP profile with a new random installation identifier."""
    return device_pb2.DeviceProfile(
        platform=device_pb2.PLATFORM_DESKTOP,
        manufacturer=_at_most(platform.system(), 128),
        model=_at_most(platform.machine(), 128),
        os_version=_at_most(platform.release(), 64),
        app_id=_APP_ID,
        app_version=_version(),
        sdk_version=_at_most(f"facegate-python {_version()}", 64),
        installation_id=uuid.uuid4().hex,
    )


def camera_profile(camera: CameraDescription) -> device_pb2.CameraProfile:
    """Return the camera's profile for ScanStart."""
    return device_pb2.CameraProfile(
        id=_at_most(camera.label, 256),
        label=_at_most(camera.label, 256),
        facing=device_pb2.CAMERA_FACING_EXTERNAL,
        width=camera.width,
        height=camera.height,
        frames_per_second=camera.frames_per_second,
        timestamp_source=_at_most(camera.timestamp_source, 64),
    )


def _version() -> str:
    try:
        return _at_most(version("facegate-client"), 48)
    except PackageNotFoundError:
        return "unknown"


def _at_most(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


_MAX_ATTESTATIONS = 4


class Attestor(Protocol):
    """Makes the platform's evidence. This may take seconds and runs concurrently with the frames.

    If the platform fails, it yields an AttestationUnavailable with the reason. It raises nothing.
    """

    def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        """Yield pieces of evidence, each as soon as the platform made it. Each is sent at once.

        At most 4 pieces are sent in a scan, over all its streams.

        Args:
            binding: The challenge for the platform to sign, 32 bytes: the binding hash H of the stream, or
                the evidence challenge E if run-time findings are sent with the evidence.
        """
        ...


class NoAttestation:
    """An attestor for a platform without attestation. It states that, so that the server does not wait."""

    async def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        """Yield one AttestationUnavailable with REASON_NOT_SUPPORTED.

        Args:
            binding: Not used.
        """
        del binding
        reason = device_pb2.AttestationUnavailable.REASON_NOT_SUPPORTED
        yield device_pb2.Attestation(unavailable=device_pb2.AttestationUnavailable(reason=reason))


class PlatformEvidence:
    """The evidence of one scan, with the app's run-time findings."""

    def __init__(self, attestor: Attestor, findings: device_pb2.RuntimeFindings | None) -> None:
        """Start with nothing sent.

        Args:
            findings: The run-time findings, sent with each piece to servers that support them; ``None`` if
                the app reports none.
        """
        self._attestor = attestor
        self._findings = b"" if findings is None else findings.SerializeToString()
        self._sent = 0

    @property
    def reports(self) -> bool:
        """Whether the app reports run-time findings."""
        return bool(self._findings)

    async def send(self, stream: ScanStream) -> None:
        """Make evidence for a stream and send it piece by piece.

        The binding hash H differs in every stream, so the evidence is made again after a reconnect, as often
        as the server allows.
        """
        if self._sent >= _MAX_ATTESTATIONS:
            return
        findings = self._findings if stream.challenge.attestation.runtime_findings else b""
        challenge = evidence_challenge(binding=stream.binding, findings=findings)
        async for evidence in self._attestor.attest(binding=challenge):
            self._sent += 1
            await stream.send_attestation(evidence, findings=findings)
            if self._sent >= _MAX_ATTESTATIONS:
                return


_OF_AN_ATTEMPT = frozenset(
    {"credit", "flash_step", "oval_change", "capture_adjustment", "capture_pause", "capture_complete"}
)

_ASKED = (scan_pb2.CAPABILITY_OPEN_MOUTH, scan_pb2.CAPABILITY_TURN_HEAD)
"""What the person can be asked for, if they read the hints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """The settings of a scan.

    Attributes:
        max_field: Width of a frame's field, pixels; larger images are scaled down. The field is the frame's
            width, but at most four fifths of its height. A movement needs 480.
        quality: JPEG quality, 1 to 100.
        max_attempts: Attempts after which the device leaves, even if the server allows more.
        stream_timeout_s: gRPC deadline of one stream, seconds; a little over the scan's deadline.
        handshake_timeout_s: The longest wait for a Challenge, seconds.
        result_timeout_s: The longest wait for a result or the next attempt, seconds.
        language: BCP 47 language of the person.
        decline_flash: Whether the person declines every attempt with a flash, before its first frame.
    """

    max_field: float = 480.0
    quality: int = 85
    max_attempts: int = 5
    stream_timeout_s: float = 240.0
    handshake_timeout_s: float = 10.0
    result_timeout_s: float = 60.0
    reconnect: ReconnectPolicy = field(default_factory=ReconnectPolicy)
    language: str = "en"
    decline_flash: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOutcome:
    """The part of a scan's result that the device learns.

    Attributes:
        status: The status, if the policy reveals it to the app. COMPLETED if the connection was lost
            after the last AttemptEnd and the check was decided meanwhile: only the orchestrator gets the
            result.
        feedback: Feedback on possible improvements, the most important first.
        streams: The number of streams with a challenge; more than one after a reconnect.
        frames: The number of frames sent with an index.
        dropped: The number of images dropped before they got an index.
        source_error: Why the source of frames failed; ``None`` if it did not fail.
        source_ended: Whether an attempt ended because the source, such as a short clip, had no more images.
    """

    status: scan_pb2.ScanStatus.ValueType
    feedback: tuple[int, ...]
    attempts: int
    streams: int
    frames: int
    dropped: int
    source_error: SourceError | None
    source_ended: bool = False


class FaceScanner:
    """Makes one scan, as an SDK on a phone does."""

    def __init__(
        self,
        *,
        channel: grpc.aio.Channel,
        ticket: ScanTicket,
        source: FrameSource,
        server_spki_sha256: bytes = b"",
        profile: device_pb2.DeviceProfile | None = None,
        camera: device_pb2.CameraProfile | None = None,
        screen: FlashScreen | None = None,
        attestor: Attestor | None = None,
        runtime_findings: device_pb2.RuntimeFindings | None = None,
        get_ready: GetReady | None = None,
        events: ScanEvents | None = None,
        settings: ScanSettings | None = None,
    ) -> None:
        """Prepare the scan. Make the session key, before any challenge is known.

        Args:
            channel: To the device listener; the caller closes it.
            ticket: Token and pinned fingerprint from the orchestrator.
            source: The source of frames; the scanner closes it.
            server_spki_sha256: SHA-256 of the SubjectPublicKeyInfo of the server's TLS certificate, 32
                bytes; empty with plaintext on loopback. See `facegate_client.channel.server_spki_sha256`.
            profile: The device's profile; by default that of a desktop.
            camera: The camera's profile from the platform; by default that of the source's own description.
            screen: A screen that can flash. Without one the device announces none, and a check that demands
                DYNAMIC refuses it.
            attestor: Makes the platform's evidence; by default it states "not supported".
            runtime_findings: The app's run-time findings on the device, sent with each piece of evidence to
                servers that support them; ``None`` if the app reports none.
            get_ready: Waits until the person is ready for another attempt; by default it returns at once. It
                continues over a lost connection, and is cancelled with the scan.
        """
        self._settings = settings or ScanSettings()
        self._events = events or ScanEvents()
        self._evidence = PlatformEvidence(attestor or NoAttestation(), runtime_findings)
        start = scan_pb2.ScanStart(
            capabilities=_capabilities(
                source.camera,
                screen,
                shows_hints=self._events.shows_hints,
                reports=self._evidence.reports,
            ),
            device=profile or desktop_profile(),
            camera=camera or camera_profile(source.camera),
            screen=None if screen is None else screen.profile,
            server_spki_sha256=server_spki_sha256,
            language=self._settings.language,
        )
        self._streams = ScanStreams(
            channel,
            ticket=ticket,
            profile=start,
            stream_timeout_s=self._settings.stream_timeout_s,
            handshake_timeout_s=self._settings.handshake_timeout_s,
        )
        self._feed = FrameFeed(source)
        self._screen = screen
        self._get_ready = get_ready or _at_once
        self._preparing: asyncio.Future[None] | None = None
        self._tally = ScanTally()
        self._results: list[scan_pb2.ScanResult] = []
        self._attempt: DeviceAttempt | None = None
        self._source_error: SourceError | None = None
        self._deadline: float | None = None
        self._cancelled = False
        self._answered = False

    def cancel(self) -> None:
        """End the running attempt with CAUSE_CANCELLED and start no other, because the person cancels."""
        self._cancelled = True
        self._cancel_preparation()
        if self._attempt is not None:
            self._attempt.cancel()

    async def scan(self) -> ScanOutcome:
        """Scan until the server has decided, no attempt is left or the source has no more frames.

        Returns:
            The outcome of the last attempt.

        Raises:
            CallRefusedError: The server refused the scan.
            ConnectionFailedError: The server cannot be reached, or the connection was lost too often.
            ServerNotTrustedError: The challenge is not signed with the pinned key.
            ProtocolViolatedError: The server sent a message that the protocol does not allow.
            ScanEndedError: The server sent a Goodbye that allows no reconnect.
        """
        failures = since_result = 0
        try:
            while True:
                results = len(self._results)
                try:
                    return await self._stream_once()
                except StreamLostError as lost:
                    failures += 1
                    since_result = 1 if len(self._results) > results else since_result + 1
                    await self._back_off(failures, since_result, lost)
                    # A new stream starts an attempt at once.
                    await self._prepared()
                except CallRefusedError as error:
                    if self._tally.awaiting_result and _decided(error.refusal):
                        return self._outcome(scan_pb2.SCAN_STATUS_COMPLETED, ())
                    raise
        finally:
            self._cancel_preparation()
            await self._feed.aclose()

    async def _back_off(self, failures: int, since_result: int, lost: StreamLostError) -> None:
        policy = self._settings.reconnect
        if self._streams.opened or isinstance(lost.final, CallRefusedError):
            self._answered = True
        if self._cancelled or failures > (policy.limit if self._answered else policy.first_limit):
            raise lost.final
        delay = policy.delay(since_result, asked_s=lost.retry_after_s, jitter=random.SystemRandom().random())
        if self._deadline is not None and asyncio.get_running_loop().time() + delay >= self._deadline:
            raise lost.final
        self._events.connection_lost(failures, delay, str(lost))
        await asyncio.sleep(delay)

    async def _stream_once(self) -> ScanOutcome:
        stream = await self._streams.open()
        attesting: asyncio.Task[None] | None = None
        try:
            self._deadline = _deadline(stream.challenge)
            self._events.challenge(stream.challenge)
            if stream.challenge.resume_proof_required:
                # If the stream is over already, whoever receives gets the reason.
                with suppress(StreamLostError):
                    await stream.send_resume_proof()
            attesting = asyncio.create_task(self._evidence.send(stream))
            result = await self._attempts(stream)
            await stream.close()
            return self._outcome(result.status, tuple(result.feedback))
        finally:
            if attesting is not None:
                attesting.cancel()
                await asyncio.gather(attesting, return_exceptions=True)
            stream.cancel()

    async def _attempts(self, stream: ScanStream) -> scan_pb2.ScanResult:
        while True:
            message = await self._next_attempt(stream)
            if isinstance(message, scan_pb2.ScanResult):
                result = message
            else:
                self._events.attempt_started(message)
                self._attempt = DeviceAttempt(
                    stream=stream,
                    start=message,
                    feed=self._feed,
                    limits=self._limits(stream.challenge.budget),
                    quality=self._settings.quality,
                    tally=self._tally,
                    events=self._events,
                    screen=self._screen,
                )
                if self._cancelled or (self._settings.decline_flash and message.plan == scan_pb2.PLAN_FLASH):
                    self._attempt.cancel()
                result = await self._attempt.run(result_timeout_s=self._settings.result_timeout_s)
                self._source_error = self._attempt.source_error
                self._attempt = None
            self._results.append(result)
            self._events.attempt_finished(result)
            if (
                not result.another_attempt
                or self._cancelled
                or self._source_error
                or self._feed.exhausted
                or len(self._results) >= self._settings.max_attempts
            ):
                return result
            if result.HasField("ready_within"):
                self._preparing = asyncio.ensure_future(self._get_ready(result))

    async def _next_attempt(self, stream: ScanStream) -> scan_pb2.AttemptStart | scan_pb2.ScanResult:
        """Wait for the next attempt, or for a result that was not received because a connection was lost.

        Report that the person is ready, if the server waits for that.
        """
        if self._preparing is None:
            return await self._attempt_start(stream, timeout_s=self._settings.result_timeout_s)
        receiving = asyncio.ensure_future(self._attempt_start(stream, timeout_s=None))
        reporting = asyncio.ensure_future(self._report_ready(stream))
        try:
            await asyncio.wait({receiving, reporting}, return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                reporting.result()
                await asyncio.wait({receiving}, timeout=self._settings.result_timeout_s)
            if not receiving.done():
                raise StreamLostError("no attempt began in time")
            return receiving.result()
        finally:
            receiving.cancel()
            reporting.cancel()
            await asyncio.gather(receiving, reporting, return_exceptions=True)

    async def _report_ready(self, stream: ScanStream) -> None:
        # A person that cancelled meanwhile also gets another attempt, and ends it, so the server needs the
        # report.
        await self._prepared()
        with suppress(StreamLostError):
            await stream.send_ready(after_attempt=self._results[-1].attempt)

    async def _prepared(self) -> None:
        """Wait until the person is ready. Cancelling the wait does not cancel the preparation."""
        if self._preparing is None:
            return
        await asyncio.wait({self._preparing})
        ready, self._preparing = self._preparing, None
        if not ready.cancelled():
            ready.result()

    def _cancel_preparation(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()

    async def _attempt_start(
        self, stream: ScanStream, *, timeout_s: float | None
    ) -> scan_pb2.AttemptStart | scan_pb2.ScanResult:
        """Wait for the next attempt, or for a result that was not received because a connection was lost."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    message = await stream.receive()
                    if message is None:
                        raise StreamLostError("the server closed the stream without a result")
                    match message.WhichOneof("message"):
                        case "attempt_start":
                            return message.attempt_start
                        case "scan_result" if self._tally.awaiting_result:
                            self._tally.awaiting_result = False
                            return message.scan_result
                        case "goodbye":
                            raise goodbye_error(message.goodbye)
                        case "feedback":
                            self._events.feedback(message.feedback)
                        case kind if kind is None or kind in _OF_AN_ATTEMPT:
                            pass  # It belongs to the last attempt, or to a later version of the protocol.
                        case kind:
                            raise ProtocolViolatedError(f"the server sent {kind} between attempts")
        except TimeoutError as error:
            raise StreamLostError("no attempt began in time") from error

    def _limits(self, budget: scan_pb2.CaptureBudget) -> CaptureLimits:
        usual = CaptureLimits()
        return CaptureLimits(
            max_field=self._settings.max_field,
            max_pixels=budget.max_frame_pixels or usual.max_pixels,
            max_bytes=budget.max_frame_bytes or usual.max_bytes,
            min_side=budget.min_frame_side,
            max_frames_per_second=budget.max_frames_per_second,
        )

    def _outcome(self, status: scan_pb2.ScanStatus.ValueType, feedback: tuple[int, ...]) -> ScanOutcome:
        return ScanOutcome(
            status=status,
            feedback=feedback,
            attempts=len(self._results),
            streams=self._streams.opened,
            frames=self._tally.frames,
            dropped=self._tally.dropped,
            source_error=self._source_error,
            source_ended=self._feed.exhausted and self._source_error is None,
        )


async def _at_once(_: scan_pb2.ScanResult) -> None:
    """Return at once: the person is ready when the last attempt is over."""


def _deadline(challenge: scan_pb2.ChallengeBody) -> float | None:
    """Return the scan's deadline by the loop's clock; ``None`` if the server states none."""
    if not challenge.HasField("scan_deadline"):
        return None
    left = challenge.scan_deadline.ToNanoseconds() - challenge.server_time.ToNanoseconds()
    return asyncio.get_running_loop().time() + left / 1e9


def _decided(refusal: ServerError) -> bool:
    """Return whether the server states that an attempt of this scan decided the check."""
    return refusal.reason == "CHECK_CLOSED" and "decidedByAttempt" in refusal.metadata


def _capabilities(
    camera: CameraDescription, screen: FlashScreen | None, *, shows_hints: bool, reports: bool
) -> list[scan_pb2.Capability.ValueType]:
    found: list[scan_pb2.Capability.ValueType] = [
        scan_pb2.CAPABILITY_CAPTURE_ADJUSTMENT,
        scan_pb2.CAPABILITY_READY,
    ]
    if camera.reports_exposure:
        found.append(scan_pb2.CAPABILITY_EXPOSURE_METADATA)
    if camera.locks_exposure:
        found.append(scan_pb2.CAPABILITY_EXPOSURE_LOCK)
    if screen is not None:
        found += [scan_pb2.CAPABILITY_FLASH, *screen.capabilities]
    if shows_hints:
        found += [asked for asked in _ASKED if asked not in found]
    if reports:
        found.append(scan_pb2.CAPABILITY_RUNTIME_FINDINGS)
    return found
