"""Callers that prove who they are by a certificate, over real TLS connections to a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
import pytest_asyncio
import trustme
from cryptography.x509.oid import ExtendedKeyUsageOID
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub

from server.app import FacegateServer
from tests.server.certificates import ClientCertificate, authority_pem, client_certificate
from tests.server.live import FAST, Refused, portrait, refused, remembering_pack, settings_for

_ROLES = {"roles": ["orchestrator"]}


class _Bank:
    """A server with two tenants that share an authority."""

    def __init__(self, target: str, authority: trustme.CA) -> None:
        self._target = target
        self._authority = authority

    @asynccontextmanager
    async def called_with(self, certificate: ClientCertificate) -> AsyncIterator[Any]:
        """A stub over a connection that shows a certificate."""
        credentials = grpc.ssl_channel_credentials(
            root_certificates=self._authority.cert_pem.bytes(),
            private_key=certificate.key_pem,
            certificate_chain=certificate.pem,
        )
        async with grpc.aio.secure_channel(self._target, credentials) as channel:
            yield VerificationServiceStub(channel)


@pytest_asyncio.fixture(scope="module")
async def bank(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[_Bank]:
    """The server, with entries for onboarding, marketing and a board that may only watch."""
    folder = tmp_path_factory.mktemp("bank")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    (folder / "server.pem").write_bytes(issued.cert_chain_pems[0].bytes())
    (folder / "server.key").touch(0o600)
    (folder / "server.key").write_bytes(issued.private_key_pem.bytes())
    (folder / "ca.pem").write_bytes(authority_pem())
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
    server = FacegateServer(settings_for(folder, listeners=listeners), pack=remembering_pack(), tuning=FAST)
    await server.start()
    try:
        yield _Bank(server.service_target, authority)
    finally:
        await server.stop()


async def _refusal(call: Any) -> Refused:
    with pytest.raises(grpc.RpcError) as caught:
        await asyncio.wait_for(call, 20)
    return refused(caught.value)


async def test_no_tenant_sees_anothers_checks(bank: _Bank) -> None:
    async with bank.called_with(client_certificate(uris=["spiffe://bank/onboarding"])) as stub:
        upload = await stub.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait()))
        assert (await stub.GetCheck(service_pb2.GetCheckRequest(check_id=upload.check_id))).HasField(
            "progress"
        )
    async with bank.called_with(client_certificate(uris=["spiffe://bank/marketing"])) as stub:
        for call in (
            stub.GetCheck(service_pb2.GetCheckRequest(check_id=upload.check_id)),
            stub.FinishCheck(service_pb2.FinishCheckRequest(check_id=upload.check_id)),
            stub.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id)),
        ):
            assert (await _refusal(call)).reason == "CHECK_NOT_FOUND"


@pytest.mark.parametrize(
    "certificate",
    [
        client_certificate(uris=["spiffe://bank/sales"]),
        client_certificate(common="spiffe://bank/onboarding"),
        client_certificate(uris=["spiffe://bank/onboarding"], usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
        client_certificate(uris=["spiffe://bank/onboarding"], usages=None),
        client_certificate(uris=["spiffe://bank/onboarding"], names=["board.bank"]),
        client_certificate(names=["localhost"]),
    ],
    ids=["not listed", "wrong kind", "a server's", "no usage", "two entries", "this server's name"],
)
async def test_a_certificate_of_the_authority_alone_is_not_enough(
    bank: _Bank, certificate: ClientCertificate
) -> None:
    async with bank.called_with(certificate) as stub:
        call = stub.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait()))
        with pytest.raises(grpc.RpcError) as caught:
            await asyncio.wait_for(call, 20)
    # A library for TLS may refuse the certificate of a server in the handshake already.
    error: Any = caught.value
    assert error.code() in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE}


async def test_a_caller_may_do_what_its_scopes_say(bank: _Bank) -> None:
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
