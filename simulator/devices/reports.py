"""The run-time findings of the apps of test devices, and devices with such findings."""

from dataclasses import replace
from typing import Final

from device_integrity import RuntimeFinding, RuntimeKind, RuntimeReport
from simulator.devices.android import honest_phone
from simulator.devices.browser import honest_browser
from simulator.devices.device import TestDevice
from simulator.devices.platform import TestPlatform

__all__ = ["driven_browser", "hooked_phone", "phone_with_shared_screen"]

_FRIDA: Final = RuntimeFinding(RuntimeKind.HOOKING_FRAMEWORK, "frida")
_SHARED_SCREEN: Final = RuntimeFinding(RuntimeKind.SCREEN_SHARING, "media projection")
_WEBDRIVER: Final = RuntimeFinding(RuntimeKind.AUTOMATION, "navigator.webdriver")


def hooked_phone(platform: TestPlatform) -> TestDevice:
    """Make an unmodified phone whose app finds Frida in its own process."""
    return _finding(honest_phone(platform), _FRIDA)


def phone_with_shared_screen(platform: TestPlatform) -> TestDevice:
    """Make an unmodified phone whose screen is shared."""
    return _finding(honest_phone(platform), _SHARED_SCREEN)


def driven_browser(platform: TestPlatform) -> TestDevice:
    """Make a browser that a program drives."""
    return _finding(honest_browser(platform), _WEBDRIVER)


def _finding(device: TestDevice, found: RuntimeFinding) -> TestDevice:
    return replace(device, report=device.report.joined(RuntimeReport(findings=frozenset({found}))))
