"""The demands on an Android key attestation."""

from dataclasses import dataclass
from datetime import timedelta

from device_integrity.android.apps import AllowedApp
from device_integrity.android.key_description import SecurityLevel

__all__ = ["KeyAttestationPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAttestationPolicy:
    """Demands and limits.

    Attributes:
        apps: The apps that may scan; without any, the app is not evaluated.
        min_security_level: The least security level of the key; SOFTWARE is never accepted.
        self_signed_boot_keys: Digests of boot keys, 32 bytes each, that are trusted with the boot state
            SELF_SIGNED: systems such as GrapheneOS, which publishes them.
        max_patch_age_months: Maximum age of a security patch level, months; ``None`` for no limit.
        max_certificates_issued: Maximum number of certificates provisioned to one device in 30 days. A larger
            number is typical of farms that sell keys. Devices of test laboratories have up to 64.
        max_revocation_age: Maximum age of the revocation list.
        stale_revocation_is_soft: Whether the test is a soft UNAVAILABLE if the list is older.
        tee_under_strongbox: Whether a key in the TRUSTED_ENVIRONMENT may be attested under the chain of a
            StrongBox.
        remotely_provisioned_only: Whether to refuse attestation keys from the factory, which leak in batches.
    """

    apps: tuple[AllowedApp, ...] = ()
    min_security_level: SecurityLevel = SecurityLevel.TRUSTED_ENVIRONMENT
    self_signed_boot_keys: frozenset[bytes] = frozenset()
    max_patch_age_months: int | None = 24
    max_certificates_issued: int = 512
    max_revocation_age: timedelta = timedelta(days=2)
    stale_revocation_is_soft: bool = False
    tee_under_strongbox: bool = False
    remotely_provisioned_only: bool = False
