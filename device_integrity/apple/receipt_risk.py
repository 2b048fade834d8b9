"""The risk metric of App Attest's receipts: about how many keys the device made for the app in 30 days.

From Apple's "Assessing fraud risk". Only exchanged receipts state it. Apple keeps what it counts from for 30
days, and then exchanges no receipt of the device until its app attests a key anew: many an honest device's
metric is missing or old.
"""

from datetime import datetime, timedelta
from typing import Final, Protocol

from device_integrity.apple.attestation_format import Environment
from device_integrity.apple.receipt_format import Receipt
from device_integrity.check import DeviceCheck
from device_integrity.checklist import Checklist

__all__ = ["ReceiptExchange", "check_risk", "exchange_unavailable"]

_LIST: Final = Checklist("app_attest_receipt", ("risk", "exchange"))
_COUNTED: Final = timedelta(days=30)


class ReceiptExchange(Protocol):
    """Exchanges receipts for newer ones: Apple's own server, or a stand-in."""

    async def exchange(self, receipt: bytes, *, environment: Environment) -> bytes:
        """The receipt in the given one's place, not verified yet.

        Args:
            receipt: Of an attestation, or of an exchange before.
            environment: The one that the key was attested for.

        Raises:
            ReceiptExchangeUnavailable: There was no answer, or none that makes sense.
        """
        ...


def check_risk(receipt: Receipt | None, *, most_keys: int, now: datetime) -> DeviceCheck:
    """``app_attest_receipt.risk``: whether the device made few keys.

    Args:
        receipt: What was verified when it was received; ``None`` where there is none.
        most_keys: The greatest number that raises no doubt.
        now: With a time zone.
    """
    if receipt is None:
        return _LIST.not_evaluated("risk", "RECEIPT_MISSING", "no receipt of the key is known")
    if receipt.risk_metric is None:
        return _LIST.not_evaluated("risk", "RISK_NOT_STATED", "the receipt holds no risk metric")
    detail = f"the device made about {receipt.risk_metric} keys in 30 days; up to {most_keys} raise no doubt"
    if now - receipt.created > _COUNTED:
        return _LIST.not_evaluated("risk", "RISK_OUT_OF_DATE", f"{detail}, on {receipt.created:%Y-%m-%d}")
    if receipt.risk_metric > most_keys:
        return _LIST.failed("risk", "RISK_HIGH", detail, soft=True)
    return _LIST.passed("risk", "RISK_LOW", detail)


def exchange_unavailable(detail: str) -> DeviceCheck:
    """``app_attest_receipt.exchange``: a newer receipt was asked for in vain."""
    return _LIST.unavailable("exchange", "EXCHANGE_UNAVAILABLE", detail)
