"""Assesses a device at the end of an attempt, and stores the marks of the scan in the scan memory."""

from dataclasses import dataclass, replace

import structlog

from server.device.assessment import ClaimedDevice, assess_device
from server.domain.terms import Mode
from server.sandbox import tolerated_checks
from server.scan.attempt import AttemptRun
from server.scan.device_memory import FrameComparison, ScanComparison, merge_marks
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream
from server.storage.errors import StorageUnavailable
from server.telemetry.stages import Stage
from server.verdict.outcome import DeviceOutcome

__all__ = ["AssessedDevice", "DeviceAssessor"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessedDevice:
    """One assessment of a device.

    Attributes:
        outcome: The facts that are known of the device.
        comparison: The comparison with earlier scans, and the marks to store of this scan.
        pieces: The number of pieces of evidence that it is based on. More may have arrived since.
    """

    outcome: DeviceOutcome
    comparison: ScanComparison
    pieces: int


class DeviceAssessor:
    """Assesses the device of one stream at the end of each attempt."""

    def __init__(self, env: ScanEnvironment) -> None:
        """Initialises the assessments with the shared environment."""
        self._env = env
        self._counted: dict[int, ScanComparison] = {}

    async def compare_frames(self, stream: OpenStream, run: AttemptRun) -> FrameComparison:
        """Compares an attempt's frames with those of earlier scans.

        Raises:
            StorageUnavailable: The database failed.
        """
        return await self._env.devices.memory.compare_frames(
            stream.record,
            run.trace.observed.traces,
            images=run.trace.images,
            pictures=run.trace.pictures,
            layouts=run.trace.layouts,
            challenged=run.challenge is not None,
        )

    async def assess(
        self,
        stream: OpenStream,
        run: AttemptRun,
        *,
        frames: FrameComparison,
        verified_bits: float,
        ended: bool,
    ) -> AssessedDevice:
        """Assesses the device with the evidence that has arrived so far.

        Args:
            stream: The stream.
            run: The attempt, which measures no further frames.
            frames: The comparison of its frames with earlier scans.
            verified_bits: The verified bits of its challenge.
            ended: Whether the device signed the end, which binds the frames to the session key.

        Raises:
            StorageUnavailable: The database failed.
        """
        with self._env.metrics.stages.stage(Stage.ASSESS_DEVICE):
            return await self._assess(stream, run, frames=frames, verified_bits=verified_bits, ended=ended)

    async def _assess(
        self,
        stream: OpenStream,
        run: AttemptRun,
        *,
        frames: FrameComparison,
        verified_bits: float,
        ended: bool,
    ) -> AssessedDevice:
        env, policy, start = self._env, stream.policy, stream.start
        required_bits = stream.plans.limits().minimum_bits
        pieces = stream.evidence.pieces
        findings = await stream.evidence.findings_so_far()
        comparison = await env.devices.memory.compare_scan(
            stream.record,
            frames=frames,
            findings=findings,
            session_key=start.session_public_key,
            now=env.clock.now(),
        )
        outcome = await env.pool.run_first(
            assess_device,
            claimed=ClaimedDevice(
                device=start.device, camera=start.camera, server_spki_sha256=start.server_spki_sha256
            ),
            server_keys=env.devices.server_keys.current,
            findings=findings,
            observed=run.trace.observed,
            memory=comparison.tests,
            earlier=stream.evidence.claimed_before,
            rules=policy.device,
            tolerated=tolerated_checks(policy.device.tolerate, sandbox=stream.record.sandbox),
            fingerprints=env.devices.fingerprints,
            transcript_bound=ended,
            active_challenge=run.mode is Mode.DYNAMIC and verified_bits >= required_bits,
        )
        earlier = await env.devices.repository.count_attacks(
            stream.record.check_id, since=env.clock.now() - env.settings.tries.remembered
        )
        return AssessedDevice(outcome=replace(outcome, earlier=earlier), comparison=comparison, pieces=pieces)

    def count(self, run: AttemptRun, assessed: AssessedDevice) -> None:
        """Marks the latest assessment of an attempt as the one that ``keep`` stores."""
        self._counted[run.number] = assessed.comparison

    async def keep(self, stream: OpenStream) -> None:
        """Stores the marks of the stream's attempts in the scan memory, once, however the attempts ended.

        A failure of the database is logged and does not affect the decision.
        """
        if stream.policy.retention.evidence_seconds <= 0 or not self._counted:
            return
        counted = merge_marks(tuple(self._counted.values()))
        self._counted.clear()
        try:
            await self._env.devices.memory.keep(stream.record, counted, now=self._env.clock.now())
        except StorageUnavailable:
            _log.exception("scan_not_remembered", check_id=str(stream.record.check_id))
