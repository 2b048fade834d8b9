"""Reads the certificates of an Android attestation chain within limits (RFC 5280)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from device_integrity.certificate_form import refuse_odd_certificate
from device_integrity.errors import CertificateMalformed
from formats.errors import DerMalformed

__all__ = [
    "ATTESTATION_EXTENSION",
    "MAX_CERTIFICATES",
    "MAX_CERTIFICATE_BYTES",
    "MIN_CERTIFICATES",
    "PROVISIONING_EXTENSION",
    "Certificate",
    "PublicKey",
    "parse_certificates",
]

MIN_CERTIFICATES: Final = 3
"""The shortest chain is that of a software keystore: leaf, attestation key, root."""
MAX_CERTIFICATES: Final = 10
MAX_CERTIFICATE_BYTES: Final = 8 * 1024

ATTESTATION_EXTENSION: Final = "1.3.6.1.4.1.11129.2.1.17"
"""The extension that holds the KeyDescription."""
PROVISIONING_EXTENSION: Final = "1.3.6.1.4.1.11129.2.1.30"
"""The extension of a remotely provisioned attestation certificate with the number of issued ones."""

_BASIC_CONSTRAINTS: Final = "2.5.29.19"
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    DerMalformed,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""Exceptions of the library for certificates that it cannot read; not all are ValueErrors."""
_MIN_RSA_BITS: Final = 2048
_MAX_RSA_BITS: Final = 8192
_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)

