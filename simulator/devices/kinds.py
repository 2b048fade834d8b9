"""The kinds of test devices, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from simulator.devices.android import (
    emulator,
    honest_phone,
    phone_of_another_session,
    relaying_phone,
    repackaged_app,
    revoked_key,
    unlocked_phone,
)
from simulator.devices.browser import honest_browser
from simulator.devices.device import AttestedUse, TestDevice
from simulator.devices.injectors import looped_file, perfect_timing, renamed_virtual_camera, virtual_camera
from simulator.devices.iphone import counter_replay, honest_iphone, key_farm
from simulator.devices.platform import TestPlatform
from simulator.devices.reports import driven_browser, hooked_phone, phone_with_shared_screen

__all__ = ["KINDS", "DeviceKind", "KindOfDevice", "make_device"]


class DeviceKind(StrEnum):
    """A kind of test device."""

    ANDROID = "android"
    IPHONE = "iphone"
    BROWSER = "browser"
    UNLOCKED = "unlocked"
    REPACKAGED = "repackaged"
    EMULATOR = "emulator"
    REVOKED_KEY = "revoked-key"
    OTHER_SESSION = "other-session"
    RELAYED = "relayed"
    COUNTER_REPLAY = "counter-replay"
    KEY_FARM = "key-farm"
    VIRTUAL_CAMERA = "virtual-camera"
    RENAMED_CAMERA = "renamed-camera"
    LOOPED_FILE = "looped-file"
    PERFECT_TIMING = "perfect-timing"
    HOOKED = "hooked"
    SHARED_SCREEN = "shared-screen"
    WEBDRIVER = "webdriver"


@dataclass(frozen=True, slots=True)
class KindOfDevice:
    """The definition of a kind.

    Attributes:
        description: One line for the command line.
        make: Makes a device of it.
    """

    description: str
    make: Callable[[TestPlatform, AttestedUse], TestDevice]


def _plain(description: str, make: Callable[[TestPlatform], TestDevice]) -> KindOfDevice:
    """Define a kind without state from scan to scan."""
    return KindOfDevice(description, lambda platform, _: make(platform))


KINDS: Final[Mapping[DeviceKind, KindOfDevice]] = MappingProxyType(
    {
        DeviceKind.ANDROID: _plain("an honest Android phone: key attestation and Play token", honest_phone),
        DeviceKind.IPHONE: KindOfDevice(
            "an honest iPhone: the first scan enrols a key, the next increase its counter",
            honest_iphone,
        ),
        DeviceKind.BROWSER: _plain("an honest browser: WebCrypto", honest_browser),
        DeviceKind.UNLOCKED: _plain("an Android phone with an unlocked boot loader", unlocked_phone),
        DeviceKind.REPACKAGED: _plain("an Android app that was changed and signed again", repackaged_app),
        DeviceKind.EMULATOR: _plain("an Android emulator with a software keystore", emulator),
        DeviceKind.REVOKED_KEY: _plain("an attestation key that leaked and is revoked", revoked_key),
        DeviceKind.OTHER_SESSION: _plain("evidence that was made for another scan", phone_of_another_session),
        DeviceKind.RELAYED: _plain("a clean phone's evidence, passed on without its key", relaying_phone),
        DeviceKind.COUNTER_REPLAY: KindOfDevice(
            "an iPhone with a key that repeats its counter: only the first scan is valid",
            counter_replay,
        ),
        DeviceKind.KEY_FARM: _plain("an iPhone that makes a new key for every scan", key_farm),
        DeviceKind.VIRTUAL_CAMERA: _plain(
            "a virtual camera under its own name, in a browser", virtual_camera
        ),
        DeviceKind.RENAMED_CAMERA: _plain(
            "a virtual camera that copies a phone's, with constant exposure",
            renamed_virtual_camera,
        ),
        DeviceKind.LOOPED_FILE: _plain("a phone that shows a short clip in a loop", looped_file),
        DeviceKind.PERFECT_TIMING: _plain(
            "a phone with frame times exact to the microsecond", perfect_timing
        ),
        DeviceKind.HOOKED: _plain("an Android phone whose app reports Frida in its process", hooked_phone),
        DeviceKind.SHARED_SCREEN: _plain(
            "an Android phone whose app reports that the screen is shared", phone_with_shared_screen
        ),
        DeviceKind.WEBDRIVER: _plain("a browser that reports navigator.webdriver", driven_browser),
    }
)
"""Every kind."""


def make_device(kind: DeviceKind, platform: TestPlatform, *, use: AttestedUse | None = None) -> TestDevice:
    """Make a device.

    Args:
        kind: The kind of the device.
        platform: The platform that attests it.
        use: State of its App Attest key; ``None`` for a new key.
    """
    return KINDS[kind].make(platform, AttestedUse() if use is None else use)
