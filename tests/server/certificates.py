"""Client certificates with any names and usages, under a test authority."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["ClientCertificate", "authority_pem", "client_certificate"]


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
