"""Opens the stores of a server, makes the objects behind the listeners, and opens the servicers with them."""

import platform
import secrets
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from attempt import CapturePlan, FrameAnalyst
from device_integrity.camera import load_fingerprints
from liveness import FusionModel, load_fusion_model
from liveness.dynamic import load_flash_model
from server.audit import SERVER_TENANT
from server.base.page_tokens import PageTokens
from server.base.version import server_version
from server.checks.completion import CheckCompletion, Deliveries
from server.checks.enrolment import EnrolledFrames
from server.checks.finding import CheckFinder
from server.checks.hosted import HostedOffer, HostedScans
from server.checks.intake import CheckIntake, PortraitIntake, TryGate
from server.checks.offer import CheckOffer
from server.checks.progress import CheckInquiry
from server.checks.recorder import CheckRecorder
from server.checks.reviews import ReviewSelection
from server.checks.running import RunningScans
from server.compliance.access import ApprovalRules
from server.compliance.erasing import Erasure
from server.compliance.events import EventCare
from server.compliance.listing import AuditListing, CheckFigures, CheckListing
from server.compliance.reading import EvidenceReading
from server.compliance.reviewing import Reviewing
from server.compliance.subject_export import SubjectExport
from server.configuration.settings import Settings
from server.configuration.tables import WebhookEndpoint
from server.device.assessment import unattempted_device
from server.device.revocation import RevocationFile
from server.device.server_keys import ServerKeyList
from server.device.trust import DeviceTrust
from server.device.verification import DeviceVerifier
from server.edge.console.sessions import SessionStores
from server.edge.evidence_calls import EvidenceEnvironment, describe_result
from server.edge.result_codec import serialise_report, serialise_result
from server.edge.scan_codec import serialise_challenge
from server.edge.service_servicer import ServiceEnvironment
from server.evidence.records import RecordVault
from server.evidence.store import EvidenceStore
from server.keyring.keys import KeyRing
from server.policies import PolicyBook
from server.policies.availability import Availability
from server.running.capacity import MAX_UNARY, MAX_WATCHES
from server.running.listeners import Listeners
from server.running.models import pack_identity
from server.running.workers import Workers
from server.scan.device_memory import DeviceMemory
from server.scan.environment import Clock, DeviceKnowledge, ScanEnvironment, ScanLimits, ScanModels
from server.scan.messages import CaptureBudget
from server.scan.transcript import AHEAD_SECONDS
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditReader
from server.storage.database import Database, open_database
from server.storage.devices import DeviceRepository
from server.storage.events import EventRepository, Outbox
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.figures import FiguresRepository
from server.storage.holds import HoldRepository
from server.storage.hosted import HostedRepository
from server.storage.objects import ObjectStore
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.reviews import ReviewRepository
from server.storage.scan_memory import DatabaseScanMemory
from server.storage.schema import expect_usable, prepare_database
from server.storage.sessions import SessionRepository
from server.telemetry.metrics import Metrics
from server.trusted_images.fetching import TrustedImages
from server.verdict.outcome import PackIdentity
from vision.packs import Pack


class Stores:
    """Open stores.

    Attributes:
        memory: The scan memory, which recognises frames and devices.
    """

    def __init__(
        self,
        database: Database,
        *,
        objects: ObjectStore,
        keys: KeyRing,
        metrics: Metrics,
        webhooks: Mapping[str, WebhookEndpoint],
    ) -> None:
        """Set what ``open_stores`` opened."""
        outbox = Outbox(webhooks)
        self.database = database
        self.checks = CheckRepository(database, outbox)
        self.retention = RetentionRepository(database, outbox)
        self.devices = DeviceRepository(database)
        self.memory = DatabaseScanMemory(
            database,
            tenant_key=keys.memory.tenant_key,
            wrapping_keys=keys.wrapping_keys,
        )
        self.evidence = EvidenceStore(objects, wrapping_keys=keys.wrapping_keys, metrics=metrics)
        self.records = EvidenceRecordRepository(database)
        self.holds = HoldRepository(database)
        self.reviews = ReviewRepository(database, outbox)
        self.events = EventRepository(database)
        self.audit = AuditLog(database, failed=metrics.audit.append_failed)
        self.sessions = SessionRepository(database)
        self.hosted = HostedRepository(database)
        self.figures = FiguresRepository(database)
        self.vault = RecordVault(
            wrapping_keys=keys.wrapping_keys,
            tenant_key=keys.memory.tenant_key,
            sign=keys.results.sign,
        )


