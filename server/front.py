"""The server's front: its two gRPC listeners and what answers behind each."""

from dataclasses import dataclass

from server.analyses import Analyses
from server.api_keys import load_api_keys
from server.edge.analysis_servicer import AnalysisElsewhere, AnalysisServicer
from server.edge.callers import CallerIdentifier
from server.edge.device_servicer import DeviceServicer
from server.edge.listeners import Listener
from server.edge.service_servicer import ServiceServicer
from server.errors import ConfigurationError
from server.settings import Settings
from server.telemetry.metrics import Metrics
from server.tls import server_credentials
from server.trusted_images.fetching import check_tenancy

__all__ = ["Front", "open_front"]

_STREAM_GRACE_SECONDS = 3600.0
_CALL_GRACE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What callers reach. The servicers answer UNAVAILABLE until they are opened.

    Attributes:
        device: The listener for devices.
        service: The listener for customers' backends.
        device_servicer: Answers behind ``device``.
        service_servicer: Answers behind ``service``.
        analysis_servicer: Answers behind ``service``, of single files.
    """

    device: Listener
    service: Listener
    device_servicer: DeviceServicer
    service_servicer: ServiceServicer
    analysis_servicer: AnalysisServicer


def open_front(settings: Settings, *, analyses: Analyses, metrics: Metrics) -> Front:
    """Puts the listeners together; none of them listens yet.

    Args:
        settings: The settings.
        analyses: Makes the servicer of single files.
        metrics: Where calls are counted.

    Raises:
        ConfigurationError: Keys, certificates or tenants do not fit each other, as their modules say.
    """
    limits, listeners = settings.limits, settings.listeners
    device_tls, service_tls = listeners.device.tls, listeners.service.tls
    api_keys = listeners.service.api_keys_file
    callers = CallerIdentifier(
        api_keys=None if api_keys is None else load_api_keys(api_keys),
        client_certificates=service_tls is not None and service_tls.client_ca is not None,
        local_sandbox=listeners.service.local_sandbox,
    )
    _check_test_roots(settings, callers)
    check_tenancy(settings.trusted_images, tenants=callers.tenants)
    device_servicer = DeviceServicer(max_scans=limits.max_scans)
    service_servicer = ServiceServicer(
        callers=callers,
        max_unary=limits.max_unary,
        max_uploads=limits.max_uploads,
        max_watches=limits.max_watches,
    )
    analysis_servicer = analyses.servicer(callers)
    return Front(
        device=Listener(
            name="device",
            host=listeners.device.host,
            port=listeners.device.port,
            credentials=None if device_tls is None else server_credentials(device_tls),
            max_message_bytes=limits.max_device_message_bytes,
            grace_seconds=_STREAM_GRACE_SECONDS,
            servicer=device_servicer,
            analysis=AnalysisElsewhere(),
            reflection_enabled=False,
            streaming=True,
            metrics=metrics,
        ),
        service=Listener(
            name="service",
            host=listeners.service.host,
            port=listeners.service.port,
            credentials=None if service_tls is None else server_credentials(service_tls),
            max_message_bytes=limits.max_service_message_bytes,
            grace_seconds=_CALL_GRACE_SECONDS,
            servicer=service_servicer,
            analysis=analysis_servicer,
            reflection_enabled=settings.reflection,
            streaming=False,
            metrics=metrics,
            callers=callers,
        ),
        device_servicer=device_servicer,
        service_servicer=service_servicer,
        analysis_servicer=analysis_servicer,
    )


def _check_test_roots(settings: Settings, callers: CallerIdentifier) -> None:
    if settings.device_integrity.test_roots.configured and not callers.has_sandbox:
        raise ConfigurationError(
            "device_integrity.test_roots are believed in sandbox checks only, and no caller is a sandbox "
            "caller: write sandbox = true into the entry of an API key, set "
            "listeners.service.local_sandbox = true (on loopback, without credentials), or leave them out"
        )
