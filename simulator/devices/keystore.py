"""An Android keystore: makes keys and has them attested."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cryptography import x509

from device_integrity.android import ATTESTATION_EXTENSION
from simulator.devices.authority import Authority, KeyPair, issue, name_of, new_key
from simulator.devices.key_description import Description

__all__ = ["Keystore"]

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
            description: The description of the key.
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

    def with_attestation(self, authority: Authority) -> "Keystore":
        """Return the same keystore with another attestation key."""
        return replace(self, authorities=(*self.authorities[:-1], authority))
