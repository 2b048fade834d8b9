"""App Attest receipts in scans: the first comes with an attestation, and Apple exchanges it for newer ones.

A receipt can only raise doubt: it never raises the assurance of a device. A missing receipt, for example
because Apple did not answer, does not lower it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from device_integrity import DeviceCheck, DeviceFinding, ReceiptExchangeUnavailable
from device_integrity.apple import (
    AttestedKey,
    Environment,
    ReceiptExchange,
    ReceiptResult,
    check_risk,
    exchange_unavailable,
    parse_receipt,
    verify_receipt,
)
from server.device.evidence import EvidenceContext
from server.device.trust import DeviceTrust
from server.storage.devices import DeviceRepository, EnrolledKey, HeldReceipt
from server.worker_pool import WorkerPool

__all__ = ["ReceiptKeeper"]

_MAX_AGE: Final = timedelta(minutes=5)
"""The age that Apple recommends as the maximum for a receipt that was just received."""
_UNTIL_NEXT: Final = timedelta(days=1)
_AFTER_FAILURE: Final = timedelta(hours=1)


class ReceiptKeeper:
    """Verifies receipts, keeps the newest of each key, and exchanges it. Safe for concurrent streams."""

    def __init__(
        self,
        *,
        trust: DeviceTrust,
        devices: DeviceRepository,
        workers: WorkerPool,
        now: Callable[[], datetime],
    ) -> None:
        """Initialises the keeper.

        Args:
            trust: The trusted roots, keys and apps.
            devices: Stores the receipts.
            workers: Runs the verification.
            now: Returns the current time, with a time zone.
        """
        self._trust = trust
        self._devices = devices
        self._workers = workers
        self._now = now

    async def first(
        self, key: AttestedKey, context: EvidenceContext
    ) -> tuple[tuple[DeviceCheck, ...], HeldReceipt | None]:
        """Verifies the receipt of an attestation; returns its tests and the receipt to store with the key."""
        result = await self._verified(
            key.receipt,
            public_key=key.public_key,
            app_id=key.app_id,
            environment=key.environment,
            client_data_hash=context.challenge,
            sandbox=context.sandbox,
        )
        if not _holds(result):
            return result.checks, None
        now = self._now()
        return result.checks, HeldReceipt(data=key.receipt, time=now, due=now)

    async def risk(self, key: EnrolledKey, context: EvidenceContext) -> tuple[DeviceCheck, ...]:
        """Returns the test ``app_attest_receipt.risk`` of the newest receipt.

        The receipt is exchanged first if that is due.

        Raises:
            StorageUnavailable: The database failed.
        """
        held = None if key.receipt is None else parse_receipt(key.receipt.data).receipt
        known = check_risk(held, most_keys=self._trust.apple_max_keys_made, now=self._now())
        exchange = self._trust.receipt_exchange_of(sandbox=context.sandbox)
        if exchange is None or not context.asks_apple:
            return (known,)
        if key.receipt is None or held is None or not held.may_be_exchanged(self._now()):
            return (known,)
        now = self._now()
        if key.receipt.due > now or not await self._devices.claim_exchange(
            key, now=now, until=now + _AFTER_FAILURE
        ):
            return (known,)
        try:
            result = await self._exchanged(exchange, key, key.receipt, context)
        except ReceiptExchangeUnavailable as error:
            return (known, exchange_unavailable(str(error)))
        return tuple(check for check in result.checks if check.name == known.name)

    async def _exchanged(
        self,
        exchange: ReceiptExchange,
        key: EnrolledKey,
        held: HeldReceipt,
        context: EvidenceContext,
    ) -> ReceiptResult:
        environment = Environment(key.environment)
        answer = await exchange.exchange(held.data, environment=environment)
        result = await self._verified(
            answer,
            public_key=key.public_key,
            app_id=key.app,
            environment=environment,
            client_data_hash=None,
            sandbox=context.sandbox,
        )
        if result.receipt is None or not _holds(result):
            failed = next(check for check in result.checks if check.outcome is DeviceFinding.FAIL)
            raise ReceiptExchangeUnavailable(f"Apple's answer is not valid: {failed.reason}")
        now = self._now()
        due = max(now + _UNTIL_NEXT, result.receipt.not_before or now)
        await self._devices.keep_receipt(key, HeldReceipt(data=answer, time=now, due=due))
        return result

    async def _verified(
        self,
        receipt: bytes,
        *,
        public_key: bytes,
        app_id: str,
        environment: Environment,
        client_data_hash: bytes | None,
        sandbox: bool,
    ) -> ReceiptResult:
        return await self._workers.run(
            verify_receipt,
            receipt=receipt,
            public_key=public_key,
            app_id=app_id,
            environment=environment,
            client_data_hash=client_data_hash,
            max_age=_MAX_AGE,
            most_keys=self._trust.apple_max_keys_made,
            anchors=self._trust.apple_roots(sandbox=sandbox),
            now=self._now(),
        )


def _holds(result: ReceiptResult) -> bool:
    return not any(check.outcome is DeviceFinding.FAIL and not check.soft for check in result.checks)
