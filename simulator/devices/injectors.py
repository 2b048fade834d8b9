"""Devices that inject frames although their attestation is valid: only frames and headers show it."""

from dataclasses import replace

from simulator.devices.android import honest_phone
from simulator.devices.browser import honest_browser
from simulator.devices.device import StreamHabit, TestDevice
from simulator.devices.platform import TestPlatform

__all__ = ["looped_file", "perfect_timing", "renamed_virtual_camera", "virtual_camera"]

_LOOP_FRAMES = 8
"""Half a second, so that even the shortest attempt receives repeated frames."""


def virtual_camera(platform: TestPlatform) -> TestDevice:
    """Make a browser with the virtual camera of OBS, under its own name."""
    device = honest_browser(platform)
    return replace(device, camera=replace(device.camera, label="OBS Virtual Camera"))


def renamed_virtual_camera(platform: TestPlatform) -> TestDevice:
    """Make a phone whose camera is replaced by a program that copies only the real camera's description."""
    habit = StreamHabit(even_timing=True, constant_exposure=True)
    return replace(honest_phone(platform), habit=habit)


def looped_file(platform: TestPlatform) -> TestDevice:
    """Make a phone whose camera is replaced by a short clip in a loop."""
    return replace(honest_phone(platform), habit=StreamHabit(loop_frames=_LOOP_FRAMES))


def perfect_timing(platform: TestPlatform) -> TestDevice:
    """Make a phone whose camera is replaced by a program that delivers frames exactly to the microsecond."""
    return replace(honest_phone(platform), habit=StreamHabit(even_timing=True))
