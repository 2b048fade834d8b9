"""Devices that put frames in the camera's place and attest soundly: only frames and headers show it."""

from dataclasses import replace

from simulator.devices.android import honest_phone
from simulator.devices.browser import honest_browser
from simulator.devices.device import StreamHabit, TestDevice
from simulator.devices.platform import TestPlatform

__all__ = ["looped_file", "perfect_timing", "renamed_virtual_camera", "virtual_camera"]

_LOOP_FRAMES = 8
"""Half a second: even the shortest attempt sees them again."""


def virtual_camera(platform: TestPlatform) -> TestDevice:
    """A browser whose camera is OBS's, under its own name."""
    device = honest_browser(platform)
    return replace(device, camera=replace(device.camera, label="OBS Virtual Camera"))


def renamed_virtual_camera(platform: TestPlatform) -> TestDevice:
    """A phone whose camera was replaced by a program that copies the real one's description, and no more."""
    habit = StreamHabit(even_timing=True, constant_exposure=True)
    return replace(honest_phone(platform), habit=habit)


def looped_file(platform: TestPlatform) -> TestDevice:
    """A phone whose camera was replaced by a short clip that plays again and again."""
    return replace(honest_phone(platform), habit=StreamHabit(loop_frames=_LOOP_FRAMES))


def perfect_timing(platform: TestPlatform) -> TestDevice:
    """A phone whose camera was replaced by a program that delivers to the microsecond."""
    return replace(honest_phone(platform), habit=StreamHabit(even_timing=True))
