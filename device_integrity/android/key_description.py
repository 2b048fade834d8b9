"""Reads the attestation extension of an Android key, KeyDescription, and its nested structures.

The schema is at source.android.com, "Key and ID attestation". The reader accepts any version: 1 to 4 are
Keymaster 2 to 4.1, 100 and above are KeyMint, and new versions only add tags.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from device_integrity.android.authorizations import AuthorizationList, read_authorizations
from device_integrity.cbor import decode_cbor, take_int, take_map
from device_integrity.errors import CborMalformed, KeyDescriptionMalformed
from formats import der
from formats.errors import DerMalformed

__all__ = [
    "ApplicationId",
    "ApplicationPackage",
    "KeyDescription",
    "SecurityLevel",
    "read_application_id",
    "read_certificates_issued",
    "read_key_description",
]

_MAX_BYTES: Final = 8 * 1024
_ELEMENTS: Final = 8
_MAX_PROVISIONING_BYTES: Final = 1024
_CERTIFICATES_ISSUED: Final = 1


class SecurityLevel(IntEnum):
    """The kind of environment in which a key or a service is."""

    SOFTWARE = 0
    TRUSTED_ENVIRONMENT = 1
    """A trusted execution environment of the main processor."""
    STRONGBOX = 2
    """A separate secure chip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDescription:
    """The statements of the attestation key about the attested key.

    Attributes:
        attestation_version: Version of this structure.
        attestation_security_level: Security level of the key that attests.
        keymint_version: Version of Keymaster or KeyMint.
        keymint_security_level: Security level of Keymaster or KeyMint.
        challenge: The challenge that the app gave.
        unique_id: An identifier of the device for system apps; empty otherwise.
        software_enforced: Authorizations that the operating system states and enforces.
        hardware_enforced: Authorizations that the secure environment states and enforces.
    """

    attestation_version: int
    attestation_security_level: SecurityLevel
    keymint_version: int
    keymint_security_level: SecurityLevel
    challenge: bytes
    unique_id: bytes
    software_enforced: AuthorizationList
    hardware_enforced: AuthorizationList

    @property
    def oddities(self) -> frozenset[str]:
        """The deviations from DER or the schema in both lists."""
        return self.software_enforced.oddities | self.hardware_enforced.oddities


@dataclass(frozen=True, slots=True)
class ApplicationPackage:
    """An app by name and version code."""

    name: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationId:
    """The app that requested the key, as the operating system knows it.

    Attributes:
        packages: All packages that share the app's user, usually one.
        certificate_digests: SHA-256 of the certificates that signed it.
    """

    packages: frozenset[ApplicationPackage]
    certificate_digests: frozenset[bytes]


def read_key_description(extension: bytes) -> KeyDescription:
    """Reads the value of the extension 1.3.6.1.4.1.11129.2.1.17.

    Args:
        extension: DER, at most 8 KiB.

    Raises:
        KeyDescriptionMalformed: It is not a KeyDescription.
    """
    try:
        parts = der.read(extension, max_bytes=_MAX_BYTES).sequence()
        if len(parts) != _ELEMENTS:
            raise KeyDescriptionMalformed(f"KeyDescription has {len(parts)} elements, {_ELEMENTS} expected")
        return KeyDescription(
            attestation_version=parts[0].integer(),
            attestation_security_level=_level(parts[1]),
            keymint_version=parts[2].integer(),
            keymint_security_level=_level(parts[3]),
            challenge=parts[4].octets(),
            unique_id=parts[5].octets(),
            software_enforced=read_authorizations(parts[6]),
            hardware_enforced=read_authorizations(parts[7]),
        )
    except DerMalformed as error:
        raise KeyDescriptionMalformed(f"KeyDescription is malformed: {error}") from error


def read_application_id(octets: bytes) -> ApplicationId:
    """Reads an AttestationApplicationId, which is DER within the octets of tag 709.

    Raises:
        KeyDescriptionMalformed: It is not an AttestationApplicationId, or a package's name is not UTF-8.
    """
    try:
        parts = der.read(octets, max_bytes=_MAX_BYTES).sequence()
        if len(parts) != 2:
            raise KeyDescriptionMalformed(f"AttestationApplicationId has {len(parts)} elements, 2 expected")
        packages, digests = parts
        return ApplicationId(
            packages=frozenset(map(_package, packages.set_of())),
            certificate_digests=frozenset(item.octets() for item in digests.set_of()),
        )
    except (DerMalformed, UnicodeDecodeError) as error:
        raise KeyDescriptionMalformed("AttestationApplicationId is malformed") from error


def read_certificates_issued(extension: bytes) -> int | None:
    """Reads the provisioning information of a remotely provisioned attestation certificate.

    Args:
        extension: Value of the extension 1.3.6.1.4.1.11129.2.1.30: a CBOR map, at most 1 KiB.

    Returns:
        The number of certificates that were issued to the device in the last 30 days; ``None`` if the map
        does not state it.

    Raises:
        KeyDescriptionMalformed: It is not a CBOR map, or the number is not an integer of at least 0.
    """
    try:
        information = take_map(
            decode_cbor(extension, max_bytes=_MAX_PROVISIONING_BYTES), "the provisioning information"
        )
        if _CERTIFICATES_ISSUED not in information:
            return None
        issued = take_int(information[_CERTIFICATES_ISSUED], "the number of certificates issued")
    except CborMalformed as error:
        raise KeyDescriptionMalformed("the provisioning information is malformed") from error
    if issued < 0:
        raise KeyDescriptionMalformed("the number of certificates issued is negative")
    return issued


def _level(element: der.Element) -> SecurityLevel:
    number = element.enumerated()
    try:
        return SecurityLevel(number)
    except ValueError as error:
        raise KeyDescriptionMalformed(f"security level {number} is unknown") from error


def _package(element: der.Element) -> ApplicationPackage:
    parts = element.sequence()
    if len(parts) != 2:
        raise KeyDescriptionMalformed(f"a package has {len(parts)} elements, 2 expected")
    return ApplicationPackage(parts[0].octets().decode("utf-8"), parts[1].integer())
