import pytest

from device_integrity.camera import CameraClaim, DeviceClaim, Platform, check_device, load_fingerprints
from device_integrity.check import DeviceFinding, Manipulation

_LISTS = load_fingerprints()


@pytest.mark.parametrize(
    ("maker", "model"),
    [
        ("Google", "sdk_gphone64_arm64"),
        ("Google", "Android SDK built for x86"),
        ("Genymotion", "Google Pixel 3"),
        ("unknown", "google_sdk"),
        ("Apple", "iPhone Simulator"),
        ("Google", "sdk_gphone16k_arm64"),
        ("Netease", "MuMu"),
        ("Tencent", "GameLoop"),
        ("Microsoft Corporation", "Subsystem for Android(TM)"),
        ("redroid", "redroid13_arm64"),
        ("Canonical", "Anbox"),
        ("Waydroid", "WayDroid x86_64 Device"),
        ("VMOS", "VMOS Pro"),
    ],
)
def test_emulators_give_themselves_away(maker: str, model: str) -> None:
    device = DeviceClaim(platform=Platform.ANDROID, manufacturer=maker, model=model, app_id="a.b")
    emulator = check_device(device, CameraClaim(), fingerprints=_LISTS)
    assert (emulator.outcome, emulator.reason) == (DeviceFinding.FAIL, "KNOWN_EMULATOR")
    assert emulator.sign_of is Manipulation.EMULATOR
    assert not emulator.soft


@pytest.mark.parametrize(
    ("maker", "model", "version"),
    [("samsung", "SM-S921B", "14"), ("Google", "Pixel 8", "16"), ("Xiaomi", "Redmi K20 Pro", "11")],
)
def test_phones_are_on_no_list(maker: str, model: str, version: str) -> None:
    device = DeviceClaim(
        platform=Platform.ANDROID, manufacturer=maker, model=model, os_version=version, app_id="org.bank"
    )
    found = check_device(device, CameraClaim(id="1"), fingerprints=_LISTS)
    assert found.outcome is DeviceFinding.NOT_EVALUATED


def test_odd_wording_is_soft_on_phones_and_nothing_on_desktops() -> None:
    phone = DeviceClaim(platform=Platform.ANDROID, model="Nexus", os_version="13 test-keys")
    desktop = DeviceClaim(platform=Platform.DESKTOP, model="x86_64", manufacturer="Linux")
    found = check_device(phone, CameraClaim(), fingerprints=_LISTS)
    assert (found.reason, found.soft) == ("EMULATOR_WORDING", True)
    found = check_device(desktop, CameraClaim(), fingerprints=_LISTS)
    assert found.outcome is DeviceFinding.NOT_EVALUATED


def test_an_emulators_camera_gives_it_away() -> None:
    device = DeviceClaim(platform=Platform.ANDROID, model="Pixel 8")
    found = check_device(device, CameraClaim(id="webcam0"), fingerprints=_LISTS)
    assert found.reason == "EMULATOR_CAMERA"


def test_a_device_without_claims_does_not_pass() -> None:
    found = check_device(DeviceClaim(platform=Platform.ANDROID), CameraClaim(), fingerprints=_LISTS)
    assert found.outcome is DeviceFinding.UNAVAILABLE
