"""The metrics of a server, as Prometheus metrics in a given registry.

No label carries an identifier of a check, a person or a device, and none a tenant's name unless the settings
ask for it. The values of every other label come from a fixed list.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from server.file_handles import file_handles
from server.telemetry.audit_metrics import AuditMetrics
from server.telemetry.call_metrics import CallMetrics
from server.telemetry.check_metrics import CheckMetrics
from server.telemetry.decoder_metrics import DecoderMetrics
from server.telemetry.file_metrics import FileMetrics
from server.telemetry.flood_filter import suppressed_lines
from server.telemetry.model_metrics import ModelMetrics
from server.telemetry.stages import Stages
from server.telemetry.work_metrics import WorkMetrics

__all__ = ["Metrics"]


class Metrics:
    """Every metric of a server, in groups.

    Attributes:
        checks: Checks, scans and attempts.
        calls: Refused, waiting and served calls.
        files: Keys, certificates and lists that are read again.
        decoders: Processes in which images are decoded.
        models: The models.
        audit: The audit log.
        work: Waits, models, stores and keys.
        stages: The stages of calls, and the spans of their traces.
        registry: Where all of them are registered.
        tenant_names: Whether metrics may name tenants.
    """

    def __init__(self, registry: CollectorRegistry, *, tenant_names: bool = False) -> None:
        """Registers the metrics, which a registry accepts only once."""
        self.registry = registry
        self.tenant_names = tenant_names
        self.checks = CheckMetrics(registry)
        self.calls = CallMetrics(registry)
        self.files = FileMetrics(registry)
        self.decoders = DecoderMetrics(registry)
        self.models = ModelMetrics(registry)
        self.audit = AuditMetrics(registry)
        self.work = WorkMetrics(registry)
        self.stages = Stages(registry)
        registry.register(_ProcessFigures())

    def render(self) -> tuple[bytes, str]:
        """Returns the metrics in Prometheus' text format, and its media type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


class _ProcessFigures(Collector):
    """Figures of the process, which are read when the metrics are collected."""

    def collect(self) -> Iterator[Metric]:
        """Reads the figures."""
        yield CounterMetricFamily(
            "facegate_log_lines_suppressed",
            "Log lines that were not written because callers caused too many of their kind.",
            value=suppressed_lines(),
        )
        handles = file_handles()
        yield GaugeMetricFamily("facegate_file_handles", "Open file handles.", value=handles.used)
        yield GaugeMetricFamily(
            "facegate_file_handles_limit", "Maximum number of open file handles.", value=handles.limit
        )
