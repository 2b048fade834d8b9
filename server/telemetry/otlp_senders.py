"""What sends traces and metrics by OTLP, made with OpenTelemetry's API and SDK (the extra ``otlp``)."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from opentelemetry.context import Context
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
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.samples import Sample

from server.telemetry.stages import CallSpan, Metadata, bound_identifiers, trace_bound

_TRACEPARENT = "traceparent"
_PROPAGATOR = TraceContextTextMapPropagator()
_CALL: ContextVar[Span] = ContextVar("facegate_call_span", default=INVALID_SPAN)
_WAITING = 4096
_BATCH = 512
_DELAY_MS = 2000
_SCOPE: Final = InstrumentationScope("facegate")
_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE


class OtelTracing:
    """Makes spans with a tracer. Only identifiers of checks, numbers and reasons become attributes."""

    def __init__(self, tracer: Tracer, *, ratio: float) -> None:
        """Set the tracer, and the share of traces of untrusted callers that is sent."""
        self._tracer = tracer
        self._ratio = TraceIdRatioBased(ratio)

    @contextmanager
    def call(self, method: str, metadata: Metadata, *, trusted: bool) -> Iterator[CallSpan]:
        """Open the span of a call; see ``server.telemetry.stages.Tracing``."""
        service, _, name = method.strip("/").rpartition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
        with (
            self._tracer.start_as_current_span(
                f"{service}/{name}",
                context=self._parent(metadata, trusted=trusted),
                kind=SpanKind.SERVER,
                attributes=attributes,
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            trace_bound(format_trace_id(span.get_span_context().trace_id)),
        ):
            token = _CALL.set(span)
            try:
                yield _Call(span)
            finally:
                _CALL.reset(token)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Open the span of a stage. Spans that are opened inside become its children."""
        with (
            self._tracer.start_as_current_span(
                name,
                attributes=_identifiers(),
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            _failure_marked(span),
        ):
            yield

    @contextmanager
    def beside(self, name: str) -> Iterator[None]:
        """Open the span of a stage that gets no children."""
        span = self._tracer.start_span(name, attributes=_identifiers())
        try:
            with _failure_marked(span):
                yield
        finally:
            span.end()

    def _parent(self, metadata: Metadata, *, trusted: bool) -> Context:
        # Neither tracestate nor baggage is read: callers could put anything into them.
        values = [str(value) for name, value in metadata if name == _TRACEPARENT]
        carrier = {_TRACEPARENT: values[0]} if len(values) == 1 else {}
        context = _PROPAGATOR.extract(carrier, context=Context())
        if trusted:
            return context
        remote = get_current_span(context).get_span_context()
        if not remote.is_valid:
            return context
        decision = self._ratio.should_sample(None, remote.trace_id, "").decision
        sampled = decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        untrusted = SpanContext(remote.trace_id, remote.span_id, is_remote=True, trace_flags=flags)
        return set_span_in_context(NonRecordingSpan(untrusted), context)


class _Call:
    def __init__(self, span: Span) -> None:
        self._span = span

    def mark_refused(self, reason: str) -> None:
        self._span.set_attribute("facegate.reason", reason)
        self._span.set_status(Status(StatusCode.ERROR, reason))


def _identifiers() -> dict[str, str | int]:
    """Return the bound identifiers as attributes, and set that of the check on the span of the call."""
    bound = bound_identifiers()
    if "check_id" in bound:
        _CALL.get().set_attribute("facegate.check_id", bound["check_id"])
    return {f"facegate.{name}": value for name, value in bound.items()}


@contextmanager
def _failure_marked(span: Span) -> Iterator[None]:
    """Mark the span as failed if an error passes, with its type alone: a message may contain caller data."""
    try:
        yield
    except BaseException as error:
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise


class CountingProcessor(BatchSpanProcessor):
    """Queues spans for a thread that sends them in batches, and counts those that the collector does not get.

    Ending a span never waits: a full queue drops the oldest.
    """

    def __init__(self, exporter: SpanExporter, *, dropped: Callable[[int], None]) -> None:
        """Start the thread.

        Args:
            dropped: Counts spans that were not sent. Called from any thread.
        """
        self._counted = _CountingExporter(exporter, dropped=dropped)
        super().__init__(
            self._counted,
            max_queue_size=_WAITING,
            schedule_delay_millis=_DELAY_MS,
            max_export_batch_size=_BATCH,
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._counted.queued(at_most=_WAITING)
        super().on_end(span)


class _CountingExporter(SpanExporter):
    """Counts the waiting spans, because the queue of OpenTelemetry drops spans without a notice."""

    def __init__(self, exporter: SpanExporter, *, dropped: Callable[[int], None]) -> None:
        self._exporter = exporter
        self._dropped = dropped
        self._lock = threading.Lock()
        self._waiting = 0

    def queued(self, *, at_most: int) -> None:
        with self._lock:
            full = self._waiting >= at_most
            self._waiting += 0 if full else 1
        if full:
            self._dropped(1)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._lock:
            self._waiting = max(0, self._waiting - len(spans))
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is not SpanExportResult.SUCCESS:
                self._dropped(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class MetricSender:
    """Sends the metrics of a registry, that of the admin listener, from a thread at regular intervals."""

    def __init__(
        self,
        registry: CollectorRegistry,
        exporter: MetricExporter,
        *,
        resource: Resource,
        seconds: float,
        failed: Callable[[], None],
    ) -> None:
        """Start the thread.

        Args:
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
        """Send the metrics a last time, and wait at most ``seconds`` for that."""
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
    """Return Prometheus' metrics in OpenTelemetry's form, with the same names, labels and values.

    Args:
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
