"""Apple's roots, as packaged data: certificates pinned by their SHA-256, with their source."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from device_integrity.errors import AnchorsUnusable

__all__ = ["AppleAnchors", "load_apple_anchors", "parse_apple_anchors"]

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
    """Loads the packaged anchors.

    Raises:
        AnchorsUnusable: The packaged file is missing or damaged.
    """
    try:
        text = files("device_integrity.apple").joinpath(_DATA_FILE).read_text(encoding="utf-8")
    except OSError as error:
        raise AnchorsUnusable(f"the packaged {_DATA_FILE} cannot be read; reinstall the package") from error
    return parse_apple_anchors(text)


def parse_apple_anchors(text: str) -> AppleAnchors:
    """Reads anchors from TOML text: tables ``app_attest`` and ``receipt``, each with ``pem`` and ``sha256``.

    Raises:
        AnchorsUnusable: A table or key is missing, or a certificate cannot be read or does not have
            the stated SHA-256.
    """
    try:
        tables = tomllib.loads(text)
        return AppleAnchors(app_attest=_anchor(tables["app_attest"]), receipt=_anchor(tables["receipt"]))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise AnchorsUnusable(f"{_DATA_FILE} cannot be used: {error}") from error


def _anchor(table: dict[str, str]) -> x509.Certificate:
    certificate = x509.load_pem_x509_certificate(table["pem"].encode())
    found = certificate.fingerprint(SHA256()).hex()
    if found != table["sha256"]:
        raise AnchorsUnusable(f"an anchor's certificate has the SHA-256 {found}, not {table['sha256']}")
    return certificate
