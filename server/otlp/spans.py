"""Sends spans in batches, and counts those that the collector does not get."""

import threading
from collections.abc import Callable, Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

__all__ = ["CountingProcessor"]

_WAITING = 4096
_BATCH = 512
_DELAY_MS = 2000


class CountingProcessor(BatchSpanProcessor):
    """Queues spans for a thread that sends them. Ending a span never waits: a full queue drops the oldest."""

    def __init__(self, exporter: SpanExporter, *, dropped: Callable[[int], None]) -> None:
        """Starts the thread.

        Args:
            exporter: Sends a batch.
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
        """Queues a span."""
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
