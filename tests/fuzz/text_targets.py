"""Files of the operator's: policies, settings, API keys, and the packaged data files."""

import functools
import tempfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from liveness.dynamic.model import parse_flash_model
from liveness.errors import FlashModelError, FusionModelError
from liveness.fusion_model import parse_fusion_model
from server.access.api_keys import ApiKeysInvalid, load_api_keys
from server.configuration.loading import SettingsInvalid, load_settings
from server.policies import parse_policy
from server.policies.loading import PolicyInvalid
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
    try:
        parse_policy(data, origin="fuzz")
    except PolicyInvalid:
        return


def read_catalogue(data: bytes) -> None:
    """Any text gives a catalogue or PackDataInvalid."""
    try:
        parse_catalogue(data.decode(errors="replace"))
    except PackDataInvalid:
        return


def read_calibration(data: bytes) -> None:
    """Any text gives a calibration or PackDataInvalid."""
    try:
        parse_calibration(data.decode(errors="replace"), source="fuzz")
    except PackDataInvalid:
        return


def read_fusion_model(data: bytes) -> None:
    """Any text gives a model or FusionModelError."""
    try:
        parse_fusion_model(data.decode(errors="replace"))
    except FusionModelError:
        return


def read_flash_model(data: bytes) -> None:
    """Any text gives a model or FlashModelError."""
    try:
        parse_flash_model(data.decode(errors="replace"))
    except FlashModelError:
        return


def read_settings(data: bytes) -> None:
    """Any file gives settings or SettingsInvalid."""
    try:
        _from_file(load_settings, data)
    except SettingsInvalid:
        return


def read_api_keys(data: bytes) -> None:
    """Any file gives keys or ApiKeysInvalid."""
    try:
        _from_file(load_api_keys, data)
    except ApiKeysInvalid:
        return


def _from_file(load: Callable[[Path], object], data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        load(Path(file.name))
