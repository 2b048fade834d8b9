"""Verifies App Attest receipts, in which Apple states how many keys a device made recently.

The steps follow Apple, "Assessing fraud risk". The first receipt, ATTEST, is part of the attestation. The
caller exchanges it at Apple's server for a RECEIPT, which has the risk metric.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from cryptography import x509

from device_integrity.apple.attestation_format import Environment
from device_integrity.apple.certificates import AppleAnchors, ChainProblem, chain_problem
from device_integrity.apple.receipt_format import Receipt, SignedReceipt, parse_receipt
from device_integrity.device_test import Checklist, DeviceFinding, DeviceTest, Manipulation
from device_integrity.errors import EvidenceMalformed
from facegate_protocol import verify

_LIST: Final = Checklist(
    "app_attest_receipt",
    ("format", "chain", "signature", "app", "key", "environment", "freshness", "challenge", "risk"),
)
_SIGNER_OID: Final = "1.2.840.113635.100.12.15"
"""The extension that only the certificates of receipt signers have. The same authority also issues
certificates to merchants, which hold their own keys."""
_CLOCK_SKEW: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptResult:
    """The result of verifying a receipt.

    Attributes:
        checks: All tests, ``app_attest_receipt.<test>``, including those not evaluated.
        receipt: The receipt's fields; ``None`` unless it can be read and Apple signed it.
    """

    checks: tuple[DeviceTest, ...]
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
    """Verify a receipt. Never raise because of the receipt's content.

    Args:
        receipt: The receipt as received.
        public_key: SubjectPublicKeyInfo of the enrolled key, DER.
        app_id: The app that the key was enrolled for.
        environment: The environment that the key was enrolled for.
        client_data_hash: The attestation's client data hash, or ``None``. Only an ATTEST receipt is compared
            with it.
        max_age: The maximum age of the receipt. Apple advises 5 minutes for one that was just received.
        most_keys: The highest risk metric that passes.
        now: When the receipt was received, with a time zone.
    """
    # 1. The receipt is CMS SignedData with the fields of App Attest (RFC 5652; Apple).
    try:
        signed = parse_receipt(receipt)
    except EvidenceMalformed as error:
        return ReceiptResult(checks=_LIST.unreadable(str(error)), receipt=None)
    fields = signed.receipt
    origin = (
        # 2. The signer's certificate leads to Apple Root CA - G3 and is for receipts (Apple).
        _chain_check(signed, anchors, now),
        # 3. The signature over the content verifies with the signer's key (RFC 5652, section 5.6; Apple).
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
        # 4. Field 2 is the App ID that the key was enrolled for (Apple).
        _LIST.judged(
            "app",
            holds=fields.app_id == app_id,
            good=("APP_MATCHES", "the receipt is for the app that the key was enrolled for"),
            bad=("APP_MISMATCH", "the receipt is for another app than the key was enrolled for"),
            sign_of=Manipulation.CODE_MODIFICATION,
        ),
        # 5. Field 3 holds the enrolled public key (Apple).
        _LIST.judged(
            "key",
            holds=hmac.compare_digest(fields.public_key, public_key),
            good=("KEY_MATCHES", "the receipt is for the enrolled key"),
            bad=("KEY_MISMATCH", "the receipt is for another key than the enrolled one"),
            sign_of=Manipulation.MAN_IN_THE_MIDDLE,
        ),
        # 6. Field 7 is the environment that the key was enrolled for (this server's requirement).
        _LIST.judged(
            "environment",
            holds=fields.environment is environment,
            good=("ENVIRONMENT_MATCHES", f"the receipt is for {environment}"),
            bad=("ENVIRONMENT_MISMATCH", f"the receipt is for {fields.environment}, not {environment}"),
            sign_of=Manipulation.CODE_MODIFICATION,
        ),
        # 7. Field 12, the creation time, is at most `max_age` old (Apple: five minutes).
        _freshness_check(fields, max_age, now),
        # 8. Field 4 of an ATTEST receipt is the attestation's client data hash (this server's requirement).
        _challenge_check(fields, client_data_hash),
        # 9. Field 17, the risk metric, is at most `most_keys` (Apple).
        check_risk(fields, most_keys=most_keys, now=now),
    )
    is_apples = all(check.outcome is DeviceFinding.PASS for check in origin)
    return ReceiptResult(checks=checks, receipt=fields if is_apples else None)


def _chain_check(signed: SignedReceipt, anchors: AppleAnchors, now: datetime) -> DeviceTest:
    problem = chain_problem(chain=signed.chain, anchor=anchors.receipt, now=now)
    if problem is None and not _has_extension(signed.signer, _SIGNER_OID):
        problem = ChainProblem("CERTIFICATE_ROLE_WRONG", "the signer's certificate is not for receipts")
    if problem is None:
        return _LIST.passed("chain", "CHAIN_TRUSTED", "the signer's certificate is Apple's, for receipts")
    return _LIST.failed("chain", problem.reason, problem.detail)


def _freshness_check(fields: Receipt, max_age: timedelta, now: datetime) -> DeviceTest:
    if fields.created > now + _CLOCK_SKEW:
        return _LIST.failed("freshness", "RECEIPT_FROM_THE_FUTURE", "the receipt's time is in the future")
    if now - fields.created > max_age:
        return _LIST.failed(
            "freshness",
            "RECEIPT_TOO_OLD",
            f"the receipt was made {now - fields.created} ago; at most {max_age} are allowed",
        )
    if now > fields.expires:
        return _LIST.failed("freshness", "RECEIPT_EXPIRED", "the receipt has expired")
    return _LIST.passed("freshness", "RECEIPT_FRESH", "the receipt is new enough")


def _challenge_check(fields: Receipt, client_data_hash: bytes | None) -> DeviceTest:
    if fields.client_hash is None or client_data_hash is None:
        return _LIST.not_evaluated(
            "challenge",
            "CHALLENGE_NOT_COMPARED",
            "only an ATTEST receipt can be compared with its attestation",
        )
    return _LIST.judged(
        "challenge",
        holds=hmac.compare_digest(fields.client_hash, client_data_hash),
        good=("CHALLENGE_MATCHES", "the receipt is part of this attestation"),
        bad=("CHALLENGE_MISMATCH", "the receipt is part of another attestation"),
        sign_of=Manipulation.MAN_IN_THE_MIDDLE,
    )


def _has_extension(certificate: x509.Certificate, oid: str) -> bool:
    return any(one.oid.dotted_string == oid for one in certificate.extensions)


# Tests the risk metric of App Attest receipts, the approximate number of the device's keys in 30 days.
#
# See Apple, "Assessing fraud risk". Only exchanged receipts state the metric, for the keys that the device
# made for the app. Apple keeps its data for 30 days. Then it exchanges no receipt of the device until the
# app attests a new key, so the metric of many honest devices is missing or old.

_RISK_LIST: Final = Checklist("app_attest_receipt", ("risk", "exchange"))
_COUNTED: Final = timedelta(days=30)


class ReceiptExchange(Protocol):
    """Exchanges receipts for newer ones, with Apple's server or a replacement in tests."""

    async def exchange(self, receipt: bytes, *, environment: Environment) -> bytes:
        """Return the newer receipt, not yet verified.

        Raises:
            ReceiptExchangeUnavailable: The server did not answer, or its answer is unusable.
        """
        ...


def check_risk(receipt: Receipt | None, *, most_keys: int, now: datetime) -> DeviceTest:
    """Return ``app_attest_receipt.risk``: whether the device made few keys.

    ``receipt`` was verified when it was received. ``most_keys`` is the highest number of keys that passes.
    """
    if receipt is None:
        return _RISK_LIST.not_evaluated("risk", "RECEIPT_MISSING", "the server has no receipt of the key")
    if receipt.risk_metric is None:
        return _RISK_LIST.not_evaluated("risk", "RISK_NOT_STATED", "the receipt states no risk metric")
    detail = f"the device made about {receipt.risk_metric} keys in 30 days; up to {most_keys} raise no doubt"
    if now - receipt.created > _COUNTED:
        return _RISK_LIST.not_evaluated(
            "risk", "RISK_OUT_OF_DATE", f"{detail}, on {receipt.created:%Y-%m-%d}"
        )
    if receipt.risk_metric > most_keys:
        return _RISK_LIST.failed("risk", "RISK_HIGH", detail, soft=True)
    return _RISK_LIST.passed("risk", "RISK_LOW", detail)


def exchange_unavailable(detail: str) -> DeviceTest:
    """Return ``app_attest_receipt.exchange`` for an exchange that failed."""
    return _RISK_LIST.unavailable("exchange", "EXCHANGE_UNAVAILABLE", detail)
