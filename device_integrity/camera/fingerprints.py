"""The packaged, versioned lists of virtual cameras, capture devices and emulators."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from device_integrity.camera.tokens import BEGINS, tokens_of
from device_integrity.errors import FingerprintError

__all__ = ["CameraFingerprints", "load_fingerprints", "parse_fingerprints"]

_DATA_FILE: Final = "fingerprints.toml"
_USB: Final = re.compile(r"[0-9a-f]{4}:([0-9a-f]{4}|\*)")
_KEYS: Final = {
    "camera": ("hard", "soft"),
    "usb": ("capture", "webcams"),
    "emulator": ("hard", "soft", "camera_ids"),
}

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
        emulator_cameras: Names of emulators' cameras.
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
    """Loads the packaged lists of virtual cameras, capture devices and emulators.

    Raises:
        FingerprintError: The data file is missing or cannot be used.
    """
    try:
        text = files("device_integrity.camera").joinpath(_DATA_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FingerprintError(f"the packaged {_DATA_FILE} cannot be read; reinstall the package") from error
    return parse_fingerprints(text)


def parse_fingerprints(text: str) -> CameraFingerprints:
    """Parses the lists. The text must have every table and key, and no others.

    Raises:
        FingerprintError: The text is not TOML, a key is missing or unknown, an entry has no letter or digit,
            or a USB identifier has another form.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        raise FingerprintError(f"the camera fingerprints are not TOML: {broken}") from None
    version = data.pop("version", None)
    if not isinstance(version, str) or not version:
        raise FingerprintError("the camera fingerprints state no version")
    if set(data) != set(_KEYS):
        raise FingerprintError(f"the camera fingerprints must have the tables {', '.join(_KEYS)}")
    lists = {(table, key): entry for table in _KEYS for key, entry in _table(table, data[table]).items()}
    capture = lists["usb", "capture"]
    for entry in capture:
        if not _USB.fullmatch(entry):
            raise FingerprintError(f"{entry!r} is not a USB identifier such as 534d:2109 or 534d:*")
    return CameraFingerprints(
        version=version,
        hard_cameras=_names(lists["camera", "hard"]),
        soft_cameras=_names(lists["camera", "soft"]),
        capture_devices=frozenset(capture),
        webcams=_names(lists["usb", "webcams"]),
        hard_emulators=_names(lists["emulator", "hard"]),
        soft_emulators=_names(lists["emulator", "soft"]),
        emulator_cameras=_names(lists["emulator", "camera_ids"]),
    )


def _table(name: str, content: object) -> Mapping[str, tuple[str, ...]]:
    keys = _KEYS[name]
    if not isinstance(content, dict) or set(content) != set(keys):
        raise FingerprintError(f"table {name} of the camera fingerprints must have {', '.join(keys)}")
    found = {}
    for key in keys:
        entries = content[key]
        if not isinstance(entries, list) or not all(isinstance(one, str) for one in entries):
            raise FingerprintError(f"{name}.{key} of the camera fingerprints must be a list of texts")
        found[key] = tuple(entries)
    return found


def _names(entries: tuple[str, ...]) -> Names:
    runs = tuple(tokens_of(entry) for entry in entries)
    if () in runs:
        raise FingerprintError("an entry of the camera fingerprints has no letter or digit")
    return tuple(
        (*run[:-1], run[-1] + BEGINS) if entry.endswith(BEGINS) else run
        for run, entry in zip(runs, entries, strict=True)
    )
