from pathlib import Path

import pytest

from device_integrity.camera import CameraClaim, check_name, load_fingerprints
from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation

_LISTS = load_fingerprints()
_REAL = [
    line
    for line in Path(__file__).with_name("real_cameras.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


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
        "e2eSoft VCam",
        "e2eSoft iVCam VCam",
        "VirtualCam",
        "Softcam",
        "Fake Camera",
        "FakeCam HD",
        "fake-webcam 3",
        "VCamSample Source",
        "Vcamera",
        "VCAM Pro",
        "vcam_2",
        "Dummy Camera",
        "Mock Camera",
        "Virtual Cameras 2",
        "VirtualCamFilter",
        "ManyCamera Video",
        "CyberLink Webcam Splitter 7.0",
        "WebcamMax Capture",
        "VSeeFaceCamera",
        "Warudo Camera",
        "xpression camera",
        "Magicam",
        "Magic Camera",
        "VirtualVideoCamera",
        "Virtual Video Camera 2",
        "DeepFaceCam",
        "DeepFace Live",
        "Deepfake Camera",
        "V-Cam",
        "V-Cam2",
        "Screen Capture Camera",
        "V\u00edrtual Camera",
        "OB\u015a V\u00efrtu\u0227l Came\u0301ra",
        "Camara virtual de OBS",
        "OBS\u865a\u62df\u6444\u50cf\u5934",
        "OBS \u4eee\u60f3\u30ab\u30e1\u30e9 2",
        "\uac00\uc0c1\uce74\uba54\ub77c",
        "OBS-Kamera (virtuelle Kamera)",
        "C\u00e1mara virtual de OBS",
        "Cam\u00e9ra virtuelle OBS",
        "Wirtualna kamera",
        "OBS\u865a\u62df\u7f51\u7edc\u6444\u50cf\u5934",
        "\u4eee\u60f3Web\u30ab\u30e1\u30e9",
        "\uac00\uc0c1 \uc6f9\ucea0",
        "WarudoCam",
        "\u0935\u0930\u094d\u091a\u0941\u0905\u0932 \u0915\u0948\u092e\u0930\u093e",
        "Logitech HD Pro Webcam C920 - Windows Virtual Camera",
        "Dummy video device (0x0000)",
        "fake_device_0",
        "Deep-Live-Cam",
        "Unity Video Capture #1",
        "vMix Video",
        "Alt+Cam",
        "\uff2f\uff22\uff33 Virtual Camera",
        "/home/me/clips/face.y4m",
        r"C:\clips\FACE.MJPEG",
    ],
)
def test_known_virtual_cameras_fail_hard(label: str) -> None:
    check = _check(label=label)
    assert (check.outcome, check.reason) == (DeviceFinding.FAIL, "KNOWN_VIRTUAL_CAMERA")
    assert check.sign_of is Manipulation.VIRTUAL_CAMERA
    assert not check.soft


@pytest.mark.parametrize(
    "label",
    [
        "NVIDIA Broadcast",
        "Logi Capture",
        "Reincubate Camo",
        "DroidCam Source 3",
        "Iriun Webcam #2",
        "e2eSoft iVCam",
        "Remote Desktop Camera Bus",
        "Citrix HDX Web Camera",
        "VirtualBox Webcam - Integrated Camera",
    ],
)
def test_cameras_that_honest_people_use_fail_softly(label: str) -> None:
    check = _check(label=label)
    assert (check.outcome, check.reason, check.soft) == (DeviceFinding.FAIL, "KNOWN_FILTER_CAMERA", True)


@pytest.mark.parametrize(
    "label",
    [
        "Desk View Camera",
        "Anna's iPhone Desk View Camera",
        "Anna's iPhone Camera",
        "Continuity Camera",
        "UVCamera",
        "V5 Cam",
    ],
)
def test_a_camera_of_the_maker_of_the_computer_is_not_listed(label: str) -> None:
    assert _check(label=label).outcome is DeviceFinding.NOT_EVALUATED


def test_no_real_camera_is_on_a_list() -> None:
    assert len(set(_REAL)) >= 150
    listed = {
        label: check.reason
        for label in _REAL
        if (check := _check(label=label)).outcome is not DeviceFinding.NOT_EVALUATED
    }
    assert listed == {}


@pytest.mark.parametrize(
    "claim",
    [
        {"label": "USB Video (534d:2109)"},
        {"label": "USB Capture HDMI (2935:0006)"},
        {"label": "USB Video", "transport": "UVC Camera VendorID_21325 ProductID_8457"},
        {"label": "Cam Link 4K (0fd9:0066)"},
        {"label": "Live Gamer Portable 2 Plus (07ca:0570)"},
        {"label": "Blackmagic Design (1edb:be49)"},
    ],
)
def test_capture_devices_are_known_by_their_usb_identifier(claim: dict[str, str]) -> None:
    check = _check(**claim)
    assert (check.reason, check.soft) == ("CAPTURE_DEVICE", True)


def test_the_driver_counts_like_the_label() -> None:
    assert _check(label="HD Webcam", transport="v4l2 loopback").reason == "KNOWN_VIRTUAL_CAMERA"
    assert _check(label="HD Webcam", transport="platform:v4l2loopback-000").reason == "KNOWN_VIRTUAL_CAMERA"


def test_homoglyphs_are_suspicious() -> None:
    check = _check(label="\u041eBS \u0421\u0430mera")
    assert (check.reason, check.soft) == ("NAME_MIXES_SCRIPTS", True)


def test_no_name_at_all_is_no_pass() -> None:
    assert _check().outcome is DeviceFinding.UNAVAILABLE
