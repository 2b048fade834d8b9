"""Whole scans of test devices on a real server: their evidence, its times, and limits on tries."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import device_pb2, result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_client import Attestor, CallRefusedError
from facegate_protocol import evidence_challenge
from lab.simulator.scene import ScanKind
from server.configuration import tables
from server.domain.terms import CheckState
from server.domain.tries import SANDBOX_RULES
from server.scan import ends
from server.storage.database import Database
from server.storage.devices import DeviceRepository
from tests.device_integrity.android import phones
from tests.device_integrity.apple import apple_in_software as apples
from tests.device_integrity.web import authenticator_in_software as browsers
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
    device_settings,
    scan,
    write_device_policy,
)
from tests.server.live import FAST, LiveServer, Picture, fresh_pictures, pictures, portrait, serving, until
from tests.server.raw_device import RawDevice, RawStream, Request

# Whole scans of test devices on a real server: the effect of their evidence on a check.


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def believing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server that trusts the test devices."""
    async with believing_server(tmp_path_factory.mktemp("devices")) as server:
        yield server


_NOT_TRUSTED = [result_pb2.FAILURE_REASON_DEVICE_NOT_TRUSTED]


async def _result(live: LiveServer, check_id: str) -> result_pb2.CheckResult:
    return (await live.finish(check_id)).result


def _outcomes(result: result_pb2.CheckResult) -> dict[str, str]:
    return {
        check.name: f"{result_pb2.DeviceCheck.Outcome.Name(check.outcome)} {check.reason}".removeprefix(
            "OUTCOME_"
        )
        for check in result.device.checks
    }


async def test_an_attested_android_phone_succeeds(believing: LiveServer) -> None:
    upload = await believing.upload(policy="hardware", subject_reference="anna")
    outcome = await scan(believing, upload, ANDROID, AndroidAttestor())
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    result = await _result(believing, upload.check_id)
    assert not result.reasons
    # HIGH would need an active challenge.
    assert result.device.assurance == result_pb2.DEVICE_ASSURANCE_MEDIUM
    found = _outcomes(result)
    assert found["android_key.root"] == "PASS TEST_ROOT"
    assert found["android_key.challenge"].startswith("PASS")
    assert found["android_key.possession"].startswith("PASS")
    assert found["contradiction.app"] == "PASS SAME_APP"
    assert not [name for name in found if name.startswith("demand.")]


async def test_an_unlocked_phone_fails_though_the_face_is_right_and_live(believing: LiveServer) -> None:
    unlocked = phones.RootOfTrust(locked=b"\x01\x01\x00", state=2)
    attestor = AndroidAttestor(description=phones.Description(root_of_trust=unlocked))
    upload = await believing.upload(policy="attested")
    outcome = await scan(believing, upload, ANDROID, attestor)
    assert outcome.status == scan_pb2.SCAN_STATUS_FAILURE
    result = await _result(believing, upload.check_id)
    assert result.reasons == _NOT_TRUSTED
    assert result.match.same_person
    assert result.liveness.verdict == result_pb2.LIVENESS_VERDICT_LIVE
    assert result.device.assurance == result_pb2.DEVICE_ASSURANCE_NONE
    assert "rooted" in {signal.name for signal in result.device.signals}
    assert _outcomes(result)["demand.android_key"] == "FAIL MANIPULATED"


async def test_a_stream_from_another_page_than_the_evidence_names_fails(believing: LiveServer) -> None:
    other = "https://another.example"
    for header, expected in (
        (browsers.ORIGIN, "PASS ORIGIN_HEADER_MATCHES"),
        (other, "FAIL ORIGIN_HEADER_DIFFERS"),
    ):
        upload = await believing.upload(policy="attested")
        await scan(believing, upload, PAGE, WebCryptoAttestor(), header_origin=header)
        result = await _result(believing, upload.check_id)
        assert _outcomes(result)["web_crypto.page"] == expected
        assert (result.reasons == _NOT_TRUSTED) is expected.startswith("FAIL")


async def test_a_play_token_that_the_policy_ignores_is_not_opened(believing: LiveServer) -> None:
    for policy, reported in (
        ("without-play", "NOT_EVALUATED EVIDENCE_IGNORED"),
        ("advisory", "UNAVAILABLE DECODER_UNAVAILABLE"),
    ):
        upload = await believing.upload(policy=policy)
        outcome = await scan(believing, upload, ANDROID, PlayAttestor())
        assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
        assert _outcomes(await _result(believing, upload.check_id))["play_integrity.token"] == reported


