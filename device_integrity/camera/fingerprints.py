"""The packaged, versioned lists of virtual cameras, capture devices and emulators, and their searches."""

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Final

from device_integrity.camera.claims import CameraClaim, DeviceClaim, Platform
from device_integrity.device_test import (
    DeviceTest,
    Manipulation,
    not_evaluated,
    suspect,
    unavailable,
)

BEGINS: Final = "*"
"""At the end of a run: its last token only has to begin so."""

_LONGEST: Final = 512
"""Characters that are read; the protocol allows 256 bytes."""

_WITHOUT_SPACES: Final = ("CJK UNIFIED IDEOGRAPH", "HIRAGANA", "KATAKANA")

_MARKS: Final = ("COMBINING ", "VARIATION SELECTOR")
_OF_KANA: Final = "COMBINING KATAKANA"
"""Kana with these marks are other letters."""

_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK")


def tokens_of(text: str) -> tuple[str, ...]:
    """Return the words and numbers of a text: NFKC, case folded, without accents and invisible characters.

    Full-width and other compatibility forms and accented letters become plain ones, so that they cannot hide
    a name (Unicode Standard Annex 15). Every character that is not a letter or digit separates tokens. Each
    ideograph or kana is a token, because they are written without spaces.
    """
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text[:_LONGEST]).casefold())
    plain = unicodedata.normalize("NFKC", "".join(one for one in apart if not _is_mark(one)))
    kept = [character for character in plain if unicodedata.category(character) != "Cf"]
    return tuple("".join(_spaced(one) for one in kept).split())


def _is_mark(character: str) -> bool:
    name = unicodedata.name(character, "")
    return name.startswith(_MARKS) and not name.startswith(_OF_KANA)


def _spaced(character: str) -> str:
    if not character.isalnum():
        return " "
    if unicodedata.name(character, "").startswith(_WITHOUT_SPACES):
        return f" {character} "
    return character


def contains_run(tokens: tuple[str, ...], run: tuple[str, ...]) -> bool:
    """Return whether the tokens contain the run, as consecutive tokens or as one word.

    A number at a token's end is ignored, so "OBS Camera2" contains the run "OBS Camera"; but not behind a
    single letter, as in "V5 Cam", which is a model. If the run ends with ``BEGINS``, its last token only has
    to begin so.
    """
    shorter = ((token, token.rstrip("0123456789")) for token in tokens)
    bare = tuple(short if len(short) > 1 else token for token, short in shorter)
    begins = run[-1:] != () and run[-1].endswith(BEGINS)
    wanted = (*run[:-1], run[-1].removesuffix(BEGINS)) if begins else run
    joined = "".join(wanted)
    return any(
        _matches(words[at : at + 1], (joined,), begins) or _matches(words[at : at + len(run)], wanted, begins)
        for words in (tokens, bare)
        for at in range(len(words))
    )


def _matches(words: tuple[str, ...], wanted: tuple[str, ...], begins: bool) -> bool:
    if not begins:
        return words == wanted
    return len(words) == len(wanted) and words[:-1] == wanted[:-1] and words[-1].startswith(wanted[-1])


def mixes_scripts(text: str) -> bool:
    """Return whether a word mixes Latin, Cyrillic and Greek letters (Unicode Technical Standard 39, 5.1)."""
    for token in tokens_of(text):
        names = (unicodedata.name(character, "") for character in token)
        scripts = {script for name in names for script in _SCRIPTS if name.startswith(script)}
        if len(scripts) > 1:
            return True
    return False


