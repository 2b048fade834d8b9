"""Tests whether a camera's description fits its platform.

If a platform does not describe a property (a browser, a desktop), the test is NOT_EVALUATED. If a phone omits
a property that its system always knows, the test is UNAVAILABLE. Only a camera whose transport is virtual
fails hard.
"""

import math
from typing import Final

from device_integrity.camera.claims import CameraClaim, CameraFacing, Platform
from device_integrity.camera.tokens import tokens_of
from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation, passed_test

__all__ = ["check_profile"]

_SHORTEST_MM: Final = 0.5
_LONGEST_MM: Final = 30.0
"""Focal lengths of phone cameras lie well within these limits, because their modules are a few mm deep."""

_LEVELS: Final = {
    Platform.ANDROID: {
        "LIMITED": None,
        "FULL": None,
        "LEVEL_3": None,
        "LEGACY": "LEGACY_CAMERA",
        "EXTERNAL": "EXTERNAL_CAMERA",
    },
    Platform.IOS: {
        "builtInWideAngleCamera": None,
        "builtInUltraWideCamera": None,
        "builtInTelephotoCamera": None,
        "builtInTrueDepthCamera": None,
        "builtInDualCamera": None,
        "builtInDualWideCamera": None,
        "builtInTripleCamera": None,
        "builtInLiDARDepthCamera": None,
        "external": "EXTERNAL_CAMERA",
        "continuityCamera": "EXTERNAL_CAMERA",
        "deskViewCamera": "EXTERNAL_CAMERA",
    },
}
"""Reasons by Camera2's INFO_SUPPORTED_HARDWARE_LEVEL or AVCaptureDevice.DeviceType; ``None`` if built in."""

_CLOCKS: Final = {
    # SENSOR_INFO_TIMESTAMP_SOURCE is REALTIME (the boot-time clock) or UNKNOWN (a monotonic one).
    Platform.ANDROID: frozenset({"boottime", "realtime", "monotonic", "unknown"}),
    Platform.IOS: frozenset({"host", "hosttime", "monotonic", "mach", "presentation"}),
}

_VIRTUAL_TRANSPORT: Final = ("virt",)
_USB_TRANSPORT: Final = ("usb",)


def check_profile(camera: CameraClaim, *, platform: Platform) -> tuple[DeviceCheck, ...]:
    """Compares a camera's description with the properties of its platform.

    Returns:
        ``camera.facing``, ``camera.orientation``, ``camera.hardware_level``, ``camera.focal_lengths``,
        ``camera.transport`` and ``camera.clock``, in this order.
    """
    return (
        _facing(camera, platform),
        _orientation(camera, platform),
        _hardware_level(camera, platform),
        _focal_lengths(camera, platform),
        _transport(camera, platform),
        _clock(camera, platform),
    )


def _facing(camera: CameraClaim, platform: Platform) -> DeviceCheck:
    name = "camera.facing"
    if not platform.is_phone:
        return _not_reported(name, platform)
    match camera.facing:
        case CameraFacing.FRONT:
            return passed_test(name, "FRONT", "The camera faces the person.")
        case CameraFacing.UNSPECIFIED:
            return _missing(name, "its camera's direction")
        case CameraFacing.EXTERNAL:
            return _failed(name, "EXTERNAL_CAMERA", "The camera is not built into the phone.")
        case CameraFacing.BACK:
            return _failed(
                name, "BACK_CAMERA", "The camera faces away from the person that holds the phone.", sign=None
            )


def _orientation(camera: CameraClaim, platform: Platform) -> DeviceCheck:
    name = "camera.orientation"
    degrees = camera.sensor_orientation_degrees
    if degrees not in {0, 90, 180, 270}:
        return _failed(
            name,
            "NO_QUARTER_TURN",
            f"The sensor is rotated by {degrees} degrees, which is not a quarter turn.",
        )
    if not platform.is_phone:
        return _not_reported(name, platform)
    if degrees == 0:
        # An empty field has the same value.
        return _missing(name, "its sensor's orientation")
    if degrees in {90, 270}:
        return passed_test(name, "SIDEWAYS", f"The sensor is rotated by {degrees} degrees, as in phones.")
    return _failed(
        name, "UPRIGHT_SENSOR", f"The sensor is rotated by {degrees} degrees; in phones it is 90 or 270."
    )


def _hardware_level(camera: CameraClaim, platform: Platform) -> DeviceCheck:
    name = "camera.hardware_level"
    known = _LEVELS.get(platform)
    if known is None:
        return _not_reported(name, platform)
    level = camera.hardware_level
    if not level:
        return _missing(name, "its camera's hardware level")
    reason = known.get(level, "UNKNOWN_LEVEL")
    if reason is None:
        return passed_test(name, "BUILT_IN", f'The camera has the level "{level}".')
    return _failed(
        name, reason, f'The camera has the level "{level[:128]}", which no built-in front camera has.'
    )


def _focal_lengths(camera: CameraClaim, platform: Platform) -> DeviceCheck:
    name = "camera.focal_lengths"
    if platform is not Platform.ANDROID:
        return _not_reported(name, platform)
    lengths = camera.focal_lengths_mm
    if not lengths:
        return _missing(name, "a focal length")
    listed = ", ".join(f"{one:.3g}" for one in lengths[:8])
    if all(math.isfinite(one) and _SHORTEST_MM <= one <= _LONGEST_MM for one in lengths):
        return passed_test(name, "PLAUSIBLE", f"The camera has focal lengths of {listed} mm.")
    return _failed(name, "IMPOSSIBLE_LENS", f"Focal lengths of {listed} mm do not fit into a phone.")


def _transport(camera: CameraClaim, platform: Platform) -> DeviceCheck:
    name = "camera.transport"
    tokens = tokens_of(camera.transport)
    if not tokens:
        return _not_reported(name, platform)
    if tokens == _VIRTUAL_TRANSPORT:
        return _failed(name, "VIRTUAL", "The system states that the camera is virtual.", soft=False)
    if platform.is_phone and tokens[:1] == _USB_TRANSPORT:
        return _failed(name, "USB", "The camera is attached to the phone by USB.")
    return passed_test(name, "PHYSICAL", "The camera's transport is not virtual.")


def _clock(camera: CameraClaim, platform: Platform) -> DeviceCheck:
    name = "camera.clock"
    known = _CLOCKS.get(platform)
    if known is None:
        return _not_reported(name, platform)
    source = "".join(tokens_of(camera.timestamp_source))
    if not source:
        return _missing(name, "its capture clock's time base")
    if source in known:
        return passed_test(name, "SENSOR_CLOCK", f'The capture clock is "{source}".')
    return _failed(
        name, "UNKNOWN_CLOCK", f'The capture clock is "{source[:64]}", which the platform does not have.'
    )


def _failed(
    name: str,
    reason: str,
    detail: str,
    *,
    sign: Manipulation | None = Manipulation.VIRTUAL_CAMERA,
    soft: bool = True,
) -> DeviceCheck:
    return DeviceCheck(
        name=name, outcome=DeviceFinding.FAIL, reason=reason, detail=detail, sign_of=sign, soft=soft
    )


def _missing(name: str, what: str) -> DeviceCheck:
    return DeviceCheck(
        name=name,
        outcome=DeviceFinding.UNAVAILABLE,
        reason="NOT_SENT",
        detail=f"The device did not state {what}, which its system knows.",
    )


def _not_reported(name: str, platform: Platform) -> DeviceCheck:
    return DeviceCheck(
        name=name,
        outcome=DeviceFinding.NOT_EVALUATED,
        reason="NOT_TOLD_BY_PLATFORM",
        detail=f"Devices of platform {platform} need not state this property, or do not know it.",
    )
