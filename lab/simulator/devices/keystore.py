"""An Android keystore: makes keys and has them attested.

The KeyDescription is that of source.android.com, "Key and ID attestation", schema 400.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509

from device_integrity.android import ATTESTATION_EXTENSION
from formats.der import encode, encode_integer
from lab.simulator.devices.authority import Authority, KeyPair, issue, name_of, new_key


def tlv(tag: bytes, content: bytes) -> bytes:
    """Encode an element with a definite length in the fewest octets."""
    return encode(int.from_bytes(tag), content)


def sequence(items: Iterable[bytes]) -> bytes:
    """Encode a SEQUENCE of encoded elements."""
    return tlv(b"\x30", b"".join(items))


def set_of(items: Iterable[bytes]) -> bytes:
    """Encode a SET OF encoded elements, in DER's order."""
    return tlv(b"\x31", b"".join(sorted(items)))


def octets(data: bytes) -> bytes:
    """Encode an OCTET STRING."""
    return tlv(b"\x04", data)


def integer(number: int) -> bytes:
    """Encode an INTEGER."""
    return tlv(b"\x02", encode_integer(number))


def enumerated(number: int) -> bytes:
    """Encode an ENUMERATED."""
    return tlv(b"\x0a", encode_integer(number))


def explicit(number: int, inner: bytes) -> bytes:
    """Encode an element in an explicit context tag, of any number."""
    if number < 31:
        return tlv(bytes([0xA0 | number]), inner)
    tag = bytearray([number & 0x7F])
    while number := number >> 7:
        tag.insert(0, 0x80 | number & 0x7F)
    return tlv(b"\xbf" + bytes(tag), inner)


_NULL = b"\x05\x00"
_TRUE = b"\x01\x01\xff"


@dataclass(frozen=True, slots=True, kw_only=True)
class RootOfTrust:
    """The boot state of the phone.

    Attributes:
        key: Digest of the key that signed the system, 32 bytes.
        locked: Whether the boot loader is locked, as an encoded BOOLEAN.
        state: Verified boot state: 0 verified, 1 self-signed, 2 unverified, 3 failed.
    """

    key: bytes = bytes(32)
    locked: bytes = _TRUE
    state: int = 0

    def der(self) -> bytes:
        """Return the encoding."""
        return sequence([octets(self.key), self.locked, enumerated(self.state), octets(bytes(32))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A KeyDescription as an honest phone writes it; tests change single fields.

    Attributes:
        version: Version of the schema.
        attestation_level: Location of the attesting key: 0 software, 1 TEE, 2 StrongBox.
        packages: Names of the app.
        digests: SHA-256 of its signing certificates.
        purposes: Permitted uses of the key; 2 is to sign.
        origin: 0 if the secure environment made the key; ``None`` omits it.
        root_of_trust: The boot state of the phone; ``None`` omits it.
        patch_level: Year and month of the security patch, such as 202610; ``None`` omits it.
        os_version: Such as 160000 for Android 16; ``None`` omits it.
        all_applications: Whether every app may use the key.
        software_extra: Further encoded entries that the system enforces.
        hardware_extra: Further encoded entries that the secure environment enforces.
    """

    challenge: bytes = b"challenge"
    version: int = 400
    attestation_level: int = 1
    keymint_level: int = 1
    packages: Sequence[str] = ()
    digests: Sequence[bytes] = ()
    purposes: Sequence[int] = (2,)
    origin: int | None = 0
    root_of_trust: RootOfTrust | None = field(default_factory=RootOfTrust)
    patch_level: int | None = 202610
    os_version: int | None = None
    all_applications: bool = False
    software_extra: Iterable[bytes] = ()
    hardware_extra: Iterable[bytes] = ()

    def der(self) -> bytes:
        """Return the encoding, which is the content of the attestation extension."""
        application = sequence(
            [
                set_of(sequence([octets(name.encode()), integer(7)]) for name in self.packages),
                set_of(map(octets, self.digests)),
            ]
        )
        software = [explicit(701, integer(1_795_000_000_000)), explicit(709, octets(application))]
        hardware = [explicit(1, set_of(map(integer, self.purposes))), explicit(2, integer(3))]
        if self.all_applications:
            hardware.append(explicit(600, _NULL))
        if self.origin is not None:
            hardware.append(explicit(702, integer(self.origin)))
        if self.root_of_trust is not None:
            hardware.append(explicit(704, self.root_of_trust.der()))
        if self.os_version is not None:
            hardware.append(explicit(705, integer(self.os_version)))
        if self.patch_level is not None:
            hardware.append(explicit(706, integer(self.patch_level)))
        return sequence(
            [
                integer(self.version),
                enumerated(self.attestation_level),
                integer(self.version),
                enumerated(self.keymint_level),
                octets(self.challenge),
                octets(b""),
                sequence([*software, *self.software_extra]),
                sequence([*hardware, *self.hardware_extra]),
            ]
        )


_LEAF_FROM = datetime(1970, 1, 1, tzinfo=UTC)
_LEAF_UNTIL = datetime(2048, 1, 1, tzinfo=UTC)
"""The validity that Android uses, because the phone's clock is not trusted."""


@dataclass(frozen=True, slots=True)
class Keystore:
    """The authorities that sign a phone's attestations.

    Attributes:
        authorities: The authorities from the root to the attestation key.
    """

    authorities: tuple[Authority, ...]

    def attest(
        self, description: Description, key: KeyPair | None = None
    ) -> tuple[KeyPair, list[x509.Certificate]]:
        """Attest a key, and return it with its chain, leaf first.

        Args:
            key: The key; ``None`` for a new one.
        """
        key = key or new_key()
        leaf = issue(
            name_of(cn="Android Keystore Key"),
            key,
            self.authorities[-1],
            ca=None,
            extensions={ATTESTATION_EXTENSION: description.der()},
            not_before=_LEAF_FROM,
            not_after=_LEAF_UNTIL,
            serial=1,
        )
        return key, [leaf, *(authority.certificate for authority in reversed(self.authorities))]
