import hashlib
import ssl

import grpc
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from facegate.v1 import scan_pb2

from facegate_client import (
    ApiKey,
    ConnectionFailedError,
    CredentialsError,
    FaceScanner,
    Orchestrator,
    ScanTicket,
    TlsSettings,
    certificate_spki_sha256,
    generated_source,
    is_loopback,
    open_channel,
    server_spki_sha256,
)
from tests.client.conftest import FAST, pictures
from tests.client.cut_proxy import cutting
from tests.client.fake_server import FakeServer, serving


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def leaf(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("localhost", "127.0.0.1")


def _server(leaf: trustme.LeafCert, clients: trustme.CA | None = None) -> grpc.ServerCredentials:
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    return grpc.ssl_server_credentials(
        [(leaf.private_key_pem.bytes(), chain)],
        root_certificates=clients.cert_pem.bytes() if clients else None,
        require_client_auth=clients is not None,
    )


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("127.0.0.1:1", True),
        ("127.8.9.1:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("10.0.0.1:1", False),
        ("0.0.0.0:1", False),
        ("localhost.example:1", False),
        ("example.org:1", False),
    ],
)
def test_loopback_is_distinguished(target: str, expected: bool) -> None:
    assert is_loopback(target) == expected


@pytest.mark.parametrize("target", ["", "localhost", ":1", "localhost:", "localhost:http", "localhost:-1"])
async def test_anything_but_a_host_and_port_is_refused(target: str) -> None:
    with pytest.raises(CredentialsError):
        open_channel(target)


async def test_plaintext_is_for_loopback_only() -> None:
    with pytest.raises(CredentialsError, match="loopback"):
        open_channel("example.org:443")
    assert await server_spki_sha256("127.0.0.1:1", None) == b""


async def test_a_scan_over_tls_states_the_server_key(authority: trustme.CA, leaf: trustme.LeafCert) -> None:
    fake = FakeServer()
    tls = TlsSettings(root_certificates=authority.cert_pem.bytes())
    async with serving(fake, _server(leaf)) as target:
        spki = await server_spki_sha256(target, tls)
        async with open_channel(target, tls=tls) as channel:
            ticket = ScanTicket(token=fake.token, challenge_key_sha256=fake.challenge_key_sha256)
            source = generated_source(pictures(12), pace="fast")
            scanner = FaceScanner(
                channel=channel, ticket=ticket, source=source, server_spki_sha256=spki, settings=FAST
            )
            outcome = await scanner.scan()
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    certificate = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
    der = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert fake.starts[0].server_spki_sha256 == spki == hashlib.sha256(der).digest()


async def test_mutual_tls_is_spoken(authority: trustme.CA, leaf: trustme.LeafCert) -> None:
    fake, own = FakeServer(), authority.issue_cert("orchestrator.example")
    roots = authority.cert_pem.bytes()
    tls = TlsSettings(
        root_certificates=roots,
        client_certificate=b"".join(blob.bytes() for blob in own.cert_chain_pems),
        client_key=own.private_key_pem.bytes(),
    )
    async with serving(fake, _server(leaf, authority)) as target:
        async with open_channel(target, tls=tls) as channel:
            await Orchestrator(channel=channel).upload_trusted_image(b"1")
        async with open_channel(target, tls=TlsSettings(root_certificates=roots)) as channel:
            with pytest.raises(ConnectionFailedError):
                await Orchestrator(channel=channel).upload_trusted_image(b"1", timeout_s=60)
    assert len(fake.uploads) == 1


async def test_foreign_authority_is_not_trusted(leaf: trustme.LeafCert) -> None:
    tls = TlsSettings(root_certificates=trustme.CA().cert_pem.bytes())
    async with serving(FakeServer(), _server(leaf)) as target:
        with pytest.raises(ConnectionFailedError):
            await server_spki_sha256(target, tls)
        async with open_channel(target, tls=tls) as channel:
            with pytest.raises(ConnectionFailedError):
                await Orchestrator(channel=channel).upload_trusted_image(b"1", timeout_s=60)


async def test_expected_name_may_differ_from_the_address(authority: trustme.CA) -> None:
    leaf = authority.issue_cert("scan.example")
    roots = authority.cert_pem.bytes()
    fake = FakeServer()
    async with serving(fake, _server(leaf)) as target:
        named = TlsSettings(root_certificates=roots, server_name="scan.example")
        assert len(await server_spki_sha256(target, named)) == 32
        async with open_channel(target, tls=named) as channel:
            await Orchestrator(channel=channel).upload_trusted_image(b"1")
        with pytest.raises(ConnectionFailedError):
            await server_spki_sha256(target, TlsSettings(root_certificates=roots))


async def test_slow_network_is_waited_for() -> None:
    fake = FakeServer()
    async with (
        serving(fake) as target,
        cutting(target, silent_s=1.0) as (proxy, through),
        open_channel(through) as channel,
    ):
        await Orchestrator(channel=channel).upload_trusted_image(b"1")
    assert proxy.connections == 1
    assert len(fake.uploads) == 1


async def test_unreadable_authorities_are_refused() -> None:
    with pytest.raises(CredentialsError):
        await server_spki_sha256("127.0.0.1:1", TlsSettings(root_certificates=b"no pem"))


def test_fingerprint_is_the_same_from_pem_and_der(leaf: trustme.LeafCert) -> None:
    pem = leaf.cert_chain_pems[0].bytes()
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    assert certificate_spki_sha256(pem) == certificate_spki_sha256(der)
    with pytest.raises(CredentialsError):
        certificate_spki_sha256(b"neither")


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(CredentialsError):
        TlsSettings(client_certificate=b"pem")


@pytest.mark.parametrize("value", ["", "a b", "a\nb", "ü", "\x7f"])
def test_api_key_that_cannot_travel_is_refused(value: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        ApiKey(value)
    assert not value or value not in str(caught.value) or value == "a"


def test_api_key_is_never_shown() -> None:
    assert "secret" not in repr(ApiKey("secret"))
