"""An imitation of Apple at a fixed time, with a test app, and receipts, right and wrong ones.

The same seed and the same keys give the same bytes, so that a fuzzed case can be repeated.
"""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from device_integrity.apple import AppleAnchors, Environment
from lab.simulator.devices.app_attest import AppAttestKey, TestApple, issue_as_apple
from lab.simulator.devices.authority import Authority as Issued

__all__ = ["APP", "NOW", "Issued", "SoftwareApple", "SoftwareKey", "issue", "tlv"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
APP = "TEAM123456.org.example.bank"

_VALID = (NOW - timedelta(days=1), NOW + timedelta(days=30))

issue = functools.partial(issue_as_apple, valid=_VALID)
"""A certificate that is valid now."""


def tlv(tag: int, *contents: bytes, indefinite: bool = False) -> bytes:
    """One element of DER, or of BER with an indefinite length."""
    content = b"".join(contents)
    if indefinite:
        return bytes([tag, 0x80]) + content + b"\0\0"
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


@dataclass(frozen=True, kw_only=True)
class SoftwareKey(AppAttestKey):
    """A key of the app."""

    def assertion(self, client_data: bytes, *, app_id: str = APP, counter: int = 1) -> bytes:
        return AppAttestKey.assertion(self, client_data, app_id=app_id, counter=counter)


class SoftwareApple(TestApple):
    """Two roots and the certificates issued under them."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__(seed=f"apple {seed}", valid=_VALID)
        self.anchors = AppleAnchors(app_attest=self.root.certificate, receipt=self.receipts.root.certificate)

    def attestation(
        self, key: AppAttestKey, client_data_hash: bytes, *, app_id: str = APP, **changes: Any
    ) -> bytes:
        return super().attestation(key, client_data_hash, app_id=app_id, **changes)

    def enrolment(self, key: AppAttestKey, client_data_hash: bytes, **changes: Any) -> bytes:
        """An attestation with the receipt that comes with it."""
        said: dict[str, Any] = {"app_id": APP, "made": NOW, "client_data_hash": client_data_hash} | changes
        return self.attestation(key, client_data_hash, receipt=TestApple.receipt(self, key, **said))

    def changed_receipt(
        self, key: AppAttestKey, fields: dict[int, bytes] | None = None, **signing: Any
    ) -> bytes:
        """A receipt in which the named fields replace the right ones; empty for none."""
        said = self.receipt_fields(
            key,
            app_id=APP,
            made=NOW - timedelta(minutes=1),
            client_data_hash=None,
            risk_metric=1,
            environment=Environment.PRODUCTION,
        )
        return self.receipts.sign(said | (fields or {}), **signing)
