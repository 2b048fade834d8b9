"""The stages of calls: how long they take, and the spans of traces.

A stage is timed once, here. The time goes into a histogram, and, if traces are sent, the stage becomes a span
below the span of its call. Frames are too many for a span each: an attempt has one span for its whole
capture.

The identifiers that a call has bound are in its log lines, and become attributes of its spans. They are
context variables: tasks and worker threads that start inside get them.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter, Histogram
from structlog.contextvars import bound_contextvars, get_contextvars

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_NAMES = ("check_id", "attempt")

Metadata = Iterable[tuple[str, str | bytes]]
"""The metadata of a call."""


class Stage(StrEnum):
    """A stage of UploadTrustedImage, ScanFace or FinishCheck."""

    FETCH_IMAGE = "fetch_image"
    """A trusted image is read from the customer's own store."""
    PORTRAIT = "portrait"
    """A trusted image is decoded and tested, and becomes a portrait."""
    EMBEDDING = "embedding"
    """The portrait's template is computed; part of ``portrait``."""
    STORE_CHECK = "store_check"
    """A new check is written, with its trusted image if the policy keeps it."""
    HANDSHAKE = "handshake"
    """A stream opens: Challenge, proof of the session key, lease."""
    DEVICE_EVIDENCE = "device_evidence"
    """One piece of evidence of the device's platform is verified."""
    ATTEMPT = "attempt"
    """An attempt, from its start to its result."""
    CAPTURE = "capture"
    """The frames of an attempt, from its start to its signed end."""
    JUDGE = "judge"
    """The last examinations of an attempt, and its judgement."""
    ASSESS_DEVICE = "assess_device"
    """The device is compared with earlier scans and assessed."""
    STORE_IMAGES = "store_images"
    """The evidence frame and audit images are sealed and stored."""
    VERDICT = "verdict"
    """From the signed end of an attempt to its durable outcome."""
    STORE_VERDICT = "store_verdict"
    """The outcome of an attempt, or the decision with its evidence record, is written."""
    RESULT = "result"
    """The result is sent to the device."""
    LOAD_RESULT = "load_result"
    """The result of a decided check is read and opened."""
    LOAD_IMAGES = "load_images"
    """The requested images of a decided check are read and opened."""
    STORE_DELIVERY = "store_delivery"
    """The delivery of a result is written."""


class CallSpan(Protocol):
    """The span of a call."""

    def mark_refused(self, reason: str) -> None:
        """Mark the call as ended with an ErrorInfo reason."""
        ...


class Tracing(Protocol):
    """Makes spans. ``server.telemetry.otlp_senders`` implements it."""

    def call(self, method: str, metadata: Metadata, *, trusted: bool) -> AbstractContextManager[CallSpan]:
        """Return the span of a call, which continues the trace that a ``traceparent`` names."""
        ...

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Return the span of a stage, which becomes the parent of the spans that are made inside."""
        ...

    def beside(self, name: str) -> AbstractContextManager[None]:
        """Return the span of a stage without children: spans made inside belong to the outer stage."""
        ...


class _NoSpan:
    def mark_refused(self, reason: str) -> None:
        pass


_NO_SPAN: Final = _NoSpan()


class Stages:
    """Times stages, and makes their spans if traces are sent."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics, which a registry accepts only once."""
        self._stages = Histogram(
            "facegate_stage_seconds",
            "Seconds that a stage of a call took, by stage: of uploads fetch_image, portrait, embedding and "
            "store_check; of scans handshake, device_evidence, attempt, capture, judge, assess_device, "
            "store_images, verdict, store_verdict and result; of FinishCheck load_result, load_images and "
            "store_delivery.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._calls = Histogram(
            "facegate_call_seconds",
            "Seconds that a call took, by method of the contract.",
            ["method"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._spans_dropped = Counter(
            "facegate_spans_dropped",
            "Spans that did not reach the collector, because it did not answer or too many were waiting.",
            registry=registry,
        )
        self._transfers_failed = Counter(
            "facegate_otlp_metric_transfers_failed",
            "Transfers of metrics that did not reach the collector.",
            registry=registry,
        )
        for stage in Stage:
            self._stages.labels(stage.value)
        self._tracing: Tracing | None = None

    def trace_with(self, tracing: Tracing | None) -> None:
        """Set what makes spans; ``None`` for no spans."""
        self._tracing = tracing

    @contextmanager
    def call(self, method: str, metadata: Metadata, *, trusted: bool) -> Iterator[CallSpan]:
        """Time a call while this context is open.

        Args:
            method: ``/package.Service/Method``, of a method that is served.
            trusted: Whether the caller may decide that its trace is sent.
        """
        tracing = self._tracing
        with (
            self._calls.labels(method.rpartition("/")[2]).time(),
            nullcontext(_NO_SPAN)
            if tracing is None
            else tracing.call(method, metadata, trusted=trusted) as span,
        ):
            yield span

    @contextmanager
    def stage(self, stage: Stage, *, beside: bool = False) -> Iterator[None]:
        """Time a stage while this context is open.

        Args:
            beside: Whether tasks that start inside belong to the stage around this one.
        """
        traced: AbstractContextManager[None] = nullcontext()
        if self._tracing is not None:
            traced = self._tracing.beside(stage) if beside else self._tracing.stage(stage)
        with self._stages.labels(stage.value).time(), traced:
            yield

    def spans_dropped(self, count: int) -> None:
        """Count spans that the collector did not get."""
        self._spans_dropped.inc(count)

    def transfer_failed(self) -> None:
        """Count a transfer of metrics that the collector did not get."""
        self._transfers_failed.inc()


def check_bound(check_id: UUID) -> AbstractContextManager[None]:
    """Bind a check's identifier while this context is open."""
    return bound_contextvars(check_id=str(check_id))


def attempt_bound(number: int) -> AbstractContextManager[None]:
    """Bind the number of an attempt while this context is open."""
    return bound_contextvars(attempt=number)


def trace_bound(trace_id: str) -> AbstractContextManager[None]:
    """Bind the identifier of a trace, 32 hex digits, while this context is open."""
    return bound_contextvars(trace_id=trace_id)


def bound_identifiers() -> Mapping[str, str | int]:
    """Return the bound check and attempt, as far as they are known."""
    bound = get_contextvars()
    return {name: bound[name] for name in _NAMES if name in bound}
