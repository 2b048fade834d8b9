"""Puts together what answers behind the listeners, out of what is open by then. It opens nothing itself."""

import platform
import secrets
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from attempt.analyst import FrameAnalyst
from device_integrity.camera import load_fingerprints
from liveness.dynamic.model import load_flash_model
from liveness.fusion_model import FusionModel
from liveness.guidance import GuidanceSettings, Oval
from server.checks.intake import CheckIntake
from server.checks.offer import CheckOffer
from server.checks.portraits import PortraitIntake
from server.checks.recorder import CheckRecorder
from server.checks.try_gate import TryGate
from server.device.revocation import RevocationFile
from server.device.server_keys import ServerKeyList
from server.device.trust import DeviceTrust
from server.device.unattempted import unattempted_device
from server.device.verification import DeviceVerifier
from server.domain.terms import Mode
from server.edge.report_codec import serialise_report
from server.edge.result_codec import encode_result
from server.keys import KeyRing
from server.policies import PolicyBook
from server.policies.availability import Availability
from server.scan.device_memory import DeviceMemory
from server.scan.environment import DeviceKnowledge, ScanLimits, ScanModels
from server.settings import Settings
from server.stores import Stores
from server.telemetry.metrics import Metrics
from server.trusted_images.fetching import TrustedImages
from server.tuning import Tuning
from server.verdict.outcome import PackIdentity
from server.version import server_version
from server.worker_pool import WorkerPool
from server.workers import Workers
from vision.packs import Pack

__all__ = [
    "AVAILABLE_MODES",
    "check_intake",
    "check_recorder",
    "device_knowledge",
    "scan_models",
    "scan_settings",
]

AVAILABLE_MODES = frozenset(Mode)
"""Modes that this version can run."""

_WINDOW_BYTES_PER_FRAME = 192 * 1024


def check_recorder(settings: Settings, *, stores: Stores, pack: PackIdentity) -> CheckRecorder:
    """What makes verdicts durable.

    Args:
        settings: How long attacks are remembered.
        stores: Where.
        pack: The models that judge.
    """
    return CheckRecorder(
        repository=stores.checks,
        evidence=stores.evidence,
        encode=encode_result,
        pack=pack,
        server_version=server_version(),
        unattempted=partial(
            unattempted_device, stores.devices, settings.limits.failures.as_setting().remembered
        ),
    )


def check_intake(
    settings: Settings,
    *,
    stores: Stores,
    workers: Workers,
    policies: PolicyBook,
    availabilities: Mapping[str, Availability],
    pack: Pack,
    identity: PackIdentity,
    keys: KeyRing,
    trusted_images: TrustedImages | None,
    metrics: Metrics,
) -> CheckIntake:
    """What makes checks.

    Args:
        settings: Limits, and the default policy.
        stores: Where checks stand.
        workers: Make portraits.
        policies: All policies.
        availabilities: Which of them devices can meet here.
        pack: The models.
        identity: What results say of them.
        keys: Of the server.
        trusted_images: The customers' own stores; ``None`` where there are none.
        metrics: Counts.
    """
    return CheckIntake(
        repository=stores.checks,
        offer=CheckOffer(
            policies=policies,
            availabilities=availabilities,
            default_policy=settings.policies.default,
            available_modes=AVAILABLE_MODES,
            pack=pack,
        ),
        tries=TryGate(
            repository=stores.checks,
            setting=settings.limits.failures.as_setting(),
            tenant_key=keys.memory.of,
            metrics=metrics,
        ),
        portraits=PortraitIntake(
            pack=pack,
            pool=workers.portraits,
            metrics=metrics,
            still_decoder=workers.decoders,
            trusted_images=trusted_images,
        ),
        pack=identity,
        keys=keys,
        random=secrets.token_bytes,
        serialise_report=serialise_report,
        metrics=metrics,
    )


def scan_settings(settings: Settings, tuning: Tuning) -> ScanLimits:
    """Numbers that hold for every scan of a server."""
    limits = settings.limits
    window = limits.max_scan_frames_in_flight
    return ScanLimits(
        budget=tuning.budget,
        plan=tuning.plan,
        oval=Oval(),
        guidance=GuidanceSettings(),
        clocks=tuning.clocks,
        window_frames=window,
        window_bytes=max(tuning.budget.max_frame_bytes, window * _WINDOW_BYTES_PER_FRAME),
        lease_seconds=limits.lease_seconds,
        end_seconds=tuning.end_seconds,
        owner=f"{platform.node()}/{uuid.uuid4()}"[:128],
        tries=limits.failures.as_setting(),
    )


def scan_models(pack: Pack, *, tuning: Tuning, fusion: FusionModel) -> ScanModels:
    """What looks at the faces of scans.

    Args:
        pack: The models.
        tuning: Limits of frames.
        fusion: The liveness model.
    """
    return ScanModels(
        pack=pack,
        analyst=FrameAnalyst(pack=pack, limits=tuning.budget.frame_limits),
        fusion=fusion,
        flash=load_flash_model(),
    )


def device_knowledge(
    stores: Stores,
    *,
    trust: DeviceTrust,
    revocation: RevocationFile,
    server_keys: ServerKeyList,
    keys: KeyRing,
    pool: WorkerPool,
    now: Callable[[], datetime],
) -> DeviceKnowledge:
    """What devices are looked at with.

    Args:
        stores: Keep what is known of them.
        trust: What evidence is held against.
        revocation: Google's list.
        server_keys: The keys that they may see at this server.
        keys: Of the server.
        pool: Verifies evidence.
        now: Wall clock, UTC.
    """
    return DeviceKnowledge(
        verifier=DeviceVerifier(
            trust=trust,
            revocation=revocation,
            devices=stores.devices,
            workers=pool,
            tenant_key=keys.memory.of,
            now=now,
        ),
        repository=stores.devices,
        memory=DeviceMemory(stores.memory, tenant_key=keys.memory.of, pool=pool),
        fingerprints=load_fingerprints(),
        server_keys=server_keys,
    )
