import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from server.settings import ServiceTls, Tls
from server.tls import CertificateUnusable, certificate_spki_sha256, server_credentials


@dataclass
class Files:
    ca: trustme.CA
    certificate: Path
    key: Path
    client_ca: Path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issued = ca.issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
    made = Files(ca, tmp_path / "c.pem", tmp_path / "k.pem", tmp_path / "ca.pem")
    made.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    made.key.write_bytes(issued.private_key_pem.bytes())
    made.key.chmod(0o600)
    made.client_ca.write_bytes(ca.cert_pem.bytes())
    return made


async def serving(credentials: grpc.ServerCredentials) -> AsyncIterator[str]:
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    port = server.add_secure_port("localhost:0", credentials)
    await server.start()
    yield f"localhost:{port}"
    await server.stop(None)


async def call(address: str, credentials: grpc.ChannelCredentials) -> int:
    async with grpc.aio.secure_channel(address, credentials) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        answer = await check(health_pb2.HealthCheckRequest(), timeout=5)
        return int(answer.status)


async def test_a_device_that_trusts_the_authority_connects(files: Files) -> None:
    async for address in serving(server_credentials(Tls(certificate=files.certificate, key=files.key))):
        trusting = grpc.ssl_channel_credentials(files.ca.cert_pem.bytes())
        assert await call(address, trusting) == health_pb2.HealthCheckResponse.SERVING
        stranger = grpc.ssl_channel_credentials(trustme.CA().cert_pem.bytes())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(address, stranger)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_with_a_client_ca_only_its_certificates_connect(files: Files) -> None:
    tls = ServiceTls(certificate=files.certificate, key=files.key, client_ca=files.client_ca)
    async for address in serving(server_credentials(tls)):
        root = files.ca.cert_pem.bytes()

        def with_client(ca: trustme.CA, root: bytes = root) -> grpc.ChannelCredentials:
            client = ca.issue_cert("orchestrator@example.org", common_name="bank-a")
            chain = b"".join(blob.bytes() for blob in client.cert_chain_pems)
            return grpc.ssl_channel_credentials(root, client.private_key_pem.bytes(), chain)

        assert await call(address, with_client(files.ca)) == health_pb2.HealthCheckResponse.SERVING
        for refused in (grpc.ssl_channel_credentials(root), with_client(trustme.CA())):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(address, refused)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_the_fingerprint_is_that_of_the_public_key(files: Files) -> None:
    certificate = x509.load_pem_x509_certificates(files.certificate.read_bytes())[0]
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert certificate_spki_sha256(files.certificate) == hashlib.sha256(spki).digest()


def test_a_key_that_is_open_to_others_is_refused(files: Files) -> None:
    files.key.chmod(0o644)
    with pytest.raises(CertificateUnusable, match=r"0644.*chmod 600"):
        server_credentials(Tls(certificate=files.certificate, key=files.key))


def test_a_key_of_another_certificate_is_refused(files: Files) -> None:
    files.key.write_bytes(files.ca.issue_cert("localhost").private_key_pem.bytes())
    with pytest.raises(CertificateUnusable, match="not the private key of"):
        server_credentials(Tls(certificate=files.certificate, key=files.key))


@pytest.mark.parametrize("name", ["certificate", "key", "client_ca"])
@pytest.mark.parametrize(
    "content", [b"", b"no PEM", b"x" * 1_048_577, None], ids=["empty", "junk", "huge", "missing"]
)
def test_a_file_that_is_not_what_it_should_be_is_named(
    files: Files, name: str, content: bytes | None
) -> None:
    path: Path = getattr(files, name)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(CertificateUnusable, match=path.name):
        server_credentials(
            ServiceTls(certificate=files.certificate, key=files.key, client_ca=files.client_ca)
        )
