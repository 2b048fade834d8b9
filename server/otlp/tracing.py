"""Spans of calls and stages, made with OpenTelemetry's API."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
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

from server.telemetry.bound import bound_identifiers, trace_bound
from server.telemetry.stages import CallSpan, Metadata

__all__ = ["OtelTracing"]

_TRACEPARENT = "traceparent"
_PROPAGATOR = TraceContextTextMapPropagator()
_CALL: ContextVar[Span] = ContextVar("facegate_call_span", default=INVALID_SPAN)


class OtelTracing:
    """Makes spans with a tracer. Only identifiers of checks, numbers and reasons become attributes."""

    def __init__(self, tracer: Tracer, *, ratio: float) -> None:
        """Sets the tracer, and the share of traces of untrusted callers that is sent."""
        self._tracer = tracer
        self._ratio = TraceIdRatioBased(ratio)

    @contextmanager
    def call(self, method: str, metadata: Metadata, *, trusted: bool) -> Iterator[CallSpan]:
        """Opens the span of a call; see ``server.telemetry.stages.Tracing``."""
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
        """Opens the span of a stage. Spans that are opened inside become its children."""
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
        """Opens the span of a stage that gets no children."""
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

    def note_refusal(self, reason: str) -> None:
        self._span.set_attribute("facegate.reason", reason)
        self._span.set_status(Status(StatusCode.ERROR, reason))


def _identifiers() -> dict[str, str | int]:
    """Returns the bound identifiers as attributes, and sets that of the check on the span of the call."""
    bound = bound_identifiers()
    if "check_id" in bound:
        _CALL.get().set_attribute("facegate.check_id", bound["check_id"])
    return {f"facegate.{name}": value for name, value in bound.items()}


@contextmanager
def _failure_marked(span: Span) -> Iterator[None]:
    """Marks the span as failed if an error passes, with its type alone: a message may contain caller data."""
    try:
        yield
    except BaseException as error:
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise
