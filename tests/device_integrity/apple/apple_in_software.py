"""The test Apple at a fixed time, with an app of its own, and receipts, right ones and wrong ones.

The same seed and the same keys give the same bytes, so that a fuzzed case can be made again.
"""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from device_integrity.apple import AppleAnchors
from simulator.devices.app_attest import AppAttestKey, TestApple
from simulator.devices.apple_certificates import issue_as_apple
from simulator.devices.authority import Authority as Issued
from simulator.devices.authority import new_key

__all__ = ["APP", "NOW", "Issued", "SoftwareApple", "SoftwareKey", "issue", "tlv"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
APP = "TEAM123456.org.example.bank"

_VALID = (NOW - timedelta(days=1), NOW + timedelta(days=30))
_SIGNER_OID = x509.ObjectIdentifier("1.2.840.113635.100.12.15")

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
    """Two roots and what is issued under them."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__(seed=f"apple {seed}", valid=_VALID)
        self.receipt_root = issue("Receipt root", by=None, authority=True, key=new_key(f"{seed} receipts"))
        self.receipt_ca = issue(
            "Receipt CA", by=self.receipt_root, authority=True, key=new_key(f"{seed} receipt CA")
        )
        self.receipt_signer = issue(
            "Receipt signing",
            by=self.receipt_ca,
            authority=False,
            key=new_key(f"{seed} receipt signer"),
            extensions={_SIGNER_OID: b"\x05\0"},
        )
        self.anchors = AppleAnchors(app_attest=self.root.certificate, receipt=self.receipt_root.certificate)

    def attestation(
        self, key: AppAttestKey, client_data_hash: bytes, *, app_id: str = APP, **changes: Any
    ) -> bytes:
        return super().attestation(key, client_data_hash, app_id=app_id, **changes)

    def receipt(
        self,
        key: SoftwareKey,
        *,
        fields: dict[int, bytes] | None = None,
        signer: Issued | None = None,
        certificates: list[Issued] | None = None,
        signing_key: ec.EllipticCurvePrivateKey | None = None,
        indefinite: bool = True,
    ) -> bytes:
        """A receipt, with the fields that are named put in the place of what is right; empty for none."""
        said = {
            2: APP.encode(),
            3: self.leaf(key, bytes(32)).der,
            4: b"client data hash",
            5: b"token",
            6: b"RECEIPT",
            7: b"production",
            12: b"2026-03-01T11:59:00.000Z",
            17: b"1",
            19: b"2026-03-02T11:59:00Z",
            21: b"2026-06-01T11:59:00.000Z",
        } | (fields or {})
        content = tlv(
            0x31,
            *(
                tlv(0x30, tlv(2, bytes([number])), tlv(2, b"\x01"), tlv(4, value))
                for number, value in said.items()
                if value
            ),
        )
        signer = signer or self.receipt_signer
        signature = (signing_key or signer.key).sign(content, ec.ECDSA(SHA256(), deterministic_signing=True))
        held = [signer, self.receipt_ca, self.receipt_root] if certificates is None else certificates
        hashed = tlv(0x30, bytes.fromhex("0609608648016503040201"), b"\x05\0")
        serial = signer.certificate.serial_number
        info = tlv(
            0x30,
            tlv(2, b"\x01"),
            tlv(
                0x30,
                signer.certificate.issuer.public_bytes(),
                tlv(2, serial.to_bytes(serial.bit_length() // 8 + 1, "big")),
            ),
            hashed,
            tlv(0x30, bytes.fromhex("06082a8648ce3d040302")),
            tlv(4, signature),
        )
        pieces = (tlv(4, content[:1000]), tlv(4, content[1000:]))
        held_octets = tlv(0x24, *pieces, indefinite=True) if indefinite else tlv(4, content)
        return tlv(
            0x30,
            bytes.fromhex("06092a864886f70d010702"),
            tlv(
                0xA0,
                tlv(
                    0x30,
                    tlv(2, b"\x01"),
                    tlv(0x31, hashed),
                    tlv(
                        0x30,
                        bytes.fromhex("06092a864886f70d010701"),
                        tlv(0xA0, held_octets, indefinite=indefinite),
                        indefinite=indefinite,
                    ),
                    tlv(0xA0, *(one.der for one in held), indefinite=indefinite),
                    tlv(0x31, info),
                    indefinite=indefinite,
                ),
                indefinite=indefinite,
            ),
            indefinite=indefinite,
        )
