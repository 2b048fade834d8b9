"""The listeners for devices, orchestrators and pages, and the servicers behind them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from server.access.access_tokens import AccessTokens, OidcSettings
from server.access.api_keys import ApiKeys, load_api_keys
from server.access.callers import Role
from server.access.client_certificates import ClientCertificates
from server.access.code_flow import CodeFlow, ConsoleOidcSettings
from server.access.signing_keys import Issuer, read_jwks_file
from server.base.errors import ConfigurationError
from server.base.private_files import WatchedFile
from server.base.process_limits import raise_handle_limit
from server.compliance.events import EventCare
from server.compliance.reviewing import Reviewing
from server.configuration.settings import Settings
from server.configuration.tables import LimitSettings
from server.edge.analysis_servicer import AnalysisServicer
from server.edge.callers import CallerIdentifier
from server.edge.calls import Calls, CallsServicer
from server.edge.console import (
    Admission,
    ConsoleInterface,
    ConsoleListener,
    ConsoleSessions,
    LogIn,
    OidcLogIn,
)
from server.edge.console.guard import Guard
from server.edge.device_servicer import DeviceServicer
from server.edge.event_calls import EVENT_CALLS
from server.edge.evidence_calls import EVIDENCE_CALLS, EvidenceEnvironment
from server.edge.forwarded import TrustedProxies
from server.edge.gate import RefusedAccess
from server.edge.hosted import HostedPage
from server.edge.listeners import EVENT, EVIDENCE, REVIEW, SCOPES, WATCH_METHOD, Listener
from server.edge.proxy_protocol import ProxyProtocol
from server.edge.review_calls import REVIEW_CALLS
from server.edge.scan_codec import MAX_SCAN_MESSAGE_BYTES
from server.edge.service_servicer import ServiceServicer
from server.edge.web_listener import WebListener, WebStream
from server.running.capacity import CONSOLE_CONNECTIONS, Capacity, share
from server.running.tls import TlsFiles
from server.telemetry.metrics import Metrics
from server.trusted_images.fetching import require_tenancy

_STREAM_GRACE_SECONDS = 3600.0
_CALL_GRACE_SECONDS = 60.0
MOST_SERVICE_BYTES = 11 * 1024 * 1024
"""The maximum message from a caller: a selfie of 10 MB fits."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The listener for the console, and the parts of it that are opened later."""

    listener: ConsoleListener
    sessions: ConsoleSessions
    interface: ConsoleInterface


