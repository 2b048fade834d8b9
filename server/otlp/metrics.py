"""Sends the metrics of the admin listener by OTLP, from the same registry, at regular intervals."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.samples import Sample

__all__ = ["MetricSender", "otlp_metrics"]

_SCOPE: Final = InstrumentationScope("facegate")
_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE


class MetricSender:
    """Sends the metrics of a registry from a thread of its own."""

    def __init__(
        self,
        registry: CollectorRegistry,
        exporter: MetricExporter,
        *,
        resource: Resource,
        seconds: float,
        failed: Callable[[], None],
    ) -> None:
        """Starts the thread.

        Args:
            registry: The metrics.
            exporter: Sends them.
            resource: Identifies this server.
            seconds: Time between two transfers.
            failed: Counts a transfer that failed. Called from the thread.
        """
        self._registry = registry
        self._exporter = exporter
        self._resource = resource
        self._seconds = seconds
        self._failed = failed
        self._began = time.time_ns()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="facegate-otlp-metrics", daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Sends the metrics a last time, and waits at most ``seconds`` for that."""
        self._stopping.set()
        self._thread.join(seconds)
        self._exporter.shutdown()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stopping.wait(self._seconds)
            self._send()

    def _send(self) -> None:
        data = otlp_metrics(
            self._registry.collect(), resource=self._resource, began=self._began, now=time.time_ns()
        )
        result = MetricExportResult.FAILURE
        try:
            result = self._exporter.export(data)
        finally:
            if result is not MetricExportResult.SUCCESS:
                self._failed()


def otlp_metrics(families: Iterable[Family], *, resource: Resource, began: int, now: int) -> MetricsData:
    """Returns Prometheus' metrics in OpenTelemetry's form, with the same names, labels and values.

    Args:
        families: The metrics.
        resource: Identifies this server.
        began: When the counters were 0, nanoseconds since 1970.
        now: When the metrics were read, nanoseconds since 1970.
    """
    metrics = [
        Metric(name=family.name, description=family.documentation, unit=_unit(family.name), data=data)
        for family in families
        if (data := _data(family, began, now)) is not None
    ]
    scope = ScopeMetrics(scope=_SCOPE, metrics=metrics, schema_url="")
    return MetricsData([ResourceMetrics(resource=resource, scope_metrics=[scope], schema_url="")])


def _data(family: Family, began: int, now: int) -> Sum | Gauge | Histogram | None:
    match family.type:
        case "counter":
            totals = [sample for sample in family.samples if sample.name.endswith("_total")]
            points = [_number(sample, began, now) for sample in totals]
            return Sum(points, aggregation_temporality=_CUMULATIVE, is_monotonic=True) if points else None
        case "gauge":
            # A gauge without a value is NaN, for which OTLP has no point.
            points = [_number(s, None, now) for s in family.samples if not math.isnan(s.value)]
            return Gauge(points) if points else None
        case "histogram":
            found = list(_histograms(family, began, now))
            return Histogram(found, aggregation_temporality=_CUMULATIVE) if found else None
        case _:
            return None


def _number(sample: Sample, began: int | None, now: int) -> NumberDataPoint:
    return NumberDataPoint(
        attributes=sample.labels, start_time_unix_nano=began or 0, time_unix_nano=now, value=sample.value
    )


def _histograms(family: Family, began: int, now: int) -> Iterator[HistogramDataPoint]:
    by_labels: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for sample in family.samples:
        labels = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
        by_labels.setdefault(labels, []).append(sample)
    for labels, samples in by_labels.items():
        buckets = [(float(s.labels["le"]), int(s.value)) for s in samples if s.name.endswith("_bucket")]
        total = next(s.value for s in samples if s.name.endswith("_sum"))
        if not buckets or not buckets[-1][1]:
            continue
        before = [0, *(count for _, count in buckets[:-1])]
        yield HistogramDataPoint(
            attributes=dict(labels),
            start_time_unix_nano=began,
            time_unix_nano=now,
            count=buckets[-1][1],
            sum=total,
            bucket_counts=[count - less for (_, count), less in zip(buckets, before, strict=True)],
            explicit_bounds=[bound for bound, _ in buckets[:-1]],
            # Prometheus' histograms do not know them, and OTLP's fields are optional.
            min=None,  # type: ignore[arg-type]
            max=None,  # type: ignore[arg-type]
        )


def _unit(name: str) -> str:
    return "s" if name.endswith("_seconds") else "1"