@asynccontextmanager
async def open_stores(
    database_url: str,
    *,
    objects: ObjectStore,
    keys: KeyRing,
    metrics: Metrics,
    webhooks: Mapping[str, WebhookEndpoint],
) -> AsyncIterator[Stores]:
    """Create or verify the schema of the database, and open the stores until the block ends.

    Args:
        keys: The keys that seal images and protect the scan memory.
        metrics: Counts failures of the database, and entries of the audit log that cannot be appended.
        webhooks: The endpoints that get events, by name.

    Raises:
        SchemaOutdated, StorageUnavailable: The database cannot be used.
    """
    await prepare_database(database_url)
    database = open_database(
        database_url,
        failed=lambda operation: metrics.work.storage_failed("database", operation),
        expect=expect_usable,
    )
    try:
        yield Stores(database, objects=objects, keys=keys, metrics=metrics, webhooks=webhooks)
    finally:
        await database.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Limits and times that are not settings.

    Attributes:
        plan: When an attempt has enough frames.
        ahead_seconds: How far a device's clock may run ahead; recorded scans that are sent faster than they
            were captured need slack.
        end_seconds: How long the device may take for the messages that it still has to send.
        sweep_seconds: Time between two rounds of background work.
        event_seconds: Time between two looks for events of webhooks that are due.
        lease_seconds: How long a scan stays assigned to a replica that has stopped responding: ten
            renewals, so that a short fault of the database loses no scan.
        max_unary: Unary calls at once that are neither uploads nor selfies.
        max_watches: Streams of WatchCheck at once.
    """

    plan: CapturePlan = field(default_factory=CapturePlan)
    budget: CaptureBudget = field(default_factory=CaptureBudget)
    ahead_seconds: float = AHEAD_SECONDS
    end_seconds: float = 5.0
    sweep_seconds: float = 5.0
    event_seconds: float = 1.0
    lease_seconds: float = 15.0
    max_unary: int = MAX_UNARY
    max_watches: int = MAX_WATCHES


def check_recorder(settings: Settings, *, stores: Stores, pack: PackIdentity, keys: KeyRing) -> CheckRecorder:
    """Return the object that stores decisions.

    Args:
        settings: The settings, for the time for which attacks are kept.
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
        reviews=ReviewSelection(records=stores.records, tenant_keys=keys.memory.tenant_keys),
    )


