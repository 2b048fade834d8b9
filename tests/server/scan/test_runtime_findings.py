"""Run-time findings that apps report over the wire, in real checks under different policies."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from facegate.v1 import device_pb2, result_pb2, scan_pb2

from device_integrity.policy import RAISED_NAMES
from server.domain.terms import CheckState
from server.storage.database import open_database
from server.storage.devices import DeviceRepository
from tests.sampling import some_fast
from tests.server.live import LiveServer, fresh_pictures, serving, settings_for, until
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice, RawStream, Request

_MANIPULATED = result_pb2.FAILURE_REASON_DEVICE_MANIPULATED
_SUCCESS = result_pb2.CHECK_STATUS_SUCCESS
_Check = result_pb2.DeviceCheck
_REPORTS: dict[str, Any] = {"capabilities": [scan_pb2.CAPABILITY_FLASH, scan_pb2.CAPABILITY_RUNTIME_FINDINGS]}
_HOOKED, _DEBUGGED = "HOOKING_FRAMEWORK", "DEBUGGER"
_SOFT = {
    "ROOT": "runtime.root",
    "EMULATOR": "runtime.emulator",
    "NETWORK_INTERCEPTION": "runtime.network",
    "SCREEN_SHARING": "runtime.screen_sharing",
    "AUTOMATION": "runtime.automation",
    "UNSPECIFIED": "runtime.other",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server whose callers create real checks, with a policy under which every finding is decisive."""
    folder = tmp_path_factory.mktemp("server")
    settings = settings_for(folder, sandbox=False)
    write_policy(folder / "policies", "wary", decide=sorted(RAISED_NAMES))
    write_policy(folder / "policies", "waived", tolerate=["runtime.hooking"])
    async with serving(settings) as server:
        yield server


def _findings(*kinds: str) -> bytes:
    words = device_pb2.RuntimeFindingKind
    return device_pb2.RuntimeFindings(
        looked_for=[kind for kind in words.values() if kind],
        findings=[
            device_pb2.RuntimeFinding(kind=words.Value(f"RUNTIME_FINDING_KIND_{kind}"), name="a trait")
            for kind in kinds
        ],
    ).SerializeToString()


def _report(findings: bytes) -> Request:
    return Request(attestation=device_pb2.Attestation(runtime_findings=findings))


async def _open(live: LiveServer, policy: str) -> tuple[str, RawDevice, RawStream]:
    upload = await live.upload(policy=policy)
    device = RawDevice(live.device, upload)
    return upload.check_id, device, await device.open(**_REPORTS)


async def _result(live: LiveServer, check_id: str) -> result_pb2.CheckResult:
    return (await live.finish(check_id)).result


async def _scanned(live: LiveServer, policy: str, findings: bytes) -> result_pb2.CheckResult:
    check_id, _, stream = await _open(live, policy)
    if findings:
        await stream.send(_report(findings))
    answer = await stream.run_attempt(fresh_pictures())
    await stream.outcome()
    result = await _result(live, check_id)
    if _MANIPULATED in result.reasons:
        assert (answer.status, answer.another_attempt) == (scan_pb2.SCAN_STATUS_FAILURE, False)
    return result


def _decisive(result: result_pb2.CheckResult) -> set[str]:
    return {check.name for check in result.device.checks if check.decisive}


def _reported(result: result_pb2.CheckResult) -> dict[str, tuple[int, str]]:
    return {
        check.name: (check.outcome, check.reason)
        for check in result.device.checks
        if check.name.startswith("runtime.")
    }


@pytest.mark.parametrize("policy", some_fast(["standard", "low", "dynamic", "adaptive", "no-flash"], step=5))
@pytest.mark.parametrize(("found", "name"), [(_HOOKED, "runtime.hooking"), (_DEBUGGED, "runtime.debugger")])
async def test_a_hooking_framework_or_a_debugger_fails_under_every_policy(
    live: LiveServer, policy: str, found: str, name: str
) -> None:
    result = await _scanned(live, policy, _findings(found))
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert _MANIPULATED in result.reasons
    assert _decisive(result) == {name}
    assert not result.device.tolerated_checks
    assert result.device.assurance == result_pb2.DEVICE_ASSURANCE_NONE
    assert result.device.injection_method == "function_hooking"


