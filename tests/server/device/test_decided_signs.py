"""Each decided sign fails a check by itself, under a policy that demands nothing of the device."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from device_integrity.camera import CameraClaim, DeviceClaim, Platform, load_fingerprints
from device_integrity.check import Assurance, DeviceCheck, DeviceFinding, passed_test
from device_integrity.policy import AttestedFacts
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
from server.device.assessment import ClaimedDevice, ObservedFrames, assess_device, decisive_claims
from server.device.evidence import EvidenceFinding
from server.device.server_keys import ServerKeys
from server.policies.schema import DeviceRules
from server.verdict.outcome import DeviceOutcome

_OWN, _OTHER = bytes(32), bytes(range(32))
_COMPLETE, _OPEN = ServerKeys(frozenset({_OWN}), complete=True), ServerKeys(frozenset({_OWN}))
_PHONE = DeviceClaim(
    platform=Platform.ANDROID, manufacturer="Google", model="Pixel 9", os_version="16", app_id="org.bank"
)
_CLAIMED = ClaimedDevice(device=_PHONE, camera=CameraClaim(id="1", label="front"), server_spki_sha256=_OWN)
_ATTESTED = EvidenceFinding(
    verifier="android_key",
    checks=(passed_test("android_key.challenge", "R", ""), passed_test("android_key.possession", "R", "")),
)
_MARKS = tuple(FrameMark(exact=bytes([at] * 32), perceptual=bytes([at] * 32)) for at in range(8))


def _assess(**changes: Any) -> DeviceOutcome:
    arguments: dict[str, Any] = {
        "claimed": _CLAIMED,
        "server_keys": _OPEN,
        "findings": (),
        "observed": ObservedFrames(
            claims=(),
            measured_claims=(),
            measurements=StreamMeasurements(frames=(), tallies=()),
            adjustments=0,
        ),
        "memory": (),
        "rules": DeviceRules(),
        "tolerated": frozenset(),
        "fingerprints": load_fingerprints(),
        "transcript_bound": True,
        "active_challenge": False,
    }
    return assess_device(**arguments | changes)


def _camera(**camera: Any) -> dict[str, Any]:
    return {"claimed": replace(_CLAIMED, camera=replace(CameraClaim(id="1"), **camera))}


def _device(**device: Any) -> dict[str, Any]:
    return {"claimed": replace(_CLAIMED, device=replace(_PHONE, **device))}


def _memory(check: DeviceCheck) -> dict[str, Any]:
    return {"memory": (check,)}


def _failing(finding: EvidenceFinding, name: str, reason: str) -> EvidenceFinding:
    wrong = DeviceCheck(name=name, outcome=DeviceFinding.FAIL, reason=reason, detail="")
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
    "a debugger at the app": ("runtime.debugger", _reported(RuntimeFinding(RuntimeKind.DEBUGGER))),
    "a rooted phone, where the policy says so": (
        "runtime.root",
        _reported(RuntimeFinding(RuntimeKind.ROOT)) | {"rules": DeviceRules(decide=("runtime.root",))},
    ),
    "frames of an earlier check": (
        "memory.frames",
        _memory(check_frames_before(_MARKS, [RecalledScan(check_id="c0", repeated=1)])),
    ),
    "pictures of an earlier check in other files": (
        "memory.frames",
        _memory(check_frames_before(_MARKS, [RecalledScan(check_id="c0", shown=3)])),
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
        {"claimed": replace(_CLAIMED, server_spki_sha256=_OTHER), "server_keys": _COMPLETE},
    ),
}

UNDECIDED: dict[str, dict[str, Any]] = {
    "nothing odd": {},
    "a filter": _camera(label="NVIDIA Broadcast"),
    "a capture device": _camera(label="USB Video (534d:2109)"),
    "a camera that the system calls virtual": _camera(transport="virt"),
    "a camera without a name": _camera(id="", label=""),
    "odd wording": _device(model="generic"),
    "another key than those that are known": {
        "claimed": replace(_CLAIMED, server_spki_sha256=_OTHER),
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
    "a report without findings": _reported(),
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
    first = replace(_CLAIMED, camera=CameraClaim(label="OBS Virtual Camera"), server_spki_sha256=_OTHER)
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