def evidence_environment(
    settings: Settings,
    *,
    stores: Stores,
    completion: CheckCompletion,
    keys: KeyRing,
) -> EvidenceEnvironment:
    """Return the dependencies of EvidenceService.

    Args:
        settings: The actions that need two people.
        completion: Cancels the open checks of a person who is erased.
    """
    rules = _approval_rules(settings, keys)
    reading = EvidenceReading(
        repository=stores.checks,
        records=stores.records,
        vault=stores.vault,
        store=stores.evidence,
        holds=stores.holds,
        reviews=stores.reviews,
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
    tokens = PageTokens(tenant_keys=keys.memory.tenant_keys)
    return EvidenceEnvironment(
        listing=CheckListing(
            records=stores.records, log=stores.audit, tenant_keys=keys.memory.tenant_keys, tokens=tokens
        ),
        figures=CheckFigures(repository=stores.figures, log=stores.audit),
        reading=reading,
        erasure=erasure,
        subjects=SubjectExport(
            reading=reading, erasure=erasure, devices=stores.devices, log=stores.audit, rules=rules
        ),
        auditing=AuditListing(reader=AuditReader(stores.database), log=stores.audit, tokens=tokens),
        tenant_keys=keys.memory.tenant_keys,
    )


def _approval_rules(settings: Settings, keys: KeyRing) -> ApprovalRules:
    return ApprovalRules(
        two_people=frozenset(settings.compliance.two_people),
        tenant_keys=keys.memory.tenant_keys,
        device_hashes=keys.memory.subject_hashes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """What devices are asked for, and what their evidence is verified with.

    Attributes:
        availabilities: Whether devices can meet a policy at this server, by the name of the policy.
        trust: The roots and settings for the verification of evidence.
        revocation: Google's list of revoked attestation certificates.
    """

    policies: PolicyBook
    availabilities: Mapping[str, Availability]
    trust: DeviceTrust
    revocation: RevocationFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """What a server has opened, of which it makes the objects behind the listeners.

    Attributes:
        tuning: Values for tests and benchmarks.
        workers: The threads and processes that judge and decode.
        deliveries: The results that were handed out, for the audit log.
        server_keys: The TLS keys of this server that devices may state.
        trusted_images: The customer's own store; ``None`` if there is none.
    """

    settings: Settings
    tuning: Tuning
    clock: Clock
    metrics: Metrics
    workers: Workers
    running: RunningScans
    deliveries: Deliveries
    devices: Devices
    server_keys: ServerKeyList
    keys: KeyRing
    trusted_images: TrustedImages | None
    stores: Stores
    pack: Pack

    def open_servicers(self, listeners: Listeners) -> CheckCompletion:
        """Open the servicers; return the object that closes checks."""
        settings, stores, keys, now = self.settings, self.stores, self.keys, self.clock.now
        identity, fusion = pack_identity(self.pack), load_fusion_model()
        recorder = check_recorder(settings, stores=stores, pack=identity, keys=keys)
        completion = CheckCompletion(
            repository=stores.checks,
            recorder=recorder,
            running=self.running,
            evidence=stores.evidence,
            records=stores.records,
            reviews=stores.reviews,
            vault=stores.vault,
            deliveries=self.deliveries,
            metrics=self.metrics,
        )
        listeners.device_servicer.open(self._scans(recorder, fusion))
        listeners.service_servicer.open(self._checks(completion, identity))
        listeners.evidence_calls.open(
            evidence_environment(settings, stores=stores, completion=completion, keys=keys)
        )
        tokens = PageTokens(tenant_keys=keys.memory.tenant_keys)
        listeners.review_calls.open(
            Reviewing(
                reviews=stores.reviews,
                records=stores.records,
                vault=stores.vault,
                log=stores.audit,
                rules=_approval_rules(settings, keys),
                tokens=tokens,
            )
        )
        listeners.event_calls.open(
            EventCare(events=stores.events, configured=settings.webhooks.endpoints, tokens=tokens)
        )
        if listeners.hosted is not None:
            listeners.hosted.open(
                HostedScans(repository=stores.hosted, checks=stores.checks, keys=keys, now=now)
            )
        if listeners.console is not None:
            listeners.console.interface.open(results=keys.results.jwks, audit=keys.audit.jwks)
            own_keys = partial(keys.memory.tenant_keys, SERVER_TENANT)
            listeners.console.sessions.open(
                SessionStores(repository=stores.sessions, log=stores.audit, keys=own_keys)
            )
        listeners.analysis_servicer.open(
            self.workers.analyses(pack=self.pack, identity=identity, fusion=fusion, now=now)
        )
        return completion

    def _scans(self, recorder: CheckRecorder, fusion: FusionModel) -> ScanEnvironment:
        tuning, stores, memory, pool = self.tuning, self.stores, self.keys.memory, self.workers.scans
        limits = ScanLimits(
            budget=tuning.budget,
            plan=tuning.plan,
            ahead_seconds=tuning.ahead_seconds,
            end_seconds=tuning.end_seconds,
            lease_seconds=tuning.lease_seconds,
            owner=f"{platform.node()}/{uuid.uuid4()}"[:128],
            tries=self.settings.limits.failures.as_setting(),
        )
        models = ScanModels(
            pack=self.pack,
            analyst=FrameAnalyst(pack=self.pack, limits=tuning.budget.frame_limits),
            fusion=fusion,
            flash=load_flash_model(),
        )
        verifier = DeviceVerifier(
            trust=self.devices.trust,
            revocation=self.devices.revocation,
            devices=stores.devices,
            workers=pool,
            tenant_key=memory.tenant_key,
            hash_subject=memory.subject_hash,
            now=self.clock.now,
        )
        devices = DeviceKnowledge(
            verifier=verifier,
            repository=stores.devices,
            memory=DeviceMemory(
                stores.memory, tenant_key=memory.tenant_key, hash_subject=memory.subject_hash, pool=pool
            ),
            fingerprints=load_fingerprints(),
            server_keys=self.server_keys,
        )
        return ScanEnvironment(
            limits=limits,
            repository=stores.checks,
            recorder=recorder,
            keys=self.keys,
            models=models,
            devices=devices,
            pool=pool,
            clock=self.clock,
            random=secrets.token_bytes,
            metrics=self.metrics,
            running=self.running,
            serialise_challenge=serialise_challenge,
        )

    def _checks(self, completion: CheckCompletion, identity: PackIdentity) -> ServiceEnvironment:
        settings, stores, keys, now = self.settings, self.stores, self.keys, self.clock.now
        offer = CheckOffer(
            policies=self.devices.policies,
            availabilities=self.devices.availabilities,
            default_policy=settings.policies.default,
            pack=self.pack,
            allow_evaluation_pack=settings.allow_evaluation_pack,
        )
        tries = TryGate(
            repository=stores.checks,
            setting=settings.limits.failures.as_setting(),
            tenant_key=keys.memory.tenant_key,
            metrics=self.metrics,
        )
        portraits = PortraitIntake(
            pack=self.pack,
            pool=self.workers.portraits,
            metrics=self.metrics,
            still_decoder=self.workers.decoders,
            trusted_images=self.trusted_images,
        )
        enrolled = EnrolledFrames(
            repository=stores.checks,
            records=stores.records,
            reviews=stores.reviews,
            vault=stores.vault,
            evidence=stores.evidence,
        )
        intake = CheckIntake(
            repository=stores.checks,
            offer=offer,
            tries=tries,
            portraits=portraits,
            evidence=stores.evidence,
            pack=identity,
            keys=keys,
            serialise_report=serialise_report,
            enrolled=enrolled,
            metrics=self.metrics,
            hosted=HostedOffer(settings.hosted, keys),
        )
        inquiry = CheckInquiry(
            repository=stores.checks,
            records=stores.records,
            reviews=stores.reviews,
            vault=stores.vault,
            now=now,
            draining=self.running.draining,
        )
        finder = CheckFinder(
            repository=stores.checks,
            records=stores.records,
            vault=stores.vault,
            log=stores.audit,
            tenant_keys=keys.memory.tenant_keys,
            tokens=PageTokens(tenant_keys=keys.memory.tenant_keys),
        )
        return ServiceEnvironment(
            intake=intake, completion=completion, inquiry=inquiry, finder=finder, keys=keys, now=now
        )
