from dataclasses import replace

import pytest

from device_integrity.camera import CameraClaim, CameraFacing, Platform, check_profile
from device_integrity.check import DeviceFinding

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
