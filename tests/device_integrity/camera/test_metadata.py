from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.camera import (
    CameraClaim,
    CameraFacing,
    FrameClaim,
    Platform,
    check_metadata,
    check_profile,
)
from device_integrity.device_test import DeviceFinding, DeviceTest
from formats.exposure import ExposureClaim

_CAMERA = CameraClaim(width=1280, height=960)


def _scan(count: int = 40) -> list[FrameClaim]:
    """A phone's: uneven times, exposure that follows the colours."""
    rng = np.random.default_rng(4)
    times = np.cumsum(62_500 + rng.integers(-400, 400, count))
    return [
        FrameClaim(
            capture_time_us=int(time),
            width=640,
            height=480,
            rotation_degrees=270,
            flash_step=at // 8,
            exposure=ExposureClaim(exposure_time_ns=20_000_000 + 500_000 * (at // 8), iso=200),
        )
        for at, time in enumerate(times)
    ]


def _checks(frames: list[FrameClaim], **options: int) -> dict[str, DeviceTest]:
    return {check.name: check for check in check_metadata(frames, _CAMERA, **options)}


def _changed(change: Callable[[int], dict[str, Any]]) -> list[FrameClaim]:
    """A phone's scan with other fields in each frame, by its place."""
    return [replace(frame, **change(at)) for at, frame in enumerate(_scan())]


def _exposed(time_ns: int, *, locked: bool = False) -> dict[str, Any]:
    return {"exposure": ExposureClaim(exposure_time_ns=time_ns, iso=200, exposure_locked=locked)}


def test_a_phones_metadata_pass() -> None:
    assert {check.outcome for check in _checks(_scan()).values()} == {DeviceFinding.PASS}


@pytest.mark.parametrize(
    ("change", "name", "reason"),
    [
        (lambda at: _exposed(20_000_000), "exposure", "EXPOSURE_CONSTANT"),
        (lambda at: _exposed(200_000_000), "exposure", "EXPOSURE_LONGER_THAN_FRAME"),
        (lambda at: {"capture_time_us": round(7_000_000 + at * 1e6 / 15)}, "timestamps", "ON_A_GRID"),
        # Gaps do not disturb the grid.
        (lambda at: {"capture_time_us": round((at + at // 7) * 1e6 / 30)}, "timestamps", "ON_A_GRID"),
        (lambda at: {"width": 640 - 16 * (at % 2)}, "frame_size", "SIZE_CHANGED"),
        (lambda at: {"mirrored": bool(at % 2)}, "frame_size", "ROTATION_CHANGED"),
        (lambda at: {"width": 1920, "height": 1440}, "frame_size", "LARGER_THAN_CAMERA"),
        (lambda at: {"width": 640, "height": 360}, "frame_size", "OTHER_SHAPE"),
    ],
)
def test_impossible_camera_metadata_fail_softly(
    change: Callable[[int], dict[str, Any]], name: str, reason: str
) -> None:
    check = _checks(_changed(change))[f"camera.{name}"]
    assert (check.outcome, check.reason, check.soft) == (DeviceFinding.FAIL, reason, True)


def test_times_that_do_not_rise_fail_hard() -> None:
    frames = _scan()
    frames[7] = replace(frames[7], capture_time_us=frames[6].capture_time_us)
    check = _checks(frames)["camera.timestamps"]
    assert (check.reason, check.soft) == ("NOT_RISING", False)


def test_locked_exposure_and_constant_light_are_not_evaluated() -> None:
    locked, steady = _changed(lambda at: _exposed(1_000, locked=True)), _changed(lambda at: {"flash_step": 0})
    assert _checks(locked)["camera.exposure"].reason == "EXPOSURE_LOCKED"
    assert _checks(steady)["camera.exposure"].outcome is DeviceFinding.NOT_EVALUATED


def _sized(side: tuple[int, int]) -> dict[str, Any]:
    return {"width": side[0], "height": side[1]}


def test_frames_may_shrink_again_and_again_once_they_were_to_be_smaller() -> None:
    sides = [(640, 480), (512, 384), (408, 306)]
    falling = _changed(lambda at: _sized(sides[min(at // 8, 2)]))
    wavering = _changed(lambda at: _sized(sides[at % 2]))
    assert _checks(falling)["camera.frame_size"].outcome is DeviceFinding.FAIL
    assert _checks(falling, adjustments=1)["camera.frame_size"].outcome is DeviceFinding.PASS
    assert _checks(wavering, adjustments=1)["camera.frame_size"].reason == "SIZE_CHANGED"


def test_frames_may_be_turned_before_they_are_encoded() -> None:
    upright = _changed(lambda at: _sized((480, 640)) | {"rotation_degrees": 0})
    assert _checks(upright)["camera.frame_size"].outcome is DeviceFinding.PASS


def test_missing_metadata_do_not_pass() -> None:
    bare = [replace(frame, exposure=None) for frame in _scan()]
    assert _checks(bare)["camera.exposure"].outcome is DeviceFinding.UNAVAILABLE
    assert {check.outcome for check in check_metadata([], _CAMERA)} == {DeviceFinding.UNAVAILABLE}
    unsaid = check_metadata(_scan(), CameraClaim())
    assert unsaid[2].outcome is DeviceFinding.UNAVAILABLE


@given(st.lists(st.integers(min_value=0, max_value=2**40), min_size=0, max_size=40))
def test_any_times_are_judged(times: list[int]) -> None:
    frames = [FrameClaim(capture_time_us=time, width=640, height=480) for time in times]
    check = check_metadata(frames, _CAMERA)[1]
    rising = all(last < now for last, now in pairwise(times))
    if len(times) >= 15:
        assert (check.reason == "NOT_RISING") is not rising


_ANDROID = CameraClaim(
    id="1",
    facing=CameraFacing.FRONT,
    width=640,
    height=480,
    sensor_orientation_degrees=270,
    hardware_level="LEVEL_3",
    focal_lengths_mm=(2.74,),
    timestamp_source="boottime",
)
_IPHONE = CameraClaim(
    id="com.apple.avfoundation.avcapturedevice.built-in_video:1",
    facing=CameraFacing.FRONT,
    sensor_orientation_degrees=90,
    hardware_level="builtInTrueDepthCamera",
    transport="bltn",
    timestamp_source="host time",
)


@pytest.mark.parametrize(("camera", "platform"), [(_ANDROID, Platform.ANDROID), (_IPHONE, Platform.IOS)])
def test_a_phones_own_camera_fails_nothing(camera: CameraClaim, platform: Platform) -> None:
    checks = check_profile(camera, platform=platform)
    assert {check.outcome for check in checks} <= {DeviceFinding.PASS, DeviceFinding.NOT_EVALUATED}
    assert sum(check.outcome is DeviceFinding.PASS for check in checks) >= 4


@pytest.mark.parametrize(
    ("change", "name", "reason"),
    [
        ({"facing": CameraFacing.EXTERNAL}, "camera.facing", "EXTERNAL_CAMERA"),
        ({"facing": CameraFacing.BACK}, "camera.facing", "BACK_CAMERA"),
        ({"sensor_orientation_degrees": 180}, "camera.orientation", "UPRIGHT_SENSOR"),
        ({"sensor_orientation_degrees": 45}, "camera.orientation", "NO_QUARTER_TURN"),
        ({"hardware_level": "LEGACY"}, "camera.hardware_level", "LEGACY_CAMERA"),
        ({"hardware_level": "EXTERNAL"}, "camera.hardware_level", "EXTERNAL_CAMERA"),
        ({"hardware_level": "builtInTrueDepthCamera"}, "camera.hardware_level", "UNKNOWN_LEVEL"),
        ({"focal_lengths_mm": (0.0,)}, "camera.focal_lengths", "IMPOSSIBLE_LENS"),
        ({"focal_lengths_mm": (float("nan"),)}, "camera.focal_lengths", "IMPOSSIBLE_LENS"),
        ({"transport": "usb "}, "camera.transport", "USB"),
        ({"timestamp_source": "container"}, "camera.clock", "UNKNOWN_CLOCK"),
    ],
)
def test_properties_foreign_to_phone_cameras_fail_softly(
    change: dict[str, object], name: str, reason: str
) -> None:
    camera = replace(_ANDROID, **change)  # type: ignore[arg-type]
    failed = [
        check
        for check in check_profile(camera, platform=Platform.ANDROID)
        if check.outcome is DeviceFinding.FAIL
    ]
    assert [(check.name, check.reason, check.soft) for check in failed] == [(name, reason, True)]


def test_a_virtual_transport_fails_hard_on_every_platform() -> None:
    for platform in Platform:
        checks = {
            check.name: check
            for check in check_profile(replace(_ANDROID, transport="virt"), platform=platform)
        }
        assert checks["camera.transport"].outcome is DeviceFinding.FAIL
        assert not checks["camera.transport"].soft


def test_a_phone_without_camera_claims_passes_no_test() -> None:
    checks = check_profile(CameraClaim(sensor_orientation_degrees=90), platform=Platform.ANDROID)
    unavailable = {check.name for check in checks if check.outcome is DeviceFinding.UNAVAILABLE}
    assert unavailable == {
        "camera.facing",
        "camera.hardware_level",
        "camera.focal_lengths",
        "camera.clock",
    }


def test_a_browser_is_not_asked() -> None:
    checks = check_profile(CameraClaim(label="Integrated Camera"), platform=Platform.WEB)
    assert {check.outcome for check in checks} == {DeviceFinding.NOT_EVALUATED}
