"""A collector in this process, made from OpenTelemetry's own protocol definitions."""

import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from facegate.v1 import device_pb2, result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from server.base.errors import ConfigurationError
from server.configuration.tables import OtlpSettings
from server.telemetry.metrics import Metrics
from server.telemetry.otlp import open_otlp
from server.telemetry.otlp_senders import CountingProcessor
from server.telemetry.stages import Stage
from tests.canaries import Canaries
from tests.ports import held_port
from tests.server.live import fresh_pictures, portrait, serving, settings_for
from tests.server.private_files import private
from tests.server.raw_device import RawDevice


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


@dataclass
class Receiver:
    """What a collector received."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    spans: list[ReceivedSpan] = field(default_factory=list)
    metrics: dict[str, metrics_pb2.Metric] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


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
    )


@contextmanager
def receiving(credentials: grpc.ServerCredentials | None = None) -> Iterator[Receiver]:
    """Receive on a free port of loopback until the block ends."""
    receiver = Receiver()
    with pytest.MonkeyPatch.context() as patient:
        # A busy machine takes longer to send the last spans and metrics.
        for limit in ("_CALL_SECONDS", "_STOP_SECONDS"):
            patient.setattr(f"server.telemetry.otlp.{limit}", 60.0)
        yield from _received(receiver, credentials)


def _received(receiver: Receiver, credentials: grpc.ServerCredentials | None) -> Iterator[Receiver]:
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


# The export to a collector: what is sent, what the settings decide, and what a dead collector costs.

_METHOD = "/facegate.v1.VerificationService/GetCheck"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def _metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def _settings(receiver: Receiver, **fields: object) -> OtlpSettings:
    return OtlpSettings.model_validate({"endpoint": f"http://127.0.0.1:{receiver.port}"} | fields)


def _call(metrics: Metrics, *, traceparent: str | None = None, trusted: bool = True) -> None:
    metadata = () if traceparent is None else (("traceparent", traceparent),)
    with metrics.stages.call(_METHOD, metadata, trusted=trusted), metrics.stages.stage(Stage.LOAD_RESULT):
        pass


@pytest.fixture
def dead_collector() -> Iterator[str]:
    """An endpoint that refuses connections."""
    with held_port() as port:
        yield f"http://127.0.0.1:{port}"


def test_metrics_are_those_of_the_admin_port(receiver: Receiver) -> None:
    metrics = _metrics()
    export = open_otlp(_settings(receiver), metrics)
    assert export is not None
    metrics.checks.check_decided(status="FAILURE", reasons=["SPOOF"], sandbox=False)
    metrics.calls.places("scans", taken=3, waiting=0)
    for seconds in (0.004, 0.02, 0.02, 400.0):
        metrics.work.waited_for_credit(seconds)
    export.stop()
    got = receiver.metrics
    (point,) = (point for point in got["facegate_checks_decided"].sum.data_points if point.as_double)
    assert point.as_double == 1.0
    assert {each.key: each.value.string_value for each in point.attributes} == {
        "status": "FAILURE",
        "sandbox": "false",
    }
    assert got["facegate_checks_decided"].sum.is_monotonic
    assert [point.as_double for point in got["facegate_places_in_use"].gauge.data_points] == [3.0]
    (histogram,) = got["facegate_credit_wait_seconds"].histogram.data_points
    assert histogram.count == 4
    assert histogram.sum == pytest.approx(400.044)
    assert dict(zip([*histogram.explicit_bounds, 1e9], histogram.bucket_counts, strict=True))[0.025] == 2
    assert histogram.bucket_counts[-1] == 1
    assert not histogram.HasField("min")
    # A gauge without a value has no point, so the list of revoked certificates is not reported.
    assert "facegate_revocation_list_age_seconds" not in got
    published = {family.name for family in metrics.registry.collect() if family.samples}
    assert set(got) <= published


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "grpc_proxy"])
def test_a_collector_on_this_machine_is_reached_without_a_proxy(
    variable: str, receiver: Receiver, dead_collector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, dead_collector)
    metrics = _metrics()
    export = open_otlp(_settings(receiver), metrics)
    assert export is not None
    with metrics.stages.call(_METHOD, (), trusted=True):
        pass
    export.stop()
    assert receiver.metrics
    assert receiver.spans


def test_the_log_names_the_proxy_before_another_machine(
    dead_collector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("grpc_proxy", dead_collector)
    with capture_logs() as logs:
        export = open_otlp(OtlpSettings.model_validate({"endpoint": "https://collector.example"}), _metrics())
    assert export is not None
    export.stop()
    [reached] = [entry["reached"] for entry in logs if entry["event"] == "otlp_takes_a_proxy"]
    assert "which grpc_proxy names" in reached


@pytest.mark.parametrize(
    ("trusted", "flag", "sent"),
    [(True, "01", True), (True, "00", False), (False, "01", False), (False, "00", False)],
)
def test_only_a_trusted_caller_decides_what_is_sent(
    receiver: Receiver, trusted: bool, flag: str, sent: bool
) -> None:
    metrics = _metrics()
    export = open_otlp(_settings(receiver, sampling_ratio=0.0), metrics)
    assert export is not None
    trace_id = secrets.token_hex(16)
    _call(metrics, traceparent=f"00-{trace_id}-{secrets.token_hex(8)}-{flag}", trusted=trusted)
    export.stop()
    assert any(span.trace_id == trace_id for span in receiver.spans) == sent


def test_a_malformed_traceparent_begins_a_new_trace(receiver: Receiver) -> None:
    metrics = _metrics()
    export = open_otlp(_settings(receiver), metrics)
    assert export is not None
    _call(metrics, traceparent="00-zz-1-01")
    export.stop()
    root, stage = receiver.spans
    assert (root.parent_id, stage.parent_id) == ("", root.span_id)


def test_the_message_of_an_error_is_not_sent(receiver: Receiver) -> None:
    metrics = _metrics()
    export = open_otlp(_settings(receiver), metrics)
    assert export is not None

    def fail() -> None:
        with metrics.stages.call(_METHOD, (), trusted=True) as span, metrics.stages.stage(Stage.LOAD_RESULT):
            span.mark_refused("CHECK_NOT_FOUND")
            raise ValueError("customer-quetzal")

    with pytest.raises(ValueError, match="quetzal"):
        fail()
    export.stop()
    assert {span.error for span in receiver.spans} == {"CHECK_NOT_FOUND", "ValueError"}
    assert b"quetzal" not in b"".join(receiver.requests)


def test_tls_and_headers_of_the_settings_are_used(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    credentials = grpc.ssl_server_credentials(
        [(certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())]
    )
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    headers = private(tmp_path / "headers", "Authorization: Bearer 4711\n\nx-scope: facegate\n")
    with receiving(credentials) as receiver:
        settings = OtlpSettings.model_validate(
            {
                "endpoint": f"https://localhost:{receiver.port}",
                "ca": tmp_path / "ca.pem",
                "headers_file": headers,
            }
        )
        metrics = _metrics()
        export = open_otlp(settings, metrics)
        assert export is not None
        _call(metrics)
        export.stop()
    assert receiver.headers[0]["authorization"] == "Bearer 4711"
    assert receiver.headers[0]["x-scope"] == "facegate"


@pytest.mark.parametrize(("text", "mode"), [("no header", 0o600), (": value", 0o600), ("a: b", 0o644)])
def test_an_unusable_file_of_headers_prevents_the_start(tmp_path: Path, text: str, mode: int) -> None:
    headers = tmp_path / "headers"
    headers.touch(mode)
    headers.write_text(text)
    settings = OtlpSettings.model_validate({"endpoint": "http://127.0.0.1:1", "headers_file": headers})
    with pytest.raises(ConfigurationError, match="headers_file") as caught:
        open_otlp(settings, _metrics())
    assert "value" not in str(caught.value)


def test_the_environment_changes_nothing(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-canary=1")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=canary")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    metrics = _metrics()
    export = open_otlp(_settings(receiver), metrics)
    assert export is not None
    _call(metrics)
    export.stop()
    assert len(receiver.spans) == 2
    assert "x-canary" not in receiver.headers[0]
    assert b"canary" not in b"".join(receiver.requests)


def test_what_a_dead_collector_does_not_get_is_counted(dead_collector: str) -> None:
    metrics = _metrics()
    settings = OtlpSettings.model_validate({"endpoint": dead_collector})
    export = open_otlp(settings, metrics)
    assert export is not None
    _call(metrics)
    began = time.monotonic()
    export.stop()
    assert time.monotonic() - began < 30
    assert metrics.registry.get_sample_value("facegate_spans_dropped_total") == 2


class _Stuck(SpanExporter):
    """A collector that accepts nothing until its test opens it."""

    def __init__(self) -> None:
        self.sent = 0

    def export(self, spans: object) -> SpanExportResult:
        assert isinstance(spans, list)
        self.sent += len(spans)
        return SpanExportResult.SUCCESS


def test_a_full_queue_drops_and_counts() -> None:
    dropped: list[int] = []
    exporter = _Stuck()
    processor = CountingProcessor(exporter, dropped=dropped.append)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("test")
    # The thread that sends holds this lock while it takes a batch.
    with processor._batch_processor._export_lock:
        for _ in range(4096 + 7):
            tracer.start_span("x").end()
    provider.shutdown()
    assert sum(dropped) == 7
    assert exporter.sent == 4096


# A trace of one whole check, as a collector received it.

_SERVICE = "facegate.v1.VerificationService"
_SUBJECT, _CONSENT = "subject-4711-canary", "consent-4711-canary"

_STAGES = [
    ("caller", f"{_SERVICE}/UploadTrustedImage"),
    (f"{_SERVICE}/UploadTrustedImage", "portrait"),
    ("portrait", "embedding"),
    (f"{_SERVICE}/UploadTrustedImage", "store_check"),
    ("caller", f"{_SERVICE}/ScanFace"),
    (f"{_SERVICE}/ScanFace", "handshake"),
    (f"{_SERVICE}/ScanFace", "attempt"),
    ("attempt", "capture"),
    ("attempt", "device_evidence"),
    ("attempt", "judge"),
    ("attempt", "store_images"),
    ("attempt", "assess_device"),
    ("attempt", "verdict"),
    ("verdict", "store_verdict"),
    ("attempt", "result"),
    ("caller", f"{_SERVICE}/FinishCheck"),
    (f"{_SERVICE}/FinishCheck", "load_result"),
    (f"{_SERVICE}/FinishCheck", "store_delivery"),
    (f"{_SERVICE}/FinishCheck", "load_images"),
]
"""Each span of a check with one attempt, after the name of its parent."""


async def test_one_trace_has_every_stage_of_a_check(tmp_path: Path) -> None:
    trace_id, parent = secrets.token_hex(16), secrets.token_hex(8)
    metadata = (("traceparent", f"00-{trace_id}-{parent}-01"), ("tracestate", "vendor=canary"))
    canaries = Canaries()
    canaries.plant("subject", _SUBJECT)
    canaries.plant("consent", _CONSENT)
    canaries.plant("portrait", portrait())
    frames = fresh_pictures()
    with receiving() as receiver:
        otlp = {"endpoint": f"http://127.0.0.1:{receiver.port}"}
        async with serving(settings_for(tmp_path, telemetry={"otlp": otlp})) as live:
            upload = await live.service.UploadTrustedImage(
                service_pb2.UploadTrustedImageRequest(
                    image=portrait(), subject_reference=_SUBJECT, consent_reference=_CONSENT
                ),
                metadata=metadata,
            )
            canaries.plant("scan token", upload.scan_token)
            stream = await RawDevice(live.device, upload, metadata=metadata).open()
            await stream.begin()
            unavailable = device_pb2.Attestation(unavailable=device_pb2.AttestationUnavailable())
            await stream.send(scan_pb2.ScanFaceRequest(attestation=unavailable))
            await stream.run_rest(frames)
            assert await stream.outcome() is None
            answer = await live.service.FinishCheck(
                service_pb2.FinishCheckRequest(check_id=upload.check_id, audit_image_limit=4),
                metadata=metadata,
            )
            assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
    spans = [span for span in receiver.spans if span.trace_id == trace_id]
    names = {span.span_id: span.name for span in spans}
    # What runs at the same time begins in any order.
    assert sorted((names.get(span.parent_id, "caller"), span.name) for span in spans) == sorted(_STAGES)
    calls = [span for span in spans if span.name.startswith(_SERVICE)]
    assert {span.parent_id for span in calls} == {parent}
    assert {span.attributes["facegate.check_id"] for span in calls} == {upload.check_id}
    attempt = {"attempt", "capture", "judge", "store_images", "assess_device", "verdict", "store_verdict"}
    for span in spans:
        assert span.error is None
        if span.name in attempt:
            assert span.attributes == {"facegate.check_id": upload.check_id, "facegate.attempt": 1}
    assert [leak for request in receiver.requests for leak in canaries.leaks(request)] == []
    assert b"vendor" not in b"".join(receiver.requests)
