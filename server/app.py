"""The composition root: settings in, a running server out."""

import asyncio
import os
import platform
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from attempt.analyst import FrameAnalyst
from device_integrity.camera import load_fingerprints
from liveness.dynamic.model import load_flash_model
from liveness.fusion_model_file import load_fusion_model
from liveness.guidance import GuidanceSettings, Oval
from server.admin import AdminServer
from server.analyses import Analyses
from server.checks.completion import CheckCompletion
from server.checks.inquiry import CheckInquiry
from server.checks.intake import CheckIntake
from server.checks.offer import CheckOffer
from server.checks.portraits import PortraitIntake
from server.checks.recorder import CheckRecorder
from server.checks.running import RunningScans
from server.checks.try_gate import TryGate
from server.data_folder import protect_data
from server.decoders import make_decoders, start_decoders
from server.device.configured import check_evidence
from server.device.revocation import RevocationFile
from server.device.server_keys import ServerKeyList
from server.device.trust import DeviceTrust, load_served_policies, open_device_trust
from server.device.unattempted import unattempted_device
from server.device.verification import DeviceVerifier
from server.domain.terms import Mode
from server.edge.report_codec import serialise_report
from server.edge.result_codec import encode_result
from server.edge.scan_codec import serialise_challenge
from server.edge.service_servicer import ServiceEnvironment
from server.evidence.store import EvidenceStore
from server.file_watch import FileWatch
from server.front import Front, open_front
from server.housekeeping import Housekeeper
from server.keys import KeyFolder, KeyRing
from server.models import announce_pack, check_policies, load_configured_pack, pack_identity
from server.policies import PolicyBook
from server.policies.availability import Availability
from server.readiness import storage_readiness
from server.scan.device_memory import DeviceMemory
from server.scan.environment import Clock, DeviceKnowledge, ScanEnvironment, ScanModels, ScanSettings
from server.settings import Settings
from server.storage.database import Database, open_database
from server.storage.devices import DeviceRepository
from server.storage.objects import open_object_store
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.scan_memory import DatabaseScanMemory
from server.storage.schema import prepare_database
from server.telemetry.metrics import Metrics
from server.trusted_images.fetching import TrustedImages, open_trusted_images
from server.tuning import Tuning
from server.version import server_version
from server.worker_pool import WorkerPool
from vision.isolation.pool import DecoderPool
from vision.packs import Pack
from vision.runtime_check import check_runtime

AVAILABLE_MODES = frozenset(Mode)
"""Modes that this version can run."""

_STOP_SECONDS = 2.0
_WINDOW_BYTES_PER_FRAME = 192 * 1024
_log = structlog.get_logger(__name__)


