import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.camera import (
    CameraClaim,
    DeviceClaim,
    Platform,
    check_device,
    check_name,
    load_fingerprints,
)
from device_integrity.camera.fingerprints import contains_run, mixes_scripts, tokens_of
from device_integrity.device_test import DeviceFinding, DeviceTest, Manipulation


def test_no_name_is_on_both_lists() -> None:
    lists = load_fingerprints()
    assert not set(lists.hard_cameras) & set(lists.soft_cameras)
    assert not set(lists.hard_emulators) & set(lists.soft_emulators)
    for names in (lists.hard_cameras, lists.soft_cameras, lists.hard_emulators, lists.soft_emulators):
        assert len(names) == len(set(names))


def test_every_entry_has_the_form_that_is_searched() -> None:
    lists = load_fingerprints()
    cameras = (*lists.hard_cameras, *lists.soft_cameras, *lists.webcams, *lists.emulator_cameras)
    assert all(run and all(run) for run in (*cameras, *lists.hard_emulators, *lists.soft_emulators))
    assert all(re.fullmatch(r"[0-9a-f]{4}:([0-9a-f]{4}|\*)", one) for one in lists.capture_devices)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("OBS Virtual Camera", ("obs", "virtual", "camera")),
        ("  OBS-Camera2 (v4l2)", ("obs", "camera2", "v4l2")),
        ("\uff2f\uff22\uff33 Camera", ("obs", "camera")),
        ("O\u200bBS\u00ad Camera", ("obs", "camera")),
        ("Dummy video device (0x0000)", ("dummy", "video", "device", "0x0000")),
        ("V\u00edrtual Came\u0301ra", ("virtual", "camera")),
        ("\u0411\u0430\u0439", ("\u0431\u0430\u0438",)),
        ("V\u1dc0irtu\u20ddal\ufe0f", ("virtual",)),
        # Kana are other letters without their marks.
        ("\u30ab\u30cf\u3099", ("\u30ab", "\u30d0")),
        ("...", ()),
        ("", ()),
    ],
)
def test_text_becomes_plain_words(text: str, tokens: tuple[str, ...]) -> None:
    assert tokens_of(text) == tokens


@pytest.mark.parametrize(
    ("text", "run", "found"),
    [
        ("e2eSoft VCam #2", "vcam", True),
        ("OBSVirtualCamera", "obs virtual camera", True),
        ("Vcamera HD", "vcam", False),
        ("Jobs Camera", "obs camera", False),
        ("V-Cam 2", "v cam", True),
        ("V5 Cam", "v cam", False),
        ("camera obs", "obs camera", False),
    ],
)
def test_runs_are_found_whole_and_in_order(text: str, run: str, found: bool) -> None:
    assert contains_run(tokens_of(text), tokens_of(run)) is found


@pytest.mark.parametrize(
    ("text", "run", "found"),
    [
        ("VCamSample Source", ("vcam*",), True),
        ("vcam", ("vcam*",), True),
        ("UVCamera", ("vcam*",), False),
        ("My Virtual Camera", ("virtual", "cam*"), True),
        ("VirtualCamFilter", ("virtual", "cam*"), True),
        ("Virtual HD Cam", ("virtual", "cam*"), False),
        ("virtual", ("virtual", "cam*"), False),
    ],
)
def test_the_last_token_of_a_run_may_be_a_beginning(text: str, run: tuple[str, ...], found: bool) -> None:
    assert contains_run(tokens_of(text), run) is found


def test_homoglyphs_within_a_word_are_detected() -> None:
    assert mixes_scripts("\u041eBS Camera")
    assert not mixes_scripts("\u041a\u0430\u043c\u0435\u0440\u0430 HD")
    assert not mixes_scripts("Integrated Camera")


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    tokens = tokens_of(text)
    assert all(tokens)
    assert contains_run(tokens, tokens[:1]) is bool(tokens) or not tokens
    assert mixes_scripts(text) in {True, False}


_LISTS = load_fingerprints()


def _lines(name: str) -> list[str]:
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


_REAL = _lines("real_cameras.txt")


def _check(**claim: str) -> DeviceTest:
    return check_name(CameraClaim(**claim), fingerprints=_LISTS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "label",
    [
        "OBS Virtual Camera",
        "obs-camera",
        "e2eSoft iVCam VCam",
        "VirtualCam",
        "Fake Camera",
        "Vcamera",
        "vcam_2",
        "VirtualCamFilter",
        "Magicam",
        "VirtualVideoCamera",
        "DeepFaceCam",
        "V-Cam",
        "V\u00edrtual Camera",
        "OB\u015a V\u00efrtu\u0227l Came\u0301ra",
        "OBS\u865a\u62df\u6444\u50cf\u5934",
        "OBS \u4eee\u60f3\u30ab\u30e1\u30e9 2",
        "\uac00\uc0c1\uce74\uba54\ub77c",
        "C\u00e1mara virtual de OBS",
        "OBS\u865a\u62df\u7f51\u7edc\u6444\u50cf\u5934",
        "\u4eee\u60f3Web\u30ab\u30e1\u30e9",
        "\uac00\uc0c1 \uc6f9\ucea0",
        "\u0935\u0930\u094d\u091a\u0941\u0905\u0932 \u0915\u0948\u092e\u0930\u093e",
        "Logitech HD Pro Webcam C920 - Windows Virtual Camera",
        "Dummy video device (0x0000)",
        "Deep-Live-Cam",
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
        "DroidCam Source 3",
        "e2eSoft iVCam",
        "Remote Desktop Camera Bus",
        "VirtualBox Webcam - Integrated Camera",
    ],
)
def test_cameras_that_honest_people_use_fail_softly(label: str) -> None:
    check = _check(label=label)
    assert (check.outcome, check.reason, check.soft) == (DeviceFinding.FAIL, "KNOWN_FILTER_CAMERA", True)


def test_each_virtual_camera_of_the_list_has_its_reason() -> None:
    for line in _lines("known_virtual.txt"):
        label, _, reason = line.rpartition(", ")
        check = _check(label=label)
        expected = (DeviceFinding.FAIL, reason, reason == "KNOWN_FILTER_CAMERA")
        assert (check.outcome, check.reason, check.soft) == expected, label


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
        {"label": "USB Video", "transport": "UVC Camera VendorID_21325 ProductID_8457"},
        {"label": "Cam Link 4K (0fd9:0066)"},
        {"label": "USB Capture HDMI (2935:0006)"},
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


@pytest.mark.parametrize(
    ("maker", "model"),
    [
        ("Google", "sdk_gphone64_arm64"),
        ("Genymotion", "Google Pixel 3"),
        ("Apple", "iPhone Simulator"),
        ("Netease", "MuMu"),
        ("Microsoft Corporation", "Subsystem for Android(TM)"),
        ("Waydroid", "WayDroid x86_64 Device"),
        ("Tencent", "GameLoop"),
        ("redroid", "redroid13_arm64"),
        ("Canonical", "Anbox"),
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
