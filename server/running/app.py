"""The composition root: builds a running server from settings."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, nullcontext
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import CollectorRegistry

from server.checks.completion import CheckCompletion, Deliveries
from server.checks.expiry import CheckExpiry
from server.checks.lifecycle import check_erased
from server.checks.running import RunningScans
from server.configuration.settings import Settings
from server.configuration.tables import OtlpSettings
from server.device.configured import require_available
from server.device.revocation import RevocationFile
from server.device.server_keys import ServerKeyList
from server.device.trust import load_served_policies, open_device_trust
from server.keyring.key_files import open_key_files
from server.keyring.keys import KeyFolder, KeyRing
from server.policies import PolicyBook
from server.running.admin import AdminServer, CachedProbe, storage_readiness
from server.running.assembly import Assembly, Devices, Tuning, open_stores
from server.running.audit_keeping import (
    AuditKeeper,
    DescribedPart,
    callers_event,
    keys_event,
    log_changes,
    policies_event,
    settings_event,
)
from server.running.background import Background, repeated
from server.running.housekeeping import FileWatch, Housekeeper
from server.running.listeners import Listeners
from server.running.memory import MemoryWatch, read_memory
from server.running.models import announce_pack, load_configured_pack, require_servable
from server.running.timestamps import TimestampAuthority, open_authority
from server.running.webhooks import Endpoint, EventDelivery, open_endpoints
from server.running.workers import Workers
from server.scan.environment import Clock
from server.storage.audit_witness import AuditWitness
from server.storage.devices import ENROLMENT
from server.storage.objects import ObjectStore, open_object_store
from server.telemetry.metrics import Metrics, timed_pack
from server.telemetry.otlp import open_otlp
from server.trusted_images.fetching import TrustedImages, open_trusted_images
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
        self._admin: AdminServer | None = None
        mib = settings.limits.memory_mib
        self._memory = MemoryWatch(
            lambda: read_memory(None if mib is None else mib << 20), self._memory_changed
        )
        self._listeners: Listeners | None = None
        self._database_probe: CachedProbe | None = None
        self._serves = False
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
        """Open the listeners, load the models, and serve; a start that fails closes what it opened.

        Raises:
            ConfigurationError: The server must not start with this configuration.
            SettingsError, PackError, KeysUnusable, ...: See their modules.
        """
        await self._opened.enter_async_context(self._open())

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        """Open one part after the other, and serve. Each is closed where it stands here, the last one first.

        The listeners refuse calls while what is behind them opens, and stop before it closes: ``storage``,
        ``operators`` and ``background`` are places for what opens later than it stands here.
        """
        settings, metrics, now = self._settings, self._metrics, self._clock.now
        require_runtime()
        async with AsyncExitStack() as opened:
            enter, close_later = opened.enter_async_context, opened.push_async_callback
            await enter(_exporting(settings.telemetry.otlp, metrics))
            devices = await enter(_open_devices(settings, now))
            key_folder = await asyncio.to_thread(_open_keys, settings)
            keys = key_folder.keys
            trusted_images = await enter(_trusted_images(settings))
            endpoints = await asyncio.to_thread(open_endpoints, settings.webhooks.endpoints)
            for endpoint in endpoints:
                metrics.events.endpoint_known(endpoint.name)
            listeners = self._listeners = await enter(self._open_listeners())
            storage = await enter(AsyncExitStack())
            close_later(self._workers.close)
            operators = await enter(AsyncExitStack())
            close_later(self._running.stop)
            # Streams that were ended leave their checks in a state from which devices can resume.
            close_later(listeners.device_servicer.idle)
            background = await enter(AsyncExitStack())
            close_later(listeners.stop, _STOP_SECONDS)

            server_keys = await asyncio.to_thread(self._read_server_keys, listeners)
            authority = await asyncio.to_thread(open_authority, settings.audit)
            objects = open_object_store(
                settings.objects_url,
                failed=lambda operation: metrics.work.storage_failed("objects", operation),
            )
            self._admin = self._admin_server(keys, objects)
            operators.push_async_callback(self._admin.stop)
            await self._admin.start()
            await listeners.start()
            stores = await storage.enter_async_context(
                open_stores(
                    settings.database_url,
                    objects=objects,
                    keys=keys,
                    metrics=metrics,
                    webhooks=settings.webhooks.endpoints,
                )
            )
            self._database_probe = CachedProbe(stores.checks.ping)
            pack = await self._load_pack(devices.policies)
            await self._workers.start(devices.policies)
            await asyncio.to_thread(devices.revocation.refresh, now())
            assembly = Assembly(
                settings=settings,
                tuning=self._tuning,
                clock=self._clock,
                metrics=metrics,
                workers=self._workers,
                running=self._running,
                deliveries=Deliveries(keys.memory.tenant_key),
                devices=devices,
                server_keys=server_keys,
                keys=keys,
                trusted_images=trusted_images,
                stores=stores,
                pack=pack,
            )
            keeper = await _log_configuration(assembly, listeners, key_folder, authority)
            completion = assembly.open_servicers(listeners)
            works = _background(assembly, listeners, completion, key_folder, endpoints)
            await background.enter_async_context(repeated((self._memory, *works, keeper)))
            self._serves = True
            listeners.serve()
            self._log_serving(pack, devices.policies)
            yield

    @asynccontextmanager
    async def _open_listeners(self) -> AsyncIterator[Listeners]:
        """Make the listeners, which do not listen yet, and in the end close their issuers."""
        listeners = Listeners(
            self._settings,
            metrics=self._metrics,
            now=self._clock.now,
            monotonic=self._clock.monotonic,
            show_link=self._show_link,
            max_unary=self._tuning.max_unary,
            max_watches=self._tuning.max_watches,
        )
        async with AsyncExitStack() as opened:
            for issuer in listeners.issuers:
                opened.push_async_callback(issuer.close)
            yield listeners

    def _read_server_keys(self, listeners: Listeners) -> ServerKeyList:
        settings, tls = self._settings.device_integrity, listeners.tls.get("device")
        return ServerKeyList(
            listed=[bytes.fromhex(key) for key in settings.proxy_spki_sha256],
            file=settings.server_keys_file,
            shown=lambda: None if tls is None else tls.spki_sha256,
            complete=settings.server_keys == "complete",
            monotonic=self._clock.monotonic,
        )

    def _admin_server(self, keys: KeyRing, objects: ObjectStore) -> AdminServer:
        settings = self._settings
        return AdminServer(
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

    async def _load_pack(self, policies: PolicyBook) -> Pack:
        settings, pack = self._settings, self._given_pack
        if pack is None:
            pack = await asyncio.to_thread(load_configured_pack, settings)
        pack = timed_pack(pack, self._metrics.work)
        allowed = settings.allow_evaluation_pack
        require_servable(policies, pack, default=settings.policies.default, allow_evaluation_pack=allowed)
        announce_pack(pack, allow_evaluation_pack=allowed)
        self._metrics.work.set_device(on_gpu=pack.on_gpu)
        self._evaluates = pack.evaluation_only and allowed
        return pack

    def _log_serving(self, pack: Pack, policies: PolicyBook) -> None:
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

    async def drain(self) -> None:
        """Accept no new work and wait until the running scans have ended, at most ``drain_seconds``."""
        listeners = self._started
        _log.info("draining", scans=self.scans)
        self._running.draining.set()
        listeners.drain()
        try:
            async with asyncio.timeout(self._settings.drain_seconds):
                await listeners.device_servicer.idle()
        except TimeoutError:
            _log.warning("drain_timed_out", scans=self.scans)

    async def stop(self) -> None:
        """Close everything; end calls that still run."""
        self._serves = False
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
        # The server serves after everything else is open.
        return self._serves

    async def _database_ready(self) -> bool:
        return self._database_probe is not None and await self._database_probe()


@asynccontextmanager
async def _exporting(settings: OtlpSettings, metrics: Metrics) -> AsyncIterator[None]:
    """Send traces and metrics, if the settings name a collector."""
    otlp = await asyncio.to_thread(open_otlp, settings, metrics)
    try:
        yield
    finally:
        if otlp is not None:
            await asyncio.to_thread(otlp.stop)


@asynccontextmanager
async def _open_devices(settings: Settings, now: Callable[[], datetime]) -> AsyncIterator[Devices]:
    """Load the policies and what their devices are verified with; log which settings weaken that."""
    integrity = settings.device_integrity
    policies = load_served_policies(settings.policies, for_tests=integrity.for_tests)
    if integrity.for_tests:
        _log.warning("test_apps_are_believed", policies=list(policies.names))
    if integrity.test_roots.configured:
        _log.warning("test_roots_are_believed_in_sandbox_checks")
    if further := integrity.android.further_roots:
        _log.warning("further_roots_are_believed", roots={root.name: root.spki_sha256 for root in further})
    availabilities = require_available(policies, settings)
    for name, tolerated in policies.waivers.items():
        _log.warning("policy_tolerates_checks", policy=name, checks=list(tolerated))
    trust = await asyncio.to_thread(open_device_trust, settings.devices, now=now)
    android = integrity.android
    with closing(trust):
        yield Devices(
            policies=policies,
            availabilities=availabilities,
            trust=trust,
            revocation=RevocationFile(
                android.revocation_file, max_age=timedelta(hours=android.max_revocation_age_hours)
            ),
        )


@asynccontextmanager
async def _trusted_images(settings: Settings) -> AsyncIterator[TrustedImages | None]:
    images = await asyncio.to_thread(
        open_trusted_images, settings.trusted_images, readers=settings.limits.max_uploads
    )
    with nullcontext() if images is None else closing(images):
        yield images


def _open_keys(settings: Settings) -> KeyFolder:
    return KeyFolder(open_key_files(settings.key_folder, settings.keys), issuer=settings.results.issuer)


def _background(
    assembly: Assembly,
    listeners: Listeners,
    completion: CheckCompletion,
    key_folder: KeyFolder,
    endpoints: Sequence[Endpoint],
) -> tuple[Background, ...]:
    settings, stores, metrics, now = assembly.settings, assembly.stores, assembly.metrics, assembly.clock.now
    housekeeper = Housekeeper(
        completion=completion,
        expiry=CheckExpiry(
            retention=stores.retention,
            delete=stores.evidence.erase,
            erased=lambda record, part: check_erased(record.check_id, part=part),
        ),
        stores=stores,
        webhooks=endpoints,
        metrics=metrics,
        now=now,
        sweep_seconds=assembly.tuning.sweep_seconds,
        enrolment=ENROLMENT,
        tries=settings.limits.failures.as_setting().remembered,
        most_scans=settings.device_integrity.remembered_scans,
    )
    delivery = EventDelivery(
        repository=stores.events,
        endpoints=endpoints,
        metrics=metrics,
        now=now,
        seconds=assembly.tuning.event_seconds,
    )
    files = FileWatch(
        callers=listeners.callers,
        tls=listeners.tls,
        keys=key_folder,
        server_keys=assembly.server_keys,
        revocation=assembly.devices.revocation,
        issuers=listeners.issuers,
        webhooks=endpoints,
        metrics=metrics,
        now=now,
        seconds=assembly.tuning.sweep_seconds,
    )
    return housekeeper, delivery, files


async def _log_configuration(
    assembly: Assembly,
    listeners: Listeners,
    key_folder: KeyFolder,
    authority: TimestampAuthority | None,
) -> AuditKeeper:
    """Log what changed of the configuration since the last start; return what logs further changes."""
    settings, log, callers = assembly.settings, assembly.stores.audit, listeners.callers
    described = (
        DescribedPart(lambda: settings, settings_event),
        DescribedPart(lambda: assembly.devices.policies, policies_event),
        DescribedPart(lambda: callers.content, lambda _: callers_event(callers.entries)),
        DescribedPart(lambda: key_folder.names, keys_event),
    )
    older = await log.count() > 0
    await log_changes(log, described, now=assembly.clock.now())
    return AuditKeeper(
        log=log,
        signer=assembly.keys.audit,
        witness=AuditWitness(settings.witness_url),
        authority=authority,
        counted=(listeners.refused.due, assembly.deliveries.due),
        described=described,
        metrics=assembly.metrics,
        now=assembly.clock.now,
        seconds=assembly.tuning.sweep_seconds,
        older=older,
    )
