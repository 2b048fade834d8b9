"""The assessment of a device from its claims, evidence and frames."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_integrity.camera import (
    CameraClaim,
    CameraFacing,
    DeviceClaim,
    ExposureClaim,
    FrameClaim,
    Platform,
    load_fingerprints,
)
from device_integrity.check import Assurance, DeviceCheck, DeviceFinding, Manipulation, passed_test
from device_integrity.policy import Demand, DemandTable, Evidence
from device_integrity.stream import StreamMeasurements
from server.device.assessment import (
    ClaimedDevice,
    ObservedFrames,
    assess_device,
    assess_without_attempt,
    attestation_demand,
    awaited_evidence,
    decisive_claims,
)
from server.device.evidence import CLAIMS, EvidenceFinding
from server.device.server_keys import ServerKeys
from server.policies.schema import DeviceRules
from server.verdict.outcome import DeviceOutcome

OWN, OTHER = bytes(32), bytes(range(32))
_CLAIMED = ClaimedDevice(
    device=DeviceClaim(platform=Platform.ANDROID), camera=CameraClaim(), server_spki_sha256=OWN
)
_NO_FRAMES = ObservedFrames(
    claims=(),
    measured_claims=(),
    measurements=StreamMeasurements(frames=(), tallies=()),
    adjustments=0,
)


def _assess(rules: dict[str, Any] | None = None, **changes: Any) -> DeviceOutcome:
    arguments: dict[str, Any] = {
        "claimed": _CLAIMED,
        "server_keys": ServerKeys(frozenset()),
        "tolerated": frozenset(),
        "findings": (),
        "observed": _NO_FRAMES,
        "memory": (),
        "fingerprints": load_fingerprints(),
        "transcript_bound": True,
        "active_challenge": False,
    }
    return assess_device(**arguments | changes, rules=DeviceRules.model_validate(rules or {}))


def _outcomes(outcome: DeviceOutcome) -> dict[str, tuple[DeviceFinding, str]]:
    return {check.name: (check.outcome, check.reason) for check in outcome.checks}


@pytest.mark.parametrize(
    ("seen", "own", "complete", "outcome", "reason"),
    [
        (OWN, (OWN,), False, DeviceFinding.PASS, "SAME_KEY"),
        (OTHER, (OWN, OTHER), True, DeviceFinding.PASS, "SAME_KEY"),
        (OTHER, (OWN,), False, DeviceFinding.FAIL, "OTHER_KEY"),
        (OTHER, (OWN,), True, DeviceFinding.FAIL, "KEY_NOT_LISTED"),
        (b"", (OWN,), True, DeviceFinding.UNAVAILABLE, "NOT_SAID"),
        (OTHER, (), False, DeviceFinding.UNAVAILABLE, "NO_TLS"),
        (b"", (), False, DeviceFinding.UNAVAILABLE, "NO_TLS"),
    ],
)
def test_the_tls_key_that_the_device_saw(
    seen: bytes, own: tuple[bytes, ...], complete: bool, outcome: DeviceFinding, reason: str
) -> None:
    found = _assess(
        claimed=replace(_CLAIMED, server_spki_sha256=seen),
        server_keys=ServerKeys(frozenset(own), complete=complete),
    )
    assert _outcomes(found)["server_key.tls"] == (outcome, reason)
    assert ("man_in_the_middle" in {sign.of for sign in found.signs}) is (outcome is DeviceFinding.FAIL)
    assert found.decided == (("server_key.tls",) if reason == "KEY_NOT_LISTED" else ())


def test_a_device_that_sent_nothing_has_no_assurance_and_breaks_no_demand() -> None:
    found = _assess()
    assert _outcomes(found)["attestation.evidence"] == (DeviceFinding.UNAVAILABLE, "ATTESTATION_MISSING")
    assert (found.assurance, found.required, found.demands_met) == (Assurance.NONE, Assurance.NONE, True)


def test_each_demand_that_is_not_met_is_reported() -> None:
    found = _assess({"demands": {"android": {"android_key": "required", "server_key": "required"}}})
    assert not found.demands_met
    assert _outcomes(found)["demand.android_key"] == (DeviceFinding.FAIL, "MISSING")
    assert _outcomes(found)["demand.server_key"] == (DeviceFinding.FAIL, "MISSING")
    refused = _assess({"demands": {"ios": {}}})
    assert _outcomes(refused)["demand.platform"] == (DeviceFinding.FAIL, "PLATFORM_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("demand", "soft", "injected"),
    [("required", False, True), ("required", True, False), ("advisory", False, False)],
)
def test_only_demanded_hard_failures_mark_frames_as_injected(demand: str, soft: bool, injected: bool) -> None:
    seen_before = DeviceCheck(
        name="memory.frames",
        outcome=DeviceFinding.FAIL,
        reason="FRAMES_SEEN_BEFORE",
        detail="",
        sign_of=Manipulation.INJECTION,
        soft=soft,
    )
    found = _assess({"demands": {"android": {"memory": demand}}}, memory=(seen_before,))
    assert found.injected is injected
    assert found.demands_met is not injected
    assert found.decided == (() if soft else ("memory.frames",))


@pytest.mark.parametrize(("demand", "decides"), [("required", True), ("advisory", False)])
def test_failures_that_mark_frames_as_injected_are_decisive(demand: str, decides: bool) -> None:
    repeated = DeviceCheck(
        name="stream.duplicates",
        outcome=DeviceFinding.FAIL,
        reason="FRAMES_REPEAT",
        detail="",
        sign_of=Manipulation.INJECTION,
    )
    found = _assess({"demands": {"android": {"stream": demand}}}, memory=(repeated,))
    assert found.injected is found.final is decides
    assert found.decided == (("stream.duplicates",) if decides else ())
    assert [check.decisive for check in found.checks if check.reason == "FRAMES_REPEAT"] == [decides]


def test_evidence_of_another_platform_contradicts_the_claim() -> None:
    finding = EvidenceFinding(verifier="app_attest", checks=(passed_test("app_attest.chain", "R", ""),))
    found = _assess(findings=(finding,))
    assert _outcomes(found)["contradiction.platform"][1] == "EVIDENCE_OF_ANOTHER_PLATFORM"
    assert found.signs[0].of is Manipulation.MAN_IN_THE_MIDDLE


_text = st.text(max_size=40) | st.sampled_from(
    ["OBS Virtual Camera", "iPhone", "sdk_gphone64", "usb 1d6b:0102"]
)
_number = st.integers(0, 2**64 - 1)
_real = st.floats(allow_nan=False, allow_infinity=False, width=32)
_devices = st.builds(
    DeviceClaim,
    platform=st.sampled_from(Platform),
    manufacturer=_text,
    model=_text,
    os_version=_text | st.from_regex(r"[0-9]{1,400}", fullmatch=True),
    app_id=_text,
)
_cameras = st.builds(
    CameraClaim,
    id=_text,
    label=_text,
    facing=st.sampled_from(CameraFacing),
    width=_number,
    height=_number,
    frames_per_second=_real,
    sensor_orientation_degrees=_number,
    hardware_level=_text,
    transport=_text,
    focal_lengths_mm=st.lists(_real, max_size=8).map(tuple),
    timestamp_source=_text,
)
_exposures = st.none() | st.builds(
    ExposureClaim, exposure_time_ns=_number, iso=_number, exposure_locked=st.booleans()
)
_frames = st.builds(
    FrameClaim,
    capture_time_us=_number,
    width=_number,
    height=_number,
    rotation_degrees=st.sampled_from([0, 90, 180, 270]),
    mirrored=st.booleans(),
    flash_step=_number,
    exposure=_exposures,
)


@settings(max_examples=150, deadline=None)
@given(device=_devices, camera=_cameras, frames=st.lists(_frames, max_size=12))
def test_whatever_a_device_claims_there_is_an_outcome(
    device: DeviceClaim, camera: CameraClaim, frames: list[FrameClaim]
) -> None:
    claimed = ClaimedDevice(device=device, camera=camera, server_spki_sha256=b"")
    observed = replace(_NO_FRAMES, claims=tuple(frames))
    found = _assess({"minimum_assurance": "LOW"}, claimed=claimed, observed=observed)
    assert found.assurance is Assurance.NONE
    assert all(len(check.detail) <= 500 for check in found.checks)


def test_a_check_without_a_scan_has_no_claims() -> None:
    rules = DeviceRules.model_validate({"minimum_assurance": "HIGH"})
    found = assess_without_attempt((), rules=rules, tolerated=frozenset())
    assert (found.assurance, found.required) == (Assurance.NONE, Assurance.HIGH)
    assert [check.reason for check in found.checks] == ["NOT_SCANNED"]
    assert not found.final


def test_claims_of_streams_decide_a_check_without_an_attempt() -> None:
    claims = EvidenceFinding(
        verifier=CLAIMS,
        checks=decisive_claims(
            replace(_CLAIMED, camera=CameraClaim(id="1", label="OBS Virtual Camera")),
            server_keys=ServerKeys(frozenset()),
            fingerprints=load_fingerprints(),
        ),
    )
    found = assess_without_attempt((claims,), rules=DeviceRules(), tolerated=frozenset())
    assert (found.final, found.decided) == (True, ("camera.name",))
    assert [sign.checks for sign in found.signs] == [("camera.name",)]
    waived = assess_without_attempt((claims,), rules=DeviceRules(), tolerated=frozenset({"camera.name"}))
    assert not waived.final
    assert [check.tolerated for check in waived.checks] == [True, False]


_TABLE = DemandTable(
    {
        Platform.ANDROID: {Evidence.ANDROID_KEY: Demand.REQUIRED, Evidence.PLAY_INTEGRITY: Demand.REQUIRED},
        Platform.IOS: {Evidence.APP_ATTEST: Demand.ADVISORY},
        Platform.WEB: {Evidence.WEB_KEY: Demand.IGNORED},
    }
)


@pytest.mark.parametrize(
    ("platform", "demand"),
    [
        (Platform.ANDROID, Demand.REQUIRED),
        (Platform.IOS, Demand.ADVISORY),
        (Platform.WEB, Demand.IGNORED),
        (Platform.DESKTOP, Demand.IGNORED),
    ],
)
def test_the_accepted_evidence_is_sent_to_the_device(platform: Platform, demand: Demand) -> None:
    assert attestation_demand(platform, _TABLE) is demand


@pytest.mark.parametrize(
    ("platform", "arrived", "awaited"),
    [
        (Platform.ANDROID, (), True),
        (Platform.ANDROID, ("android_key",), True),
        (Platform.ANDROID, ("android_key", "play_integrity"), False),
        (Platform.ANDROID, ("",), False),
        (Platform.ANDROID, ("unknown",), True),
        (Platform.IOS, (), False),
        (Platform.DESKTOP, (), False),
    ],
)
def test_only_demanded_evidence_is_waited_for(
    platform: Platform, arrived: tuple[str, ...], awaited: bool
) -> None:
    findings = [EvidenceFinding(verifier=verifier, checks=()) for verifier in arrived]
    assert awaited_evidence(findings, platform=platform, table=_TABLE) is awaited
