"""Sends traces and metrics to a collector by OTLP over gRPC, as the settings ``telemetry.otlp`` say.

Separate threads send, so a slow or unreachable collector never delays a scan. Spans that cannot be sent are
dropped and counted. When the server stops, it waits a bounded time for these threads.
"""

import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog

from formats.extras import missing_extra
from formats.proxies import grpc_proxy_named
from server.base.errors import ConfigurationError
from server.base.private_files import PrivateFileError, read_private_file, read_trusted_file
from server.base.table import is_loopback
from server.base.version import server_version
from server.configuration.tables import OtlpSettings
from server.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

    from server.telemetry.otlp_senders import MetricSender


_MAX_FILE_BYTES: Final = 1_048_576
_CALL_SECONDS: Final = 5.0
_METRICS_SECONDS: Final = 60.0
"""Time between two transfers of the metrics: the default of OpenTelemetry, and as often as alerts need it."""
_STOP_SECONDS: Final = 2.0
_NAME_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")
_OTHER_SETTINGS: Final = "OTEL_"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OtlpExport:
    """A running export."""

    provider: "TracerProvider"
    exporter: "SpanExporter"
    sender: "MetricSender"

    def stop(self) -> None:
        """Send the remaining spans and metrics for a bounded time, and end the threads. Blocks."""
        last = threading.Thread(target=self.provider.shutdown, name="facegate-otlp-stop", daemon=True)
        last.start()
        last.join(_STOP_SECONDS)
        if last.is_alive():
            # The transfers that still wait for the collector fail at once.
            self.exporter.shutdown()
            last.join(_STOP_SECONDS)
        self.sender.stop(_STOP_SECONDS)


def open_otlp(settings: OtlpSettings, metrics: Metrics) -> OtlpExport | None:
    """Start to send traces and metrics; return ``None`` if settings name no collector.

    Does not wait for a connection: the server starts even if the collector does not answer.

    Args:
        metrics: The metrics to send. They also count dropped spans and failed transfers. Each call and each
            stage gets a span.

    Raises:
        ConfigurationError: The extra ``otlp`` is not installed, or a file cannot be used.
    """
    if settings.endpoint is None:
        return None
    headers = {} if settings.headers_file is None else _headers(settings.headers_file)
    credentials = _credentials(settings)
    if ignored := sorted(name for name in os.environ if name.startswith(_OTHER_SETTINGS)):
        _log.warning("otel_variables_ignored", variables=ignored)
    with _without_other_settings():
        try:
            import_module("opentelemetry.sdk.trace")
            import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
        except ImportError as error:
            raise ConfigurationError(missing_extra("telemetry.otlp.endpoint", "otlp")) from error
        return _open(settings, metrics, headers=headers, credentials=credentials)


def _open(
    settings: OtlpSettings,
    metrics: Metrics,
    *,
    headers: Mapping[str, str],
    credentials: grpc.ChannelCredentials | None,
) -> OtlpExport:
    # Imported here, because a server without a collector needs neither the extra nor the time to import it.
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    from server.telemetry.otlp_senders import CountingProcessor, MetricSender, OtelTracing

    resource = Resource(
        {
            "service.name": "facegate",
            "service.version": server_version(),
            "service.instance.id": secrets.token_hex(8),
        }
    )
    provider = TracerProvider(
        resource=resource,
        sampler=ParentBased(TraceIdRatioBased(settings.sampling_ratio)),
        shutdown_on_exit=False,
    )
    host = (settings.endpoint and settings.endpoint.host) or ""
    on_loopback = is_loopback(host)
    if not on_loopback and (through := grpc_proxy_named(host)):
        # What OpenTelemetry logs of a failure names the collector alone.
        _log.info("otlp_takes_a_proxy", reached=f"{host}{through}")
    connection: dict[str, Any] = {
        "endpoint": str(settings.endpoint),
        "insecure": credentials is None,
        "credentials": credentials,
        "headers": dict(headers),
        "timeout": _CALL_SECONDS,
        # gRPC would send a proxy of the environment what is for this machine.
        "channel_options": (("grpc.enable_http_proxy", 0),) if on_loopback else (),
    }
    exporter = OTLPSpanExporter(**connection)
    provider.add_span_processor(CountingProcessor(exporter, dropped=metrics.stages.spans_dropped))
    metrics.stages.trace_with(OtelTracing(provider.get_tracer("facegate"), ratio=settings.sampling_ratio))
    sender = MetricSender(
        metrics.registry,
        OTLPMetricExporter(**connection),
        resource=resource,
        seconds=_METRICS_SECONDS,
        failed=metrics.stages.transfer_failed,
    )
    return OtlpExport(provider, exporter, sender)


def _headers(path: Path) -> dict[str, str]:
    try:
        text = read_private_file(path, max_bytes=_MAX_FILE_BYTES).decode("ascii")
    except (OSError, PrivateFileError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"telemetry.otlp.headers_file cannot be used: {path}: {error}") from error
    headers = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon or not name or not value or not _NAME_CHARACTERS.issuperset(name):
            raise ConfigurationError(
                f"{path}, line {number}: expected a header, such as `authorization: Bearer ...` "
                "(telemetry.otlp.headers_file)"
            )
        headers[name] = value
    return headers


def _credentials(settings: OtlpSettings) -> grpc.ChannelCredentials | None:
    if settings.endpoint is None or settings.endpoint.scheme != "https":
        return None
    roots = None
    if settings.ca is not None:
        try:
            roots = read_trusted_file(settings.ca, max_bytes=_MAX_FILE_BYTES)
        except (OSError, PrivateFileError) as error:
            raise ConfigurationError(f"telemetry.otlp.ca cannot be read: {settings.ca}: {error}") from error
    return grpc.ssl_channel_credentials(root_certificates=roots)


@contextmanager
def _without_other_settings() -> Iterator[None]:
    """Hide the variables ``OTEL_...``, which OpenTelemetry would use for parameters that settings lack."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(_OTHER_SETTINGS)}
    try:
        yield
    finally:
        os.environ.update(hidden)
