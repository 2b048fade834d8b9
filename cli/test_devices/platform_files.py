"""A test platform in a folder: its secret, the settings for servers to trust it, the state of its devices."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from cli.errors import PlatformUnusable
from cli.test_devices.settings_text import POLICY_NAME, policy_text, settings_text
from server.base.private_files import make_private_file, make_private_folder
from server.device.revocation import write_revocation_files
from simulator.devices import AttestedUse, DeviceKind, TestDevice, TestPlatform, make_device

__all__ = ["SETTINGS_FILE", "StoredPlatform", "read_platform", "write_platform"]

SETTINGS_FILE: Final = "facegate.toml"

_PLATFORM_FILE: Final = "platform.json"
_USE_FILE: Final = "app_attest_count.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlatform:
    """A test platform and its folder."""

    platform: TestPlatform
    folder: Path

    def device(self, kind: DeviceKind) -> TestDevice:
        """Returns a test device of this kind, with its stored state if it has one.

        Raises:
            PlatformUnusable: The state cannot be read.
        """
        document = _read_json(self.folder / _USE_FILE) if (self.folder / _USE_FILE).exists() else {}
        counter = document.get("counter")
        if counter is not None and not isinstance(counter, int):
            raise PlatformUnusable(f"{self.folder / _USE_FILE} contains no count")
        return make_device(kind, self.platform, use=AttestedUse(counter))

    def save(self, device: TestDevice) -> None:
        """Stores how often the device's App Attest key has signed; other devices have no state.

        Raises:
            PlatformUnusable: The folder cannot be written.
        """
        if device.use.counter is not None:
            _write(self.folder / _USE_FILE, json.dumps({"counter": device.use.counter}).encode())


def write_platform(folder: Path, *, now: datetime) -> StoredPlatform:
    """Creates a test platform, or renews the validity of the one in the folder from now on.

    Args:
        folder: The folder; it is created if needed.
        now: The present time, with a time zone.

    Raises:
        PlatformUnusable: The folder cannot be written, or its content is not a test platform.
    """
    secret = folder / _PLATFORM_FILE
    seed = _seed(secret) if secret.exists() else secrets.token_hex(32)
    platform = TestPlatform(seed=seed, made=now)
    try:
        make_private_folder(folder / "policies")
    except OSError as error:
        raise PlatformUnusable(f"{error.filename} cannot be written: {error.strerror}") from error
    stored = StoredPlatform(platform=platform, folder=folder)
    for name, content in {
        _PLATFORM_FILE: json.dumps({"seed": seed, "made": now.isoformat()}).encode(),
        "apple_root.pem": platform.apple.root.certificate.public_bytes(Encoding.PEM),
        "apple_receipt_root.pem": platform.apple.receipts.root.certificate.public_bytes(Encoding.PEM),
        "play_decryption_key.txt": platform.play.decryption_key.encode(),
        "play_verification_key.txt": platform.play.verification_key.encode(),
        SETTINGS_FILE: (
            # JSON strings are TOML strings.
            f"data_dir = {json.dumps(str(folder.resolve() / 'data'))}\n"
            "# Test devices are accepted in sandbox checks only; all checks of this server are.\n"
            "listeners.service.local_sandbox = true\n"
            "# The default pack is for evaluation, which suits tests.\n"
            "allow_evaluation_pack = true\n" + settings_text(platform, folder.resolve())
        ).encode(),
        f"policies/{POLICY_NAME}.toml": policy_text().encode(),
    }.items():
        _write(folder / name, content)
    try:
        write_revocation_files(folder / "revocation.json", platform.revocation_list(), fetched_at=now)
    except OSError as error:
        raise PlatformUnusable(f"{error.filename} cannot be written: {error.strerror}") from error
    return stored


def read_platform(folder: Path) -> StoredPlatform:
    """Reads the test platform in a folder.

    Raises:
        PlatformUnusable: There is none.
    """
    document = _read_json(folder / _PLATFORM_FILE)
    try:
        made = datetime.fromisoformat(document["made"])
    except (KeyError, TypeError, ValueError) as error:
        raise PlatformUnusable(f"{folder / _PLATFORM_FILE} is not a test platform file") from error
    if made.tzinfo is None:
        made = made.replace(tzinfo=UTC)
    return StoredPlatform(
        platform=TestPlatform(seed=_seed(folder / _PLATFORM_FILE), made=made), folder=folder
    )


def _seed(path: Path) -> str:
    seed = _read_json(path).get("seed")
    if not isinstance(seed, str) or not seed:
        raise PlatformUnusable(f"{path} is not a test platform file")
    return seed


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise PlatformUnusable(
            f"{path} cannot be read: {error.strerror}; make one with facegate attest test-platform"
        ) from error
    except ValueError as error:
        raise PlatformUnusable(f"{path} is not JSON") from error
    if not isinstance(document, dict):
        raise PlatformUnusable(f"{path} is not a test platform file")
    return document


def _write(path: Path, content: bytes) -> None:
    try:
        make_private_file(path)
        path.write_bytes(content)
    except OSError as error:
        raise PlatformUnusable(f"{path} cannot be written: {error.strerror}") from error
