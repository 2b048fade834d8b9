"""Assembles the objects behind the listeners from parts that are already open. It opens nothing itself."""

import platform
import secrets
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from attempt import FrameAnalyst
from device_integrity.camera import load_fingerprints
from liveness import FusionModel, GuidanceSettings, Oval
from liveness.dynamic import load_flash_model
from server.base.version import server_version
from server.base.worker_pool import WorkerPool
from server.checks.completion import CheckCompletion
from server.checks.intake import CheckIntake, PortraitIntake, TryGate
from server.checks.offer import CheckOffer
from server.checks.recorder import CheckRecorder
from server.compliance.access import ApprovalRules
from server.compliance.erasing import Erasure
from server.compliance.listing import AuditListing, CheckListing, PageTokens
from server.compliance.reading import EvidenceReading
from server.compliance.subject_export import SubjectExport
from server.configuration.settings import Settings
from server.device.assessment import unattempted_device
from server.device.revocation import RevocationFile
from server.device.server_keys import ServerKeyList
from server.device.trust import DeviceTrust
from server.device.verification import DeviceVerifier
from server.domain.terms import Mode
from server.edge.evidence_codec import describe_result
from server.edge.evidence_servicer import EvidenceEnvironment
from server.edge.result_codec import serialise_report, serialise_result
from server.keyring.keys import KeyRing
from server.policies import PolicyBook
from server.policies.availability import Availability
from server.running.stores import Stores
from server.running.tuning import Tuning
from server.running.workers import Workers
from server.scan.device_memory import DeviceMemory
from server.scan.environment import DeviceKnowledge, ScanLimits, ScanModels
from server.storage.audit_reader import AuditReader
from server.telemetry.metrics import Metrics
from server.trusted_images.fetching import TrustedImages
from server.verdict.outcome import PackIdentity
from vision.packs import Pack

__all__ = [
    "AVAILABLE_MODES",
    "check_intake",
    "check_recorder",
    "device_knowledge",
    "evidence_environment",
    "scan_limits",
    "scan_models",
]

AVAILABLE_MODES = frozenset(Mode)
"""The modes that this version can run."""

_WINDOW_FRAMES = 8
"""Frames of one scan that are being sent or judged: a round trip of half a second at 15 a second."""
_WINDOW_BYTES_PER_FRAME = 192 * 1024


