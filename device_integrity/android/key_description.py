"""Reads the attestation extension of an Android key, KeyDescription, and its nested structures.

The schema is at source.android.com, "Key and ID attestation". The reader accepts any version: 1 to 4 are
Keymaster 2 to 4.1, 100 and above are KeyMint, and new versions only add tags.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

from device_integrity.cbor import decode_cbor, take_int, take_map
from device_integrity.errors import CborMalformed, KeyDescriptionMalformed
from formats import der
from formats.errors import DerMalformed

# Reads the AuthorizationList of an Android key attestation: a key's permissions and the device's state.
#
# The schema is at source.android.com, "Key and ID attestation". Every field has an explicit context tag.
# The tag numbers go up to 724, with gaps, so each field states its own. A tag that no field has is kept
# unread, because new versions of Android add tags.

_MAX_NUMBER: Final = 2**64
_MAX_MALFORMED: Final = 1
_JUDGED: Final = frozenset(
    {
        "purposes",
        "all_applications",
        "application_id",
        "origin",
        "root_of_trust",
        "os_patch_level",
        "attestation_application_id",
    }
)
"""Fields that tests use. A malformed one makes the list malformed."""


class BootState(IntEnum):
    """How the operating system was verified when the device started."""

    VERIFIED = 0
    """With the manufacturer's key."""
    SELF_SIGNED = 1
    """With a key that the owner installed."""
    UNVERIFIED = 2
    """Not verified."""
    FAILED = 3


class KeyOrigin(IntEnum):
    """The origin of the key."""

    GENERATED = 0
    """Made in the secure environment."""
    DERIVED = 1
    IMPORTED = 2
    RESERVED = 3
    SECURELY_IMPORTED = 4


class KeyPurpose(IntEnum):
    """The permitted uses of a key."""

    ENCRYPT = 0
    DECRYPT = 1
    SIGN = 2
    VERIFY = 3
    DERIVE_KEY = 4
    WRAP_KEY = 5
    AGREE_KEY = 6
    ATTEST_KEY = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class RootOfTrust:
    """The boot state that the boot loader reported to the secure environment.

    Attributes:
        verified_boot_key: Digest of the key that verified the operating system.
        device_locked: Whether the boot loader refuses systems that are not signed.
        verified_boot_state: The ``BootState``; another number if the state is unknown.
        verified_boot_hash: Digest of all verified data; ``None`` before Keymaster 4.
    """

    verified_boot_key: bytes
    device_locked: bool
    verified_boot_state: int
    verified_boot_hash: bytes | None


_Reader = Callable[[der.Element, set[str]], object]


def _number(element: der.Element, _: set[str]) -> int:
    return _not_negative(element.integer())


def _numbers(element: der.Element, _: set[str]) -> frozenset[int]:
    found = [_not_negative(item.integer()) for item in element.set_of()]
    if len(set(found)) != len(found):
        raise KeyDescriptionMalformed("a set holds a number twice")
    return frozenset(found)


def _not_negative(number: int) -> int:
    if not 0 <= number < _MAX_NUMBER:
        raise KeyDescriptionMalformed("a number is negative or has more than 64 bits")
    return number


def _flag(element: der.Element, _: set[str]) -> bool:
    element.null()
    return True


def _octets(element: der.Element, _: set[str]) -> bytes:
    return element.octets()


def _root_of_trust(element: der.Element, oddities: set[str]) -> RootOfTrust:
    parts = element.sequence()
    if len(parts) not in (3, 4):
        raise KeyDescriptionMalformed(f"RootOfTrust has {len(parts)} elements, 3 or 4 expected")
    locked = parts[1].boolean()
    if not locked.canonical:
        # Some genuine devices write 0x01, which a strict parser would refuse.
        oddities.add("BOOLEAN_NOT_DER")
    return RootOfTrust(
        verified_boot_key=parts[0].octets(),
        device_locked=locked.value,
        verified_boot_state=_not_negative(parts[2].enumerated()),
        verified_boot_hash=parts[3].octets() if len(parts) == 4 else None,
    )


