"""Files of the operator: policies, settings, API keys, the packaged data files, and references to images."""

import functools
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from liveness.dynamic.model import parse_flash_model
from liveness.errors import FlashModelError, FusionModelError
from liveness.fusion_model import parse_fusion_model
from server.access.api_keys import ApiKeysInvalid, load_api_keys
from server.configuration.loading import SettingsInvalid, load_settings
from server.policies import parse_policy
from server.policies.loading import PolicyInvalid
from server.trusted_images.fetching import parse_reference
from server.trusted_images.stores import ImageFolder, ReferenceInvalid, TrustedImagesError
from vision.errors import PackDataInvalid
from vision.packs.calibration import parse_calibration
from vision.packs.catalogue import parse_catalogue

_SETTINGS = b"""
data_dir = "/var/lib/facegate"

[listeners.device]
host = "127.0.0.1"
port = 0

[runtime]
workers = 2

[policies]
default = "standard"
"""
_API_KEYS = b"""
[[key]]
name = "bank"
sha256 = "%s"
tenant = "bank"
roles = ["orchestrator"]

[[key]]
name = "audit"
sha256 = "%s"
roles = ["compliance"]
""" % (b"ab" * 32, b"cd" * 32)


def _packaged(package: str, folder: str = "") -> tuple[bytes, ...]:
    place = files(package) / folder if folder else files(package)
    names = sorted(entry.name for entry in place.iterdir() if entry.name.endswith(".toml"))
    return tuple((place / name).read_bytes() for name in names)


@functools.cache
def policy_seeds() -> tuple[bytes, ...]:
    """The shipped policies."""
    return _packaged("server.policies", "shipped")


def settings_seeds() -> tuple[bytes, ...]:
    """A settings file."""
    return (_SETTINGS,)


def api_key_seeds() -> tuple[bytes, ...]:
    """A file of API keys."""
    return (_API_KEYS,)


@functools.cache
def catalogue_seeds() -> tuple[bytes, ...]:
    """The packaged catalogue, whole and its start."""
    whole = (files("vision.packs") / "catalogue.toml").read_bytes()
    second = whole.index(b"[[model]]", whole.index(b"[[model]]") + 1)
    return (whole[:second], whole[: second + 2000])


@functools.cache
def calibration_seeds() -> tuple[bytes, ...]:
    """The packaged calibrations, without most of their points."""
    return tuple(seed[:1500] for seed in _packaged("vision.packs", "calibrations"))


@functools.cache
def fusion_seeds() -> tuple[bytes, ...]:
    """The packaged fusion model."""
    return ((files("liveness") / "fusion_model.toml").read_bytes(),)


@functools.cache
def flash_seeds() -> tuple[bytes, ...]:
    """The packaged flash model."""
    return ((files("liveness.dynamic") / "flash_model.toml").read_bytes(),)


def read_policy(data: bytes) -> None:
    """Any bytes give a policy or PolicyInvalid."""
    with suppress(PolicyInvalid):
        parse_policy(data, origin="fuzz")


def read_catalogue(data: bytes) -> None:
    """Any text gives a catalogue or PackDataInvalid."""
    with suppress(PackDataInvalid):
        parse_catalogue(data.decode(errors="replace"))


def read_calibration(data: bytes) -> None:
    """Any text gives a calibration or PackDataInvalid."""
    with suppress(PackDataInvalid):
        parse_calibration(data.decode(errors="replace"), source="fuzz")


def read_fusion_model(data: bytes) -> None:
    """Any text gives a model or FusionModelError."""
    with suppress(FusionModelError):
        parse_fusion_model(data.decode(errors="replace"))


def read_flash_model(data: bytes) -> None:
    """Any text gives a model or FlashModelError."""
    with suppress(FlashModelError):
        parse_flash_model(data.decode(errors="replace"))


def read_settings(data: bytes) -> None:
    """Any file gives settings or SettingsInvalid."""
    with suppress(SettingsInvalid):
        _from_file(load_settings, data)


def read_api_keys(data: bytes) -> None:
    """Any file gives keys or ApiKeysInvalid."""
    with suppress(ApiKeysInvalid):
        _from_file(load_api_keys, data)


def _from_file(load: Callable[[Path], object], data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        load(Path(file.name))


# References to trusted images, in a real folder with all kinds of paths that could lead out of it.


_INSIDE = b"an image of the store"
_REFERENCES = (
    "2031/05/4711.jpg",
    "../secret.jpg",
    "2031/../../secret.jpg",
    "up/secret.jpg",
    "link.jpg",
    "here/2031/05/4711.jpg",
    "%2e%2e/secret.jpg",
    "\uff0e\uff0e\uff0fsecret.jpg",
    "/etc/passwd",
    "file:///etc/passwd",
    "2031\\05\\4711.jpg",
    "pipe",
)


@functools.cache
def _store() -> tuple[tempfile.TemporaryDirectory[str], ImageFolder]:
    kept = tempfile.TemporaryDirectory()
    top = Path(kept.name)
    (top / "secret.jpg").write_bytes(b"a file outside of the store")
    store = top / "store"
    (store / "2031" / "05").mkdir(parents=True)
    (store / "2031" / "05" / "4711.jpg").write_bytes(_INSIDE)
    (store / "up").symlink_to("..")
    (store / "here").symlink_to(".")
    (store / "link.jpg").symlink_to("../secret.jpg")
    os.mkfifo(store / "pipe")
    return kept, ImageFolder(store)


def reference_seeds() -> tuple[bytes, ...]:
    """A good reference, and some that lead elsewhere."""
    return tuple(reference.encode() for reference in _REFERENCES)


def follow_reference(data: bytes) -> None:
    """Any text gives the image of the store, or one of the documented errors."""
    try:
        segments = parse_reference(data.decode(errors="replace"))
    except ReferenceInvalid:
        return
    _, folder = _store()
    try:
        content = folder.read(segments, 1000)
    except TrustedImagesError:
        return
    assert content == _INSIDE
