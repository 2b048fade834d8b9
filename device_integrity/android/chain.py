"""Verifies the chain of an Android key attestation, from its root to its leaf.

The module applies its few rules itself instead of using a path builder. Genuine chains of old devices violate
RFC 5280 (expired batch certificates, an attestation certificate with CA:FALSE), and a general path builder
accepts forged chains (an attested leaf key that signs one more certificate). The rules are Google's:
developer.android.com, "Verify hardware-backed key pairs with key attestation", and the verifier
android/keyattestation.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from device_integrity.certificate_form import UNREADABLE, read_certificate
from device_integrity.device_test import Checklist, DeviceFinding, DeviceTest, Manipulation
from device_integrity.errors import CertificateMalformed

ANDROID_KEY: Final = Checklist(
    "android_key",
    (
        "chain_form",
        "root",
        "chain_signatures",
        "chain_extension",
        "chain_authority",
        "chain_shape",
        "chain_validity",
        "revocation",
        "description",
        "challenge",
        "security_level",
        "boot_state",
        "origin",
        "purpose",
        "all_applications",
        "application",
        "patch_level",
        "provisioning",
        "encoding",
        "possession",
    ),
)
"""Tests of a key attestation."""

_DATA_FILE: Final = "android_roots.toml"


class RootKind(StrEnum):
    """The kinds of trust roots."""

    HARDWARE = "hardware"
    """Google vouches for a key in secure hardware."""
    SOFTWARE = "software"
    """The root of a software keystore, such as an emulator's. Its private key is published."""
    NON_PRODUCTION = "non_production"
    """The root of devices that were never sold."""
    FURTHER = "further"
    """A root of secure hardware that the operator's settings name; never in this package's data."""
    TEST = "test"
    """A root of the operator's own, for test devices; never in this package's data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRoot:
    """A key at which a chain may end.

    Attributes:
        subject: The name in its certificates, in the form of RFC 4514.
        spki_sha256: SHA-256 of its SubjectPublicKeyInfo in DER, 32 bytes.
    """

    name: str
    kind: RootKind
    subject: str
    spki_sha256: bytes


@cache
def google_roots() -> tuple[TrustRoot, ...]:
    """Return the roots that this release knows."""
    text = files("device_integrity.android").joinpath(_DATA_FILE).read_text(encoding="utf-8")
    return tuple(
        TrustRoot(
            name=root["name"],
            kind=RootKind(root["kind"]),
            subject=root["subject"],
            spki_sha256=bytes.fromhex(root["spki_sha256"]),
        )
        for root in tomllib.loads(text)["root"]
    )


MIN_CERTIFICATES: Final = 3
"""The shortest chain is that of a software keystore: leaf, attestation key, root."""
MAX_CERTIFICATES: Final = 10

ATTESTATION_EXTENSION: Final = "1.3.6.1.4.1.11129.2.1.17"
"""The extension that holds the KeyDescription."""
PROVISIONING_EXTENSION: Final = "1.3.6.1.4.1.11129.2.1.30"
"""The extension of a remotely provisioned attestation certificate with the number of issued ones."""

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
        """Return whether it names the subject of ``issuer`` as its issuer."""
        return self._parsed.issuer == issuer._parsed.subject

    def is_signed_by(self, issuer: "Certificate") -> bool:
        """Return whether ``issuer``'s key made its signature.

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
    """Read the chain that the device sent.

    Args:
        chain: DER certificates, leaf first, root last; 3 to 10 of at most 8 KiB each.

    Raises:
        CertificateMalformed: There are too few or too many, one is too long, or one cannot be read.
    """
    if not MIN_CERTIFICATES <= len(chain) <= MAX_CERTIFICATES:
        raise CertificateMalformed(
            f"the chain has {len(chain)} certificates, {MIN_CERTIFICATES} to {MAX_CERTIFICATES} are accepted"
        )
    return tuple(_certificate(data, f"certificate {place}") for place, data in enumerate(chain))


