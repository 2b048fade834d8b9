"""The environment that all scan streams of a server share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from attempt import CapturePlan, FrameAnalyst
from device_integrity.camera import CameraFingerprints
from liveness import FusionModel, GuidanceSettings, Oval
from liveness.dynamic import FlashModel
from server.base.worker_pool import WorkerPool
from server.checks.recorder import CheckRecorder
from server.checks.running import RunningScans
from server.device.server_keys import ServerKeyList
from server.device.verification import DeviceVerifier
from server.domain.tries import TrySetting
from server.keyring.keys import KeyRing
from server.scan.device_memory import DeviceMemory
from server.scan.messages import CaptureBudget, ChallengeFields
from server.storage.devices import DeviceRepository
from server.storage.repository import CheckRepository
from server.telemetry.metrics import Metrics
from vision.packs import Pack


@dataclass(frozen=True, slots=True)
class Clock:
    """The clocks of the server: the time of day in UTC, and a monotonic clock in seconds."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanLimits:
    """The limits of every scan on a server.

    Attributes:
        budget: The limits of a scan and of its frames; a policy may extend them.
        plan: When the capture of an attempt is complete.
        oval: Where the face should be.
        guidance: Thresholds of live feedback.
        ahead_seconds: How far a device's clock may run ahead.
        window_frames: Frames that are being sent or judged: a round trip of half a second at 15 a second.
        window_bytes: Bytes of their images: 192 KiB each.
        counted_frames: The number of received frames from which an attempt counts.
        end_seconds: How long the device may take from CaptureComplete to AttemptEnd.
        lease_seconds: How long a scan stays assigned to a replica that has stopped responding.
        owner: Name of this replica in leases.
    """

    budget: CaptureBudget
    plan: CapturePlan
    oval: Oval = field(default_factory=Oval)
    guidance: GuidanceSettings = field(default_factory=GuidanceSettings)
    ahead_seconds: float
    window_frames: int = 8
    window_bytes: int = 8 * 192 * 1024
    counted_frames: int = 8
    end_seconds: float
    lease_seconds: float
    owner: str
    tries: TrySetting


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanModels:
    """The models that examine frames and judge attempts.

    Attributes:
        analyst: Runs the pack's models over frames.
        fusion: The model that fuses the liveness signals.
    """

    pack: Pack
    analyst: FrameAnalyst
    fusion: FusionModel
    flash: FlashModel

    @property
    def sure_early(self) -> bool:
        """Whether the pack's networks can be sure in an early look at an attempt."""
        names = (network.name for network in self.pack.pad_networks)
        return self.fusion.scan_networks.calibration_for(names).sure_early is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKnowledge:
    """The tools that verify and assess devices.

    Attributes:
        memory: Compares scans with earlier ones.
        server_keys: The TLS keys that devices may see at this server.
    """

    verifier: DeviceVerifier
    repository: DeviceRepository
    memory: DeviceMemory
    fingerprints: CameraFingerprints
    server_keys: ServerKeyList


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanEnvironment:
    """The dependencies of a scan stream, assembled once by the composition root."""

    limits: ScanLimits
    repository: CheckRepository
    recorder: CheckRecorder
    keys: KeyRing
    models: ScanModels
    devices: DeviceKnowledge
    pool: WorkerPool
    clock: Clock
    random: Callable[[int], bytes]
    metrics: Metrics
    running: RunningScans
    serialise_challenge: Callable[[ChallengeFields], bytes]
