import pytest

from device_integrity.camera import CameraClaim, check_name, load_fingerprints
from device_integrity.check import CheckOutcome, DeviceCheck, Manipulation

_LISTS = load_fingerprints()


def _check(**claim: str) -> DeviceCheck:
    return check_name(CameraClaim(**claim), fingerprints=_LISTS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "label",
    [
        "OBS Virtual Camera",
        "OBS Virtual Camera (m-de:vice)",
        "obs-camera",
        "ManyCam Virtual Webcam",
        "XSplit VCam",
        "e2eSoft iVCam VCam",
        "Logitech HD Pro Webcam C920 - Windows Virtual Camera",
        "Dummy video device (0x0000)",
        "fake_device_0",
        "Deep-Live-Cam",
        "Unity Video Capture #1",
        "vMix Video",
        "Alt+Cam",
        "\uff2f\uff22\uff33 Virtual Camera",
    ],
)
def test_known_virtual_cameras_fail_hard(label: str) -> None:
    check = _check(label=label)
    assert (check.outcome, check.reason) == (CheckOutcome.FAIL, "KNOWN_VIRTUAL_CAMERA")
    assert check.sign_of is Manipulation.VIRTUAL_CAMERA
    assert not check.soft


@pytest.mark.parametrize(
    "label", ["NVIDIA Broadcast", "Logi Capture", "Reincubate Camo", "DroidCam Source 3", "Iriun Webcam #2"]
)
def test_cameras_that_honest_people_use_fail_softly(label: str) -> None:
    check = _check(label=label)
    assert (check.outcome, check.reason, check.soft) == (CheckOutcome.FAIL, "KNOWN_FILTER_CAMERA", True)


@pytest.mark.parametrize(
    "label",
    [
        "HP TrueVision HD Camera (04f2:b6d0)",
        "Integrated Camera (5986:2113)",
        "FaceTime HD Camera (Built-in)",
        "Logitech HD Pro Webcam C920 (046d:0892)",
        "camera2 1, facing front",
        "Front Camera",
        "USB2.0 HD UVC WebCam",
        "Surface Camera Front",
        "\u524d\u9762\u30ab\u30e1\u30e9",
        "Cam\u00e9ra avant",
    ],
)
def test_real_cameras_are_on_no_list(label: str) -> None:
    check = _check(label=label)
    assert (check.outcome, check.reason) == (CheckOutcome.NOT_EVALUATED, "NAME_NOT_LISTED")


@pytest.mark.parametrize(
    "claim",
    [
        {"label": "USB Video (534d:2109)"},
        {"label": "USB Capture HDMI (2935:0006)"},
        {"label": "USB Video", "transport": "UVC Camera VendorID_21325 ProductID_8457"},
    ],
)
def test_capture_devices_are_known_by_their_usb_identifier(claim: dict[str, str]) -> None:
    check = _check(**claim)
    assert (check.reason, check.soft) == ("CAPTURE_DEVICE", True)


def test_the_driver_counts_like_the_label() -> None:
    assert _check(label="HD Webcam", transport="v4l2 loopback").reason == "KNOWN_VIRTUAL_CAMERA"
    assert _check(label="HD Webcam", transport="platform:v4l2loopback-000").reason == "KNOWN_VIRTUAL_CAMERA"


def test_letters_that_look_alike_are_suspicious() -> None:
    check = _check(label="\u041eBS \u0421\u0430mera")
    assert (check.reason, check.soft) == ("NAME_MIXES_SCRIPTS", True)


def test_no_name_at_all_is_no_pass() -> None:
    assert _check().outcome is CheckOutcome.UNAVAILABLE
