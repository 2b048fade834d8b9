"""Whole scans of test devices on a real server: the effect of their evidence on a check."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from facegate.v1 import device_pb2, result_pb2, scan_pb2

from facegate_client.attestation import NoAttestation
from server.running.assembly import Tuning
from tests.device_integrity.android import phones
from tests.device_integrity.apple import apple_in_software as apples
from tests.device_integrity.web import authenticator_in_software as browsers
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
    scan,
)
from tests.server.flash_phone import phone
from tests.server.live import LiveServer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def believing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server that trusts the test devices."""
    async with believing_server(tmp_path_factory.mktemp("devices")) as server:
        yield server


_Assurance = result_pb2.DeviceAssurance
_MANIPULATED = result_pb2.FAILURE_REASON_DEVICE_MANIPULATED
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
    assert result.device.assurance == _Assurance.DEVICE_ASSURANCE_MEDIUM
    found = _outcomes(result)
    assert found["android_key.root"] == "PASS TEST_ROOT"
    assert found["android_key.challenge"].startswith("PASS")
    assert found["android_key.possession"].startswith("PASS")
    assert found["contradiction.app"] == "PASS SAME_APP"
    assert not [name for name in found if name.startswith("demand.")]


@pytest.mark.slow
@pytest.mark.alone
async def test_an_attested_phone_that_answers_the_flash_reaches_high(tmp_path: Path) -> None:
    async with believing_server(tmp_path, tuning=Tuning()) as live:
        upload = await live.upload(policy="highest")
        outcome = await scan(live, upload, ANDROID, AndroidAttestor(), flash=phone())
        result = await _result(live, upload.check_id)
        assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS, result
        assert result.device.assurance == _Assurance.DEVICE_ASSURANCE_HIGH


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
    assert result.device.assurance == _Assurance.DEVICE_ASSURANCE_NONE
    assert "rooted" in {signal.name for signal in result.device.signals}
    assert _outcomes(result)["demand.android_key"] == "FAIL MANIPULATED"


async def test_evidence_of_another_scan_fails(believing: LiveServer) -> None:
    upload = await believing.upload(policy="attested")
    await scan(believing, upload, ANDROID, AndroidAttestor(challenge=bytes(32)))
    result = await _result(believing, upload.check_id)
    assert result.reasons == _NOT_TRUSTED
    assert "man_in_the_middle" in {signal.name for signal in result.device.signals}
    assert result.device.injection_method == "network_interception"


async def test_a_demanded_attestation_that_is_absent_fails_the_check(believing: LiveServer) -> None:
    for attestor in (NoAttestation(), WebCryptoAttestor()):
        upload = await believing.upload(policy="attested")
        outcome = await scan(believing, upload, ANDROID, attestor)
        assert outcome.status == scan_pb2.SCAN_STATUS_FAILURE
        result = await _result(believing, upload.check_id)
        # A phone that sends a browser's evidence also contradicts itself.
        contradicts = isinstance(attestor, WebCryptoAttestor)
        assert result.reasons == [*([_MANIPULATED] if contradicts else []), *_NOT_TRUSTED]
        assert result.match.same_person
        assert _outcomes(result)["demand.android_key"] == "FAIL MISSING"


async def test_an_iphone_enrols_once_and_asserts_from_then_on(believing: LiveServer) -> None:
    at_time(believing, apples.NOW)
    try:
        phone = AppleAttestor()
        for kind in ("app_attest", "app_attest_assertion", "app_attest_assertion"):
            upload = await believing.upload(policy="hardware", subject_reference="bert")
            outcome = await scan(believing, upload, IPHONE, phone)
            result = await _result(believing, upload.check_id)
            assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS, result.device
            assert result.device.assurance == _Assurance.DEVICE_ASSURANCE_MEDIUM
            assert _outcomes(result)[f"{kind}.counter"].startswith("PASS")
        # The assertion's counter was used before: a replay, or a copied key.
        phone.counter = 1
        upload = await believing.upload(policy="hardware", subject_reference="bert")
        await scan(believing, upload, IPHONE, phone)
        result = await _result(believing, upload.check_id)
        assert result.reasons == _NOT_TRUSTED
        assert _outcomes(result)["app_attest_assertion.counter"] == "FAIL COUNTER_NOT_GREATER"
    finally:
        at_time(believing, phones.NOW)


async def test_a_key_without_enrolment_gives_no_assurance(believing: LiveServer) -> None:
    upload = await believing.upload(policy="attested")
    await scan(believing, upload, IPHONE, AppleAttestor(counter=1))
    result = await _result(believing, upload.check_id)
    assert result.reasons == _NOT_TRUSTED
    assert _outcomes(result)["app_attest_assertion.enrolment"] == "UNAVAILABLE KEY_NOT_ENROLLED"


async def test_a_browser_reaches_low_and_no_more(believing: LiveServer) -> None:
    upload = await believing.upload(policy="attested")
    outcome = await scan(believing, upload, PAGE, WebCryptoAttestor())
    result = await _result(believing, upload.check_id)
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS, result.device
    assert result.device.assurance == _Assurance.DEVICE_ASSURANCE_LOW

    upload = await believing.upload(policy="hardware")
    await scan(believing, upload, PAGE, WebCryptoAttestor())
    assert (await _result(believing, upload.check_id)).reasons == _NOT_TRUSTED


async def test_a_page_of_another_origin_fails(believing: LiveServer) -> None:
    upload = await believing.upload(policy="attested")
    await scan(believing, upload, PAGE, WebCryptoAttestor(origin="https://verify.bank.example.evil.example"))
    result = await _result(believing, upload.check_id)
    assert result.reasons == _NOT_TRUSTED
    assert _outcomes(result)["web_crypto.origin"] == "FAIL ORIGIN_NOT_ALLOWED"


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


async def test_platforms_without_a_row_are_refused(believing: LiveServer) -> None:
    upload = await believing.upload(policy="attested")
    desktop = device_pb2.DeviceProfile(platform=device_pb2.PLATFORM_DESKTOP)
    await scan(believing, upload, desktop, None)
    result = await _result(believing, upload.check_id)
    assert result.reasons == _NOT_TRUSTED
    assert _outcomes(result)["demand.platform"] == "FAIL PLATFORM_NOT_ALLOWED"


async def test_advisory_evidence_is_reported_and_fails_nothing(believing: LiveServer) -> None:
    for attestor, assurance in (
        (AndroidAttestor(), _Assurance.DEVICE_ASSURANCE_MEDIUM),
        (AndroidAttestor(challenge=bytes(32)), _Assurance.DEVICE_ASSURANCE_NONE),
    ):
        upload = await believing.upload(policy="advisory")
        outcome = await scan(believing, upload, ANDROID, attestor)
        assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
        assert (await _result(believing, upload.check_id)).device.assurance == assurance


async def test_a_play_token_that_the_policy_ignores_is_not_opened(believing: LiveServer) -> None:
    for policy, reported in (
        ("without-play", "NOT_EVALUATED EVIDENCE_IGNORED"),
        ("advisory", "UNAVAILABLE DECODER_UNAVAILABLE"),
    ):
        upload = await believing.upload(policy=policy)
        outcome = await scan(believing, upload, ANDROID, PlayAttestor())
        assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
        assert _outcomes(await _result(believing, upload.check_id))["play_integrity.token"] == reported
