import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from server.configuration.settings import ServiceTls, Tls
from server.running.tls import CertificateUnusable, TlsFiles


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
    async for address in serving(TlsFiles(Tls(certificate=files.certificate, key=files.key)).credentials()):
        trusting = grpc.ssl_channel_credentials(files.ca.cert_pem.bytes())
        assert await call(address, trusting) == health_pb2.HealthCheckResponse.SERVING
        stranger = grpc.ssl_channel_credentials(trustme.CA().cert_pem.bytes())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(address, stranger)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_with_a_client_ca_only_its_certificates_connect(files: Files) -> None:
    tls = ServiceTls(certificate=files.certificate, key=files.key, client_ca=files.client_ca)
    async for address in serving(TlsFiles(tls).credentials()):
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
    held = TlsFiles(Tls(certificate=files.certificate, key=files.key))
    assert held.spki_sha256 == hashlib.sha256(spki).digest()
    assert held.not_after == certificate.not_valid_after_utc


def test_a_key_that_is_open_to_others_is_refused(files: Files) -> None:
    files.key.chmod(0o644)
    with pytest.raises(CertificateUnusable, match=r"0644.*chmod 600"):
        TlsFiles(Tls(certificate=files.certificate, key=files.key))


def test_a_key_of_another_certificate_is_refused(files: Files) -> None:
    files.key.write_bytes(files.ca.issue_cert("localhost").private_key_pem.bytes())
    with pytest.raises(CertificateUnusable, match="not the private key of"):
        TlsFiles(Tls(certificate=files.certificate, key=files.key))


@pytest.mark.parametrize("name", ["certificate", "key", "client_ca"])
@pytest.mark.parametrize(
    "content", [b"", b"no PEM", b"x" * 1_048_577, None], ids=["empty", "junk", "huge", "missing"]
)
def test_an_invalid_file_is_named(files: Files, name: str, content: bytes | None) -> None:
    path: Path = getattr(files, name)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(CertificateUnusable, match=path.name):
        TlsFiles(ServiceTls(certificate=files.certificate, key=files.key, client_ca=files.client_ca))


def _renew(files: Files, ca: trustme.CA | None = None) -> None:
    issued = (ca or files.ca).issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    files.key.write_bytes(issued.private_key_pem.bytes())


async def _shown(address: str) -> bytes:
    """SHA-256 of the key that the server presents to a new connection."""
    host, _, port = address.rpartition(":")
    pem = await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


async def test_a_renewed_certificate_is_shown_without_a_restart(files: Files) -> None:
    held = TlsFiles(Tls(certificate=files.certificate, key=files.key))
    trusting = grpc.ssl_channel_credentials(files.ca.cert_pem.bytes())
    first = held.spki_sha256
    async for address in serving(held.credentials()):
        async with grpc.aio.secure_channel(address, trusting) as standing:
            health_of: Any = health_pb2_grpc.HealthStub(standing)
            await health_of.Check(health_pb2.HealthCheckRequest(), timeout=5)
            assert await _shown(address) == first
            _renew(files)
            # Nothing changes before the files are read again.
            assert await _shown(address) == first
            assert held.refresh()
            assert held.spki_sha256 != first
            assert await _shown(address) == held.spki_sha256
            assert await _shown(address) == held.spki_sha256
            # The existing connection continues.
            await health_of.Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert await call(address, trusting) == health_pb2.HealthCheckResponse.SERVING


async def test_files_that_do_not_fit_each_other_change_nothing(files: Files) -> None:
    held = TlsFiles(Tls(certificate=files.certificate, key=files.key))
    first, key = held.spki_sha256, files.key.read_bytes()
    async for address in serving(held.credentials()):
        # Between the renewal of the certificate and that of its key.
        _renew(files)
        renewed = files.key.read_bytes()
        for content in (key, b"no PEM"):
            files.key.write_bytes(content)
            assert not held.refresh()
            assert await _shown(address) == held.spki_sha256 == first
        files.key.write_bytes(renewed)
        files.key.chmod(0o644)
        assert not held.refresh()
        files.key.chmod(0o600)
        assert held.refresh()
        assert await _shown(address) == held.spki_sha256 != first


async def test_another_client_authority_counts_for_new_connections(files: Files) -> None:
    held = TlsFiles(ServiceTls(certificate=files.certificate, key=files.key, client_ca=files.client_ca))
    other = trustme.CA(key_type=trustme.KeyType.ECDSA)
    root = files.ca.cert_pem.bytes()

    def shows(ca: trustme.CA) -> grpc.ChannelCredentials:
        client = ca.issue_cert("a@example.org", key_type=trustme.KeyType.ECDSA)
        chain = b"".join(blob.bytes() for blob in client.cert_chain_pems)
        return grpc.ssl_channel_credentials(root, client.private_key_pem.bytes(), chain)

    async for address in serving(held.credentials()):
        assert await call(address, shows(files.ca)) == health_pb2.HealthCheckResponse.SERVING
        files.client_ca.write_bytes(other.cert_pem.bytes())
        assert held.refresh()
        assert await call(address, shows(other)) == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(address, shows(files.ca))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
