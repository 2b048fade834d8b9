"""The two gRPC listeners: options, gate, health, reflection."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import grpc
from facegate.v1 import analysis_service_pb2 as analysis_pb2
from facegate.v1 import event_service_pb2 as event_pb2
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from facegate.v1 import review_service_pb2 as review_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc.aio import Server, ServicerContext
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection

from server.access.callers import Scope
from server.base.errors import ListenerUnusable, Reason, Refusal
from server.edge.callers import CallerIdentifier
from server.edge.gate import Gate, RefusedAccess
from server.edge.http_connection import host_port
from server.edge.places import Places
from server.telemetry.metrics import Metrics

EVIDENCE: Final = evidence_pb2.DESCRIPTOR.services_by_name["EvidenceService"]
EVENT: Final = event_pb2.DESCRIPTOR.services_by_name["EventService"]
REVIEW: Final = review_pb2.DESCRIPTOR.services_by_name["ReviewService"]
SERVICES: Final = (
    service_pb2.DESCRIPTOR.services_by_name["VerificationService"],
    analysis_pb2.DESCRIPTOR.services_by_name["AnalysisService"],
    EVIDENCE,
    REVIEW,
    EVENT,
)
"""The services of the contract."""
_HEALTH: Final[Any] = health_pb2.DESCRIPTOR.services_by_name["Health"]
VERIFICATION_SERVICE, ANALYSIS_SERVICE, EVIDENCE_SERVICE, REVIEW_SERVICE, EVENT_SERVICE = (
    service.full_name for service in SERVICES
)
WATCH_METHOD: Final = f"/{VERIFICATION_SERVICE}/WatchCheck"
SCOPES: Final[Mapping[str, Scope]] = {
    f"/{VERIFICATION_SERVICE}/UploadTrustedImage": Scope.CREATE_CHECKS,
    f"/{VERIFICATION_SERVICE}/GetCheck": Scope.READ_CHECKS,
    WATCH_METHOD: Scope.READ_CHECKS,
    f"/{VERIFICATION_SERVICE}/FindChecks": Scope.LIST_CHECKS,
    f"/{VERIFICATION_SERVICE}/FinishCheck": Scope.FINISH_CHECKS,
    f"/{VERIFICATION_SERVICE}/CancelCheck": Scope.FINISH_CHECKS,
    f"/{ANALYSIS_SERVICE}/AnalyzeImage": Scope.ANALYZE,
    f"/{ANALYSIS_SERVICE}/AnalyzeVideo": Scope.ANALYZE,
    f"/{EVIDENCE_SERVICE}/ListChecks": Scope.READ_EVIDENCE,
    f"/{EVIDENCE_SERVICE}/GetFigures": Scope.READ_EVIDENCE,
    f"/{EVIDENCE_SERVICE}/GetEvidence": Scope.READ_EVIDENCE,
    f"/{EVIDENCE_SERVICE}/GetEvidenceImage": Scope.READ_IMAGES,
    f"/{EVIDENCE_SERVICE}/ExportEvidence": Scope.EXPORT_EVIDENCE,
    f"/{EVIDENCE_SERVICE}/ExportSubject": Scope.EXPORT_EVIDENCE,
    f"/{EVIDENCE_SERVICE}/PlaceHold": Scope.HOLD_EVIDENCE,
    f"/{EVIDENCE_SERVICE}/ReleaseHold": Scope.HOLD_EVIDENCE,
    f"/{EVIDENCE_SERVICE}/DeleteEvidence": Scope.DELETE_EVIDENCE,
    f"/{EVIDENCE_SERVICE}/EraseSubject": Scope.ERASE_SUBJECTS,
    f"/{EVIDENCE_SERVICE}/WithdrawApproval": Scope.HOLD_EVIDENCE,
    f"/{EVIDENCE_SERVICE}/ListAuditEvents": Scope.READ_AUDIT,
    f"/{EVIDENCE_SERVICE}/ExportAuditLog": Scope.READ_AUDIT,
    f"/{REVIEW_SERVICE}/ListReviews": Scope.READ_REVIEWS,
    f"/{REVIEW_SERVICE}/GetReview": Scope.READ_REVIEWS,
    f"/{REVIEW_SERVICE}/ClaimReview": Scope.DECIDE_REVIEWS,
    f"/{REVIEW_SERVICE}/ReleaseReview": Scope.DECIDE_REVIEWS,
    f"/{REVIEW_SERVICE}/DecideReview": Scope.DECIDE_REVIEWS,
    f"/{EVENT_SERVICE}/ListEvents": Scope.READ_EVENTS,
    f"/{EVENT_SERVICE}/ReplayEvents": Scope.REPLAY_EVENTS,
    f"/{EVENT_SERVICE}/ListEndpoints": Scope.READ_EVENTS,
}
"""The scope that each method of the service listener requires."""
SCAN_METHOD: Final = f"/{VERIFICATION_SERVICE}/ScanFace"
"""The name of ScanFace, which is also its path on the web listener."""
DEVICE_METHODS: Final = frozenset({SCAN_METHOD})
"""The methods of the device listener, which need the token of a check."""
_STREAMS_OF_PHONES: Final = 32
"""Maximum streams of one connection. Each may hold a 64 KiB unread window; a proxy opens more connections."""
_STREAMS_OF_BACKENDS: Final = 100
PING_SECONDS: Final = 60.0
"""After which a connection that nothing crosses is pinged; proxies keep it for longer (``deploy/edge``)."""
_HANDSHAKE_MS: Final = 5_000
"""Time for TLS and the exchange of HTTP/2 settings; a client that only holds connections does neither."""
_IDLE_OF_PHONES_MS: Final = 30_000
_IDLE_OF_BACKENDS_MS: Final = 120_000
_AGE_OF_PHONES_MS: Final = 30_000
"""A connection of this age accepts no new calls, so that unauthenticated calls, such as health, hold none for
long. A running scan continues for the grace period."""
_AGE_OF_BACKENDS_MS: Final = 30 * 60 * 1000
_QUIET_SECONDS: Final = 0.1
"""How long no call arrives before a drained listener stops: those that were under way have got an answer."""
_LAST_WORDS_SECONDS: Final = 1.0
"""Time to send the statuses of the last calls when the listener stops."""
_MOST_WATCHES = 64
_WRITE_SECONDS = 5.0
_RETRY_SECONDS = 5.0
_Status = health_pb2.HealthCheckResponse


class Listener:
    """One gRPC server on one port, with its health."""

    def __init__(
        self,
        *,
        name: str,
        host: str,
        port: int,
        credentials: grpc.ServerCredentials | None,
        max_message_bytes: int,
        max_connections: int,
        grace_seconds: float,
        servicers: Collection[object],
        other: str,
        reflection_enabled: bool,
        streaming: bool,
        metrics: Metrics,
        callers: CallerIdentifier | None = None,
        refused: RefusedAccess | None = None,
        places: Mapping[str, Places] = MappingProxyType({}),
    ) -> None:
        """Prepare the listener; nothing is bound before ``start``.

        Args:
            port: TCP port; 0 for any free one.
            credentials: TLS; ``None`` for plaintext, which settings allow on loopback only.
            max_connections: Maximum number of connections; further ones are closed at once.
            grace_seconds: How long the calls of a connection that has reached its maximum age may continue.
            servicers: The objects that serve methods of the contract, each with one coroutine for each method
                that it serves, of the same name.
            other: The name of the listener that serves the other methods.
            streaming: Whether the listener carries live frames.
            callers: Identifies callers; ``None`` if the calls authenticate by their messages.
            refused: Collects refused calls for the audit log; ``None`` if the listener logs none.
            places: The places of the methods without a line.
        """
        self.name = name
        self._address = host_port(host, port)
        self._host = host
        self._credentials = credentials
        options: list[tuple[str, int]] = [
            ("grpc.max_receive_message_length", max_message_bytes),
            # A second server on the same port must fail; otherwise the two would share the connections.
            ("grpc.so_reuseport", 0),
            ("grpc.keepalive_time_ms", round(PING_SECONDS * 1000)),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
            ("grpc.max_allowed_incoming_connections", max_connections),
            ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
            ("grpc.max_connection_idle_ms", _IDLE_OF_PHONES_MS if streaming else _IDLE_OF_BACKENDS_MS),
            ("grpc.max_connection_age_ms", _AGE_OF_PHONES_MS if streaming else _AGE_OF_BACKENDS_MS),
            ("grpc.max_connection_age_grace_ms", round(grace_seconds * 1000)),
            # The probe would grow the window until megabytes are buffered ahead of the handler: stale frames
            # of phones, and messages of calls that are refused.
            ("grpc.http2.bdp_probe", 0),
            ("grpc.max_concurrent_streams", _STREAMS_OF_PHONES if streaming else _STREAMS_OF_BACKENDS),
        ]
        methods = {
            service.full_name: {
                method: handler
                for servicer in servicers
                for method, handler in _handlers(service, servicer).items()
            }
            for service in SERVICES
        }
        self._gate = Gate(
            elsewhere={
                f"/{service.full_name}/{method.name}": other
                for service in SERVICES
                for method in service.methods
                if method.name not in methods[service.full_name]
            },
            scopes=SCOPES,
            places=places,
            metrics=metrics,
            callers=callers,
            refused=refused,
        )
        self._server: Server = grpc.aio.server(interceptors=[self._gate], options=options)
        served = [service for service, handlers in methods.items() if handlers]
        self._health = Health(served)
        methods[_HEALTH.full_name] = _handlers(_HEALTH, self._health)
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, handlers) for service, handlers in methods.items()]
        )
        if reflection_enabled:
            reflection.enable_server_reflection(
                (*served, _HEALTH.full_name, reflection.SERVICE_NAME), self._server
            )
        self.port = port
        self._drained = False

    @property
    def target(self) -> str:
        """``host:port`` with the bound port."""
        return host_port(self._host, self.port)

    async def start(self) -> None:
        """Bind the port and start to answer calls, with health NOT_SERVING.

        Raises:
            ListenerUnusable: The address is in use, or is not an address of this machine.
        """
        try:
            if self._credentials is None:
                self.port = self._server.add_insecure_port(self._address)
            else:
                self.port = self._server.add_secure_port(self._address, self._credentials)
        except RuntimeError as error:
            raise ListenerUnusable(
                f"the {self.name} listener cannot use {self._address}: it is in use, or not of this machine; "
                "stop the process that listens there, or set another host or port"
            ) from error
        await self._server.start()

    def serve(self) -> None:
        """Set the health to SERVING."""
        self._health.set_serving(serving=True)

    def drain(self) -> None:
        """Set the health to NOT_SERVING; calls are served until ``stop``."""
        self._drained = True
        self._health.set_serving(serving=False)

    async def stop(self, grace: float) -> None:
        """Refuse further calls, wait ``grace`` seconds for those that run, and refuse the rest."""
        await self._gate.close(grace, quiet=_QUIET_SECONDS if self._drained else 0.0)
        await self._server.stop(_LAST_WORDS_SECONDS)


def _handlers(service: ServiceDescriptor, servicer: object) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
    """Return handlers for the methods of ``service`` that the servicer has."""
    makers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    return {
        method.name: makers[method.client_streaming, method.server_streaming](
            getattr(servicer, method.name),
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
        for method in service.methods
        if hasattr(servicer, method.name)
    }


class Health:
    """``grpc.health.v1.Health`` of a listener, for probes without credentials, with limits on resources.

    The servicer of the grpc package holds a lock while it writes to a watcher. A watcher that reads nothing
    thus blocks the other watchers and the shutdown of the server. Use it on the event loop only.
    """

    def __init__(self, services: Iterable[str], *, most_watches: int = _MOST_WATCHES) -> None:
        """Report ``services`` as not serving; the name ``""`` is the whole listener."""
        self._services = frozenset(services) | {""}
        self._serving = False
        self._changed = asyncio.Event()
        self._most_watches = most_watches
        # In order of age. A future that is done marks a watch that must end for a newer one.
        self._watches: dict[asyncio.Future[None], None] = {}

    def set_serving(self, *, serving: bool) -> None:
        """Set whether the listener serves, and wake the watches."""
        self._serving = serving
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def Check(  # noqa: N802 - the name is the contract's
        self, request: health_pb2.HealthCheckRequest, context: ServicerContext[Any, Any]
    ) -> health_pb2.HealthCheckResponse:
        """Return the current state; NOT_FOUND for an unknown service."""
        if request.service not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return self._state(request.service)

    async def Watch(  # noqa: N802 - the name is the contract's
        self, request: health_pb2.HealthCheckRequest, context: ServicerContext[Any, Any]
    ) -> None:
        """Send the current state and each change. If too many clients watch, the oldest watch ends."""
        if len(self._watches) >= self._most_watches:
            oldest = next(iter(self._watches))
            del self._watches[oldest]
            oldest.set_result(None)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watches[place] = None
        try:
            await self._watch(request.service, context, place)
        finally:
            self._watches.pop(place, None)

    async def _watch(
        self, service: str, context: ServicerContext[Any, Any], place: "asyncio.Future[None]"
    ) -> None:
        sent: health_pb2.HealthCheckResponse | None = None
        while not place.done():
            changed, state = self._changed, self._state(service)
            if state != sent:
                await _write(context, state)
                sent = state
            change: asyncio.Future[Any] = asyncio.ensure_future(changed.wait())
            try:
                await asyncio.wait({change, place}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                change.cancel()
        raise Refusal(
            Reason.OVERLOADED,
            f"more than {self._most_watches} clients watch this listener's health; use Check, or watch again",
            details={"limit": self._most_watches},
            retry_after=_RETRY_SECONDS,
        )

    def _state(self, service: str) -> health_pb2.HealthCheckResponse:
        if service not in self._services:
            return _Status(status=_Status.SERVICE_UNKNOWN)
        return _Status(status=_Status.SERVING if self._serving else _Status.NOT_SERVING)


async def _write(context: ServicerContext[Any, Any], state: health_pb2.HealthCheckResponse) -> None:
    try:
        async with asyncio.timeout(_WRITE_SECONDS):
            await context.write(state)
    except TimeoutError as error:
        raise Refusal(
            Reason.STREAM_IDLE,
            f"the client read nothing for {_WRITE_SECONDS:g} seconds",
            details={"idleSeconds": _WRITE_SECONDS},
        ) from error
