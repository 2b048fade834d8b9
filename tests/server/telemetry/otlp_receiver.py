"""A collector in this process, made from OpenTelemetry's own protocol definitions."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span as the collector received it."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, str | int]
    error: str | None
    began: float
    seconds: float


@dataclass
class Receiver:
    """What a collector received."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    spans: list[ReceivedSpan] = field(default_factory=list)
    metrics: dict[str, metrics_pb2.Metric] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tree(self, trace_id: str) -> list[tuple[str, float]]:
        """The spans of a trace, indented below their parents, in the order in which they began; seconds."""
        of_trace = [span for span in self.spans if span.trace_id == trace_id]
        known = {span.span_id for span in of_trace}

        def below(parent: str, depth: int) -> Iterator[tuple[str, float]]:
            for span in of_trace:
                if span.parent_id == parent or (depth == 0 and span.parent_id not in known):
                    yield "  " * depth + span.name, span.seconds
                    yield from below(span.span_id, depth + 1)

        return list(below("", 0))


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:
        with self._receiver.lock:
            self._receiver.requests.append(request.SerializeToString())
            self._receiver.headers.append(dict(context.invocation_metadata()))
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    self._receiver.spans += [_span(span) for span in scope.spans]
            self._receiver.spans.sort(key=lambda span: span.began)
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:
        with self._receiver.lock:
            self._receiver.requests.append(request.SerializeToString())
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    self._receiver.metrics |= {metric.name: metric for metric in scope.metrics}
        return metrics_service_pb2.ExportMetricsServiceResponse()


def _span(span: trace_pb2.Span) -> ReceivedSpan:
    return ReceivedSpan(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        attributes={each.key: each.value.string_value or each.value.int_value for each in span.attributes},
        error=span.status.message if span.status.code == trace_pb2.Status.STATUS_CODE_ERROR else None,
        began=span.start_time_unix_nano / 1e9,
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )


@contextmanager
def receiving(credentials: grpc.ServerCredentials | None = None) -> Iterator[Receiver]:
    """Receives on a free port of loopback until the block ends."""
    receiver = Receiver()
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(receiver), server)  # type: ignore[no-untyped-call]
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(receiver), server)  # type: ignore[no-untyped-call]
    if credentials is None:
        receiver.port = server.add_insecure_port("127.0.0.1:0")
    else:
        receiver.port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield receiver
    finally:
        server.stop(None).wait()
