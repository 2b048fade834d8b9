"""Certificates for tests: client certificates with any names and usages, and a time-stamping authority."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Client certificates with any names and usages, under a test authority.


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """PEM of a certificate and of its private key."""

    pem: bytes
    key_pem: bytes


def authority_pem() -> bytes:
    """The authority's certificate."""
    return _authority()[1].public_bytes(Encoding.PEM)


def client_certificate(
    *,
    common: str | None = None,
    uris: Sequence[str] = (),
    names: Sequence[str] = (),
    mails: Sequence[str] = (),
    usages: Sequence[x509.ObjectIdentifier] | None = (ExtendedKeyUsageOID.CLIENT_AUTH,),
    extension: x509.UnrecognizedExtension | None = None,
) -> ClientCertificate:
    """A certificate of the authority, valid for 30 days; ``usages=None`` leaves the extension out."""
    authority_key, authority = _authority()
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives: list[x509.GeneralName] = [
        *(x509.UniformResourceIdentifier(uri) for uri in uris),
        *(x509.DNSName(name) for name in names),
        *(x509.RFC822Name(mail) for mail in mails),
    ]
    subject = [] if common is None else [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    builder = _builder(x509.Name(subject), key.public_key()).issuer_name(authority.subject)
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=not subject)
    if usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if extension is not None:
        builder = builder.add_extension(extension, critical=False)
    pem = builder.sign(authority_key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return ClientCertificate(
        pem=pem, key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


@cache
def _authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    certificate = (
        _builder(name, key.public_key())
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _builder(subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )


# A time-stamping authority for tests: `openssl ts` behind a small HTTP handler.

_CONFIG = """\
[tsa]
default_tsa = tsa_config
[tsa_config]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
"""


class LocalAuthority:
    """An authority with keys of its own.

    Attributes:
        url: Its URL.
        roots: The file of its root certificate.
        answer: What it sends instead of a time stamp; None for the truth.
        requests: The number of requests.
    """

    def __init__(self, folder: Path) -> None:
        self.url = ""
        self.roots = folder / "root.pem"
        self.answer: web.Response | None = None
        self.requests = 0
        self._folder = folder
        folder.mkdir()
        _make_certificates(folder)
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder))

    def stamp(self, query: bytes) -> bytes:
        """Return the response to a query."""
        (self._folder / "query.tsq").write_bytes(query)
        words = "openssl ts -reply -config tsa.cnf -section tsa_config -queryfile query.tsq -out response.tsr"
        subprocess.run(words.split(), cwd=self._folder, check=True, capture_output=True)
        return (self._folder / "response.tsr").read_bytes()

    async def handle(self, request: web.Request) -> web.Response:
        """Answer over HTTP."""
        self.requests += 1
        assert request.content_type == "application/timestamp-query"
        if self.answer is not None:
            answer, self.answer = self.answer, None
            return answer
        response = await asyncio.to_thread(self.stamp, await request.read())
        return web.Response(body=response, content_type="application/timestamp-reply")


@asynccontextmanager
async def local_authority(folder: Path) -> AsyncIterator[LocalAuthority]:
    """Serve an authority on loopback until the block ends."""
    authority = LocalAuthority(folder)
    application = web.Application()
    application.router.add_post("/tsa", authority.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (address,) = runner.addresses
    authority.url = f"http://127.0.0.1:{address[1]}/tsa"
    try:
        yield authority
    finally:
        await runner.cleanup()


def _make_certificates(folder: Path) -> None:
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{words} of the tests")])
        for words in ("Root", "Authority")
    )
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    root = (
        _builder(root_name, root_key.public_key())
        .issuer_name(root_name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(root_key, hashes.SHA256())
    )
    certificate = (
        _builder(name, key.public_key())
        .issuer_name(root_name)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "tsa.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
