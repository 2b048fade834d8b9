"""Certificate authorities of test platforms: the same seed gives the same keys and certificates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from facegate_protocol import public_key_der

KeyPair = ec.EllipticCurvePrivateKey
"""On P-256."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate with its key, which together can sign other certificates."""

    key: KeyPair
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(Encoding.DER)


def new_key(seed: str | None = None) -> KeyPair:
    """Make a new key, or with a seed always the same key. A key from a public seed is not secret."""
    if seed is None:
        return ec.generate_private_key(ec.SECP256R1())
    return ec.derive_private_key(int.from_bytes(sha256(seed.encode()).digest()) >> 1, ec.SECP256R1())


def name_of(
    *, cn: str | None = None, serial: str | None = None, o: str | None = None, title: str | None = None
) -> x509.Name:
    """Make a name of the given parts: common name, serial number, organisation, title."""
    pairs = (
        (NameOID.COMMON_NAME, cn),
        (NameOID.SERIAL_NUMBER, serial),
        (NameOID.ORGANIZATION_NAME, o),
        (NameOID.TITLE, title),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs if value is not None])


def _key_usage(*, may_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        key_cert_sign=may_sign,
        digital_signature=not may_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def issue(
    subject: x509.Name,
    key: KeyPair,
    issuer: Authority | None,
    *,
    not_before: datetime,
    not_after: datetime,
    ca: bool | None = True,
    may_sign: bool | Literal["by role"] | None = "by role",
    path_length: int | None = None,
    extensions: Mapping[str, bytes] | None = None,
    serial: int | None = None,
) -> x509.Certificate:
    """Issue a certificate, signed deterministically (RFC 6979).

    Args:
        key: The subject's key.
        issuer: The issuer; ``None`` for a self-signed certificate.
        not_before: Valid from, with a time zone.
        not_after: Valid until, with a time zone.
        ca: Whether the subject may sign others; ``None`` for no basic constraints.
        may_sign: Whether its key usage permits signing certificates; ``None`` for a certificate without a key
            usage. By default an authority's does, and others have none.
        path_length: Largest number of authorities below it.
        extensions: Further extensions that are not critical: content by object identifier.
        serial: Its serial number; ``None`` for one derived from the key.
    """
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(_serial_of(key) if serial is None else serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    usage = (True if ca else None) if may_sign == "by role" else may_sign
    if usage is not None:
        builder = builder.add_extension(_key_usage(may_sign=usage), critical=True)
    for oid, value in (extensions or {}).items():
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key if issuer is None else issuer.key, SHA256(), ecdsa_deterministic=True)


def spki_sha256(key: KeyPair) -> bytes:
    """Return the SHA-256 of a key's SubjectPublicKeyInfo, 32 bytes."""
    return sha256(public_key_der(key.public_key())).digest()


def _serial_of(key: KeyPair) -> int:
    return key.public_key().public_numbers().x >> 128 | 1
