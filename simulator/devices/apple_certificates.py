"""Issues certificates as Apple does, with the key usage of each role."""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from facegate_protocol import public_key_der, sha256
from simulator.devices.authority import Authority, KeyPair, new_key

__all__ = ["issue_as_apple"]


def issue_as_apple(
    name: str,
    *,
    by: Authority | None,
    authority: bool,
    valid: tuple[datetime, datetime],
    key: KeyPair | None = None,
    extensions: dict[x509.ObjectIdentifier, bytes] | None = None,
    critical: bool = False,
    path_length: int | None = None,
    constraints: bool = True,
    signs: bool = True,
) -> Authority:
    """Issue a certificate with its key, signed deterministically (RFC 6979).

    Args:
        name: Common name of the subject.
        by: The issuer; ``None`` for a self-signed certificate.
        authority: Whether the subject may sign others.
        valid: Start and end of its validity, with time zones.
        key: The subject's key; ``None`` for a new one.
        extensions: Further extensions: content by object identifier.
        critical: Whether these are critical.
        path_length: Largest number of authorities below it.
        constraints: Whether it has basic constraints.
        signs: Whether the key usage is that of its role.
    """
    key = key or new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(sha256(name.encode() + public_key_der(key.public_key()))[:16], "big"))
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(
            x509.KeyUsage(
                digital_signature=signs and not authority,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=authority and signs,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if constraints:
        builder = builder.add_extension(x509.BasicConstraints(authority, path_length), critical=True)
    for oid, value in (extensions or {}).items():
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=critical)
    signer = by.key if by else key
    return Authority(key, builder.sign(signer, SHA256(), ecdsa_deterministic=True))
