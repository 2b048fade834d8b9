"""The composition root: builds a running server from settings."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import CollectorRegistry

from server.checks.completion import Deliveries
from server.checks.expiry import CheckExpiry
from server.checks.lifecycle import check_erased
from server.checks.running import RunningScans
from server.configuration.settings import Settings
from server.device.configured import require_available
from server.device.revocation import RevocationFile
from server.device.server_keys import ServerKeyList
from server.device.trust import load_served_policies, open_device_trust
from server.keyring.key_files import open_key_files
from server.keyring.keys import KeyFolder
from server.running.admin import AdminServer, CachedProbe, storage_readiness
from server.running.assembly import Stores, Tuning, open_servicers, open_stores
from server.running.audit_keeping import (
    AuditKeeper,
    DescribedPart,
    callers_event,
    keys_event,
    log_changes,
    policies_event,
    settings_event,
)
from server.running.background import Background
from server.running.housekeeping import FileWatch, Housekeeper
from server.running.listeners import Listeners
from server.running.memory import MemoryWatch, read_memory
from server.running.models import announce_pack, load_configured_pack, require_servable
from server.running.timestamps import open_authority
from server.running.webhooks import EventDelivery, open_endpoints
from server.running.workers import Workers
from server.scan.environment import Clock
from server.storage.audit_witness import AuditWitness
from server.storage.devices import ENROLMENT
from server.storage.objects import open_object_store
from server.telemetry.metrics import Metrics, timed_pack
from server.telemetry.otlp import open_otlp
from server.trusted_images.fetching import open_trusted_images
from vision.isolation.pool import DecoderPool
from vision.packs import Pack
from vision.runtime_check import require_runtime

_STOP_SECONDS = 2.0
_log = structlog.get_logger(__name__)


class FacegateServer:
    """A server: its listeners and its housekeeping."""

    def __init__(
        self,
        settings: Settings,
        *,
        pack: Pack | None = None,
        decoders: DecoderPool | None = None,
        tuning: Tuning | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        show_link: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Set the settings; nothing is opened before ``start``.

        Args:
            pack: A loaded pack; ``None`` loads the configured one.
            decoders: A running pool of decoders, which its owner closes; ``None`` starts the configured ones.
            tuning: Values for tests and benchmarks.
            show_link: Shows the address with the one-time link of a console on loopback, at the start and
                after each use.
        """
        self._show_link = show_link
        self._settings = settings
        self._given_pack = pack
        self._tuning = tuning or Tuning()
        self._clock = Clock(now=now, monotonic=monotonic)
        self._metrics = Metrics(CollectorRegistry(), tenant_names=settings.telemetry.tenant_names)
        self._running = RunningScans()
        self._workers = Workers(settings, metrics=self._metrics, decoders=decoders)
        self._evaluates = False
        self._stores: Stores | None = None
        self._admin: AdminServer | None = None
        mib = settings.limits.memory_mib
        self._memory = MemoryWatch(
            lambda: read_memory(None if mib is None else mib << 20), self._memory_changed
        )
        self._listeners: Listeners | None = None
        self._database_probe = CachedProbe(self._probe_database)
        self._background: tuple[Background, ...] = ()
        self._opened = AsyncExitStack()

    @property
    def device_target(self) -> str:
        """``host:port`` of the device listener."""
        return self._started.device.target

    @property
    def service_target(self) -> str:
        """``host:port`` of the service listener."""
        return self._started.service.target

    @property
    def web_target(self) -> str | None:
        """``host:port`` of the web listener; ``None`` if settings have none."""
        web = self._started.web
        return None if web is None else web.target

    @property
    def console_address(self) -> str | None:
        """The address of the console in browsers; ``None`` if settings have none."""
        console = self._started.console
        return None if console is None else console.listener.address

    @property
    def admin_port(self) -> int:
        """Port of the admin listener."""
        if self._admin is None:
            raise RuntimeError("the server was not started")
        return self._admin.port

    @property
    def evaluates(self) -> bool:
        """Whether the server, once started, serves EXPRESS checks with a pack that is for evaluation only."""
        return self._evaluates

    @property
    def scans(self) -> int:
        """The number of scan streams that are being served."""
        return self._started.device_servicer.scans

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds that the workers of scans have used."""
        return self._workers.scans.cpu_seconds

    @property
    def decoder_processes(self) -> tuple[int, ...]:
        """The processes in which images of risky formats are decoded."""
        return self._workers.decoder_processes

    async def start(self) -> None:
        """Open the listeners, load the models, and serve.

        Raises:
            ConfigurationError: The server must not start with this configuration.
            SettingsError, PackError, KeysUnusable, ...: See their modules.
        """
        settings = self._settings
        require_runtime()
        otlp = await asyncio.to_thread(open_otlp, settings.telemetry.otlp, self._metrics)
        if otlp is not None:
            self._opened.push_async_callback(asyncio.to_thread, otlp.stop)
        for_tests = settings.device_integrity.for_tests
        policies = load_served_policies(settings.policies, for_tests=for_tests)
        if for_tests:
            _log.warning("test_apps_are_believed", policies=list(policies.names))
        if settings.device_integrity.test_roots.configured:
            _log.warning("test_roots_are_believed_in_sandbox_checks")
        if further := settings.device_integrity.android.further_roots:
            _log.warning(
                "further_roots_are_believed", roots={root.name: root.spki_sha256 for root in further}
            )
        availabilities = require_available(policies, settings)
        for name, tolerated in policies.waivers.items():
            _log.warning("policy_tolerates_checks", policy=name, checks=list(tolerated))
        trust = await asyncio.to_thread(open_device_trust, settings.devices, now=self._clock.now)
        self._opened.callback(trust.close)
        android = settings.device_integrity.android
        revocation = RevocationFile(
            android.revocation_file, max_age=timedelta(hours=android.max_revocation_age_hours)
        )
        key_folder = await asyncio.to_thread(
            lambda: KeyFolder(
                open_key_files(settings.key_folder, settings.keys), issuer=settings.results.issuer
            )
        )
        keys = key_folder.keys
        trusted_images = await asyncio.to_thread(
            open_trusted_images, settings.trusted_images, readers=settings.limits.max_uploads
        )
        if trusted_images is not None:
            self._opened.callback(trusted_images.close)
        endpoints = await asyncio.to_thread(open_endpoints, settings.webhooks.endpoints)
        for endpoint in endpoints:
            self._metrics.events.endpoint_known(endpoint.name)
        listeners = self._listeners = Listeners(
            settings,
            metrics=self._metrics,
            now=self._clock.now,
            monotonic=self._clock.monotonic,
            show_link=self._show_link,
            max_unary=self._tuning.max_unary,
            max_watches=self._tuning.max_watches,
        )
        for issuer in listeners.issuers:
            self._opened.push_async_callback(issuer.close)
        server_keys = await asyncio.to_thread(self._read_server_keys, listeners)
        authority = await asyncio.to_thread(open_authority, settings.audit)
        objects = open_object_store(
            settings.objects_url,
            failed=lambda operation: self._metrics.work.storage_failed("objects", operation),
        )
        self._admin = AdminServer(
            host=settings.listeners.admin.host,
            port=settings.listeners.admin.port,
            metrics=self._metrics,
            jwks=keys.results.jwks,
            audit_jwks=keys.audit.jwks,
            readiness={
                "models": self._models_ready,
                "database": self._database_ready,
                "memory": self._memory.is_enough,
                **storage_readiness(objects, database_url=settings.database_url),
            },
        )
        await self._admin.start()
        for listener in listeners.all:
            await listener.start()
        stores = self._stores = await open_stores(
            settings.database_url,
            objects=objects,
            keys=keys,
            metrics=self._metrics,
            webhooks=settings.webhooks.endpoints,
        )
        self._opened.push_async_callback(stores.database.close)
        pack = self._given_pack
        if pack is None:
            pack = await asyncio.to_thread(load_configured_pack, settings)
        pack = timed_pack(pack, self._metrics.work)
        allowed = settings.allow_evaluation_pack
        require_servable(policies, pack, default=settings.policies.default, allow_evaluation_pack=allowed)
        announce_pack(pack, allow_evaluation_pack=allowed)
        self._metrics.work.set_device(on_gpu=pack.on_gpu)
        self._evaluates = pack.evaluation_only and allowed
        await self._workers.start(policies)
        await asyncio.to_thread(revocation.refresh, self._clock.now())
        callers = listeners.callers
        described = (
            DescribedPart(lambda: settings, settings_event),
            DescribedPart(lambda: policies, policies_event),
            DescribedPart(lambda: callers.content, lambda _: callers_event(callers.entries)),
            DescribedPart(lambda: key_folder.names, keys_event),
        )
        older = await stores.audit.count() > 0
        await log_changes(stores.audit, described, now=self._clock.now())
        deliveries = Deliveries(keys.memory.tenant_key)
        completion = open_servicers(
            listeners,
            settings=settings,
            tuning=self._tuning,
            clock=self._clock,
            metrics=self._metrics,
            workers=self._workers,
            running=self._running,
            deliveries=deliveries,
            stores=stores,
            policies=policies,
            availabilities=availabilities,
            keys=keys,
            pack=pack,
            trust=trust,
            revocation=revocation,
            server_keys=server_keys,
            trusted_images=trusted_images,
        )
        self._background = (
            self._memory,
            Housekeeper(
                completion=completion,
                expiry=CheckExpiry(
                    retention=stores.retention,
                    delete=stores.evidence.erase,
                    erased=lambda record, part: check_erased(record.check_id, part=part),
                ),
                stores=stores,
                webhooks=endpoints,
                metrics=self._metrics,
                now=self._clock.now,
                sweep_seconds=self._tuning.sweep_seconds,
                enrolment=ENROLMENT,
                tries=settings.limits.failures.as_setting().remembered,
                most_scans=settings.device_integrity.remembered_scans,
            ),
            EventDelivery(
                repository=stores.events,
                endpoints=endpoints,
                metrics=self._metrics,
                now=self._clock.now,
                seconds=self._tuning.event_seconds,
            ),
            FileWatch(
                callers=listeners.callers,
                tls=listeners.tls,
                keys=key_folder,
                server_keys=server_keys,
                revocation=revocation,
                issuers=listeners.issuers,
                webhooks=endpoints,
                metrics=self._metrics,
                now=self._clock.now,
                seconds=self._tuning.sweep_seconds,
            ),
            AuditKeeper(
                log=stores.audit,
                signer=keys.audit,
                witness=AuditWitness(settings.witness_url),
                authority=authority,
                counted=(listeners.refused.due, deliveries.due),
                described=described,
                metrics=self._metrics,
                now=self._clock.now,
                seconds=self._tuning.sweep_seconds,
                older=older,
            ),
        )
        for task in self._background:
            task.start()
        listeners.device.serve()
        listeners.service.serve()
        if listeners.console is not None:
            listeners.console.listener.serve()
        _log.info(
            "serving",
            device=self.device_target,
            service=self.service_target,
            web=self.web_target,
            console=self.console_address,
            admin_port=self.admin_port,
            pack=pack.name,
            pack_version=pack.version,
            runtime=pack.runtime,
            policies=list(policies.names),
        )

    def _read_server_keys(self, listeners: Listeners) -> ServerKeyList:
        settings, tls = self._settings.device_integrity, listeners.tls.get("device")
        return ServerKeyList(
            listed=[bytes.fromhex(key) for key in settings.proxy_spki_sha256],
            file=settings.server_keys_file,
            shown=lambda: None if tls is None else tls.spki_sha256,
            complete=settings.server_keys == "complete",
            monotonic=self._clock.monotonic,
        )

    async def drain(self) -> None:
        """Accept no new work and wait until the running scans have ended, at most ``drain_seconds``."""
        listeners = self._started
        _log.info("draining", scans=self.scans)
        self._running.draining.set()
        listeners.device.drain()
        listeners.service.drain()
        try:
            async with asyncio.timeout(self._settings.drain_seconds):
                await listeners.device_servicer.idle()
        except TimeoutError:
            _log.warning("drain_timed_out", scans=self.scans)

    async def stop(self) -> None:
        """Close everything; end calls that still run."""
        background, self._background = self._background, ()
        if self._listeners is not None:
            device, service, *others = self._listeners.all
            for listener in (*others, device, service):
                await listener.stop(_STOP_SECONDS)
        for task in background:
            await task.stop()
        if self._listeners is not None:
            # Streams that were ended leave their checks in a state from which devices can resume.
            await self._listeners.device_servicer.idle()
        await self._running.stop()
        if self._admin is not None:
            await self._admin.stop()
        await self._workers.close()
        await self._opened.aclose()
        _log.info("stopped")

    @property
    def _started(self) -> Listeners:
        if self._listeners is None:
            raise RuntimeError("the server was not started")
        return self._listeners

    def _memory_changed(self, short: bool) -> None:
        listeners = self._started
        self._metrics.work.memory_changed(short=short)
        listeners.device_servicer.refuse_scans(short_of_memory=short)
        if short:
            listeners.device.drain()
        elif not self._running.draining.is_set():
            listeners.device.serve()

    async def _models_ready(self) -> bool:
        # The background tasks start after everything else is open.
        return bool(self._background)

    async def _probe_database(self) -> None:
        if self._stores is not None:
            await self._stores.checks.ping()

    async def _database_ready(self) -> bool:
        if self._stores is None:
            return False
        return await self._database_probe()
