"""Runs one scenario: the three calls, as an orchestrator and a phone make them."""

import time
from typing import Final, Protocol

import grpc
from facegate.v1 import feedback_pb2, scan_pb2, verification_service_pb2
from joserfc.jwk import KeySet

from cli.demo.record import CheckRecord, Timings
from cli.demo.scenarios import Scenario
from cli.demo.stage import FRAMES_PER_SECOND, StagedScan
from client import (
    CallRefusedError,
    FaceScanner,
    Orchestrator,
    ScanEvents,
    ScanSettings,
    ServerNotTrustedError,
    generated_source,
    ticket_of,
    verify_response,
)

__all__ = ["CaptureWatcher", "CheckRunner"]

_WAIT_SECONDS: Final = 15.0
_MAX_ATTEMPTS: Final = 2


class CaptureWatcher(Protocol):
    """Is told what a scan says while it runs."""

    def hint(self, code: int, progress: float) -> None:
        """A feedback code and the progress of the capture, 0..1."""
        ...

    def deciding(self, frames: int) -> None:
        """The last frame is out; the server decides."""
        ...


class CheckRunner:
    """Makes checks against one server."""

    def __init__(
        self, *, service: grpc.aio.Channel, device: grpc.aio.Channel, keys: KeySet, policy: str
    ) -> None:
        """Uses open channels to both listeners.

        Args:
            service: To the service listener.
            device: To the device listener.
            keys: The server's published keys.
            policy: Policy of the checks.
        """
        self._orchestrator = Orchestrator(channel=service)
        self._policy = policy
        self._device = device
        self._keys = keys

    async def run(
        self, scenario: Scenario, *, portrait: bytes, scan: StagedScan | None, watcher: CaptureWatcher
    ) -> CheckRecord:
        """Runs one check; a portrait that is refused ends it.

        Args:
            scenario: What is shown.
            portrait: The trusted image.
            scan: The scan; None where the scenario has none.
            watcher: Told what the scan says.

        Raises:
            ClientError: The server cannot be reached, refused the scan, or broke the protocol.
        """
        began = time.monotonic()
        try:
            created = await self._orchestrator.upload_trusted_image(portrait, policy=self._policy)
        except CallRefusedError as error:
            upload = time.monotonic() - began
            return CheckRecord(
                scenario=scenario, portrait=portrait, timings=Timings(upload=upload), refusal=error.refusal
            )
        uploaded = time.monotonic()
        events = _CaptureEvents(watcher)
        if scan is not None:
            scanner = FaceScanner(
                channel=self._device,
                ticket=ticket_of(created),
                source=generated_source(
                    scan.frames, label=f"simulated {scenario.kind}", frames_per_second=FRAMES_PER_SECOND
                ),
                events=events,
                settings=ScanSettings(max_attempts=_MAX_ATTEMPTS),
            )
            await scanner.scan()
        scanned = time.monotonic()
        response = await self._orchestrator.finish_check(created.check_id, wait_s=_WAIT_SECONDS)
        ended = events.ended or scanned
        return CheckRecord(
            scenario=scenario,
            portrait=portrait,
            strip=() if scan is None else scan.strip,
            hints=tuple(events.hints),
            timings=Timings(
                upload=uploaded - began,
                capture=ended - uploaded,
                decision=(events.decided or ended) - ended,
                finish=time.monotonic() - scanned,
            ),
            response=response,
            signature_verified=self._verified(response, created.check_id),
        )

    def _verified(self, response: verification_service_pb2.FinishCheckResponse, check_id: str) -> bool:
        try:
            verify_response(response, self._keys, check_id=check_id)
        except ServerNotTrustedError:
            return False
        return True


class _CaptureEvents(ScanEvents):
    def __init__(self, watcher: CaptureWatcher) -> None:
        self._watcher = watcher
        self.hints: list[int] = []
        self.ended: float | None = None
        self.decided: float | None = None

    def feedback(self, feedback: feedback_pb2.Feedback) -> None:
        if not self.hints or self.hints[-1] != feedback.code:
            self.hints.append(feedback.code)
        self._watcher.hint(feedback.code, min(max(feedback.progress, 0.0), 1.0))

    def capture_finished(self, attempt: int, frames: int, dropped: int) -> None:
        self.ended = time.monotonic()
        self._watcher.deciding(frames)

    def attempt_finished(self, result: scan_pb2.ScanResult) -> None:
        self.decided = time.monotonic()
