"""The lease of a running stream, and the detection of its loss."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from server.checks.running import CheckClosing
from server.domain.terms import CheckState
from server.scan.endings import LeaseLost
from server.scan.lease import HeldLease
from server.scan.scan_bytes import ScanBytes
from server.storage.records import CheckRecord
from server.verdict import FailureReason
from tests.server.scan.records import NOW, check_record


@dataclass
class _Setting:
    lease_seconds: float = 15.0
    time: float = 100.0
    held: bool = True
    current: CheckRecord | None = None
    renewed: list[int | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        env = SimpleNamespace(
            clock=SimpleNamespace(monotonic=lambda: self.time, now=lambda: NOW),
            settings=SimpleNamespace(lease_seconds=self.lease_seconds),
            repository=self,
        )
        self.bytes = ScanBytes()
        record = check_record(state=CheckState.SCANNING, lease_epoch=3)
        self.lease = HeldLease(cast("Any", env), record, scan_bytes=self.bytes)

    async def renew_lease(self, _id: Any, *, epoch: int, bytes_received: int, **_: Any) -> bool:
        assert epoch == 3
        self.renewed.append(bytes_received)
        return self.held

    async def get(self, _id: Any) -> CheckRecord | None:
        return self.current


@pytest.mark.parametrize(("lease_seconds", "due"), [(15.0, 1.5), (3.0, 1.0)])
async def test_the_lease_is_renewed_when_due(lease_seconds: float, due: float) -> None:
    setting = _Setting(lease_seconds=lease_seconds)
    assert setting.lease.due == pytest.approx(100.0 + due)
    setting.time += due - 0.01
    await setting.lease.renew()
    assert setting.renewed == []
    setting.time += 0.02
    setting.bytes.add(700)
    await setting.lease.renew()
    await setting.lease.renew()
    assert setting.renewed == [700]
    assert setting.lease.due == pytest.approx(setting.time + due)


@pytest.mark.parametrize(
    "current",
    [
        None,
        check_record(state=CheckState.SCANNING, lease_epoch=4),
        check_record(state=CheckState.SCANNING, lease_epoch=4, closing=FailureReason.CANCELLED),
        check_record(state=CheckState.DECIDED, lease_epoch=3),
    ],
)
async def test_a_lease_that_is_anothers_is_lost(current: CheckRecord | None) -> None:
    setting = _Setting(held=False, current=current)
    setting.time += 2.0
    with pytest.raises(LeaseLost):
        await setting.lease.renew()


async def test_a_closed_check_states_the_reason() -> None:
    closing = check_record(state=CheckState.SCANNING, lease_epoch=3, closing=FailureReason.CANCELLED)
    setting = _Setting(held=False, current=closing)
    setting.time += 2.0
    with pytest.raises(CheckClosing) as caught:
        await setting.lease.renew()
    assert caught.value.reason is FailureReason.CANCELLED
