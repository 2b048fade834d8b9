"""Tests the risk metric of App Attest receipts, the approximate number of the device's keys in 30 days.

See Apple, "Assessing fraud risk". Only exchanged receipts state the metric, for the keys that the device made
for the app. Apple keeps its data for 30 days. Then it exchanges no receipt of the device until the app
attests a new key, so the metric of many honest devices is missing or old.
"""

from datetime import datetime, timedelta
from typing import Final, Protocol

from device_integrity.apple.attestation_format import Environment
from device_integrity.apple.receipt_format import Receipt
from device_integrity.check import Checklist, DeviceCheck

__all__ = ["ReceiptExchange", "check_risk", "exchange_unavailable"]

_LIST: Final = Checklist("app_attest_receipt", ("risk", "exchange"))
_COUNTED: Final = timedelta(days=30)


class ReceiptExchange(Protocol):
    """Exchanges receipts for newer ones, with Apple's server or a replacement in tests."""

    async def exchange(self, receipt: bytes, *, environment: Environment) -> bytes:
        """Returns the newer receipt, not yet verified.

        Args:
            receipt: The receipt of an attestation, or of an earlier exchange.
            environment: The environment that the key was attested for.

        Raises:
            ReceiptExchangeUnavailable: The server did not answer, or its answer is unusable.
        """
        ...


def check_risk(receipt: Receipt | None, *, most_keys: int, now: datetime) -> DeviceCheck:
    """Returns ``app_attest_receipt.risk``: whether the device made few keys.

    Args:
        receipt: The receipt, which was verified when it was received; ``None`` if there is none.
        most_keys: The highest number of keys that passes.
        now: The present time, with a time zone.
    """
    if receipt is None:
        return _LIST.not_evaluated("risk", "RECEIPT_MISSING", "the server has no receipt of the key")
    if receipt.risk_metric is None:
        return _LIST.not_evaluated("risk", "RISK_NOT_STATED", "the receipt states no risk metric")
    detail = f"the device made about {receipt.risk_metric} keys in 30 days; up to {most_keys} raise no doubt"
    if now - receipt.created > _COUNTED:
        return _LIST.not_evaluated("risk", "RISK_OUT_OF_DATE", f"{detail}, on {receipt.created:%Y-%m-%d}")
    if receipt.risk_metric > most_keys:
        return _LIST.failed("risk", "RISK_HIGH", detail, soft=True)
    return _LIST.passed("risk", "RISK_LOW", detail)


def exchange_unavailable(detail: str) -> DeviceCheck:
    """Returns ``app_attest_receipt.exchange`` for an exchange that failed."""
    return _LIST.unavailable("exchange", "EXCHANGE_UNAVAILABLE", detail)
