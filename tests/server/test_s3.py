"""A whole server on a real S3: the customer's trusted images in one bucket, the evidence in another."""

from pathlib import Path
from uuid import uuid4

import grpc
import obstore
import pytest
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from tests.server.live import pictures, portrait, serving, settings_for
from tests.server.raw_device import RawDevice
from tests.server.refusals import refused
from tests.server.s3_process import running_s3

pytestmark = pytest.mark.slow


async def test_a_whole_check_with_portraits_and_evidence_on_s3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "portraits.toml"
    credentials.write_text('access_key_id = "another"\nsecret_access_key = "not-a-secret"\n')
    credentials.chmod(0o600)
    with running_s3(tmp_path) as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        portraits, evidence = s3.make_bucket("portraits"), s3.make_bucket("evidence")
        obstore.put(portraits, "default/now/anna.jpg", portrait())
        obstore.put(portraits, "secret.jpg", portrait())
        settings = settings_for(
            tmp_path,
            storage={"objects_url": "s3://evidence/facegate"},
            trusted_images={
                "source": "s3://portraits/{tenant}/now",
                "s3": {"endpoint": s3.endpoint, "credentials_file": credentials},
            },
        )
        async with serving(settings) as live:
            request = service_pb2.UploadTrustedImageRequest(
                image_reference="anna.jpg", request_id=str(uuid4())
            )
            upload = await live.service.UploadTrustedImage(request)
            for reference, reason in (
                ("berta.jpg", "IMAGE_REFERENCE_NOT_FOUND"),
                ("../../secret.jpg", "IMAGE_REFERENCE_INVALID"),
                ("secret.jpg", "IMAGE_REFERENCE_NOT_FOUND"),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await live.service.UploadTrustedImage(
                        service_pb2.UploadTrustedImageRequest(image_reference=reference)
                    )
                assert refused(caught.value).reason == reason
            obstore.delete(portraits, "default/now/anna.jpg")
            assert await live.service.UploadTrustedImage(request) == upload

            stream = await RawDevice(live.device, upload).open()
            await stream.run_attempt(pictures())
            assert await stream.outcome() is None
            answer = await live.finish(upload.check_id, audit_images=2)
            assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
            assert answer.evidence_frame.image.startswith(b"\xff\xd8")
            kept = {entry["path"] for batch in obstore.list(evidence) for entry in batch}
            assert len(kept) >= 3
            assert all(key.startswith("facegate/") for key in kept)
            assert all(b"\xff\xd8\xff" not in bytes(obstore.get(evidence, key).bytes())[:64] for key in kept)
    async with serving(settings) as live:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await live.service.UploadTrustedImage(
                service_pb2.UploadTrustedImageRequest(image_reference="anna.jpg")
            )
        away = refused(caught.value)
        assert (away.reason, away.retry_seconds) == ("IMAGE_REFERENCE_UNAVAILABLE", 2)
