"""Whole scans of an iPhone on a real server that exchanges its receipts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from facegate.v1 import result_pb2, scan_pb2

from server.running.assembly import Tuning
from simulator.phone import SimulatedPhone
from tests.device_integrity.apple import apple_in_software as apples
from tests.server.device.devices import APPLE, IPHONE, AppleAttestor, at_time, believing_server, scan
from tests.server.device.receipt_server import ReceiptServer, playing_apple
from tests.server.flash_phone import phone
from tests.server.live import PATIENT, LiveServer

_SUCCESS, _FAILURE = scan_pb2.SCAN_STATUS_SUCCESS, scan_pb2.SCAN_STATUS_FAILURE
_MEDIUM = result_pb2.DEVICE_ASSURANCE_MEDIUM


@asynccontextmanager
async def _asking(
    folder: Path, *, tuning: Tuning = PATIENT
) -> AsyncIterator[tuple[LiveServer, ReceiptServer, AppleAttestor]]:
    """A server at the time of the test Apple, which it uses, and an iPhone."""
    attestor = AppleAttestor()
    async with (
        playing_apple(APPLE, lambda: apples.NOW) as apple,
        believing_server(folder, tuning=tuning, receipts=apple) as live,
    ):
        at_time(live, apples.NOW)
        apple.now = live.clock
        apple.know(attestor.key)
        yield live, apple, attestor


async def _scanned(
    live: LiveServer, attestor: AppleAttestor, policy: str, flash: SimulatedPhone | None = None
) -> tuple[int, result_pb2.CheckResult, dict[str, result_pb2.DeviceCheck]]:
    upload = await live.upload(policy=policy, subject_reference="anna")
    outcome = await scan(live, upload, IPHONE, attestor, flash=flash)
    result = (await live.finish(upload.check_id)).result
    return outcome.status, result, {check.name: check for check in result.device.checks}


async def test_a_scan_reports_the_number_of_keys_of_the_device(tmp_path: Path) -> None:
    async with _asking(tmp_path) as (live, apple, attestor):
        status, _, found = await _scanned(live, attestor, "hardware")
        assert (status, found["app_attest_receipt.risk"].reason) == (_SUCCESS, "RISK_LOW")
        assert found["app_attest_receipt.challenge"].reason == "CHALLENGE_MATCHES"

        at_time(live, apples.NOW + timedelta(days=1, minutes=5))
        apple.risk_metric = 40
        status, result, found = await _scanned(live, attestor, "hardware")
        assert (status, found["app_attest_receipt.risk"].reason) == (_SUCCESS, "RISK_HIGH")
        assert "about 40 keys" in found["app_attest_receipt.risk"].detail
        assert result.device.assurance == _MEDIUM
        assert len(apple.asked) == 2


async def test_apple_is_not_asked_where_the_policy_ignores_app_attest(tmp_path: Path) -> None:
    async with _asking(tmp_path) as (live, apple, attestor):
        for policy, asked in (("without-apple", 0), ("hardware", 1)):
            status, _, _ = await _scanned(live, attestor, policy)
            assert (status, len(apple.asked)) == (_SUCCESS, asked)


async def test_a_scan_does_not_fail_where_apple_does_not_answer(tmp_path: Path) -> None:
    async with _asking(tmp_path) as (live, apple, attestor):
        apple.status = 500
        status, _, found = await _scanned(live, attestor, "hardware")
        assert status == _SUCCESS
        assert found["app_attest_receipt.exchange"].reason == "EXCHANGE_UNAVAILABLE"
        assert found["app_attest_receipt.exchange"].outcome == result_pb2.DeviceCheck.OUTCOME_UNAVAILABLE


@pytest.mark.slow
@pytest.mark.parametrize(("risk_metric", "expected"), [(1, _SUCCESS), (40, _FAILURE)])
async def test_a_device_of_many_keys_does_not_reach_high(
    tmp_path: Path, risk_metric: int, expected: int
) -> None:
    async with _asking(tmp_path, tuning=Tuning()) as (live, apple, attestor):
        apple.risk_metric = risk_metric
        status, result, _ = await _scanned(live, attestor, "highest", phone())
        assert status == expected
        assert (result.device.assurance == _MEDIUM) is (expected == _FAILURE)
        if expected == _FAILURE:
            assert result.reasons == [result_pb2.FAILURE_REASON_DEVICE_NOT_TRUSTED]