_DATA_FILE: Final = "fingerprints.toml"
Names = tuple[tuple[str, ...], ...]
"""Names, each a sequence of tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFingerprints:
    """The lists. Each name is a run of tokens (see ``tokens.contains_run``).

    Attributes:
        version: The version of the data, for the evidence record.
        hard_cameras: Virtual cameras, which deliver any image that their owner chooses.
        soft_cameras: Cameras that honest people use too.
        capture_devices: USB identifiers ``vvvv:pppp`` or ``vvvv:*``, lower case.
        webcams: Webcams of makers whose other products are capture devices.
        hard_emulators: Words that only emulators use in their description.
        soft_emulators: Words that unusual but honest devices use too.
    """

    version: str
    hard_cameras: Names
    soft_cameras: Names
    capture_devices: frozenset[str]
    webcams: Names
    hard_emulators: Names
    soft_emulators: Names
    emulator_cameras: Names


def load_fingerprints() -> CameraFingerprints:
    """Load the packaged lists of virtual cameras, capture devices and emulators."""
    text = files("device_integrity.camera").joinpath(_DATA_FILE).read_text(encoding="utf-8")
    lists = tomllib.loads(text)
    return CameraFingerprints(
        version=lists["version"],
        hard_cameras=_names(lists["camera"]["hard"]),
        soft_cameras=_names(lists["camera"]["soft"]),
        capture_devices=frozenset(lists["usb"]["capture"]),
        webcams=_names(lists["usb"]["webcams"]),
        hard_emulators=_names(lists["emulator"]["hard"]),
        soft_emulators=_names(lists["emulator"]["soft"]),
        emulator_cameras=_names(lists["emulator"]["camera_ids"]),
    )


def _names(entries: Sequence[str]) -> Names:
    runs = ((entry, tokens_of(entry)) for entry in entries)
    return tuple((*run[:-1], run[-1] + BEGINS) if entry.endswith(BEGINS) else run for entry, run in runs)


# Tests whether a camera's names are those of a known virtual camera.
#
# The test misses many virtual cameras: the device states the name, and tools that rename a virtual camera
# are public. A name that is not listed therefore proves nothing: the finding is NOT_EVALUATED, not PASS.

_NAME: Final = "camera.name"
_USB_ID: Final = re.compile(r"(?:^|[^0-9a-f])([0-9a-f]{4}):([0-9a-f]{4})(?![0-9a-f])")
_VIDEO_FILE: Final = re.compile(r"\.(?:y4m|mjpe?g)\s*$", re.IGNORECASE)
"""The label of Chromium's fake camera is the path of the file that it plays (the switch
``--use-file-for-fake-video-capture``)."""
_VENDOR: Final = re.compile(r"vendorid[_ ](\d{1,5}) productid[_ ](\d{1,5})")


def check_name(camera: CameraClaim, *, fingerprints: CameraFingerprints) -> DeviceTest:
    """Search identifier, label and transport for known virtual cameras.

    Returns:
        ``camera.name``: FAIL for a listed camera (soft if honest people use it too) and for the name of a
        video file; a soft FAIL for a word that mixes alphabets. NOT_EVALUATED if no name is listed, because
        names can be changed. UNAVAILABLE without any name.
    """
    texts = [text for text in (camera.label, camera.id, camera.transport) if text]
    if not texts:
        return unavailable(_NAME, "NO_NAME", "The device gave its camera no label, identifier or transport.")
    seen = [tokens_of(text) for text in texts]
    for soft, listed in ((False, fingerprints.hard_cameras), (True, fingerprints.soft_cameras)):
        for run in listed:
            if any(contains_run(tokens, run) for tokens in seen):
                return _failed(
                    "KNOWN_FILTER_CAMERA" if soft else "KNOWN_VIRTUAL_CAMERA",
                    f'The camera states the name "{" ".join(run)}" '
                    + ("of a camera that honest people use too" if soft else "of a virtual camera")
                    + f" (list {fingerprints.version}).",
                    soft=soft,
                )
    if any(_VIDEO_FILE.search(text) for text in texts):
        return _failed(
            "KNOWN_VIRTUAL_CAMERA",
            "The camera states the name of a video file, as a browser's fake camera does.",
            soft=False,
        )
    device = next((one for text in texts for one in _usb_ids(text) if _captures(one, fingerprints)), None)
    webcam = any(contains_run(tokens, run) for tokens in seen for run in fingerprints.webcams)
    if device is not None and not webcam:
        return _failed(
            "CAPTURE_DEVICE",
            f"The camera's USB identifier {device} is that of a device that captures a video signal "
            f"(list {fingerprints.version}).",
            soft=True,
        )
    if any(mixes_scripts(text) for text in texts):
        return _failed(
            "NAME_MIXES_SCRIPTS",
            "A word of the camera's name mixes letters of alphabets that resemble each other.",
            soft=True,
        )
    return not_evaluated(
        _NAME,
        "NAME_NOT_LISTED",
        f"No list ({fingerprints.version}) contains the camera's name; a name can be changed.",
    )


_failed = partial(suspect, _NAME, sign=Manipulation.VIRTUAL_CAMERA)


def _usb_ids(text: str) -> list[str]:
    """Return USB identifiers, from Chrome's "(534d:2109)" or macOS's "VendorID_21325 ProductID_8457"."""
    lowered = text.casefold()
    found = [f"{vendor}:{product}" for vendor, product in _USB_ID.findall(lowered)]
    return found + [f"{int(vendor):04x}:{int(product):04x}" for vendor, product in _VENDOR.findall(lowered)]


def _captures(usb_id: str, fingerprints: CameraFingerprints) -> bool:
    return not fingerprints.capture_devices.isdisjoint({usb_id, f"{usb_id[:4]}:*"})


_EMULATOR: Final = "device.emulator"
_is_emulator = partial(suspect, _EMULATOR, sign=Manipulation.EMULATOR)


def check_device(device: DeviceClaim, camera: CameraClaim, *, fingerprints: CameraFingerprints) -> DeviceTest:
    """Search the descriptions of a device and its camera for words that emulators use.

    Returns:
        ``device.emulator``: FAIL for a listed word; NOT_EVALUATED without one, because a device can lie;
        UNAVAILABLE if the device does not describe itself.
    """
    texts = [text for text in (device.manufacturer, device.model, device.os_version) if text]
    if not texts:
        return unavailable(
            _EMULATOR,
            "NO_DEVICE_DESCRIPTION",
            "The device states no manufacturer, model or operating system.",
        )
    seen = [tokens_of(text) for text in texts]
    names = [tokens_of(text) for text in (camera.id, camera.label)]
    # A desktop states its processor as its model, such as x86_64.
    soft = fingerprints.soft_emulators if device.platform.is_phone else ()
    for run in fingerprints.hard_emulators:
        if any(contains_run(tokens, run) for tokens in seen):
            return _is_emulator(
                "KNOWN_EMULATOR", f'The device states the name "{" ".join(run)}".', soft=False
            )
    if device.platform is Platform.ANDROID:
        for run in fingerprints.emulator_cameras:
            # Whole identifiers only: real cameras are called "0" and "1".
            if run in names:
                return _is_emulator("EMULATOR_CAMERA", f'The camera is "{" ".join(run)}".', soft=False)
    for run in soft:
        if any(contains_run(tokens, run) for tokens in seen):
            return _is_emulator(
                "EMULATOR_WORDING", f'The device\'s description contains "{" ".join(run)}".', soft=True
            )
    return not_evaluated(
        _EMULATOR,
        "DEVICE_NOT_LISTED",
        f"No list of emulators ({fingerprints.version}) contains the device; a device can lie.",
    )