class FacegateServer:
    """A server: two gRPC listeners, the admin listener, and the housekeeping between them."""

    def __init__(
        self,
        settings: Settings,
        *,
        pack: Pack | None = None,
        tuning: Tuning | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Takes the settings; nothing is opened before ``start``.

        Args:
            settings: The settings.
            pack: A pack that is loaded already; ``None`` loads the configured one.
            tuning: For tests and benchmarks.
            now: Wall clock, UTC.
        """
        self._settings = settings
        self._given_pack = pack
        self._tuning = tuning or Tuning()
        self._clock = Clock(now=now, monotonic=time.monotonic)
        self._metrics = Metrics(CollectorRegistry())
        self._workers = settings.runtime.workers or os.cpu_count() or 1
        self._running = RunningScans()
        self._ready = False
        self._database: Database | None = None
        self._pool: WorkerPool | None = None
        self._portrait_pool: WorkerPool | None = None
        self._decoders: DecoderPool | None = None
        self._analyses = Analyses(
            settings.analysis, settings.isolation, metrics=self._metrics, workers=self._workers
        )
        self._trusted_images: TrustedImages | None = None
        self._trust: DeviceTrust | None = None
        android = settings.device_integrity.android
        self._revocation = RevocationFile(
            android.revocation_file, max_age=timedelta(hours=android.max_revocation_age_hours)
        )
        self._housekeeper: Housekeeper | None = None
        self._file_watch: FileWatch | None = None
        self._admin: AdminServer | None = None
        self._front: Front | None = None

    @property
    def device_target(self) -> str:
        """``host:port`` of the device listener."""
        return self._started.device.target

    @property
    def service_target(self) -> str:
        """``host:port`` of the service listener."""
        return self._started.service.target

    @property
    def admin_port(self) -> int:
        """Port of the admin listener."""
        return self._admin_port

    @property
    def scans(self) -> int:
        """Scan streams that are being served."""
        return self._started.device_servicer.scans

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds that the workers of scans have used."""
        return 0.0 if self._pool is None else self._pool.cpu_seconds

    @property
    def decoder_processes(self) -> tuple[int, ...]:
        """The processes in which images of risky formats are decoded."""
        if self._decoders is None:
            return ()
        return tuple(pid for state in self._decoders.states.values() for pid in state.processes)

    async def start(self) -> None:
        """Opens the listeners, loads the models, and serves.

        Raises:
            ConfigurationError: The server must not start as it is configured.
            SettingsError, PackError, KeysUnusable, ...: As their modules say.
        """
        settings = self._settings
        check_runtime()
        await asyncio.to_thread(protect_data, settings.data_dir)
        for_tests = settings.device_integrity.for_tests
        policies = load_served_policies(settings.policies.folder, for_tests=for_tests)
        if for_tests:
            _log.warning("test_apps_are_believed", policies=list(policies.names))
        if settings.device_integrity.test_roots.configured:
            _log.warning("test_roots_are_believed_in_sandbox_checks")
        if further := settings.device_integrity.android.further_roots:
            _log.warning(
                "further_roots_are_believed", roots={root.name: root.spki_sha256 for root in further}
            )
        availabilities = check_evidence(policies, settings)
        for name, tolerated in policies.waivers.items():
            _log.warning("policy_tolerates_checks", policy=name, checks=list(tolerated))
        self._trust = await asyncio.to_thread(
            open_device_trust, settings.device_integrity, now=self._clock.now
        )
        key_folder = await asyncio.to_thread(KeyFolder, settings.key_folder, issuer=settings.results.issuer)
        keys = key_folder.keys
        self._trusted_images = await asyncio.to_thread(
            open_trusted_images, settings.trusted_images, readers=settings.limits.max_uploads
        )
        front = self._front = open_front(
            settings, analyses=self._analyses, metrics=self._metrics, now=self._clock.now
        )
        server_keys = await asyncio.to_thread(self._read_server_keys, front)
        objects = open_object_store(settings.objects_url)
        self._admin = AdminServer(
            host=settings.listeners.admin.host,
            port=settings.listeners.admin.port,
            metrics=self._metrics,
            jwks=keys.results.jwks,
            readiness={
                "models": self._models_ready,
                "database": self._database_ready,
                **storage_readiness(objects, database_url=settings.database_url),
            },
        )
        self._admin_port = await self._admin.start()
        await front.device.start()
        await front.service.start()
        await prepare_database(settings.database_url)
        self._database = open_database(settings.database_url)
        self._repository = CheckRepository(self._database)
        self._retention = RetentionRepository(self._database)
        self._devices = DeviceRepository(self._database)
        self._memory = DatabaseScanMemory(
            self._database,
            tenant_key=keys.memory.of,
            wrapping_keys=keys.wrapping_keys,
            random=secrets.token_bytes,
        )
        pack = self._given_pack
        if pack is None:
            pack = await asyncio.to_thread(load_configured_pack, settings)
        check_policies(policies, pack, default=settings.policies.default)
        announce_pack(pack)
        decoders = self._decoders = make_decoders(settings.isolation, self._metrics)
        await asyncio.to_thread(start_decoders, decoders)
        await asyncio.to_thread(self._analyses.start)
        await asyncio.to_thread(self._revocation.refresh, self._clock.now())
        evidence = EvidenceStore(objects, wrapping_keys=keys.wrapping_keys, random=secrets.token_bytes)
        self._open(
            front,
            policies=policies,
            availabilities=availabilities,
            keys=keys,
            pack=pack,
            decoders=decoders,
            trust=self._trust,
            evidence=evidence,
            server_keys=server_keys,
        )
        self._file_watch = FileWatch(
            callers=front.callers,
            tls=front.tls,
            keys=key_folder,
            server_keys=server_keys,
            revocation=self._revocation,
            metrics=self._metrics,
            now=self._clock.now,
            seconds=self._tuning.sweep_seconds,
        )
        self._file_watch.start()
        front.device.serve()
        front.service.serve()
        self._ready = True
        _log.info(
            "serving",
            device=self.device_target,
            service=self.service_target,
            admin_port=self._admin_port,
            pack=pack.name,
            pack_version=pack.version,
            runtime=pack.runtime,
            policies=list(policies.names),
        )

    def _read_server_keys(self, front: Front) -> ServerKeyList:
        settings, tls = self._settings.device_integrity, front.tls.get("device")
        return ServerKeyList(
            listed=[bytes.fromhex(key) for key in settings.proxy_spki_sha256],
            file=settings.server_keys_file,
            shown=lambda: None if tls is None else tls.spki_sha256,
            complete=settings.server_keys == "complete",
            monotonic=self._clock.monotonic,
        )

    async def drain(self) -> None:
        """Takes no new work and waits until running scans ended, at most ``drain_seconds``."""
        front = self._started
        _log.info("draining", scans=self.scans)
        self._running.draining.set()
        front.device.drain()
        front.service.drain()
        try:
            async with asyncio.timeout(self._settings.drain_seconds):
                await front.device_servicer.idle()
        except TimeoutError:
            _log.warning("drain_timed_out", scans=self.scans)

    async def stop(self) -> None:
        """Closes everything; calls that still run are cut off."""
        self._ready = False
        if self._front is not None:
            await self._front.device.stop(_STOP_SECONDS)
            await self._front.service.stop(_STOP_SECONDS)
        if self._housekeeper is not None:
            await self._housekeeper.stop()
        if self._file_watch is not None:
            await self._file_watch.stop()
        if self._front is not None:
            # Streams that were cut off leave their checks in a state from which devices can come back.
            await self._front.device_servicer.idle()
        if self._admin is not None:
            await self._admin.stop()
        if self._decoders is not None:
            await asyncio.to_thread(self._decoders.close)
        await asyncio.to_thread(self._analyses.close)
        if self._trusted_images is not None:
            self._trusted_images.close()
        if self._trust is not None:
            self._trust.close()
        for pool in (self._portrait_pool, self._pool):
            if pool is not None:
                pool.close()
        if self._database is not None:
            await self._database.close()
        _log.info("stopped")

    @property
    def _started(self) -> Front:
        if self._front is None:
            raise RuntimeError("the server was not started")
        return self._front

    def _open(
        self,
        front: Front,
        *,
        policies: PolicyBook,
        availabilities: Mapping[str, Availability],
        keys: KeyRing,
        pack: Pack,
        decoders: DecoderPool,
        trust: DeviceTrust,
        evidence: EvidenceStore,
        server_keys: ServerKeyList,
    ) -> None:
        settings, tuning = self._settings, self._tuning
        limits, tries = settings.limits, settings.limits.failures.as_setting()
        pool = self._pool = WorkerPool(workers=self._workers)
        # Frames of scans never wait behind portraits, of which one can take a second.
        portrait_pool = self._portrait_pool = WorkerPool(workers=max(1, self._workers // 2))
        identity = pack_identity(pack)
        fusion = load_fusion_model()
        recorder = CheckRecorder(
            repository=self._repository,
            evidence=evidence,
            encode=encode_result,
            pack=identity,
            server_version=server_version(),
            unattempted=partial(unattempted_device, self._devices),
        )
        completion = CheckCompletion(
            repository=self._repository,
            retention=self._retention,
            recorder=recorder,
            running=self._running,
            evidence=evidence,
            metrics=self._metrics,
        )
        devices = self._devices
        window = limits.max_scan_frames_in_flight
        front.device_servicer.open(
            ScanEnvironment(
                settings=ScanSettings(
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
                    tries=tries,
                ),
                repository=self._repository,
                recorder=recorder,
                keys=keys,
                models=ScanModels(
                    pack=pack,
                    analyst=FrameAnalyst(pack=pack, limits=tuning.budget.frame_limits),
                    fusion=fusion,
                    flash=load_flash_model(),
                ),
                devices=DeviceKnowledge(
                    verifier=DeviceVerifier(
                        trust=trust,
                        revocation=self._revocation,
                        devices=devices,
                        workers=pool,
                        tenant_key=keys.memory.of,
                        now=self._clock.now,
                    ),
                    repository=devices,
                    memory=DeviceMemory(self._memory, tenant_key=keys.memory.of, pool=pool),
                    fingerprints=load_fingerprints(),
                    server_keys=server_keys,
                ),
                pool=pool,
                clock=self._clock,
                random=secrets.token_bytes,
                metrics=self._metrics,
                running=self._running,
                serialise_challenge=serialise_challenge,
            )
        )
        front.service_servicer.open(
            ServiceEnvironment(
                intake=CheckIntake(
                    repository=self._repository,
                    offer=CheckOffer(
                        policies=policies,
                        availabilities=availabilities,
                        default_policy=settings.policies.default,
                        available_modes=AVAILABLE_MODES,
                        pack=pack,
                    ),
                    tries=TryGate(
                        repository=self._repository,
                        setting=tries,
                        tenant_key=keys.memory.of,
                        metrics=self._metrics,
                    ),
                    portraits=PortraitIntake(
                        pack=pack,
                        pool=portrait_pool,
                        metrics=self._metrics,
                        still_decoder=decoders,
                        trusted_images=self._trusted_images,
                    ),
                    pack=identity,
                    keys=keys,
                    random=secrets.token_bytes,
                    serialise_report=serialise_report,
                    metrics=self._metrics,
                ),
                completion=completion,
                inquiry=CheckInquiry(
                    repository=self._repository, now=self._clock.now, draining=self._running.draining
                ),
                keys=keys,
                now=self._clock.now,
            )
        )
        front.analysis_servicer.open(
            self._analyses.environment(
                pack=pack, identity=identity, fusion=fusion, still_decoder=decoders, now=self._clock.now
            )
        )
        self._housekeeper = Housekeeper(
            completion=completion,
            evidence=evidence,
            repository=self._repository,
            retention=self._retention,
            metrics=self._metrics,
            now=self._clock.now,
            sweep_seconds=tuning.sweep_seconds,
            devices=devices,
            enrolment=timedelta(days=settings.device_integrity.enrolment_days),
            tries=tries.remembered,
        )
        self._housekeeper.start()

    async def _models_ready(self) -> bool:
        return self._ready

    async def _database_ready(self) -> bool:
        if self._database is None:
            return False
        await self._repository.ping()
        return True