PublicKey = (
    ec.EllipticCurvePublicKey
    | rsa.RSAPublicKey
    | ed25519.Ed25519PublicKey
    | mldsa.MLDSA44PublicKey
    | mldsa.MLDSA65PublicKey
    | mldsa.MLDSA87PublicKey
)
"""The kinds of keys that a chain may contain."""
_KEY_KINDS: Final = (
    ec.EllipticCurvePublicKey,
    rsa.RSAPublicKey,
    ed25519.Ed25519PublicKey,
    mldsa.MLDSA44PublicKey,
    mldsa.MLDSA65PublicKey,
    mldsa.MLDSA87PublicKey,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The parts of a certificate that the verifier needs.

    Attributes:
        serial: Its serial number, positive.
        not_before: The start of its validity, UTC.
        not_after: The end of its validity, UTC.
        is_ca: The cA value of its basic constraints; ``None`` if it has none.
        may_sign: Whether its key may sign certificates (RFC 5280, 6.1.4 (n)): false only if it has a key
            usage without keyCertSign.
        path_length: Maximum number of certificates between it and the leaf that are not self-issued;
            ``None`` if there is no limit.
        key: Its public key.
        extensions: Raw values of the two extensions of key attestation, by dotted identifier.
    """

    serial: int
    not_before: datetime
    not_after: datetime
    is_ca: bool | None
    may_sign: bool
    path_length: int | None
    key: PublicKey
    extensions: Mapping[str, bytes] = field(repr=False)
    _parsed: x509.Certificate = field(repr=False)

    @property
    def subject(self) -> str:
        """Its subject in the form of RFC 4514."""
        return self._parsed.subject.rfc4514_string()

    @property
    def subject_serials(self) -> tuple[str, ...]:
        """The serialNumber attributes (2.5.4.5) of its subject."""
        return _attributes(self._parsed.subject, NameOID.SERIAL_NUMBER)

    @property
    def subject_common_names(self) -> tuple[str, ...]:
        """The common names (2.5.4.3) of its subject."""
        return _attributes(self._parsed.subject, NameOID.COMMON_NAME)

    @property
    def subject_organizations(self) -> tuple[str, ...]:
        """The organisations (2.5.4.10) of its subject."""
        return _attributes(self._parsed.subject, NameOID.ORGANIZATION_NAME)

    @property
    def subject_units(self) -> tuple[str, ...]:
        """Organisations (2.5.4.10), titles (2.5.4.12) and common names (2.5.4.3) of its subject."""
        titles = _attributes(self._parsed.subject, NameOID.TITLE)
        return (*self.subject_organizations, *titles, *self.subject_common_names)

    @property
    def spki(self) -> bytes:
        """Its public key as SubjectPublicKeyInfo, DER."""
        return self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def spki_sha256(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo, 32 bytes."""
        return sha256(self.spki).digest()

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are the same name."""
        return self._parsed.subject == self._parsed.issuer

    def was_issued_under_the_name_of(self, issuer: "Certificate") -> bool:
        """Returns whether it names the subject of ``issuer`` as its issuer."""
        return self._parsed.issuer == issuer._parsed.subject

    def is_signed_by(self, issuer: "Certificate") -> bool:
        """Returns whether ``issuer``'s key made its signature.

        RSA keys must have 2048 to 8192 bits, and EC keys must be on P-256, P-384 or P-521. A hash must be
        SHA-256, SHA-384 or SHA-512. Other signatures do not count.
        """
        if (
            isinstance(issuer.key, rsa.RSAPublicKey)
            and not _MIN_RSA_BITS <= issuer.key.key_size <= _MAX_RSA_BITS
        ):
            return False
        if isinstance(issuer.key, ec.EllipticCurvePublicKey) and not isinstance(issuer.key.curve, _CURVES):
            return False
        try:
            algorithm = self._parsed.signature_hash_algorithm
            if algorithm is not None and not isinstance(algorithm, _HASHES):
                return False
            self._parsed.verify_directly_issued_by(issuer._parsed)
        except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
            return False
        return True


def parse_certificates(chain: Sequence[bytes]) -> tuple[Certificate, ...]:
    """Reads the chain that the device sent.

    Args:
        chain: DER certificates, leaf first, root last; 3 to 10 of at most 8 KiB each.

    Raises:
        CertificateMalformed: There are too few or too many, one is too long, or one cannot be read.
    """
    if not MIN_CERTIFICATES <= len(chain) <= MAX_CERTIFICATES:
        raise CertificateMalformed(
            f"the chain has {len(chain)} certificates, {MIN_CERTIFICATES} to {MAX_CERTIFICATES} are accepted"
        )
    return tuple(_certificate(data, place) for place, data in enumerate(chain))


def _certificate(data: bytes, place: int) -> Certificate:
    if len(data) > MAX_CERTIFICATE_BYTES:
        raise CertificateMalformed(
            f"certificate {place} has {len(data)} bytes; at most {MAX_CERTIFICATE_BYTES} are accepted"
        )
    try:
        refuse_odd_certificate(data, max_bytes=MAX_CERTIFICATE_BYTES)
        parsed = x509.load_der_x509_certificate(data)
        _ = (
            parsed.subject,
            parsed.issuer,
        )  # parsed lazily: fail here, because later code expects them to be readable
        return _read(parsed)
    except CertificateMalformed as error:
        raise CertificateMalformed(f"certificate {place}: {error}") from error
    except _UNREADABLE as error:
        # The library's messages may quote the device's bytes.
        raise CertificateMalformed(f"certificate {place} is not X.509 in DER") from error


def _read(parsed: x509.Certificate) -> Certificate:
    key = parsed.public_key()
    if not isinstance(key, _KEY_KINDS):
        raise CertificateMalformed("its key is of a kind that attestation chains do not use")
    raw: dict[str, bytes] = {}
    is_ca, path_length, may_sign = None, None, True
    for extension in parsed.extensions:
        oid = extension.oid.dotted_string
        if isinstance(extension.value, x509.UnrecognizedExtension):
            if oid in (ATTESTATION_EXTENSION, PROVISIONING_EXTENSION):
                raw[oid] = extension.value.value
        elif isinstance(extension.value, x509.BasicConstraints):
            is_ca, path_length = extension.value.ca, extension.value.path_length
        elif isinstance(extension.value, x509.KeyUsage):
            may_sign = extension.value.key_cert_sign
    return Certificate(
        serial=parsed.serial_number,
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
        is_ca=is_ca,
        may_sign=may_sign,
        path_length=path_length,
        key=key,
        extensions=raw,
        _parsed=parsed,
    )


def _attributes(name: x509.Name, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    values = (attribute.value for attribute in name.get_attributes_for_oid(oid))
    return tuple(value for value in values if isinstance(value, str))