def _certificate(data: bytes, what: str) -> Certificate:
    parsed = read_certificate(data, what)
    try:
        key = parsed.public_key()
    except (*UNREADABLE, UnsupportedAlgorithm) as error:
        raise CertificateMalformed(f"the key of {what} cannot be read") from error
    if not isinstance(key, _KEY_KINDS):
        raise CertificateMalformed(f"{what}: its key is of a kind that attestation chains do not use")
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


_FACTORY_LENGTH: Final = 4
_REMOTE_LENGTH: Final = 5
_ENVIRONMENTS: Final = frozenset({"tee", "strongbox"})
_STRONGBOX: Final = "strongbox"
_PROVISIONER: Final = "Google LLC"
_PROVISIONING_CA: Final = re.compile(r"Droid CA\d+")
_RULES: Final = (
    "chain_signatures",
    "chain_extension",
    "chain_authority",
    "chain_shape",
    "chain_validity",
)


class ChainShape(StrEnum):
    """How the device got its attestation key."""

    FACTORY = "factory"
    """One key for a batch of devices, installed in the factory: root, intermediate, attestation, leaf."""
    REMOTE = "remote"
    """A key for this device, certified for weeks at a time (remote key provisioning, RKP): root, two
    servers, attestation, leaf. The server below the root has a name of Google's, or the attestation
    certificate has the extension with the number of issued certificates."""
    OTHER = "other"
    """A shape that no sold device has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkedChain:
    """A chain and the findings of its tests.

    Attributes:
        certificates: Leaf first, root last.
        shape: How the device got its attestation key, as the chain's form shows.
        root: The known root that has the key of the last certificate; ``None`` if no root has it.
        checks: One test for every rule.
    """

    certificates: tuple[Certificate, ...]
    shape: ChainShape
    root: TrustRoot | None
    checks: tuple[DeviceTest, ...]

    @property
    def is_trusted(self) -> bool:
        """Whether every rule holds."""
        return all(check.outcome is DeviceFinding.PASS for check in self.checks)

    @property
    def leaf(self) -> Certificate:
        """The certificate of the attested key."""
        return self.certificates[0]

    @property
    def attestation(self) -> Certificate:
        """The certificate of the key that attests."""
        return self.certificates[1]

    @property
    def says_strongbox(self) -> bool:
        """Whether a certificate between leaf and root states a StrongBox.

        Manufacturers state it as organisation, title or part of a common name, in the attestation certificate
        or in the one above it, in upper or lower case.
        """
        return any(
            _STRONGBOX in unit.casefold()
            for certificate in self.certificates[1:-1]
            for unit in certificate.subject_units
        )


def walk_chain(
    certificates: tuple[Certificate, ...], *, roots: Sequence[TrustRoot], now: datetime
) -> WalkedChain:
    """Apply every rule to a chain, which is trusted if all tests pass.

    The certificates are leaf first, root last, 3 to 10; ``now`` has a time zone.
    """
    # 1. The last certificate is a root with a pinned key (Google, "Verify hardware-backed key pairs").
    by_key = {root.spki_sha256: root for root in roots}
    root = by_key.get(certificates[-1].spki_sha256)
    shape = _shape(certificates)
    ends = _test_root(certificates[-1], root, roots)
    # 2. The root's private key is not published. If it is, the other rules prove nothing.
    if root is not None and root.kind is RootKind.SOFTWARE:
        detail = "the root's private key is published, so anyone can make such a chain"
        rest = tuple(ANDROID_KEY.not_evaluated(name, "SOFTWARE_ROOT", detail) for name in _RULES)
        return WalkedChain(certificates=certificates, shape=shape, root=root, checks=(ends, *rest))
    return WalkedChain(
        certificates=certificates,
        shape=shape,
        root=root,
        checks=(
            ends,
            # 3. Each certificate names its issuer and is signed by it (RFC 5280, 6.1.3, a.1 and a.4).
            _test_signatures(certificates),
            # 4. The leaf alone has the attestation extension (Google, android/keyattestation).
            _test_extension(certificates),
            # 5. Each certificate above the leaf may sign others (RFC 5280, 4.2.1.3 and 4.2.1.9).
            _test_authority(certificates, shape),
            # 6. The chain has a shape that sold devices have (Google, android/keyattestation).
            _test_shape(certificates, shape),
            # 7. Each certificate between leaf and root is valid now (RFC 5280, 6.1.3, a.2).
            _test_validity(certificates, shape, now),
        ),
    )


def _shape(certificates: tuple[Certificate, ...]) -> ChainShape:
    attestation, below_root = certificates[1], certificates[-2]
    extended = PROVISIONING_EXTENSION in attestation.extensions
    if len(certificates) == _FACTORY_LENGTH and not extended and below_root.subject_serials:
        return ChainShape.FACTORY
    if len(certificates) == _REMOTE_LENGTH:
        environments = {unit.casefold() for unit in attestation.subject_units}
        if _provisions(below_root) or (extended and _ENVIRONMENTS & environments):
            return ChainShape.REMOTE
    return ChainShape.OTHER


def _provisions(certificate: Certificate) -> bool:
    """Return whether a certificate names Google's servers for remote key provisioning."""
    return _PROVISIONER in certificate.subject_organizations and any(
        _PROVISIONING_CA.fullmatch(name) for name in certificate.subject_common_names
    )