# Evidence that arrives late, never, or before a lost connection; and its storage and erasure.


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(believing: LiveServer) -> AsyncIterator[Database]:
    """The server's database."""
    async with believing.database() as database:
        yield database


@pytest.fixture
def devices(database: Database) -> DeviceRepository:
    """The device repository over the server's database."""
    return DeviceRepository(database)


async def _open(live: LiveServer, policy: str) -> tuple[str, RawDevice, RawStream]:
    upload = await live.upload(policy=policy)
    device = RawDevice(live.device, upload)
    stream = await device.open(device=ANDROID, camera=camera_of(ANDROID))
    return upload.check_id, device, stream


async def _evidence(stream: RawStream, *, binding: bytes | None = None) -> scan_pb2.ScanFaceRequest:
    made = [one async for one in AndroidAttestor().attest(binding=binding or stream.binding)]
    return scan_pb2.ScanFaceRequest(attestation=made[0])


@pytest.fixture
def awaited(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when the server waits for evidence at the end of an attempt."""
    awaited, await_in_use = asyncio.Event(), ends.await_evidence

    async def await_evidence(*of_attempt: Any) -> None:
        awaited.set()
        await await_in_use(*of_attempt)

    monkeypatch.setattr("server.scan.ends.await_evidence", await_evidence)
    return awaited


async def test_evidence_within_the_grace_counts(believing: LiveServer, awaited: asyncio.Event) -> None:
    check_id, _, stream = await _open(believing, "patient")
    await stream.begin()
    await stream.send_frames(fresh_pictures())
    await stream.send(stream.end())
    await awaited.wait()
    await stream.send(await _evidence(stream))
    result = await stream.result()
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None
    assert not (await believing.finish(check_id)).result.reasons


async def test_the_grace_ends(believing: LiveServer) -> None:
    check_id, _, stream = await _open(believing, "graceless")
    await stream.begin()
    await stream.send_frames(fresh_pictures())
    ended = time.monotonic()
    await stream.send(stream.end())
    result = await stream.result()
    assert result.status == scan_pb2.SCAN_STATUS_FAILURE
    assert time.monotonic() - ended >= 1.0
    await stream.outcome()
    assert (await believing.finish(check_id)).result.reasons == _NOT_TRUSTED


_MALFORMED = scan_pb2.ScanFaceRequest(
    attestation=device_pb2.Attestation(app_attest=device_pb2.AppAttestAttestation(key_id=b"short"))
)


@pytest.mark.parametrize(
    "leaving", some_fast(["another end", "malformed evidence", "half-close", "lost connection"], step=2)
)
async def test_the_attempt_counts_whatever_happens_during_the_grace_period(
    believing: LiveServer, awaited: asyncio.Event, leaving: str
) -> None:
    check_id, _, stream = await _open(believing, "patient")
    await stream.begin()
    await stream.send_frames(fresh_pictures())
    await stream.send(stream.end())
    await awaited.wait()
    match leaving:
        case "another end":
            await stream.send(stream.end())
        case "malformed evidence":
            await stream.send(_MALFORMED)
        case "half-close":
            await stream.half_close()
        case _:
            await stream.vanish()
    began = time.monotonic()
    await believing.reaches(check_id, CheckState.DECIDED)
    assert time.monotonic() - began < 60
    result = (await believing.finish(check_id)).result
    assert result.reasons == _NOT_TRUSTED
    assert result.match.same_person


async def _kept(devices: DeviceRepository, check_id: str, pieces: int) -> None:
    """Wait until the server has kept what it found in so many pieces of evidence."""

    async def kept() -> bool:
        return len(await devices.findings(UUID(check_id))) == pieces

    await until(kept)


async def test_evidence_of_a_lost_stream_vouches_for_its_session_key(
    believing: LiveServer, devices: DeviceRepository
) -> None:
    check_id, device, stream = await _open(believing, "attested")
    await stream.send(await _evidence(stream))
    await stream.begin()
    await stream.send_frames(fresh_pictures()[:4])
    await stream.taken(4)
    await _kept(devices, check_id, 1)
    await stream.vanish()
    await believing.reaches(check_id, CheckState.WAITING)
    resumed = await device.open(resume=True, device=ANDROID, camera=camera_of(ANDROID))
    await resumed.prove()
    assert resumed.binding != stream.binding
    result = await resumed.run_attempt(fresh_pictures())
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await resumed.outcome() is None


async def test_evidence_of_a_lost_stream_is_none_of_a_later_one(believing: LiveServer) -> None:
    check_id, device, stream = await _open(believing, "attested")
    await stream.begin()
    await stream.vanish()
    await believing.reaches(check_id, CheckState.WAITING)
    resumed = await device.open(resume=True, device=ANDROID, camera=camera_of(ANDROID))
    await resumed.prove()
    await resumed.send(await _evidence(resumed, binding=stream.binding))
    await resumed.run_attempt(fresh_pictures())
    await resumed.outcome()
    assert (await believing.finish(check_id)).result.reasons == _NOT_TRUSTED


async def test_a_fifth_piece_is_refused_over_all_streams(
    believing: LiveServer, devices: DeviceRepository
) -> None:
    check_id, device, stream = await _open(believing, "advisory")
    await stream.begin()
    for _ in range(2):
        await stream.send(await _evidence(stream))
    await _kept(devices, check_id, 2)
    await stream.vanish()
    await believing.reaches(check_id, CheckState.WAITING)
    resumed = await device.open(resume=True, device=ANDROID, camera=camera_of(ANDROID))
    await resumed.prove()
    await resumed.begin()
    for _ in range(3):
        await resumed.send(await _evidence(resumed))
    refusal = await resumed.refusal()
    assert refusal.reason == "SCAN_BUDGET_EXCEEDED"


async def _memory_checks(live: LiveServer, policy: str, shown: Sequence[Picture]) -> dict[str, str]:
    check_id, _, stream = await _open(live, policy)
    await stream.send(await _evidence(stream))
    await stream.run_attempt(shown)
    await stream.outcome()
    result = (await live.finish(check_id)).result
    return {check.name: check.reason for check in result.device.checks if check.name.startswith("memory.")}


async def test_a_policy_without_scan_memory_compares_with_that_of_others(believing: LiveServer) -> None:
    shown = fresh_pictures()
    for _ in range(2):
        found = await _memory_checks(believing, "forgetful", shown)
        assert found["memory.frames"] != "FRAMES_SEEN_BEFORE"
    assert (await _memory_checks(believing, "advisory", shown))["memory.attestation_key"] == "KEY_NEW"
    assert (await _memory_checks(believing, "forgetful", shown))["memory.frames"] == "FRAMES_SEEN_BEFORE"


async def test_frames_that_return_within_a_scan_are_injected(believing: LiveServer) -> None:
    shown = fresh_pictures()
    # A file that is played again has the very bytes of earlier frames.
    looped = [replace(shown[at % 9], time_us=picture.time_us) for at, picture in enumerate(shown)]
    check_id, _, stream = await _open(believing, "attested")
    await stream.send(await _evidence(stream))
    result = await stream.run_attempt(looped)
    assert not result.another_attempt
    await stream.outcome()
    answer = (await believing.finish(check_id)).result
    assert result_pb2.FAILURE_REASON_DEVICE_MANIPULATED in answer.reasons
    spoof = answer.liveness.verdict == result_pb2.LIVENESS_VERDICT_SPOOF
    assert (result_pb2.FAILURE_REASON_SPOOF in answer.reasons) == spoof
    assert result_pb2.FAILURE_REASON_DEVICE_NOT_TRUSTED in answer.reasons
    assert "stream.duplicates" in {check.name for check in answer.device.checks if check.decisive}
    assert answer.device.injection_instrument == "recorded_video"


# Limits on failed checks of one device, whatever the subject and the portrait, on a real server.

_ATTACK = pictures(kind=ScanKind.FROZEN_FRAME)
_RULES = replace(SANDBOX_RULES, maximum=2, lock=timedelta(minutes=10), block=timedelta(days=1))


@pytest_asyncio.fixture(loop_scope="session")
async def tries_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LiveServer]:
    """A server that trusts test devices, whose sandbox checks may fail twice."""
    demands = {"web": {"web_key": "required"}}
    write_device_policy(tmp_path / "policies", "attested", demands, assurance="LOW", grace=15)
    write_device_policy(tmp_path / "policies", "advisory", {"web": {}})
    monkeypatch.setattr(tables, "SANDBOX_RULES", _RULES)
    async with serving(device_settings(tmp_path), tuning=FAST) as server:
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
async def test_a_device_that_spoofs_under_many_names_is_locked(tries_live: LiveServer) -> None:
    device, honest = WebCryptoAttestor(), WebCryptoAttestor()
    # One success does not reset the device's failures.
    for subject, shown in (("anna", _ATTACK), ("own", pictures()), ("bert", _ATTACK)):
        upload = await _upload(tries_live, subject)
        outcome = await scan(tries_live, upload, PAGE, device, shown=shown)
        succeeds = shown is not _ATTACK
        assert (outcome.status == scan_pb2.SCAN_STATUS_SUCCESS) == succeeds
        reported = _history((await tries_live.finish(upload.check_id)).result)
        earlier = 0 if subject == "anna" else 1
        assert reported == {
            "history_subject_spoofs": (1.0, True, 0.0),
            "history_device_spoofs": (1 / (1 + earlier), earlier == 0, 0.0),
        }
    refusal = (await _refused(tries_live, "carl", device)).refusal
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED.name, "TOO_MANY_FAILURES")
    assert refusal.retry_after_s is not None
    assert 500 < refusal.retry_after_s <= 600
    assert set(refusal.metadata) == {"retrySeconds"}
    # Another device is not affected; the subjects have the failures of their own checks.
    upload = await _upload(tries_live, "anna")
    outcome = await scan(tries_live, upload, PAGE, honest)
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    result = (await tries_live.finish(upload.check_id)).result
    assert _history(result)["history_subject_spoofs"] == (0.5, False, 0.0)
    tries_live.clock.ahead += timedelta(seconds=601)
    outcome = await scan(tries_live, await _upload(tries_live, "dora"), PAGE, device)
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS


async def test_an_unscanned_check_reports_earlier_attacks_of_its_subject(tries_live: LiveServer) -> None:
    await scan(tries_live, await _upload(tries_live, "anna"), PAGE, WebCryptoAttestor(), shown=_ATTACK)
    upload = await _upload(tries_live, "anna")
    await tries_live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id))
    result = (await tries_live.finish(upload.check_id)).result
    assert not result.attempts
    assert _history(result)["history_subject_spoofs"] == (0.5, False, 0.0)


@pytest.mark.slow
async def test_an_attack_by_a_locked_device_is_reported(tries_live: LiveServer) -> None:
    device = WebCryptoAttestor()
    for subject in ("anna", "bert"):
        await scan(tries_live, await _upload(tries_live, subject), PAGE, device, shown=_ATTACK)
    upload = await _upload(tries_live, "carl")
    with pytest.raises(CallRefusedError):
        await scan(tries_live, upload, PAGE, device, shown=_ATTACK)
    await tries_live.unattended()
    result = (await tries_live.finish(upload.check_id)).result
    assert result_pb2.FAILURE_REASON_SPOOF in result.reasons


# The attestation fails if the report beside it was changed, removed or inserted.

_NOTHING = device_pb2.RuntimeFindings(
    looked_for=[device_pb2.RUNTIME_FINDING_KIND_ROOT, device_pb2.RUNTIME_FINDING_KIND_HOOKING_FRAMEWORK]
)
_ROOTED = device_pb2.RuntimeFindings(
    findings=[device_pb2.RuntimeFinding(kind=device_pb2.RUNTIME_FINDING_KIND_ROOT, name="su")]
)
_ANDROID = (ANDROID, AndroidAttestor, "android_key.challenge", phones.NOW)
_APPLE = (IPHONE, AppleAttestor, "app_attest.challenge", apples.NOW)
_BROWSER = (PAGE, WebCryptoAttestor, "web_crypto.signature", phones.NOW)
_Device = tuple[device_pb2.DeviceProfile, type[Any], str, datetime]


async def _tampered(
    live: LiveServer,
    profile: device_pb2.DeviceProfile,
    attestor: Attestor,
    *,
    made_for: bytes,
    sent: bytes,
) -> result_pb2.CheckResult:
    """Run a scan whose evidence was made for one report and arrives with another."""
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
    found = _outcomes(result)
    assert found[bound].startswith("PASS")
    assert found["runtime.hooking"].startswith("NOT_EVALUATED")


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
    assert _outcomes(result)[bound].startswith("FAIL")
    assert result.reasons == _NOT_TRUSTED
    assert "man_in_the_middle" in {signal.name for signal in result.device.signals}
