"""API keys and client certificates against a whole server."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import trustme
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub

from server.access.api_keys import new_api_key
from server.running.app import FacegateServer
from tests.server.live import FAST, pictures, portrait, serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.raw_device import RawDevice
from tests.server.refusals import refusal_of


async def test_api_keys(tmp_path: Path) -> None:
    keys = {role: new_api_key() for role in ("orchestrator", "compliance_admin")}
    file = tmp_path / "keys.toml"
    file.touch(0o600)
    file.write_text(
        "\n".join(
            f'[[key]]\nname = "{role}"\nsha256 = "{digest}"\nroles = ["{role}"]'
            for role, (_, digest) in keys.items()
        )
    )
    listeners = {"device": {"port": 0}, "service": {"port": 0, "api_keys_file": file}, "admin": {"port": 0}}
    async with serving(settings_for(tmp_path, listeners=listeners)) as live:

        def finish(header: str | None) -> Any:
            metadata = () if header is None else (("authorization", header),)
            request = service_pb2.FinishCheckRequest(check_id=str(uuid4()))
            return live.service.FinishCheck(request, metadata=metadata)

        good = keys["orchestrator"][0]
        for header, code, reason in (
            (None, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
            ("Bearer ", grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
            (f"Bearer {good}x", grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
            (f"Basic {good}", grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
            (f"Bearer {keys['compliance_admin'][0]}", grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"),
            (f"Bearer {good}", grpc.StatusCode.NOT_FOUND, "CHECK_NOT_FOUND"),
            (f"bearer {good}", grpc.StatusCode.NOT_FOUND, "CHECK_NOT_FOUND"),
        ):
            refusal = await refusal_of(finish(header))
            assert (refusal.code, refusal.reason) == (code, reason), header
            assert good[5:] not in refusal.message + str(refusal.metadata)
        upload = live.service.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait()))
        assert (await refusal_of(upload)).reason == "UNAUTHENTICATED"


async def test_mutual_tls_identifies_the_caller(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    files = _certificate(tmp_path, authority)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    listeners = {
        "device": {"port": 0, "tls": files},
        "service": {
            "port": 0,
            "tls": files | {"client_ca": tmp_path / "ca.pem"},
            "clients": [
                {"identity": f"cn:{name}", "name": name, "tenant": name, "roles": ["orchestrator"]}
                for name in ("backend-one", "backend-two")
            ],
        },
        "admin": {"port": 0},
    }
    server = FacegateServer(settings_for(tmp_path, listeners=listeners), pack=remembering_pack(), tuning=FAST)
    await server.start()
    request = service_pb2.UploadTrustedImageRequest(image=portrait())
    async with _secure(server.service_target, authority, authority, "backend-one") as channel:
        upload = await VerificationServiceStub(channel).UploadTrustedImage(request)
        finish = service_pb2.FinishCheckRequest(check_id=upload.check_id)
        assert (
            await refusal_of(VerificationServiceStub(channel).FinishCheck(finish))
        ).reason == "NOT_SCANNED_YET"
    async with _secure(server.service_target, authority, authority, "backend-two") as channel:
        assert (
            await refusal_of(VerificationServiceStub(channel).FinishCheck(finish))
        ).reason == "CHECK_NOT_FOUND"
    for issuer in (stranger, None):
        async with _secure(server.service_target, authority, issuer, "backend-one") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await VerificationServiceStub(channel).UploadTrustedImage(request, timeout=5)
            assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}

    async with _secure(server.device_target, authority, None, "") as channel:
        device = RawDevice(VerificationServiceStub(channel), upload)
        stream = await device.open(server_spki_sha256=bytes(32))
        await stream.run_attempt(pictures())
        assert await stream.outcome() is None
    async with _secure(server.service_target, authority, authority, "backend-one") as channel:
        answer = await VerificationServiceStub(channel).FinishCheck(finish)
    checks = {check.name: check.reason for check in answer.result.device.checks}
    # A proxy ended TLS between the device and this server, and the result reports it.
    assert checks["server_key.tls"] == "OTHER_KEY"
    await server.stop()


def _certificate(folder: Path, authority: trustme.CA) -> dict[str, Path]:
    issued = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    key.chmod(0o600)
    return {"certificate": certificate, "key": key}


def _secure(target: str, authority: trustme.CA, issuer: trustme.CA | None, name: str) -> grpc.aio.Channel:
    own = None if issuer is None else issuer.issue_cert(f"{name}.example", common_name=name)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=authority.cert_pem.bytes(),
        private_key=None if own is None else own.private_key_pem.bytes(),
        certificate_chain=None if own is None else own.cert_chain_pems[0].bytes(),
    )
    return grpc.aio.secure_channel(target, credentials)
