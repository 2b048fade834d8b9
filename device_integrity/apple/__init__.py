"""Verifies the evidence of Apple's devices: App Attest attestations, assertions and receipts."""

from device_integrity.apple.assertion import (
    parse_assertion,
    verify_assertion,
)
from device_integrity.apple.attestation import (
    AttestedKey,
    KeyOwner,
    check_key_use,
    verify_attestation,
)
from device_integrity.apple.attestation_format import (
    AuthenticatorData,
    Environment,
    parse_attestation,
)
from device_integrity.apple.certificates import AppleAnchors, load_apple_anchors
from device_integrity.apple.receipt import (
    ReceiptExchange,
    ReceiptResult,
    check_risk,
    exchange_unavailable,
    verify_receipt,
)
from device_integrity.apple.receipt_format import (
    MAX_RECEIPT_BYTES,
    Receipt,
    ReceiptKind,
    parse_receipt,
)

__all__ = [
    "MAX_RECEIPT_BYTES",
    "AppleAnchors",
    "AttestedKey",
    "AuthenticatorData",
    "Environment",
    "KeyOwner",
    "Receipt",
    "ReceiptExchange",
    "ReceiptKind",
    "ReceiptResult",
    "check_key_use",
    "check_risk",
    "exchange_unavailable",
    "load_apple_anchors",
    "parse_assertion",
    "parse_attestation",
    "parse_receipt",
    "verify_assertion",
    "verify_attestation",
    "verify_receipt",
]
