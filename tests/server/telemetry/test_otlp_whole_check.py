"""A trace of one whole check, as a collector received it."""

import secrets
from pathlib import Path

from facegate.v1 import device_pb2, result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from tests.canaries import Canaries
from tests.server.live import fresh_pictures, portrait, serving, settings_for
from tests.server.raw_device import RawDevice
from tests.server.telemetry.otlp_receiver import receiving

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
