from dataclasses import replace

import numpy as np
import pytest

from device_integrity.camera import CameraClaim, DeviceClaim, FrameClaim, Platform
from device_integrity.device_test import DeviceFinding, DeviceTest, Manipulation
from device_integrity.policy import AttestedFacts, check_contradictions
from device_integrity.stream import FrameTrace, StreamTracer
from formats.exposure import ExposureClaim
from tests.device_integrity.stream.streams import encode, frames

_ANDROID = DeviceClaim(
    platform=Platform.ANDROID, manufacturer="Google", model="Pixel 8", os_version="14", app_id="org.bank"
)
_IPHONE = DeviceClaim(
    platform=Platform.IOS, manufacturer="Apple", model="iPhone14,5", os_version="18.1", app_id="org.bank"
)


def _found(device: DeviceClaim, camera: CameraClaim | None = None, **given: object) -> dict[str, DeviceTest]:
    options: dict[str, object] = {"evidence": (), **given}
    checks = check_contradictions(device=device, camera=camera or CameraClaim(), **options)  # type: ignore[arg-type]
    return {check.name: check for check in checks}


def _failed(checks: dict[str, DeviceTest]) -> list[tuple[str, str, bool]]:
    return [
        (check.name, check.reason, check.soft)
        for check in checks.values()
        if check.outcome is DeviceFinding.FAIL
    ]


def test_evidence_of_another_platform_is_hard() -> None:
    checks = _found(_IPHONE, evidence=("android_key",))
    assert _failed(checks) == [("contradiction.platform", "EVIDENCE_OF_ANOTHER_PLATFORM", False)]
    assert checks["contradiction.platform"].sign_of is Manipulation.MAN_IN_THE_MIDDLE


def test_consistent_claims_fail_no_test() -> None:
    facts = AttestedFacts(android_version=14, api_level=34, model="pixel 8", app_id="org.bank")
    checks = _found(
        _ANDROID,
        CameraClaim(id="1", hardware_level="LEVEL_3"),
        evidence=("android_key", "play_integrity"),
        facts=facts,
    )
    assert not _failed(checks)
    assert checks["contradiction.system"].outcome is DeviceFinding.PASS


@pytest.mark.parametrize(
    ("device", "camera"),
    [
        (replace(_ANDROID, model="iPhone14,5"), CameraClaim()),
        (_ANDROID, CameraClaim(hardware_level="builtInTrueDepthCamera")),
        (_ANDROID, CameraClaim(id="com.apple.avfoundation.avcapturedevice.built-in_video:1")),
        (_IPHONE, CameraClaim(hardware_level="LEGACY")),
        (replace(_IPHONE, manufacturer="Google"), CameraClaim()),
    ],
)
def test_words_of_another_platform_are_noticed(device: DeviceClaim, camera: CameraClaim) -> None:
    assert _failed(_found(device, camera)) == [("contradiction.wording", "WORDS_OF_ANOTHER_PLATFORM", True)]


@pytest.mark.parametrize(
    ("facts", "same"),
    [
        (AttestedFacts(android_version=14), True),
        (AttestedFacts(android_version=11), False),
        (AttestedFacts(api_level=34), True),
        (AttestedFacts(api_level=29), False),
        (AttestedFacts(android_version=14, api_level=30), False),
        (AttestedFacts(model="SM-S921B"), False),
    ],
)
def test_the_claimed_system_is_compared_with_the_attested_one(facts: AttestedFacts, same: bool) -> None:
    check = _found(_ANDROID, facts=facts)["contradiction.system"]
    assert check.outcome is (DeviceFinding.PASS if same else DeviceFinding.FAIL)


def test_another_app_is_hard() -> None:
    checks = _found(_ANDROID, facts=AttestedFacts(app_id="org.attacker"))
    assert _failed(checks) == [("contradiction.app", "ANOTHER_APP", False)]
    assert "org.attacker" not in checks["contradiction.app"].detail


def _exposed(gains: list[float], *, follows: bool) -> tuple[list[FrameClaim], tuple[FrameTrace, ...]]:
    """A scene with frames that are exposed by ``gains``, and whether their pixels show it."""
    tracer, claims = StreamTracer(), []
    for at, (gain, luma) in enumerate(zip(gains, frames(len(gains)), strict=True)):
        # The claim is of linear light, the frame is gamma encoded.
        scale = gain ** (1 / 2.2) if follows else 1.0
        shown = np.asarray(np.clip(luma * 0.6 * scale, 0, 255), np.uint8)
        claims.append(
            FrameClaim(
                capture_time_us=at,
                width=320,
                height=240,
                exposure=ExposureClaim(exposure_time_ns=round(10_000_000 * gain), iso=100),
            )
        )
        tracer.add(encode(shown), shown, capture_time_us=at, arrival_time_us=at)
    return claims, tracer.measurements.frames


_GAINS = [1.0, 1.3, 1.0, 0.8, 1.1, 1.5, 1.2, 0.9, 0.7, 1.0, 1.4, 1.1]


def test_pictures_get_brighter_with_exposure() -> None:
    claims, traces = _exposed(_GAINS, follows=True)
    check = _found(_ANDROID, frames=claims, traces=traces)["contradiction.exposure"]
    assert check.outcome is DeviceFinding.PASS


def test_exposure_copied_from_another_scan_does_not_fit() -> None:
    claims, traces = _exposed(_GAINS, follows=False)
    check = _found(_ANDROID, frames=claims, traces=traces)["contradiction.exposure"]
    assert (check.outcome, check.reason, check.soft) == (
        DeviceFinding.FAIL,
        "BRIGHTNESS_DOES_NOT_FOLLOW",
        True,
    )


def test_steps_while_the_flash_changes_do_not_count() -> None:
    claims, traces = _exposed(_GAINS, follows=False)
    flashing = [replace(claim, flash_step=at) for at, claim in enumerate(claims)]
    check = _found(_ANDROID, frames=flashing, traces=traces)["contradiction.exposure"]
    assert check.outcome is DeviceFinding.NOT_EVALUATED


def test_nothing_to_compare_passes_nothing_but_the_words() -> None:
    checks = _found(replace(_ANDROID, model="", os_version="", app_id=""))
    outcomes = {name: check.outcome for name, check in checks.items()}
    assert outcomes.pop("contradiction.wording") is DeviceFinding.PASS
    assert set(outcomes.values()) == {DeviceFinding.NOT_EVALUATED}


def test_headers_and_measurements_must_be_of_the_same_frames() -> None:
    claims, traces = _exposed(_GAINS, follows=True)
    with pytest.raises(ValueError, match="12 headers and 11"):
        _found(_ANDROID, frames=claims, traces=traces[:-1])
