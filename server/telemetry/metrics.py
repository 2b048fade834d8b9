"""What operators measure, as Prometheus metrics in a registry that is passed in.

No label carries an identifier of a check, a person, a tenant or a device; every label takes its value
from a fixed list.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from server.file_handles import file_handles
from server.telemetry.call_metrics import CallMetrics
from server.telemetry.check_metrics import CheckMetrics
from server.telemetry.decoder_metrics import DecoderMetrics
from server.telemetry.file_metrics import FileMetrics
from server.telemetry.flood_filter import suppressed_lines

__all__ = ["Metrics"]


class Metrics:
    """Every metric of a server, by what is measured.

    Attributes:
        checks: Checks, scans and attempts.
        calls: Calls that are refused, wait, or are worked on.
        files: Keys, certificates and lists that are read again.
        decoders: Processes in which pictures are decoded.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers the metrics; a registry takes them once."""
        self._registry = registry
        self.checks = CheckMetrics(registry)
        self.calls = CallMetrics(registry)
        self.files = FileMetrics(registry)
        self.decoders = DecoderMetrics(registry)
        registry.register(_ProcessFigures())

    def render(self) -> tuple[bytes, str]:
        """The metrics in Prometheus' text format, and its media type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _ProcessFigures(Collector):
    """What belongs to the process and is asked when the metrics are."""

    def collect(self) -> Iterator[Metric]:
        """Reads the figures."""
        yield CounterMetricFamily(
            "facegate_log_lines_suppressed",
            "Log lines that were not written because callers caused too many of their kind.",
            value=suppressed_lines(),
        )
        handles = file_handles()
        yield GaugeMetricFamily("facegate_file_handles", "File handles that are open.", value=handles.used)
        yield GaugeMetricFamily(
            "facegate_file_handles_limit", "File handles that may be open.", value=handles.limit
        )
