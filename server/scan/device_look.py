"""What is known of a device at the end of an attempt, and what of it later checks are to ask for."""

from dataclasses import dataclass, replace

import structlog

from server.device.assessment import ClaimedDevice, assess_device
from server.domain.terms import Mode
from server.sandbox import tolerated_checks
from server.scan.attempt import AttemptRun
from server.scan.device_memory import FrameRecall, Recollection, merged
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream
from server.storage.errors import StorageUnavailable
from server.verdict.outcome import DeviceOutcome

__all__ = ["DeviceLook", "DeviceLooks"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLook:
    """One look at a device.

    Attributes:
        outcome: What is known of it.
        recollection: What earlier scans say, and what is to be kept of this one.
        pieces: Pieces of evidence that it rests on. More may have come since.
    """

    outcome: DeviceOutcome
    recollection: Recollection
    pieces: int


class DeviceLooks:
    """Looks at one stream's device, at the end of each of its attempts."""

    def __init__(self, env: ScanEnvironment) -> None:
        """Takes what every stream shares."""
        self._env = env
        self._counted: dict[int, Recollection] = {}

    async def recall(self, stream: OpenStream, run: AttemptRun) -> FrameRecall:
        """What earlier scans say of an attempt's frames.

        Raises:
            StorageUnavailable: The database failed.
        """
        return await self._env.devices.memory.recall_frames(
            stream.record, run.trace.observed.traces, images=run.trace.images
        )

    async def look(
        self,
        stream: OpenStream,
        run: AttemptRun,
        *,
        recall: FrameRecall,
        verified_bits: float,
        ended: bool,
    ) -> DeviceLook:
        """Looks at the device, with the evidence that came so far.

        Args:
            stream: The stream.
            run: The attempt, which looks at no further frames.
            recall: What earlier scans say of its frames.
            verified_bits: Of its challenge.
            ended: Whether the device signed its end, which binds the frames to the session key.

        Raises:
            StorageUnavailable: The database failed.
        """
        env, policy, start = self._env, stream.policy, stream.start
        required_bits = policy.challenge_for(stream.record.requested_mode).required_bits
        pieces = stream.evidence.pieces
        findings = await stream.evidence.settled()
        recollection = await env.devices.memory.recollect(
            stream.record,
            frames=recall,
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
            memory=recollection.checks,
            earlier=stream.evidence.claimed_before,
            rules=policy.device,
            tolerated=tolerated_checks(policy.device.tolerate, sandbox=stream.record.sandbox),
            fingerprints=env.devices.fingerprints,
            transcript_bound=ended,
            active_challenge=run.mode is Mode.DYNAMIC and verified_bits >= required_bits,
        )
        earlier = await env.devices.repository.attacks(
            stream.record.check_id, since=env.clock.now() - env.settings.tries.remembered
        )
        return DeviceLook(outcome=replace(outcome, earlier=earlier), recollection=recollection, pieces=pieces)

    def count(self, run: AttemptRun, look: DeviceLook) -> None:
        """What the attempt's latest look says counts: it is kept with what other attempts left."""
        self._counted[run.number] = look.recollection

    async def keep(self, stream: OpenStream) -> None:
        """Keeps what the scan is known again by, once: what its attempts showed, however they ended.

        What was decided stands also where that fails.
        """
        if stream.policy.retention.evidence_seconds <= 0 or not self._counted:
            return
        counted = merged(tuple(self._counted.values()))
        self._counted.clear()
        try:
            await self._env.devices.memory.keep(stream.record, counted, now=self._env.clock.now())
        except StorageUnavailable:
            _log.exception("scan_not_remembered", check_id=str(stream.record.check_id))
