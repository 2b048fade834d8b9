import pytest

from device_integrity.camera import load_fingerprints, parse_fingerprints
from device_integrity.errors import FingerprintError

_GOOD = """
version = "1"
[camera]
hard = ["obs camera"]
soft = []
[usb]
capture = ["534d:2109"]
webcams = []
[emulator]
hard = []
soft = []
camera_ids = []
"""


def test_the_packaged_lists_can_be_read() -> None:
    lists = load_fingerprints()
    assert lists.version
    assert ("obs", "virtual", "camera") in lists.hard_cameras
    assert ("camo",) in lists.soft_cameras
    assert "534d:2109" in lists.capture_devices


def test_no_name_is_on_both_lists() -> None:
    lists = load_fingerprints()
    assert not set(lists.hard_cameras) & set(lists.soft_cameras)
    assert not set(lists.hard_emulators) & set(lists.soft_emulators)
    for names in (lists.hard_cameras, lists.soft_cameras, lists.hard_emulators, lists.soft_emulators):
        assert len(names) == len(set(names))


def test_a_file_of_the_form_is_read() -> None:
    assert parse_fingerprints(_GOOD).hard_cameras == (("obs", "camera"),)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ('version = "1"', "version = 1"),
        ('version = "1"', ""),
        ("[usb]", "[usbs]"),
        ("camera_ids = []", ""),
        ('["obs camera"]', "[1]"),
        ('["obs camera"]', '["--"]'),
        ("534d:2109", "534D:2109"),
        ("534d:2109", "534d"),
        ("soft = []", "soft = "),
    ],
)
def test_another_form_is_refused(wrong: str, right: str) -> None:
    with pytest.raises(FingerprintError):
        parse_fingerprints(_GOOD.replace(wrong, right))