def _test_root(last: Certificate, root: TrustRoot | None, roots: Sequence[TrustRoot]) -> DeviceTest:
    if not last.is_self_issued:
        return ANDROID_KEY.failed(
            "root", "ROOT_MISSING", "the last certificate is not a root", Manipulation.EMULATOR
        )
    if root is None:
        # Roots from the settings have no subject.
        if any(known.subject and known.subject == last.subject for known in roots):
            detail = "the last certificate has the name of a known root, but another key"
            return ANDROID_KEY.failed("root", "LOOK_ALIKE_ROOT", detail, Manipulation.CODE_MODIFICATION)
        detail = "the chain ends at a key that is not one of the known roots"
        return ANDROID_KEY.failed("root", "UNKNOWN_ROOT", detail, Manipulation.EMULATOR)
    if root.kind is RootKind.SOFTWARE:
        detail = f"the chain ends at {root.name}, the root of a software keystore such as an emulator's"
        return ANDROID_KEY.failed("root", "SOFTWARE_ROOT", detail, Manipulation.EMULATOR)
    if root.kind is RootKind.NON_PRODUCTION:
        detail = f"the chain ends at {root.name}, the root of devices that were never sold"
        return ANDROID_KEY.failed("root", "NON_PRODUCTION_ROOT", detail, Manipulation.ROOTED)
    return ANDROID_KEY.passed("root", f"{root.kind.name}_ROOT", f"the chain ends at {root.name}")


def _test_signatures(certificates: tuple[Certificate, ...]) -> DeviceTest:
    for place, (certificate, issuer) in reversed(list(enumerate(pairwise(certificates)))):
        if not certificate.was_issued_under_the_name_of(issuer):
            detail = f"the issuer of certificate {place} is not the subject of certificate {place + 1}"
            return ANDROID_KEY.failed(
                "chain_signatures", "NAMES_NOT_CHAINED", detail, Manipulation.CODE_MODIFICATION
            )
        if not certificate.is_signed_by(issuer):
            detail = f"certificate {place} has no valid signature by the key of certificate {place + 1}"
            return ANDROID_KEY.failed(
                "chain_signatures", "SIGNATURE_INVALID", detail, Manipulation.CODE_MODIFICATION
            )
    return ANDROID_KEY.passed(
        "chain_signatures", "SIGNATURES_VALID", "every certificate is signed by the key of the next one"
    )