def check_recorder(settings: Settings, *, stores: Stores, pack: PackIdentity) -> CheckRecorder:
    """Returns the object that stores decisions.

    Args:
        settings: The settings, for the time for which attacks are kept.
        stores: The stores.
        pack: The models that judge.
    """
    return CheckRecorder(
        repository=stores.checks,
        evidence=stores.evidence,
        records=stores.vault,
        encode=serialise_result,
        pack=pack,
        server_version=server_version(),
        clock_source=f"system clock of {platform.node()}",
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
    """Returns the object that creates checks.

    Args:
        settings: Limits, and the default policy.
        stores: The stores.
        workers: The threads and processes that make portraits.
        policies: All policies.
        availabilities: Whether devices can meet a policy at this server, by the name of the policy.
        pack: The models.
        identity: The identity of the models, for results.
        keys: The keys of the server.
        trusted_images: The customer's own store; ``None`` if there is none.
        metrics: Counts checks and refusals.
    """
    return CheckIntake(
        repository=stores.checks,
        offer=CheckOffer(
            policies=policies,
            availabilities=availabilities,
            default_policy=settings.policies.default,
            available_modes=AVAILABLE_MODES,
            pack=pack,
            allow_evaluation_pack=settings.allow_evaluation_pack,
        ),
        tries=TryGate(
            repository=stores.checks,
            setting=settings.limits.failures.as_setting(),
            tenant_key=keys.memory.tenant_key,
            metrics=metrics,
        ),
        portraits=PortraitIntake(
            pack=pack,
            pool=workers.portraits,
            metrics=metrics,
            still_decoder=workers.decoders,
            trusted_images=trusted_images,
        ),
        evidence=stores.evidence,
        pack=identity,
        keys=keys,
        random=secrets.token_bytes,
        serialise_report=serialise_report,
        metrics=metrics,
    )


def evidence_environment(
    settings: Settings,
    *,
    stores: Stores,
    completion: CheckCompletion,
    keys: KeyRing,
    now: Callable[[], datetime],
) -> EvidenceEnvironment:
    """Returns the dependencies of EvidenceService.

    Args:
        settings: The actions that need two people.
        stores: The stores.
        completion: Cancels the open checks of a person who is erased.
        keys: The keys of the server.
        now: Wall clock, UTC.
    """
    rules = ApprovalRules(
        two_people=frozenset(settings.compliance.two_people),
        valid=timedelta(hours=settings.compliance.approval_hours),
        tenant_keys=keys.memory.tenant_keys,
        device_hashes=keys.memory.subject_hashes,
    )
    reading = EvidenceReading(
        repository=stores.checks,
        records=stores.records,
        vault=stores.vault,
        store=stores.evidence,
        holds=stores.holds,
        log=stores.audit,
        rules=rules,
        describe=describe_result,
        jwks=keys.results.jwks,
    )
    erasure = Erasure(
        repository=stores.checks,
        records=stores.records,
        vault=stores.vault,
        retention=stores.retention,
        store=stores.evidence,
        holds=stores.holds,
        completion=completion,
        rules=rules,
    )
    tokens = PageTokens(tenant_keys=keys.memory.tenant_keys, random=secrets.token_bytes)
    return EvidenceEnvironment(
        listing=CheckListing(
            records=stores.records, log=stores.audit, tenant_keys=keys.memory.tenant_keys, tokens=tokens
        ),
        reading=reading,
        erasure=erasure,
        subjects=SubjectExport(
            reading=reading, erasure=erasure, devices=stores.devices, log=stores.audit, rules=rules
        ),
        auditing=AuditListing(reader=AuditReader(stores.database), log=stores.audit, tokens=tokens),
        tenant_keys=keys.memory.tenant_keys,
        now=now,
    )


def scan_limits(settings: Settings, tuning: Tuning) -> ScanLimits:
    """Returns the settings and limits of every scan of a server."""
    limits = settings.limits
    return ScanLimits(
        budget=tuning.budget,
        plan=tuning.plan,
        oval=Oval(),
        guidance=GuidanceSettings(),
        clocks=tuning.clocks,
        window_frames=_WINDOW_FRAMES,
        window_bytes=max(tuning.budget.max_frame_bytes, _WINDOW_FRAMES * _WINDOW_BYTES_PER_FRAME),
        end_seconds=tuning.end_seconds,
        owner=f"{platform.node()}/{uuid.uuid4()}"[:128],
        tries=limits.failures.as_setting(),
    )


def scan_models(pack: Pack, *, tuning: Tuning, fusion: FusionModel) -> ScanModels:
    """Returns the models that judge the faces of scans.

    Args:
        pack: The models.
        tuning: The limits of frames.
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
    """Returns the objects with which devices are tested.

    Args:
        stores: The stores, for the data of devices.
        trust: The roots and settings for the verification of evidence.
        revocation: Google's list of revoked attestation certificates.
        server_keys: The TLS keys of this server that devices may state.
        keys: The keys of the server.
        pool: The threads that verify evidence.
        now: Wall clock, UTC.
    """
    return DeviceKnowledge(
        verifier=DeviceVerifier(
            trust=trust,
            revocation=revocation,
            devices=stores.devices,
            workers=pool,
            tenant_key=keys.memory.tenant_key,
            hash_subject=keys.memory.subject_hash,
            now=now,
        ),
        repository=stores.devices,
        memory=DeviceMemory(
            stores.memory,
            tenant_key=keys.memory.tenant_key,
            hash_subject=keys.memory.subject_hash,
            pool=pool,
        ),
        fingerprints=load_fingerprints(),
        server_keys=server_keys,
    )
