from pathlib import Path

import pytest

from research.device_alarms.names import (
    camera_labels,
    device_models,
    main,
    named_cameras,
    named_emulators,
)

_USB_IDS = """# a comment
046d  Logitech, Inc.
\t0892  C920 HD Pro Webcam
\tc52b  Unifying Receiver
1d6b  Somebody
\t0102  OBS Virtual Camera
\t0103  DroidCam Video
C 0e  Video
\t01  Video Control
"""
_AGENTS = """
user_agent: Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A.230803.041) AppleWebKit/537.36
user_agent: Mozilla/5.0 (Linux; Android 10; sdk_gphone64_x86_64) AppleWebKit/537.36
user_agent: Mozilla/5.0 (Linux; U; Android 4.0.4; en-us; GT-P3100 Build/IMM76D) AppleWebKit/534.30
user_agent: Mozilla/5.0 (Linux; Android 9; SM-G960F Build/PPR1; wv) AppleWebKit/537.36
user_agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)
"""


def test_cameras_are_found_among_usb_devices_and_labelled_as_browsers_do() -> None:
    labels = list(camera_labels(_USB_IDS.splitlines()))
    assert labels == [
        "Logitech, Inc. C920 HD Pro Webcam (046d:0892)",
        "Somebody OBS Virtual Camera (1d6b:0102)",
        "Somebody DroidCam Video (1d6b:0103)",
    ]
    found = named_cameras(labels)
    assert (found.names, found.hard, found.soft) == (3, (labels[1],), (labels[2],))


def test_models_are_found_in_user_agents() -> None:
    models = device_models(_AGENTS.splitlines())
    assert models == {"Pixel 8", "sdk_gphone64_x86_64", "GT-P3100", "SM-G960F"}
    found = named_emulators(models)
    assert (found.names, found.hard, found.soft) == (4, ("sdk_gphone64_x86_64",), ())


def test_the_command_prints_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usb, agents = tmp_path / "usb.ids", tmp_path / "agents.yml"
    usb.write_text(_USB_IDS)
    agents.write_text(_AGENTS)
    assert main(["--usb-ids", str(usb), "--user-agents", str(agents)]) == 0
    output = capsys.readouterr().out
    assert "camera.name, hard: 1 of 3" in output
    assert "device.emulator, hard: 1 of 4" in output
    assert main(["--usb-ids", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")
