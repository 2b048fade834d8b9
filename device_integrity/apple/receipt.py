"""A receipt of App Attest: what Apple's server says of a key, among it how many keys the device made lately.

The steps are those of Apple's "Assessing fraud risk". The first receipt, ATTEST, comes within the
attestation; exchanging it at Apple's server for a RECEIPT with the risk metric is the caller's.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from device_integrity.apple.anchors import AppleAnchors
from device_integrity.apple.attestation_format import Environment
from device_integrity.apple.certificates import ChainProblem, chain_problem
from device_integrity.apple.receipt_format import Receipt, SignedReceipt, parse_receipt
from device_integrity.apple.receipt_risk import check_risk
from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation
from device_integrity.checklist import Checklist
from device_integrity.errors import EvidenceMalformed
from facegate_protocol import verify

__all__ = ["ReceiptResult", "verify_receipt"]

_LIST: Final = Checklist(
    "app_attest_receipt",
    ("format", "chain", "signature", "app", "key", "environment", "freshness", "challenge", "risk"),
)
_SIGNER_OID: Final = "1.2.840.113635.100.12.15"
"""The extension that only certificates for signing these receipts have: the same authority also issues
certificates whose keys are with merchants."""
_CLOCK_SKEW: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptResult:
    """What became of a receipt.

    Attributes:
        checks: ``app_attest_receipt.<check>``; all of them, also those that were not reached.
        receipt: What it says; ``None`` unless it can be read and Apple signed it.
    """

    checks: tuple[DeviceCheck, ...]
    receipt: Receipt | None


def verify_receipt(
    *,
    receipt: bytes,
    public_key: bytes,
    app_id: str,
    environment: Environment,
    client_data_hash: bytes | None,
    max_age: timedelta,
    most_keys: int,
    anchors: AppleAnchors,
    now: datetime,
) -> ReceiptResult:
    """Judges a receipt; never raises for what it holds.

    Args:
        receipt: As received.
        public_key: Of the enrolled key, SubjectPublicKeyInfo, DER.
        app_id: The app that the key was enrolled for.
        environment: The one that the key was enrolled for.
        client_data_hash: The attestation's, where the caller has it; held against an ATTEST receipt only.
        max_age: How old it may be. Apple advises 5 minutes for one that was just received.
        most_keys: The greatest risk metric that raises no doubt.
        anchors: Apple's roots.
        now: When it was received, with a time zone.
    """
    try:
        signed = parse_receipt(receipt)
    except EvidenceMalformed as error:
        return ReceiptResult(checks=_LIST.unreadable(str(error)), receipt=None)
    said = signed.receipt
    origin = (
        _chain_check(signed, anchors, now),
        _LIST.judged(
            "signature",
            holds=verify(public_key=signed.signer_key, message=signed.content, signature=signed.signature),
            good=("SIGNATURE_VALID", "the receipt's signer signed it"),
            bad=("SIGNATURE_INVALID", "the receipt was changed, or another key signed it"),
            sign_of=Manipulation.MAN_IN_THE_MIDDLE,
        ),
    )
    checks = (
        _LIST.passed("format", "WELL_FORMED", "the receipt is App Attest's"),
        *origin,
        _LIST.judged(
            "app",
            holds=said.app_id == app_id,
            good=("APP_MATCHES", "the receipt is for the app that the key was enrolled for"),
            bad=("APP_MISMATCH", "the receipt is for another app than the key was enrolled for"),
            sign_of=Manipulation.CODE_MODIFICATION,
        ),
        _LIST.judged(
            "key",
            holds=hmac.compare_digest(said.public_key, public_key),
            good=("KEY_MATCHES", "the receipt is for the enrolled key"),
            bad=("KEY_MISMATCH", "the receipt is for another key than the enrolled one"),
            sign_of=Manipulation.MAN_IN_THE_MIDDLE,
        ),
        _LIST.judged(
            "environment",
            holds=said.environment is environment,
            good=("ENVIRONMENT_MATCHES", f"the receipt is one for {environment}"),
            bad=("ENVIRONMENT_MISMATCH", f"the receipt is one for {said.environment}, not {environment}"),
            sign_of=Manipulation.CODE_MODIFICATION,
        ),
        _freshness_check(said, max_age, now),
        _challenge_check(said, client_data_hash),
        check_risk(said, most_keys=most_keys, now=now),
    )
    is_apples = all(check.outcome is DeviceFinding.PASS for check in origin)
    return ReceiptResult(checks=checks, receipt=said if is_apples else None)


def _chain_check(signed: SignedReceipt, anchors: AppleAnchors, now: datetime) -> DeviceCheck:
    problem = chain_problem(chain=signed.chain, anchor=anchors.receipt, now=now)
    if problem is None and not _has_extension(signed.signer, _SIGNER_OID):
        problem = ChainProblem("CERTIFICATE_ROLE_WRONG", "the signer's certificate is not one for receipts")
    if problem is None:
        return _LIST.passed("chain", "CHAIN_TRUSTED", "the signer's certificate is Apple's, for receipts")
    return _LIST.failed("chain", problem.reason, problem.detail)


def _freshness_check(said: Receipt, max_age: timedelta, now: datetime) -> DeviceCheck:
    if said.created > now + _CLOCK_SKEW:
        return _LIST.failed("freshness", "RECEIPT_FROM_THE_FUTURE", "the receipt was made later than now")
    if now - said.created > max_age:
        return _LIST.failed(
            "freshness",
            "RECEIPT_TOO_OLD",
            f"the receipt was made {now - said.created} ago, {max_age} are allowed",
        )
    if now > said.expires:
        return _LIST.failed("freshness", "RECEIPT_EXPIRED", "the receipt has expired")
    return _LIST.passed("freshness", "RECEIPT_FRESH", "the receipt is new enough")


def _challenge_check(said: Receipt, client_data_hash: bytes | None) -> DeviceCheck:
    if said.client_hash is None or client_data_hash is None:
        return _LIST.not_evaluated(
            "challenge", "CHALLENGE_NOT_COMPARED", "only a first receipt can be held against its attestation"
        )
    return _LIST.judged(
        "challenge",
        holds=hmac.compare_digest(said.client_hash, client_data_hash),
        good=("CHALLENGE_MATCHES", "the receipt came with this attestation"),
        bad=("CHALLENGE_MISMATCH", "the receipt came with another attestation"),
        sign_of=Manipulation.MAN_IN_THE_MIDDLE,
    )


def _has_extension(certificate: x509.Certificate, oid: str) -> bool:
    return any(one.oid.dotted_string == oid for one in certificate.extensions)
