"""Test phones: chains of every shape, right and wrong, under a test root."""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from device_integrity.android.chain import PROVISIONING_EXTENSION, RootKind, TrustRoot
from lab.simulator.devices.authority import Authority, name_of, new_key, spki_sha256
from lab.simulator.devices.authority import issue as issue_between
from lab.simulator.devices.keystore import Description as AnyDescription
from lab.simulator.devices.keystore import Keystore as Phone
from lab.simulator.devices.keystore import RootOfTrust

__all__ = [
    "APP_DIGEST",
    "NOW",
    "PACKAGE",
    "Authority",
    "Description",
    "Phone",
    "RootOfTrust",
    "der_chain",
    "factory_phone",
    "issue",
    "name_of",
    "new_key",
    "remote_phone",
    "trust",
]

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PACKAGE = "org.example.bank"
APP_DIGEST = sha256(b"the bank's signing certificate").digest()

issue = functools.partial(
    issue_between, not_before=NOW - timedelta(days=10), not_after=NOW + timedelta(days=10)
)
"""A certificate that is valid now."""


@dataclass(frozen=True, kw_only=True)
class Description(AnyDescription):
    """A KeyDescription as an honest phone with the bank's app writes it."""

    packages: Sequence[str] = (PACKAGE,)
    digests: Sequence[bytes] = (APP_DIGEST,)


def _authority(subject: x509.Name, issuer: Authority | None, **options: object) -> Authority:
    above = "" if issuer is None else str(issuer.certificate.serial_number)
    key = new_key(f"{subject.rfc4514_string()} under {above} with {sorted(options.items())}")
    return Authority(key, issue(subject, key, issuer, **options))  # type: ignore[arg-type]


@functools.cache
def factory_phone(*, expired: bool = False) -> Phone:
    """A phone with a batch key."""
    until = NOW - timedelta(days=1) if expired else NOW + timedelta(days=1000)
    root = _authority(name_of(serial="f92009e853b6b045"), None, not_after=until)
    intermediate = _authority(name_of(serial="0a11", title="TEE"), root, not_after=until)
    attestation = _authority(name_of(serial="0b22", title="TEE"), intermediate, not_after=until)
    return Phone((root, intermediate, attestation))


@functools.cache
def remote_phone(*, issued: int = 8, environment: str = "TEE", expired: bool = False) -> Phone:
    """A phone with a provisioned key."""
    until = NOW - timedelta(days=1) if expired else NOW + timedelta(days=10)
    root = _authority(name_of(cn="Key Attestation CA1", o="Google LLC"), None)
    first = _authority(name_of(cn="Droid CA2", o="Google LLC"), root, path_length=2)
    second = _authority(name_of(cn="Droid CA3", o="Google LLC"), first)
    number = bytes([issued]) if issued < 24 else b"\x19" + issued.to_bytes(2, "big")
    attestation = _authority(
        name_of(cn="44c157655f18c3e490e27a7a583b96d2", o=environment),
        second,
        not_after=until,
        extensions={PROVISIONING_EXTENSION: b"\xa1\x01" + number},
    )
    return Phone((root, first, second, attestation))


def trust(phone: Phone, kind: RootKind = RootKind.HARDWARE) -> tuple[TrustRoot, ...]:
    """The root of a phone, trusted."""
    root = phone.authorities[0]
    return (
        TrustRoot(
            name="test root",
            kind=kind,
            subject=root.certificate.subject.rfc4514_string(),
            spki_sha256=spki_sha256(root.key),
        ),
    )


def der_chain(certificates: Iterable[x509.Certificate]) -> list[bytes]:
    return [certificate.public_bytes(Encoding.DER) for certificate in certificates]