def _test_extension(certificates: tuple[Certificate, ...]) -> DeviceTest:
    """Test that only the leaf is attested, because an app could attest anything with its attested key."""
    for place, certificate in enumerate(certificates):
        if place > 0 and ATTESTATION_EXTENSION in certificate.extensions:
            detail = f"certificate {place} has the attestation extension, which only the leaf may have"
            return ANDROID_KEY.failed(
                "chain_extension", "FORGED_CHAIN", detail, Manipulation.CODE_MODIFICATION
            )
    if ATTESTATION_EXTENSION not in certificates[0].extensions:
        return ANDROID_KEY.failed("chain_extension", "NOT_ATTESTED", "the leaf has no attestation extension")
    return ANDROID_KEY.passed(
        "chain_extension", "ONLY_LEAF_ATTESTED", "only the leaf has the attestation extension"
    )


def _test_authority(certificates: tuple[Certificate, ...], shape: ChainShape) -> DeviceTest:
    """Test basic constraints and key usage (RFC 5280, 4.2.1.9 and 4.2.1.3). Old phones have an exception."""
    for place in range(1, len(certificates)):
        certificate = certificates[place]
        # Batch certificates of 2016 have CA:FALSE, but sign leaves. They hold no attested key (see
        # `_test_extension`), and only Google's intermediate is above them.
        exempt = place == 1 and shape is ChainShape.FACTORY and certificate.is_ca is False
        if not certificate.is_ca and not exempt:
            detail = f"certificate {place} signed another one, but is not a certificate authority"
            return ANDROID_KEY.failed(
                "chain_authority", "FORGED_CHAIN", detail, Manipulation.CODE_MODIFICATION
            )
        # A root is pinned by its key, so the key usage in its certificate does not matter. A certificate
        # without a key usage may sign if it is an authority.
        between_leaf_and_root = place < len(certificates) - 1
        if between_leaf_and_root and not certificate.may_sign and not exempt:
            detail = f"certificate {place} signed another one, but its key usage lacks keyCertSign"
            return ANDROID_KEY.failed(
                "chain_authority", "NO_KEY_CERT_SIGN", detail, Manipulation.CODE_MODIFICATION
            )
        between = sum(not middle.is_self_issued for middle in certificates[1:place])
        if certificate.path_length is not None and between > certificate.path_length:
            limit = certificate.path_length
            detail = f"{between} certificates are below certificate {place}; at most {limit} are allowed"
            return ANDROID_KEY.failed(
                "chain_authority", "PATH_TOO_LONG", detail, Manipulation.CODE_MODIFICATION
            )
    return ANDROID_KEY.passed(
        "chain_authority", "ALL_AUTHORITIES", "every certificate above the leaf may sign others"
    )


def _test_shape(certificates: tuple[Certificate, ...], shape: ChainShape) -> DeviceTest:
    if shape is ChainShape.OTHER:
        detail = (
            f"the {len(certificates)} certificates are neither a factory chain nor a remotely provisioned one"
        )
        return ANDROID_KEY.failed("chain_shape", "SHAPE_UNKNOWN", detail)
    return ANDROID_KEY.passed("chain_shape", shape.name, f"the chain has the {shape} shape")


def _test_validity(certificates: tuple[Certificate, ...], shape: ChainShape, now: datetime) -> DeviceTest:
    """Test the dates of all certificates except leaf and root.

    The device sets the leaf's dates by its own clock, which may be wrong. The root's dates do not matter,
    because its key is pinned. Devices in use have expired batch certificates from the factory, so these pass.
    """
    for place, certificate in enumerate(certificates[:-1]):
        if place == 0:
            continue
        if now < certificate.not_before:
            return ANDROID_KEY.failed(
                "chain_validity", "NOT_YET_VALID", f"certificate {place} is not valid yet"
            )
        if now > certificate.not_after and shape is not ChainShape.FACTORY:
            return ANDROID_KEY.failed("chain_validity", "EXPIRED", f"certificate {place} has expired")
    return ANDROID_KEY.passed(
        "chain_validity",
        "VALID",
        "every certificate between leaf and root is valid, or expired in a factory chain",
    )
