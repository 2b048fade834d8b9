"""An Android keystore: makes keys and has them attested."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cryptography import x509

from device_integrity.android.certificates import ATTESTATION_EXTENSION
from simulator.devices.authority import Authority, KeyPair, issue, name_of, new_key
from simulator.devices.key_description import Description

__all__ = ["Keystore"]

_LEAF_FROM = datetime(1970, 1, 1, tzinfo=UTC)
_LEAF_UNTIL = datetime(2048, 1, 1, tzinfo=UTC)
"""Android's own: the phone's clock is nobody's to believe."""


@dataclass(frozen=True, slots=True)
class Keystore:
    """What signs a phone's attestations.

    Attributes:
        authorities: From the root to the attestation key.
    """

    authorities: tuple[Authority, ...]

    def attest(
        self, description: Description, key: KeyPair | None = None
    ) -> tuple[KeyPair, list[x509.Certificate]]:
        """A new key with its chain, leaf first.

        Args:
            description: What is said of the key.
            key: The key; a new one where ``None``.
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
        """The same with another attestation key."""
        return replace(self, authorities=(*self.authorities[:-1], authority))