def _tag(number: int, read: _Reader, default: Any = None, *, shown: bool = True) -> Any:
    """Return the field of a tag: its number, the reader of its value, and the value without it."""
    return field(default=default, repr=shown, metadata={"tag": number, "read": read})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationList:
    """One list. A field that the list does not have is ``None``, false or an empty set.

    Numbers are in the form of the schema: times in milliseconds since 1970, ``os_version`` as
    ``MMmmss``, ``os_patch_level`` as ``YYYYMM``, the other patch levels as ``YYYYMMDD``.

    Attributes:
        unknown: Encoded content of tags that this release does not know, by number.
        oddities: Deviations from DER or the schema, as UPPER_SNAKE_CASE words. ``MALFORMED_`` and a field's
            name means that its value could not be read; at most one field, which no test uses, may be so.
    """

    purposes: frozenset[int] = _tag(1, _numbers, frozenset())
    algorithm: int | None = _tag(2, _number)
    key_size: int | None = _tag(3, _number)
    block_modes: frozenset[int] = _tag(4, _numbers, frozenset())
    digests: frozenset[int] = _tag(5, _numbers, frozenset())
    paddings: frozenset[int] = _tag(6, _numbers, frozenset())
    caller_nonce: bool = _tag(7, _flag, False)
    min_mac_length: int | None = _tag(8, _number)
    ec_curve: int | None = _tag(10, _number)
    ml_dsa_variant: int | None = _tag(11, _number)
    rsa_public_exponent: int | None = _tag(200, _number)
    rsa_oaep_mgf_digests: frozenset[int] = _tag(203, _numbers, frozenset())
    rollback_resistance: bool = _tag(303, _flag, False)
    early_boot_only: bool = _tag(305, _flag, False)
    active_date_time: int | None = _tag(400, _number)
    origination_expire_date_time: int | None = _tag(401, _number)
    usage_expire_date_time: int | None = _tag(402, _number)
    usage_count_limit: int | None = _tag(405, _number)
    user_secure_ids: frozenset[int] = _tag(502, _numbers, frozenset())
    no_auth_required: bool = _tag(503, _flag, False)
    user_auth_type: int | None = _tag(504, _number)
    auth_timeout: int | None = _tag(505, _number)
    allow_while_on_body: bool = _tag(506, _flag, False)
    trusted_user_presence_required: bool = _tag(507, _flag, False)
    trusted_confirmation_required: bool = _tag(508, _flag, False)
    unlocked_device_required: bool = _tag(509, _flag, False)
    all_applications: bool = _tag(600, _flag, False)
    application_id: bytes | None = _tag(601, _octets)
    creation_date_time: int | None = _tag(701, _number)
    origin: int | None = _tag(702, _number)
    rollback_resistant: bool = _tag(703, _flag, False)
    root_of_trust: RootOfTrust | None = _tag(704, _root_of_trust)  # noqa: RUF009 - it makes a field
    os_version: int | None = _tag(705, _number)
    os_patch_level: int | None = _tag(706, _number)
    attestation_application_id: bytes | None = _tag(709, _octets, shown=False)
    attestation_id_brand: bytes | None = _tag(710, _octets, shown=False)
    attestation_id_device: bytes | None = _tag(711, _octets, shown=False)
    attestation_id_product: bytes | None = _tag(712, _octets, shown=False)
    attestation_id_serial: bytes | None = _tag(713, _octets, shown=False)
    attestation_id_imei: bytes | None = _tag(714, _octets, shown=False)
    attestation_id_meid: bytes | None = _tag(715, _octets, shown=False)
    attestation_id_manufacturer: bytes | None = _tag(716, _octets, shown=False)
    attestation_id_model: bytes | None = _tag(717, _octets, shown=False)
    vendor_patch_level: int | None = _tag(718, _number)
    boot_patch_level: int | None = _tag(719, _number)
    device_unique_attestation: bool = _tag(720, _flag, False)
    attestation_id_second_imei: bytes | None = _tag(723, _octets, shown=False)
    module_hash: bytes | None = _tag(724, _octets)
    unknown: Mapping[int, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    oddities: frozenset[str] = frozenset()


_FIELDS: Final = {one.metadata["tag"]: one for one in fields(AuthorizationList) if one.metadata}


def read_authorizations(element: der.Element) -> AuthorizationList:
    """Read one AuthorizationList.

    Raises:
        KeyDescriptionMalformed: It is not a SEQUENCE, an element is not a context tag, a tag occurs twice,
            or the value of a tag that tests use, or of more than one other tag, has another type.
    """
    values: dict[str, Any] = {}
    unknown: dict[int, bytes] = {}
    oddities: set[str] = set()
    seen: set[int] = set()
    last, malformed = -1, 0
    try:
        for item in element.sequence():
            if item.tag.tag_class is not der.TagClass.CONTEXT or not item.constructed:
                raise KeyDescriptionMalformed(
                    f"an AuthorizationList has the element {item.tag}, which is not a constructed context tag"
                )
            number = item.tag.number
            if number in seen:
                raise KeyDescriptionMalformed(f"an AuthorizationList has tag {number} twice")
            if number < last:
                oddities.add("TAGS_NOT_ASCENDING")
            seen.add(number)
            last = number
            if (known := _FIELDS.get(number)) is None:
                unknown[number] = item.content
                continue
            try:
                values[known.name] = known.metadata["read"](item.explicit(), oddities)
            except (DerMalformed, KeyDescriptionMalformed):
                malformed += 1
                if known.name in _JUDGED or malformed > _MAX_MALFORMED:
                    raise
                oddities.add(f"MALFORMED_{known.name.upper()}")
    except DerMalformed as error:
        raise KeyDescriptionMalformed(f"an AuthorizationList is malformed: {error}") from error
    return AuthorizationList(**values, unknown=MappingProxyType(unknown), oddities=frozenset(oddities))


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
        attestation_security_level: Security level of the key that attests.
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
    """Read the value of the extension 1.3.6.1.4.1.11129.2.1.17.

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
    """Read an AttestationApplicationId, which is DER within the octets of tag 709.

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
    """Read the provisioning information of a remotely provisioned attestation certificate.

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
