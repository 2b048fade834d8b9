"""The assessment of a device, and the signs that decide by themselves."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_integrity.camera import (
    CameraClaim,
    CameraFacing,
    DeviceClaim,
    FrameClaim,
    Platform,
    load_fingerprints,
)
from device_integrity.device_test import Assurance, DeviceFinding, DeviceTest, Manipulation, passed_test
from device_integrity.policy import AttestedFacts, Demand, DemandTable, Evidence
from device_integrity.runtime import RuntimeFinding, RuntimeKind, RuntimeReport
from device_integrity.stream import (
    FrameMark,
    KeyUse,
    RecalledScan,
    StreamMeasurements,
    check_attestation_key,
    check_device_subjects,
    check_frames_before,
    check_session_key,
)
from formats.exposure import ExposureClaim
from server.device.assessment import (
    ClaimedDevice,
    ObservedFrames,
    assess_device,
    assess_without_attempt,
    attestation_demand,
    awaited_evidence,
    decisive_claims,
)
from server.device.evidence import (
    CLAIMS,
    EvidenceFinding,
    counting_findings,
    finding_from_bytes,
    finding_to_bytes,
    joined_report,
)
from server.device.server_keys import ServerKeys
from server.policies.schema import DeviceRules
from server.verdict.outcome import DeviceOutcome
from tests.device_integrity.reports import reports

# The assessment of a device from its claims, evidence and frames.

OWN, OTHER = bytes(32), bytes(range(32))
_COMPLETE, _OPEN = ServerKeys(frozenset({OWN}), complete=True), ServerKeys(frozenset({OWN}))
_PHONE = DeviceClaim(
    platform=Platform.ANDROID, manufacturer="Google", model="Pixel 9", os_version="16", app_id="org.bank"
)
_CLAIMED = ClaimedDevice(device=_PHONE, camera=CameraClaim(id="1", label="front"), server_spki_sha256=OWN)
_NO_FRAMES = ObservedFrames(
    claims=(),
    measured_claims=(),
    measurements=StreamMeasurements(frames=(), tallies=()),
    adjustments=0,
)


def _assess(rules: dict[str, Any] | None = None, **changes: Any) -> DeviceOutcome:
    arguments: dict[str, Any] = {
        "claimed": _CLAIMED,
        "server_keys": _OPEN,
        "tolerated": frozenset(),
        "findings": (),
        "observed": _NO_FRAMES,
        "memory": (),
        "fingerprints": load_fingerprints(),
        "transcript_bound": True,
        "active_challenge": False,
        "rules": DeviceRules.model_validate(rules or {}),
    }
    return assess_device(**arguments | changes)


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
    floors = {"minimum_assurance": {"default": "MEDIUM", "android": "LOW"}}
    assert _assess(floors).required is Assurance.LOW


def test_each_demand_that_is_not_met_is_reported() -> None:
    found = _assess(
        {"demands": {"android": {"android_key": "required", "server_key": "required"}}},
        server_keys=ServerKeys(frozenset()),
    )
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
    seen_before = DeviceTest(
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
    repeated = DeviceTest(
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
        (Platform.IOS, (), False),
    ],
)
def test_only_demanded_evidence_is_waited_for(
    platform: Platform, arrived: tuple[str, ...], awaited: bool
) -> None:
    findings = [EvidenceFinding(verifier=verifier, checks=()) for verifier in arrived]
    assert awaited_evidence(findings, platform=platform, table=_TABLE) is awaited


# Each decided sign fails a check by itself, under a policy that demands nothing of the device.

_ATTESTED = EvidenceFinding(
    verifier="android_key",
    checks=(passed_test("android_key.challenge", "R", ""), passed_test("android_key.possession", "R", "")),
)
_MARKS = tuple(FrameMark(exact=bytes([at] * 32), perceptual=bytes([at] * 32)) for at in range(8))


def _camera(**camera: Any) -> dict[str, Any]:
    return {"claimed": replace(_CLAIMED, camera=replace(CameraClaim(id="1"), **camera))}


def _device(**device: Any) -> dict[str, Any]:
    return {"claimed": replace(_CLAIMED, device=replace(_PHONE, **device))}


def _memory(check: DeviceTest) -> dict[str, Any]:
    return {"memory": (check,)}


def _failing(finding: EvidenceFinding, name: str, reason: str) -> EvidenceFinding:
    wrong = DeviceTest(name=name, outcome=DeviceFinding.FAIL, reason=reason, detail="")
    return replace(finding, checks=(*finding.checks, wrong))


def _reported(*findings: RuntimeFinding) -> dict[str, Any]:
    report = RuntimeReport(findings=frozenset(findings))
    return {"findings": (EvidenceFinding(verifier="runtime", checks=(), report=report),)}


def _uses(*checks: str) -> list[KeyUse]:
    time = datetime(2026, 11, 20, tzinfo=UTC)
    return [KeyUse(key=b"k", subject=f"p{check}", check_id=check, time=time) for check in checks]


DECIDED: dict[str, tuple[str, dict[str, Any]]] = {
    "a camera on the hard list": ("camera.name", _camera(label="OBS Virtual Camera")),
    "a declared emulator": ("device.emulator", _device(model="sdk_gphone64_x86_64")),
    "an emulator's camera": ("device.emulator", _camera(id="webcam0")),
    "a hooking framework in the app": (
        "runtime.hooking",
        _reported(RuntimeFinding(RuntimeKind.HOOKING_FRAMEWORK, "frida")),
    ),
    "a rooted phone, where the policy says so": (
        "runtime.root",
        _reported(RuntimeFinding(RuntimeKind.ROOT)) | {"rules": DeviceRules(decide=("runtime.root",))},
    ),
    "frames of an earlier check": (
        "memory.frames",
        _memory(check_frames_before(_MARKS, [RecalledScan(check_id="c0", repeated=1)])),
    ),
    "a session key of another check": (
        "memory.session_key",
        _memory(check_session_key(_uses("c0"), check_id="c1")),
    ),
    "an attestation key of another check": (
        "memory.attestation_key",
        _memory(check_attestation_key(_uses("c0"), check_id="c1")),
    ),
    "evidence of another platform": (
        "contradiction.platform",
        _device(platform=Platform.IOS) | {"findings": (_ATTESTED,)},
    ),
    "evidence that names another app": (
        "contradiction.app",
        {"findings": (replace(_ATTESTED, facts=AttestedFacts(app_id="org.other")),)},
    ),
    "verified evidence of another app": (
        "android_key.application",
        {"findings": (_failing(_ATTESTED, "android_key.application", "APPLICATION_REPACKAGED"),)},
    ),
    "a key that a complete list does not have": (
        "server_key.tls",
        {"claimed": replace(_CLAIMED, server_spki_sha256=OTHER), "server_keys": _COMPLETE},
    ),
}

UNDECIDED: dict[str, dict[str, Any]] = {
    "nothing odd": {},
    "a filter": _camera(label="NVIDIA Broadcast"),
    "another key than those that are known": {
        "claimed": replace(_CLAIMED, server_spki_sha256=OTHER),
    },
    "no word on the key": {
        "claimed": replace(_CLAIMED, server_spki_sha256=b""),
        "server_keys": _COMPLETE,
    },
    "the app's key for other people's checks": _memory(
        check_device_subjects(_uses(*"abcdefgh"), subject="p0")
    ),
    "the session key of this check's other streams": _memory(
        check_session_key(_uses("c1", "c1"), check_id="c1")
    ),
    "what honest people's phones have": _reported(
        *map(RuntimeFinding, set(RuntimeKind) - {RuntimeKind.HOOKING_FRAMEWORK, RuntimeKind.DEBUGGER})
    ),
    "an unlocked boot loader": {
        "findings": (_failing(_ATTESTED, "android_key.boot_state", "BOOTLOADER_UNLOCKED"),)
    },
    "an unverified word of another app": {
        "findings": (
            _failing(
                replace(_ATTESTED, checks=()),
                "android_key.application",
                "APPLICATION_REPACKAGED",
            ),
        )
    },
    # The proof of one piece of evidence does not extend to another.
    "proofs of another piece of evidence": {
        "findings": (
            _failing(replace(_ATTESTED, checks=()), "android_key.application", "APPLICATION_REPACKAGED"),
            _ATTESTED,
        )
    },
}


@pytest.mark.parametrize("case", DECIDED)
def test_a_decided_sign_decides_and_can_be_tolerated(case: str) -> None:
    name, changes = DECIDED[case]
    found = _assess(**changes)
    assert found.decided == (name,)
    assert found.final
    assert found.assurance is Assurance.NONE
    assert [check.name for check in found.checks if check.decisive] == [name]
    waived = _assess(**changes, tolerated=frozenset({name, "web"}))
    assert waived.decided == ()
    assert not waived.final
    assert waived.tolerated == tuple(sorted([name, "web"]))
    (check,) = (check for check in waived.checks if check.name == name and check.decisive)
    assert (check.outcome, check.tolerated) == (DeviceFinding.FAIL, True)


@pytest.mark.parametrize("case", UNDECIDED)
def test_failures_common_among_honest_people_are_not_decisive(case: str) -> None:
    found = _assess(**UNDECIDED[case])
    assert found.decided == ()
    assert not any(check.decisive for check in found.checks)


def test_claims_of_an_earlier_stream_stay() -> None:
    first = replace(_CLAIMED, camera=CameraClaim(label="OBS Virtual Camera"), server_spki_sha256=OTHER)
    keys = load_fingerprints()
    earlier = decisive_claims(first, server_keys=_COMPLETE, fingerprints=keys)
    assert [check.name for check in earlier] == ["server_key.tls", "camera.name"]
    assert decisive_claims(_CLAIMED, server_keys=_COMPLETE, fingerprints=keys) == ()
    found = _assess(server_keys=_COMPLETE, earlier=earlier)
    assert found.decided == ("server_key.tls", "camera.name")
    names = [check.name for check in found.checks]
    assert len(names) == len(set(names))
    waived = _assess(server_keys=_COMPLETE, earlier=earlier, tolerated=frozenset({"camera.name"}))
    assert waived.decided == ("server_key.tls",)


# Findings on evidence: storage and selection.

_checks = st.builds(
    DeviceTest,
    name=st.text(max_size=20),
    outcome=st.sampled_from(DeviceFinding),
    reason=st.text(max_size=20),
    detail=st.text(max_size=40),
    sign_of=st.sampled_from([None, *Manipulation]),
    soft=st.booleans(),
)
_findings = st.builds(
    EvidenceFinding,
    verifier=st.text(max_size=10),
    checks=st.lists(_checks, max_size=4).map(tuple),
    ceiling=st.sampled_from([None, *Assurance]),
    facts=st.builds(
        AttestedFacts, android_version=st.none() | st.integers(1, 99), app_id=st.none() | st.text()
    ),
    lasting_key=st.none() | st.binary(min_size=32, max_size=32),
    scan_key=st.none() | st.binary(min_size=32, max_size=32),
    report=st.none() | reports(),
)


@given(finding=_findings)
def test_a_finding_is_read_again_as_it_was(finding: EvidenceFinding) -> None:
    assert finding_from_bytes(finding_to_bytes(finding)) == finding


def test_reports_add_up_whatever_becomes_of_the_evidence_beside_them() -> None:
    frida, root = RuntimeFinding(RuntimeKind.HOOKING_FRAMEWORK, "frida"), RuntimeFinding(RuntimeKind.ROOT)
    looked = frozenset({RuntimeKind.ROOT})
    findings = (
        EvidenceFinding(verifier="a", checks=(), report=RuntimeReport(findings=frozenset({frida}))),
        EvidenceFinding(verifier="a", checks=()),
        EvidenceFinding(verifier="a", checks=(), report=RuntimeReport(looked, frozenset({root}))),
        EvidenceFinding(verifier="a", checks=(), report=RuntimeReport(looked)),
    )
    assert joined_report(findings) == RuntimeReport(looked, frozenset({frida, root}))
    assert joined_report(findings[1:2]) is None


def _finding(verifier: str, outcome: DeviceFinding, *, soft: bool = False) -> EvidenceFinding:
    check = DeviceTest(name=f"{verifier}.check", outcome=outcome, reason="R", detail="", soft=soft)
    return EvidenceFinding(verifier=verifier, checks=(check,))


@pytest.mark.parametrize(
    ("outcome", "soft", "stays"),
    [
        (DeviceFinding.PASS, False, False),
        (DeviceFinding.UNAVAILABLE, False, False),
        (DeviceFinding.FAIL, True, False),
        (DeviceFinding.FAIL, False, True),
    ],
)
def test_later_evidence_replaces_earlier_except_failures(
    outcome: DeviceFinding, soft: bool, stays: bool
) -> None:
    earlier = _finding("play_integrity", outcome, soft=soft)
    other = _finding("android_key", DeviceFinding.PASS)
    later = replace(_finding("play_integrity", DeviceFinding.PASS), ceiling=Assurance.LOW)
    found = counting_findings((earlier, other, later))
    assert found == ((earlier, other, later) if stays else (other, later))
