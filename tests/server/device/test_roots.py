"""Real checks with settings of roots, provisioning and assurance floors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from facegate.v1 import result_pb2, scan_pb2
from structlog.testing import capture_logs

from tests.device_integrity.android import phones
from tests.server.device.devices import (
    ANDROID,
    PAGE,
    AndroidAttestor,
    WebCryptoAttestor,
    at_time,
    device_settings,
    scan,
    write_device_policy,
)
from tests.server.live import PATIENT, LiveServer, serving

_DEMANDED = {"android": {"android_key": "required"}, "web": {"web_key": "required"}}
_FACTORY, _REMOTE = (
    {"name": f"Bank devices {number}", "spki_sha256": phones.trust(phone)[0].spki_sha256.hex()}
    for number, phone in enumerate((phones.factory_phone(), phones.remote_phone()))
)
_SUCCESS, _FAILURE = scan_pb2.SCAN_STATUS_SUCCESS, scan_pb2.SCAN_STATUS_FAILURE


@asynccontextmanager
async def _real_checks(folder: Path, **android: Any) -> AsyncIterator[LiveServer]:
    """A server without sandbox callers and test roots."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    settings = device_settings(folder)
    trust = settings.device_integrity.model_dump(mode="json") | {"test_roots": {}}
    trust["android"] |= android
    service = settings.listeners.service.model_copy(update={"local_sandbox": False})
    write_device_policy(folder / "policies", "advisory", {"android": {}})
    write_device_policy(folder / "policies", "hardware", _DEMANDED, assurance="MEDIUM")
    floors = folder / "policies" / "floors.toml"
    text = (folder / "policies" / "hardware.toml").read_text().replace('name = "hardware"', 'name = "floors"')
    floors.write_text(text.replace('"MEDIUM"', '{ default = "MEDIUM", web = "LOW" }'))
    settings = settings.model_copy(
        update={
            "listeners": settings.listeners.model_copy(update={"service": service}),
            "device_integrity": type(settings.device_integrity).model_validate(trust),
        }
    )
    async with serving(settings, tuning=PATIENT) as live:
        at_time(live, phones.NOW)
        yield live


async def _scanned(
    live: LiveServer, phone: phones.Phone, policy: str = "hardware"
) -> tuple["scan_pb2.ScanStatus.ValueType", result_pb2.CheckResult]:
    upload = await live.upload(policy=policy)
    outcome = await scan(live, upload, ANDROID, AndroidAttestor(phone=phone))
    result = (await live.finish(upload.check_id)).result
    assert not result.sandbox
    return outcome.status, result


def _check(result: result_pb2.CheckResult, name: str) -> result_pb2.DeviceCheck:
    (found,) = (check for check in result.device.checks if check.name == name)
    return found


@pytest.mark.slow
async def test_a_further_root_counts_in_a_real_check_and_only_where_it_is_set(tmp_path: Path) -> None:
    async with _real_checks(tmp_path / "without") as live:
        status, result = await _scanned(live, phones.factory_phone())
        assert status == _FAILURE
        assert result.reasons == [result_pb2.FAILURE_REASON_DEVICE_NOT_TRUSTED]
        assert _check(result, "android_key.root").outcome == result_pb2.DeviceCheck.OUTCOME_FAIL
    with capture_logs() as logs:
        async with _real_checks(tmp_path / "with", further_roots=[_FACTORY]) as live:
            status, result = await _scanned(live, phones.factory_phone())
            assert status == _SUCCESS, result.device
            root = _check(result, "android_key.root")
            assert (root.outcome, root.reason) == (result_pb2.DeviceCheck.OUTCOME_PASS, "FURTHER_ROOT")
            assert "Bank devices 0" in root.detail
            assert result.device.assurance == result_pb2.DEVICE_ASSURANCE_MEDIUM
            # The further root does not cover phones under another root.
            assert (await _scanned(live, phones.remote_phone()))[0] == _FAILURE
    (reported,) = [log["roots"] for log in logs if log["event"] == "further_roots_are_believed"]
    assert reported == {_FACTORY["name"]: _FACTORY["spki_sha256"]}


@pytest.mark.slow
async def test_keys_from_the_factory_are_refused_where_only_provisioned_ones_are_taken(
    tmp_path: Path,
) -> None:
    roots = [_FACTORY, _REMOTE]
    async with _real_checks(tmp_path, further_roots=roots, remotely_provisioned_only=True) as live:
        status, result = await _scanned(live, phones.factory_phone())
        assert status == _FAILURE
        assert result.reasons == [result_pb2.FAILURE_REASON_DEVICE_NOT_TRUSTED]
        assert _check(result, "android_key.provisioning").reason == "NOT_PROVISIONED"
        assert (await _scanned(live, phones.remote_phone()))[0] == _SUCCESS


@pytest.mark.slow
async def test_a_lower_floor_for_pages_leaves_that_of_phones_alone(tmp_path: Path) -> None:
    async with _real_checks(tmp_path, further_roots=[_FACTORY]) as live:
        required = {}
        for policy in ("hardware", "floors"):
            upload = await live.upload(policy=policy)
            outcome = await scan(live, upload, PAGE, WebCryptoAttestor())
            result = (await live.finish(upload.check_id)).result
            assert result.device.assurance == result_pb2.DEVICE_ASSURANCE_LOW, result.device
            required[policy] = outcome.status, result.device.required_assurance
        assert required == {
            "hardware": (_FAILURE, result_pb2.DEVICE_ASSURANCE_MEDIUM),
            "floors": (_SUCCESS, result_pb2.DEVICE_ASSURANCE_LOW),
        }
        # A phone without evidence that would suffice for a page, and one with evidence.
        status, result = await _scanned(live, phones.remote_phone(), policy="floors")
        assert status == _FAILURE
        assert result.device.required_assurance == result_pb2.DEVICE_ASSURANCE_MEDIUM
        assert (await _scanned(live, phones.factory_phone(), policy="floors"))[0] == _SUCCESS
