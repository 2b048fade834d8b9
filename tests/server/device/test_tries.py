"""Limits on failed checks of one device, whatever the subject and the portrait, on a real server."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_client import CallRefusedError
from server.configuration import tables
from server.domain.tries import SANDBOX_RULES
from simulator.scene import ScanKind
from tests.device_integrity.android import phones
from tests.server.device.devices import (
    PAGE,
    WebCryptoAttestor,
    at_time,
    device_settings,
    scan,
    write_device_policy,
)
from tests.server.live import PATIENT, LiveServer, pictures, portrait, serving

_ATTACK = pictures(kind=ScanKind.FROZEN_FRAME)
_RULES = replace(SANDBOX_RULES, maximum=2, lock=timedelta(minutes=10), block=timedelta(days=1))


@pytest_asyncio.fixture(loop_scope="session")
async def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LiveServer]:
    """A server that trusts test devices, whose sandbox checks may fail twice."""
    demands = {"web": {"web_key": "required"}}
    write_device_policy(tmp_path / "policies", "attested", demands, assurance="LOW", grace=15)
    write_device_policy(tmp_path / "policies", "advisory", {"web": {}})
    monkeypatch.setattr(tables, "SANDBOX_RULES", _RULES)
    async with serving(device_settings(tmp_path), tuning=PATIENT) as server:
        at_time(server, phones.NOW)
        yield server


async def _upload(live: LiveServer, subject: str) -> service_pb2.UploadTrustedImageResponse:
    # Bytes after the end of a JPEG change only its hash, so each check has another portrait.
    return await live.service.UploadTrustedImage(
        service_pb2.UploadTrustedImageRequest(
            image=portrait() + subject.encode(), policy="attested", subject_reference=subject
        )
    )


async def _refused(live: LiveServer, subject: str, device: WebCryptoAttestor) -> CallRefusedError:
    upload = await _upload(live, subject)
    with pytest.raises(CallRefusedError) as caught:
        await scan(live, upload, PAGE, device)
    # The check is not decided because its deadline has not passed.
    assert (await live.record(upload.check_id)).status is None
    return caught.value


def _history(result: result_pb2.CheckResult) -> dict[str, tuple[float, bool, float]]:
    return {signal.name: (signal.score, signal.passed, signal.weight) for signal in result.history}


@pytest.mark.slow
async def test_a_device_that_spoofs_under_many_names_is_locked(live: LiveServer) -> None:
    device, honest = WebCryptoAttestor(), WebCryptoAttestor()
    # One success does not reset the device's failures.
    for subject, shown in (("anna", _ATTACK), ("own", pictures()), ("bert", _ATTACK)):
        upload = await _upload(live, subject)
        outcome = await scan(live, upload, PAGE, device, shown=shown)
        succeeds = shown is not _ATTACK
        assert (outcome.status == scan_pb2.SCAN_STATUS_SUCCESS) == succeeds
        reported = _history((await live.finish(upload.check_id)).result)
        earlier = 0 if subject == "anna" else 1
        assert reported == {
            "history_subject_spoofs": (1.0, True, 0.0),
            "history_device_spoofs": (1 / (1 + earlier), earlier == 0, 0.0),
        }
    refusal = (await _refused(live, "carl", device)).refusal
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED.name, "TOO_MANY_FAILURES")
    assert refusal.retry_after_s is not None
    assert 500 < refusal.retry_after_s <= 600
    assert set(refusal.metadata) == {"retrySeconds"}
    # Another device is not affected; the subjects have the failures of their own checks.
    upload = await _upload(live, "anna")
    outcome = await scan(live, upload, PAGE, honest)
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    result = (await live.finish(upload.check_id)).result
    assert _history(result)["history_subject_spoofs"] == (0.5, False, 0.0)
    live.clock.ahead += timedelta(seconds=601)
    outcome = await scan(live, await _upload(live, "dora"), PAGE, device)
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS


async def test_an_unscanned_check_reports_earlier_attacks_of_its_subject(live: LiveServer) -> None:
    await scan(live, await _upload(live, "anna"), PAGE, WebCryptoAttestor(), shown=_ATTACK)
    upload = await _upload(live, "anna")
    await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id))
    result = (await live.finish(upload.check_id)).result
    assert not result.attempts
    assert _history(result)["history_subject_spoofs"] == (0.5, False, 0.0)


@pytest.mark.slow
async def test_an_attack_by_a_locked_device_is_reported(live: LiveServer) -> None:
    device = WebCryptoAttestor()
    for subject in ("anna", "bert"):
        await scan(live, await _upload(live, subject), PAGE, device, shown=_ATTACK)
    upload = await _upload(live, "carl")
    with pytest.raises(CallRefusedError):
        await scan(live, upload, PAGE, device, shown=_ATTACK)
    await live.unattended()
    result = (await live.finish(upload.check_id)).result
    assert result_pb2.FAILURE_REASON_SPOOF in result.reasons
