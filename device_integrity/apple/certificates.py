"""Reads certificates that Apple issues to devices and signers, and verifies their chain to a pinned root.

Apple's chains are linear and short, so no path is built (RFC 5280 section 6.1, without policies and name
constraints, which these chains do not use).
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from itertools import pairwise
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID

from device_integrity.errors import CertificateMalformed

_UNDERSTOOD: Final = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})
_NO_KEY_TYPES: Final = (ValueError, TypeError, UnsupportedAlgorithm)


@dataclass(frozen=True, slots=True)
class ChainProblem:
    """Why a chain does not lead to the anchor.

    Attributes:
        reason: Machine-readable reason, UPPER_SNAKE_CASE.
        detail: The reason in plain words.
    """

    reason: str
    detail: str


def p256_key(certificate: x509.Certificate, what: str) -> ec.EllipticCurvePublicKey:
    """Return the certificate's key, which has to be on P-256.

    Raises:
        CertificateMalformed: The key is of another kind, or cannot be read.
    """
    try:
        key = certificate.public_key()
    except _NO_KEY_TYPES as error:
        raise CertificateMalformed(f"the key of {what} cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CertificateMalformed(f"the key of {what} is not on the curve P-256")
    return key


def unrecognised_extension(certificate: x509.Certificate, oid: str) -> bytes | None:
    """Return the value of an extension that the library does not parse, DER; ``None`` if it is absent."""
    try:
        value = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid)).value
    except x509.ExtensionNotFound:
        return None
    return value.value if isinstance(value, x509.UnrecognizedExtension) else None


def chain_problem(
    *, chain: Sequence[x509.Certificate], anchor: x509.Certificate, now: datetime
) -> ChainProblem | None:
    """Return why ``chain`` does not lead to ``anchor`` at ``now``; ``None`` if it does.

    Args:
        chain: Results of ``read_certificate``: the end entity first, each followed by its issuer, without
            the anchor.
    """
    whole = (*chain, anchor)
    for place, certificate in enumerate(whole):
        name = _common_name(certificate)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            period = (
                f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
            )
            return ChainProblem(
                "CERTIFICATE_NOT_VALID_NOW", f"{name} is valid from {period}, not at {now:%Y-%m-%d}"
            )
        problem = _role_problem(certificate, name, below=place)
        if problem is not None:
            return problem
    for certificate, issuer in pairwise(whole):
        if not _issued_by(certificate, issuer):
            return ChainProblem(
                "CHAIN_NOT_TRUSTED", f"{_common_name(certificate)} is not signed by {_common_name(issuer)}"
            )
    return None


def _role_problem(certificate: x509.Certificate, name: str, *, below: int) -> ChainProblem | None:
    """Return why a certificate must not be at its place, above ``below`` others; ``None`` if it may."""
    critical = {one.oid for one in certificate.extensions if one.critical}
    if critical - _UNDERSTOOD:
        return ChainProblem("CERTIFICATE_NOT_UNDERSTOOD", f"{name} has an unknown critical extension")
    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    if below == 0:
        if constraints is not None and constraints.ca:
            return ChainProblem(
                "CERTIFICATE_ROLE_WRONG", f"{name} is a certificate authority, an end entity expected"
            )
        if usage is not None and not usage.digital_signature:
            return ChainProblem("CERTIFICATE_ROLE_WRONG", f"{name} has a key usage without digitalSignature")
        return None
    if constraints is None or not constraints.ca or (usage is not None and not usage.key_cert_sign):
        return ChainProblem("CERTIFICATE_ROLE_WRONG", f"{name} may not sign other certificates")
    if constraints.path_length is not None and below - 1 > constraints.path_length:
        return ChainProblem("CERTIFICATE_ROLE_WRONG", f"{name} may not have so many certificates below it")
    return None


_Extension = TypeVar("_Extension", x509.BasicConstraints, x509.KeyUsage)


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether the issuer's name and signature are right."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *_NO_KEY_TYPES):
        return False
    return True


def _common_name(certificate: x509.Certificate) -> str:
    """Return a name for messages. An end entity's own name is not shown, because it may name a device."""
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        return "the end entity's certificate"
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value)[:64] if names else "a certificate authority without a name"


_DATA_FILE: Final = "anchors.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppleAnchors:
    """The roots at which chains of App Attest end.

    Attributes:
        app_attest: ``Apple App Attestation Root CA``, for attestation objects.
        receipt: ``Apple Root CA - G3``, for receipts.
    """

    app_attest: x509.Certificate
    receipt: x509.Certificate


def load_apple_anchors() -> AppleAnchors:
    """Load the packaged anchors."""
    tables = tomllib.loads(files("device_integrity.apple").joinpath(_DATA_FILE).read_text(encoding="utf-8"))
    return AppleAnchors(
        app_attest=x509.load_pem_x509_certificate(tables["app_attest"]["pem"].encode()),
        receipt=x509.load_pem_x509_certificate(tables["receipt"]["pem"].encode()),
    )