class Listeners:
    """The listeners and their servicers, which refuse calls with UNAVAILABLE until they are opened.

    Attributes:
        web: The listener for pages; ``None`` if settings have none.
        hosted: The server's own page on it; ``None`` if settings have none.
        device_servicer: The servicer of ``device`` and ``web``.
        service_servicer: The servicer of checks behind ``service``.
        analysis_servicer: The servicer of single files behind ``service``.
        evidence_calls: The calls of compliance behind ``service`` and the console.
        review_calls: The calls of reviews behind both.
        event_calls: The calls of webhooks behind ``service``.
        console: The console; ``None`` if settings have none.
        callers: Identifies the callers of ``service``.
        issuers: The issuers of access tokens and of the log-in, which are closed after the listeners.
        refused: The refused calls of ``service``, for the audit log.
        tls: The certificates by listener name; a listener without TLS has none.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        metrics: Metrics,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        show_link: Callable[[str], None],
        max_unary: int,
        max_watches: int,
    ) -> None:
        """Make the listeners and their servicers. They do not listen yet.

        Args:
            show_link: Shows the address with the one-time link of a console on loopback.
            max_unary: Unary calls at once that are neither uploads nor selfies.
            max_watches: Streams of WatchCheck at once.

        Raises:
            ConfigurationError: Keys, certificates or tenants contradict each other, or the process may open
                too few files.
        """
        limits, listeners = settings.limits, settings.listeners
        connections = share(
            limits,
            scans=settings.max_scans,
            handles=raise_handle_limit(),
            web=listeners.web is not None,
            console=listeners.console is not None,
        )
        named = {"device": listeners.device.tls, "service": listeners.service.tls}
        if listeners.web is not None:
            named["web"] = listeners.web.tls
        if listeners.console is not None:
            named["console"] = listeners.console.tls
        self.tls = {name: TlsFiles(files) for name, files in named.items() if files is not None}
        oidc = listeners.service.oidc
        issuers = [] if oidc is None else [_issuer(oidc, monotonic=monotonic)]
        tokens = None if oidc is None else AccessTokens(oidc, issuers[0])
        people = None if listeners.console is None else listeners.console.oidc
        flow = None if people is None else _flow(people, issuers, monotonic=monotonic)
        self.proxies = TrustedProxies(listeners.trusted_proxies)
        self.callers = _callers(settings, tokens=tokens, proxies=self.proxies, now=now)
        self.refused = RefusedAccess(now)
        _validate_test_roots(settings, self.callers)
        _warn_of_unused_quotas(limits, tenants=self.callers.tenants)
        capacity = Capacity(
            limits,
            settings.analysis,
            scans=settings.max_scans,
            max_unary=max_unary,
            max_watches=max_watches,
            several=lambda: self.callers.has_several_scopes,
            metrics=metrics,
        )
        self.device_servicer = DeviceServicer(scans=capacity.scans, metrics=metrics)
        self.service_servicer = ServiceServicer(
            callers=self.callers, calls=capacity.calls, uploads=capacity.uploads, watches=capacity.watches
        )
        self.analysis_servicer = AnalysisServicer(
            callers=self.callers, selfies=capacity.selfies, videos=capacity.videos
        )
        evidence = capacity.evidence
        self.evidence_calls = Calls[EvidenceEnvironment](EVIDENCE, EVIDENCE_CALLS, places=evidence, now=now)
        self.review_calls = Calls[Reviewing](REVIEW, REVIEW_CALLS, places=evidence, now=now)
        self.event_calls = Calls[EventCare](EVENT, EVENT_CALLS, places=evidence, now=now)
        self.hosted = (
            None
            if settings.hosted is None
            else HostedPage(settings.hosted, tls="web" in self.tls, metrics=metrics)
        )
        self.device = Listener(
            name="device",
            host=listeners.device.host,
            port=listeners.device.port,
            credentials=self.tls["device"].credentials() if "device" in self.tls else None,
            max_message_bytes=MAX_SCAN_MESSAGE_BYTES,
            max_connections=connections.device,
            grace_seconds=_STREAM_GRACE_SECONDS,
            servicers=[self.device_servicer],
            other="service",
            reflection_enabled=False,
            streaming=True,
            metrics=metrics,
        )
        self.service = Listener(
            name="service",
            host=listeners.service.host,
            port=listeners.service.port,
            credentials=self.tls["service"].credentials() if "service" in self.tls else None,
            max_message_bytes=MOST_SERVICE_BYTES,
            max_connections=connections.service,
            grace_seconds=_CALL_GRACE_SECONDS,
            servicers=[
                self.service_servicer,
                self.analysis_servicer,
                CallsServicer(callers=self.callers, calls=self.evidence_calls),
                CallsServicer(callers=self.callers, calls=self.review_calls),
                CallsServicer(callers=self.callers, calls=self.event_calls),
            ],
            other="device",
            reflection_enabled=settings.on_loopback,
            streaming=False,
            metrics=metrics,
            callers=self.callers,
            refused=self.refused,
            places={WATCH_METHOD: capacity.watches},
        )
        self.web = self._web_listener(settings, max_connections=connections.web, metrics=metrics)
        self.console = self._console(settings, flow=flow, metrics=metrics, now=now, show_link=show_link)
        self.issuers = tuple(issuers)

    @property
    def all(self) -> tuple[Listener | WebListener | ConsoleListener, ...]:
        """Those that are configured, in the order in which they begin to listen."""
        found = (self.device, self.service, self.web, None if self.console is None else self.console.listener)
        return tuple(listener for listener in found if listener is not None)

    async def start(self) -> None:
        """Bind the ports; calls are refused until the servicers are opened.

        Raises:
            ListenerUnusable: An address is in use, or is not an address of this machine.
        """
        for listener in self.all:
            await listener.start()

    def serve(self) -> None:
        """Set the health to SERVING, and show the one-time link of the console."""
        self.device.serve()
        self.service.serve()
        if self.console is not None:
            self.console.listener.serve()

    def drain(self) -> None:
        """Set the health to NOT_SERVING; calls are served until ``stop``."""
        self.device.drain()
        self.service.drain()

    async def stop(self, grace: float) -> None:
        """Stop the listeners one after the other, each with ``grace`` seconds for its calls; pages first."""
        device, service, *others = self.all
        for listener in (*others, device, service):
            await listener.stop(grace)

    def _web_listener(
        self, settings: Settings, *, max_connections: int, metrics: Metrics
    ) -> WebListener | None:
        web = settings.listeners.web
        if web is None:
            return None

        async def serve(stream: WebStream, origin: str) -> None:
            await self.device_servicer.serve(stream.messages(), stream.send, header_origin=origin)

        return WebListener(
            host=web.host,
            port=web.port,
            tls=self.tls["web"].context() if "web" in self.tls else None,
            origins=settings.devices.web.origins,
            max_message_bytes=MAX_SCAN_MESSAGE_BYTES,
            max_connections=max_connections,
            serve=serve,
            idle=self.device_servicer.idle,
            metrics=metrics,
            page=self.hosted,
            proxies=self.proxies,
            proxy_protocol=self._proxy_protocol("web", wanted=web.proxy_protocol, metrics=metrics),
        )

    def _proxy_protocol(self, listener: str, *, wanted: bool, metrics: Metrics) -> ProxyProtocol | None:
        return ProxyProtocol(self.proxies, listener=listener, metrics=metrics) if wanted else None

    def _console(
        self,
        settings: Settings,
        *,
        flow: CodeFlow | None,
        metrics: Metrics,
        now: Callable[[], datetime],
        show_link: Callable[[str], None],
    ) -> Console | None:
        console, kind = settings.listeners.console, settings.listeners.console_login
        if console is None or kind is None:
            return None
        tls = self.tls.get("console")
        calls: Sequence[Calls[Any]] = (self.evidence_calls, self.review_calls)
        guard = Guard(origin=console.origin, tls=tls is not None)
        scopes = frozenset(SCOPES[call.method] for service in calls for call in service.served.values())
        admission = Admission(scopes=scopes, refused=self.refused, metrics=metrics, now=now)
        sessions = ConsoleSessions(callers=self.callers, now=now)
        log_in: LogIn | OidcLogIn
        if flow is not None:
            log_in = OidcLogIn(
                guard=guard,
                sessions=sessions,
                flow=flow,
                admission=admission,
                now=now,
            )
        else:
            log_in = LogIn(
                guard=guard,
                sessions=sessions,
                callers=self.callers,
                kind=kind,
                admission=admission,
                now=now,
                show_link=show_link,
            )
        interface = ConsoleInterface(
            guard=guard,
            sessions=sessions,
            calls=calls,
            refused=self.refused,
            metrics=metrics,
            end_session_address=log_in.end_session_address,
        )
        listener = ConsoleListener(
            host=console.host,
            port=console.port,
            tls=None if tls is None else tls.context(),
            guard=guard,
            routes=[*log_in.routes(), *interface.routes()],
            max_connections=CONSOLE_CONNECTIONS,
            proxies=self.proxies,
            proxy_protocol=self._proxy_protocol("console", wanted=console.proxy_protocol, metrics=metrics),
            started=log_in.start,
        )
        return Console(listener=listener, sessions=sessions, interface=interface)


def _flow(oidc: ConsoleOidcSettings, issuers: list[Issuer], *, monotonic: Callable[[], float]) -> CodeFlow:
    """Return the log-in at an issuer, which is the one of access tokens or a further one of ``issuers``."""
    found = next((issuer for issuer in issuers if issuer.url == oidc.issuer and issuer.is_asked), None)
    if found is None:
        found = Issuer(oidc.issuer, file=None, monotonic=monotonic)
        issuers.append(found)
    return CodeFlow(oidc, found)


def _issuer(oidc: OidcSettings, *, monotonic: Callable[[], float]) -> Issuer:
    file = None if oidc.jwks_file is None else WatchedFile(oidc.jwks_file, read_jwks_file)
    return Issuer(oidc.issuer, file=file, monotonic=monotonic)


def _callers(
    settings: Settings,
    *,
    tokens: AccessTokens | None,
    proxies: TrustedProxies,
    now: Callable[[], datetime],
) -> CallerIdentifier:
    service = settings.listeners.service
    of_tokens = () if tokens is None else tokens.callers

    def read(path: Path) -> ApiKeys:
        keys = load_api_keys(path)
        callers = (*(key.caller for key in keys.keys), *of_tokens)
        tenants = {caller.tenant for caller in callers if Role.ORCHESTRATOR in caller.roles}
        require_tenancy(settings.trusted_images, tenants=tenants)
        return keys

    callers = CallerIdentifier(
        api_keys=None if service.api_keys_file is None else WatchedFile(service.api_keys_file, read),
        certificates=ClientCertificates(service.clients) if service.clients else None,
        now=now,
        tokens=tokens,
        local_sandbox=service.local_sandbox,
        proxies=proxies,
    )
    require_tenancy(settings.trusted_images, tenants=callers.tenants)
    return callers


def _warn_of_unused_quotas(limits: LimitSettings, *, tenants: Collection[str]) -> None:
    # Not an error, because the file of keys may name the tenant later.
    unused = sorted(limits.tenants.keys() - tenants)
    if unused:
        _log.warning("tenant_limits_of_nobody", tenants=unused)


def _validate_test_roots(settings: Settings, callers: CallerIdentifier) -> None:
    if settings.device_integrity.test_roots.configured and not callers.has_sandbox:
        raise ConfigurationError(
            "device_integrity.test_roots apply to sandbox checks only, and no caller is a sandbox caller: "
            "set sandbox = true in the entry of an API key, set listeners.service.local_sandbox = true (on "
            "loopback, without credentials), or remove the test roots"
        )
