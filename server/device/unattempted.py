"""The facts about the device of a check that ends without a deciding attempt."""

from dataclasses import replace
from datetime import datetime, timedelta

from server.device.assessment import assess_without_attempt
from server.device.findings import finding_from_bytes
from server.policies import Policy
from server.sandbox import tolerated_checks
from server.storage.devices import DeviceRepository
from server.storage.records import CheckRecord
from server.verdict.outcome import DeviceOutcome

__all__ = ["unattempted_device"]


async def unattempted_device(
    devices: DeviceRepository, remembered: timedelta, record: CheckRecord, policy: Policy, now: datetime
) -> DeviceOutcome:
    """Returns the assessment of the device from the findings of the check's streams.

    Args:
        devices: Stores the findings on the check's evidence.
        remembered: How long earlier attacks are kept.
        record: The check.
        policy: Its frozen policy.
        now: The current time.

    Raises:
        StorageUnavailable: The database failed.
    """
    findings = [finding_from_bytes(data) for data in await devices.findings(record.check_id)]
    tolerated = tolerated_checks(policy.device.tolerate, sandbox=record.sandbox)
    device = assess_without_attempt(findings, rules=policy.device, tolerated=tolerated)
    return replace(device, earlier=await devices.count_attacks(record.check_id, since=now - remembered))