@pytest.mark.parametrize("found", some_fast(_SOFT, step=len(_SOFT)))
async def test_findings_common_on_honest_phones_fail_only_by_policy(live: LiveServer, found: str) -> None:
    reported = await _scanned(live, "evaluation", _findings(found))
    assert (reported.status, list(reported.reasons), _decisive(reported)) == (_SUCCESS, [], set())
    assert _reported(reported)[_SOFT[found]][0] == _Check.OUTCOME_FAIL
    decided = await _scanned(live, "wary", _findings(found))
    assert list(decided.reasons) == [_MANIPULATED]
    assert _decisive(decided) == {_SOFT[found]}


async def test_a_policy_can_tolerate_a_finding(live: LiveServer) -> None:
    result = await _scanned(live, "waived", _findings(_HOOKED))
    assert result.status == _SUCCESS
    assert list(result.device.tolerated_checks) == ["runtime.hooking"]


async def test_an_empty_report_and_a_missing_one_differ_and_count_the_same(live: LiveServer) -> None:
    clean, silent = await _scanned(live, "wary", _findings()), await _scanned(live, "wary", b"")
    assert clean.status == silent.status == _SUCCESS
    assert clean.device.assurance == silent.device.assurance
    assert set(_reported(clean).values()) == {(_Check.OUTCOME_NOT_EVALUATED, "NOTHING_FOUND")}
    assert _reported(silent) == {"runtime.report": (_Check.OUTCOME_NOT_EVALUATED, "NO_REPORT")}
    # A report is not an attestation.
    reasons = {check.reason for check in clean.device.checks if check.name == "attestation.evidence"}
    assert reasons == {"ATTESTATION_MISSING"}


async def test_a_finding_is_not_taken_back_by_a_later_report_or_a_later_stream(live: LiveServer) -> None:
    check_id, device, stream = await _open(live, "evaluation")
    await stream.send(_report(_findings(_HOOKED)))
    database = open_database(live.settings.database_url)
    try:
        devices = DeviceRepository(database)

        async def kept() -> bool:
            return bool(await devices.findings(UUID(check_id)))

        await until(kept)
    finally:
        await database.close()
    await stream.vanish()
    await live.reaches(check_id, CheckState.WAITING)
    resumed = await device.open(resume=True, **_REPORTS)
    await resumed.prove()
    await resumed.send(_report(_findings()))
    await resumed.run_attempt(fresh_pictures())
    await resumed.outcome()
    result = await _result(live, check_id)
    assert list(result.reasons) == [_MANIPULATED]
    assert _decisive(result) == {"runtime.hooking"}


async def test_a_finding_decides_an_attempt_that_is_left_at_once(live: LiveServer) -> None:
    check_id, _, stream = await _open(live, "evaluation")
    await stream.send(_report(_findings(_HOOKED)))
    await stream.begin()
    await stream.send_frames(fresh_pictures()[:4])
    await stream.taken(4)
    await stream.vanish()
    await live.reaches(check_id, CheckState.DECIDED)
    assert _decisive(await _result(live, check_id)) == {"runtime.hooking"}


async def test_a_finding_offers_no_other_attempt(live: LiveServer) -> None:
    check_id, _, stream = await _open(live, "evaluation")
    await stream.send(_report(_findings(_HOOKED)))
    answer = await stream.run_attempt(fresh_pictures()[:4])
    assert (answer.status, answer.another_attempt) == (scan_pb2.SCAN_STATUS_FAILURE, False)
    await stream.outcome()
    assert _MANIPULATED in (await _result(live, check_id)).reasons


async def test_reports_are_for_devices_that_announce_them(live: LiveServer) -> None:
    upload = await live.upload(policy="evaluation")
    stream = await RawDevice(live.device, upload).open()
    assert not stream.challenge.attestation.runtime_findings
    await stream.send(_report(_findings()))
    refusal = await stream.outcome()
    assert refusal is not None
    assert refusal.reason == "UNEXPECTED_MESSAGE"
    _, _, announced = await _open(live, "evaluation")
    assert announced.challenge.attestation.runtime_findings


async def test_a_report_that_cannot_be_read_leaves_the_check_open(live: LiveServer) -> None:
    check_id, device, stream = await _open(live, "evaluation")
    await stream.send(_report(b"\xff"))
    refusal = await stream.outcome()
    assert refusal is not None
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "attestation.runtime_findings")
    again = await device.resume()
    await again.run_attempt(fresh_pictures())
    assert await again.outcome() is None
    assert (await _result(live, check_id)).status == _SUCCESS
