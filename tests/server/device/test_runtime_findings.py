"""The attestation fails if the report beside it was changed, removed or inserted."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio
from facegate.v1 import device_pb2, result_pb2, scan_pb2

from facegate_client.attestation import Attestor
from facegate_protocol import evidence_challenge
from tests.device_integrity.android import phones
from tests.device_integrity.apple import apple_in_software as apples
from tests.sampling import some_fast
from tests.server.device.devices import (
    ANDROID,
    IPHONE,
    PAGE,
    AndroidAttestor,
    AppleAttestor,
    PlayAttestor,
    WebCryptoAttestor,
    at_time,
    believing_server,
    camera_of,
    scan,
)
from tests.server.live import LiveServer, fresh_pictures
from tests.server.raw_device import RawDevice, Request

_FAIL, _PASS = result_pb2.DeviceCheck.OUTCOME_FAIL, result_pb2.DeviceCheck.OUTCOME_PASS
_MANIPULATED = result_pb2.FAILURE_REASON_DEVICE_MANIPULATED
_NOT_TRUSTED = result_pb2.FAILURE_REASON_DEVICE_NOT_TRUSTED
_NOTHING = device_pb2.RuntimeFindings(
    looked_for=[device_pb2.RUNTIME_FINDING_KIND_ROOT, device_pb2.RUNTIME_FINDING_KIND_HOOKING_FRAMEWORK]
)
_ROOTED = device_pb2.RuntimeFindings(
    findings=[device_pb2.RuntimeFinding(kind=device_pb2.RUNTIME_FINDING_KIND_ROOT, name="su")]
)
_HOOKED = device_pb2.RuntimeFindings(
    findings=[device_pb2.RuntimeFinding(kind=device_pb2.RUNTIME_FINDING_KIND_HOOKING_FRAMEWORK, name="frida")]
)
_ANDROID = (ANDROID, AndroidAttestor, "android_key.challenge", phones.NOW)
_APPLE = (IPHONE, AppleAttestor, "app_attest.challenge", apples.NOW)
_BROWSER = (PAGE, WebCryptoAttestor, "web_crypto.signature", phones.NOW)
_Device = tuple[device_pb2.DeviceProfile, type[Any], str, datetime]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def believing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server that trusts the test devices."""
    async with believing_server(tmp_path_factory.mktemp("devices")) as server:
        yield server


def _outcomes(result: result_pb2.CheckResult) -> dict[str, int]:
    return {check.name: check.outcome for check in result.device.checks}


async def _tampered(
    live: LiveServer,
    profile: device_pb2.DeviceProfile,
    attestor: Attestor,
    *,
    made_for: bytes,
    sent: bytes,
) -> result_pb2.CheckResult:
    """Runs a scan whose evidence was made for one report and arrives with another."""
    upload = await live.upload(policy="attested")
    stream = await RawDevice(live.device, upload).open(
        device=profile,
        camera=camera_of(profile),
        capabilities=[scan_pb2.CAPABILITY_RUNTIME_FINDINGS],
    )
    challenge = evidence_challenge(binding=stream.binding, findings=made_for)
    async for evidence in attestor.attest(binding=challenge):
        evidence.runtime_findings = sent
        await stream.send(Request(attestation=evidence))
    await stream.run_attempt(fresh_pictures())
    await stream.outcome()
    return (await live.finish(upload.check_id)).result


@pytest.mark.parametrize("device", [_ANDROID, _APPLE, _BROWSER], ids=["android", "apple", "browser"])
async def test_evidence_holds_with_the_report_that_it_was_made_for(
    believing: LiveServer, device: _Device
) -> None:
    profile, attestor, bound, now = device
    at_time(believing, now)
    upload = await believing.upload(policy="attested")
    outcome = await scan(believing, upload, profile, attestor(), findings=_NOTHING)
    result = (await believing.finish(upload.check_id)).result
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS, result
    assert _outcomes(result)[bound] == _PASS
    assert _outcomes(result)["runtime.hooking"] == result_pb2.DeviceCheck.OUTCOME_NOT_EVALUATED


@pytest.mark.parametrize(
    "device", some_fast([_ANDROID, _APPLE, _BROWSER], step=3), ids=["android", "apple", "browser"]
)
@pytest.mark.parametrize(
    ("made_for", "sent"),
    [(_ROOTED, _NOTHING), (_ROOTED, None), (None, _NOTHING)],
    ids=["changed", "taken away", "slipped in"],
)
async def test_another_report_than_the_evidence_was_made_for_fails_it(
    believing: LiveServer,
    device: _Device,
    made_for: device_pb2.RuntimeFindings | None,
    sent: device_pb2.RuntimeFindings | None,
) -> None:
    profile, attestor, bound, now = device
    at_time(believing, now)
    result = await _tampered(
        believing,
        profile,
        attestor(),
        made_for=b"" if made_for is None else made_for.SerializeToString(),
        sent=b"" if sent is None else sent.SerializeToString(),
    )
    assert _outcomes(result)[bound] == _FAIL
    assert list(result.reasons) == [_NOT_TRUSTED]
    assert "man_in_the_middle" in {signal.name for signal in result.device.signals}


async def test_a_sound_attestation_does_not_outweigh_a_hooking_framework(believing: LiveServer) -> None:
    at_time(believing, phones.NOW)
    upload = await believing.upload(policy="attested")
    await scan(believing, upload, ANDROID, AndroidAttestor(), findings=_HOOKED)
    result = (await believing.finish(upload.check_id)).result
    assert result.match.same_person
    assert list(result.reasons) == [_MANIPULATED, _NOT_TRUSTED]
    assert _outcomes(result)["android_key.challenge"] == _PASS
    assert _outcomes(result)["runtime.hooking"] == _FAIL
    assert result.device.assurance == result_pb2.DEVICE_ASSURANCE_NONE


async def test_a_report_counts_though_the_policy_ignores_the_evidence(believing: LiveServer) -> None:
    at_time(believing, phones.NOW)
    upload = await believing.upload(policy="without-play")
    await scan(believing, upload, ANDROID, PlayAttestor(), findings=_HOOKED)
    result = (await believing.finish(upload.check_id)).result
    assert list(result.reasons) == [_MANIPULATED]


async def test_in_a_sandbox_check_debuggers_are_tolerated_and_hooks_are_not(believing: LiveServer) -> None:
    debugger = device_pb2.RuntimeFinding(kind=device_pb2.RUNTIME_FINDING_KIND_DEBUGGER)
    at_time(believing, phones.NOW)
    upload = await believing.upload(policy="advisory")
    findings = device_pb2.RuntimeFindings(findings=[debugger])
    outcome = await scan(believing, upload, ANDROID, AndroidAttestor(), findings=findings)
    result = (await believing.finish(upload.check_id)).result
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    (reported,) = (check for check in result.device.checks if check.name == "runtime.debugger")
    assert (reported.decisive, reported.tolerated) == (True, True)
    upload = await believing.upload(policy="advisory")
    await scan(believing, upload, ANDROID, AndroidAttestor(), findings=_HOOKED)
    assert _MANIPULATED in (await believing.finish(upload.check_id)).result.reasons
