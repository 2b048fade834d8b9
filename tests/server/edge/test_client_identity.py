"""Callers that authenticate with a certificate, over real TLS connections to a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
import trustme
from cryptography.x509.oid import ExtendedKeyUsageOID
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub

from server.running.app import FacegateServer
from tests.server.certificates import ClientCertificate, authority_pem, client_certificate
from tests.server.live import FAST, ShiftedClock, fresh_pictures, portrait, settings_for
from tests.server.models_once import remembering_pack
from tests.server.raw_device import RawDevice
from tests.server.refusals import Refused, refused

_ROLES = {"roles": ["orchestrator"]}


class _Bank:
    """A server with two tenants that share an authority."""

    def __init__(
        self, server: FacegateServer, clock: ShiftedClock, authority: trustme.CA, own: ClientCertificate
    ) -> None:
        self.server = server
        self.clock = clock
        self.own = own
        self._authority = authority

    @asynccontextmanager
    async def connected_with(self, certificate: ClientCertificate) -> AsyncIterator[grpc.aio.Channel]:
        """A connection that presents a certificate."""
        credentials = grpc.ssl_channel_credentials(
            root_certificates=self._authority.cert_pem.bytes(),
            private_key=certificate.key_pem,
            certificate_chain=certificate.pem,
        )
        async with grpc.aio.secure_channel(self.server.service_target, credentials) as channel:
            yield channel

    @asynccontextmanager
    async def called_with(self, certificate: ClientCertificate) -> AsyncIterator[Any]:
        """A stub over such a connection."""
        async with self.connected_with(certificate) as channel:
            yield VerificationServiceStub(channel)

    async def scan(self, upload: service_pb2.UploadTrustedImageResponse) -> None:
        """A whole scan of a check."""
        async with grpc.aio.insecure_channel(self.server.device_target) as channel:
            stream = await RawDevice(VerificationServiceStub(channel), upload).open()
            await stream.run_attempt(fresh_pictures())
            await stream.outcome()


@pytest_asyncio.fixture(scope="module")
async def bank(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[_Bank]:
    """The server, with entries for onboarding, marketing and a board with the scope to watch."""
    folder = tmp_path_factory.mktemp("bank")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    (folder / "server.pem").write_bytes(issued.cert_chain_pems[0].bytes())
    (folder / "server.key").touch(0o600)
    (folder / "server.key").write_bytes(issued.private_key_pem.bytes())
    # The authority also issued the server's certificate, as is usual inside a company.
    (folder / "ca.pem").write_bytes(authority_pem() + authority.cert_pem.bytes())
    clients = [
        {"identity": "uri:spiffe://bank/onboarding", "name": "onboarding", "tenant": "onboarding", **_ROLES},
        {"identity": "uri:spiffe://bank/marketing", "name": "marketing", "tenant": "marketing", **_ROLES},
        {
            "identity": "dns:board.bank",
            "name": "board",
            "tenant": "onboarding",
            "scopes": ["checks.read"],
            **_ROLES,
        },
    ]
    tls = {"certificate": folder / "server.pem", "key": folder / "server.key", "client_ca": folder / "ca.pem"}
    listeners = {
        "device": {"port": 0},
        "service": {"port": 0, "tls": tls, "clients": clients},
        "admin": {"port": 0},
    }
    clock = ShiftedClock()
    server = FacegateServer(
        settings_for(folder, listeners=listeners), pack=remembering_pack(), tuning=FAST, now=clock
    )
    own = ClientCertificate(pem=issued.cert_chain_pems[0].bytes(), key_pem=issued.private_key_pem.bytes())
    await server.start()
    try:
        yield _Bank(server, clock, authority, own)
    finally:
        await server.stop()


async def _refusal(call: Any) -> Refused:
    with pytest.raises(grpc.RpcError) as caught:
        await asyncio.wait_for(call, 20)
    return refused(caught.value)


async def test_no_tenant_sees_anothers_checks(bank: _Bank) -> None:
    async with bank.called_with(client_certificate(uris=["spiffe://bank/onboarding"])) as stub:
        upload = await stub.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait()))
        await bank.scan(upload)
        finish = service_pb2.FinishCheckRequest(check_id=upload.check_id, audit_image_limit=1)
        finished = await stub.FinishCheck(finish)
        assert finished.HasField("evidence_frame")
    async with bank.called_with(client_certificate(uris=["spiffe://bank/marketing"])) as stub:
        watch = stub.WatchCheck(service_pb2.WatchCheckRequest(check_id=upload.check_id))
        for call in (
            stub.GetCheck(service_pb2.GetCheckRequest(check_id=upload.check_id)),
            stub.FinishCheck(finish),
            stub.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id)),
            watch.read(),
        ):
            assert (await _refusal(call)).reason == "CHECK_NOT_FOUND"


_REFUSED = {
    "not listed": client_certificate(uris=["spiffe://bank/sales"]),
    "wrong kind": client_certificate(common="spiffe://bank/onboarding"),
    "mail": client_certificate(mails=["board.bank"]),
    "no usage": client_certificate(uris=["spiffe://bank/onboarding"], usages=None),
    "two entries": client_certificate(uris=["spiffe://bank/onboarding"], names=["board.bank"]),
    "nameless": client_certificate(),
}


async def _upload_refusal(stub: Any) -> Refused:
    return await _refusal(stub.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait())))


@pytest.mark.parametrize("certificate", _REFUSED.values(), ids=_REFUSED.keys())
async def test_a_certificate_of_the_authority_alone_is_not_enough(
    bank: _Bank, certificate: ClientCertificate
) -> None:
    async with bank.called_with(certificate) as stub:
        refusal = await _upload_refusal(stub)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_the_servers_own_certificate_is_no_callers(bank: _Bank) -> None:
    async with bank.called_with(bank.own) as stub:
        assert (await _upload_refusal(stub)).reason == "UNAUTHENTICATED"


async def test_a_servers_certificate_is_no_callers(bank: _Bank) -> None:
    certificate = client_certificate(
        uris=["spiffe://bank/onboarding"], usages=[ExtendedKeyUsageOID.SERVER_AUTH]
    )
    async with bank.called_with(certificate) as stub:
        with pytest.raises(grpc.RpcError) as caught:
            await asyncio.wait_for(stub.GetCheck(service_pb2.GetCheckRequest(check_id="c")), 20)
    # The TLS library refuses it in the handshake, in most versions.
    error: Any = caught.value
    assert error.code() in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE}


async def test_a_refused_caller_keeps_its_message(bank: _Bank) -> None:
    async with bank.connected_with(_REFUSED["not listed"]) as channel:
        # A streaming client sends the headers alone.
        call: Any = channel.stream_unary("/facegate.v1.VerificationService/UploadTrustedImage")()
        assert (await _refusal(call)).reason == "UNAUTHENTICATED"


async def test_a_connection_may_not_outlive_its_certificate(bank: _Bank) -> None:
    async with bank.called_with(client_certificate(uris=["spiffe://bank/onboarding"])) as stub:
        upload = await stub.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait()))
        request = service_pb2.WatchCheckRequest(check_id=upload.check_id)
        watch = stub.WatchCheck(request)
        assert isinstance(await watch.read(), service_pb2.WatchCheckResponse)
        bank.clock.ahead = timedelta(days=31)
        try:
            assert (await _refusal(watch.read())).reason == "UNAUTHENTICATED"
            assert (await _upload_refusal(stub)).reason == "UNAUTHENTICATED"
        finally:
            bank.clock.ahead = timedelta(0)


async def test_a_caller_has_the_rights_of_its_scopes(bank: _Bank) -> None:
    async with bank.called_with(client_certificate(uris=["spiffe://bank/onboarding"])) as stub:
        upload = await stub.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait()))
    async with bank.called_with(client_certificate(names=["board.bank"])) as stub:
        assert (await stub.GetCheck(service_pb2.GetCheckRequest(check_id=upload.check_id))).HasField(
            "progress"
        )
        for call in (
            stub.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait())),
            stub.FinishCheck(service_pb2.FinishCheckRequest(check_id=upload.check_id)),
            stub.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id)),
        ):
            assert (await _refusal(call)).reason == "PERMISSION_DENIED"


async def test_a_key_and_a_certificate_are_needed_where_there_are_both(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    file, private = tmp_path / "keys.toml", tmp_path / "server.key"
    for secret in (file, private):
        secret.touch(0o600)
    private.write_bytes(issued.private_key_pem.bytes())
    (tmp_path / "server.pem").write_bytes(issued.cert_chain_pems[0].bytes())
    (tmp_path / "ca.pem").write_bytes(authority_pem())
    file.write_text(
        "".join(
            f'[[key]]\nname = "{tenant}"\nsha256 = "{sha256(tenant.encode()).hexdigest()}"\n'
            f'tenant = "{tenant}"\n{more}roles = ["orchestrator"]\n'
            for tenant, more in (("onboarding", 'scopes = ["checks.read"]\n'), ("marketing", ""))
        )
    )
    tls = {"certificate": tmp_path / "server.pem", "key": private, "client_ca": tmp_path / "ca.pem"}
    entry = {"identity": "cn:onboarding", "name": "onboarding", "tenant": "onboarding", **_ROLES}
    listeners = {
        "device": {"port": 0},
        "service": {"port": 0, "tls": tls, "clients": [entry], "api_keys_file": file},
        "admin": {"port": 0},
    }
    server = FacegateServer(settings_for(tmp_path, listeners=listeners), pack=remembering_pack(), tuning=FAST)
    await server.start()
    bank = _Bank(server, ShiftedClock(), authority, client_certificate())
    try:
        for common, key, reason in (
            ("onboarding", "onboarding", "CHECK_NOT_FOUND"),
            ("onboarding", "marketing", "UNAUTHENTICATED"),
            ("onboarding", "", "UNAUTHENTICATED"),
            ("marketing", "marketing", "UNAUTHENTICATED"),
        ):
            async with bank.called_with(client_certificate(common=common)) as stub:
                held = (("authorization", f"Bearer {key}"),) if key else ()
                check = service_pb2.GetCheckRequest(check_id=str(uuid4()))
                assert (await _refusal(stub.GetCheck(check, metadata=held))).reason == reason
        async with bank.called_with(client_certificate(common="onboarding")) as stub:
            # The key's entry sets the permissions, not the certificate's.
            upload = service_pb2.UploadTrustedImageRequest(image=portrait())
            held = (("authorization", "Bearer onboarding"),)
            assert (await _refusal(stub.UploadTrustedImage(upload, metadata=held))).reason == (
                "PERMISSION_DENIED"
            )
    finally:
        await server.stop()
