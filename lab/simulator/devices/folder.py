"""A test platform in a folder: its secret, the settings with which a server trusts it, its devices' state.

It also has a policy that demands evidence.
"""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from formats.private_files import write_atomically
from lab.simulator.devices.device import AttestedUse, TestDevice, TestPlatform
from lab.simulator.devices.kinds import DeviceKind, make_device
from lab.simulator.errors import SimulatorError

POLICY_NAME: Final = "attested"

_OBSERVED: Final = """\
device = "required"
camera = "required"
stream = "required"
contradiction = "required"
memory = "ignored"
"""


def settings_text(platform: TestPlatform, folder: Path, *, page: str | None = None) -> str:
    """Return settings, TOML: first keys and then tables, to append to the keys of other settings.

    Args:
        page: Origin of a page on this machine that may scan, in place of that of the platform's app.
    """
    app = platform.app
    rp_id, origin = (app.rp_id, app.origin) if page is None else ("localhost", page)

    def at(name: str) -> str:
        # JSON strings are TOML strings.
        return json.dumps(str(folder / name))

    return f"""\
policies.folder = {at("policies")}
policies.default = "{POLICY_NAME}"

[[device_integrity.android.apps]]
package = "{app.package}"
certificate_sha256 = ["{app.certificate_digest.hex()}"]

[device_integrity.android]
revocation_file = {at(REVOCATION_FILE)}
# Google updates its list every day; the list of a test platform never changes.
max_revocation_age_hours = 2160

[device_integrity.android.play]
decryption_key_file = {at("play_decryption_key.txt")}
verification_key_file = {at("play_verification_key.txt")}

[device_integrity.apple]
app_ids = ["{app.apple_id}"]

[device_integrity.web]
rp_id = "{rp_id}"
origins = ["{origin}"]

[device_integrity.test_roots]
android_spki_sha256 = ["{platform.android_root_sha256.hex()}"]
apple_certificate = {at("apple_root.pem")}
apple_receipt_certificate = {at("apple_receipt_root.pem")}
"""


def policy_text(name: str = POLICY_NAME) -> str:
    """Return a policy, TOML, that demands evidence of each platform.

    It does not demand the TLS key that the device saw, because a server on loopback may have none. It ignores
    the scan memory, because simulated scans with the same seed are equal.
    """
    return f"""\
name = "{name}"
version = 1
description = "For tests: demands evidence."
mode = "EXPRESS"

[match]
max_fmr = 1e-2

[liveness]
live_threshold = 70.0
spoof_threshold = 30.0

[challenge.raised] # the person of a simulated device does not blink or turn
blink = false
depth = false

[device]
minimum_assurance = "LOW"

[device.demands.android]
android_key = "required"
{_OBSERVED}
[device.demands.ios]
app_attest = "required"
{_OBSERVED}
[device.demands.web]
web_key = "required"
{_OBSERVED}
[attempts]
maximum = 3

[retention]
evidence_seconds = 86_400
audit_images = 2
"""


SETTINGS_FILE: Final = "facegate.toml"
REVOCATION_FILE: Final = "revocation.json"

_PLATFORM_FILE: Final = "platform.json"
_USE_FILE: Final = "app_attest_count.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlatform:
    """A test platform and its folder."""

    platform: TestPlatform
    folder: Path

    def device(self, kind: DeviceKind) -> TestDevice:
        """Return a test device of this kind, with its stored state if it has one."""
        document = _read_json(self.folder / _USE_FILE) if (self.folder / _USE_FILE).exists() else {}
        counter = document.get("counter")
        if counter is not None and not isinstance(counter, int):
            raise SimulatorError(f"{self.folder / _USE_FILE} contains no count")
        return make_device(kind, self.platform, use=AttestedUse(counter))

    def save(self, device: TestDevice) -> None:
        """Store how often the device's App Attest key has signed; other devices have no state."""
        if device.use.counter is not None:
            _write(self.folder / _USE_FILE, json.dumps({"counter": device.use.counter}).encode())


def write_platform_files(folder: Path, *, now: datetime) -> StoredPlatform:
    """Create a test platform, or renew the validity of the one in the folder from now on.

    The list of revoked keys is written by the caller, with the record that a server wants.
    """
    secret = folder / _PLATFORM_FILE
    seed = _seed(secret) if secret.exists() else secrets.token_hex(32)
    platform = TestPlatform(seed=seed, made=now)
    for each in (folder, folder / "policies"):
        try:
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SimulatorError(f"{each} cannot be written: {error.strerror}") from error
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
    return stored


def read_platform(folder: Path) -> StoredPlatform:
    """Read the test platform in a folder."""
    document = _read_json(folder / _PLATFORM_FILE)
    try:
        made = datetime.fromisoformat(document["made"])
    except (KeyError, TypeError, ValueError) as error:
        raise SimulatorError(f"{folder / _PLATFORM_FILE} is not a test platform file") from error
    if made.tzinfo is None:
        made = made.replace(tzinfo=UTC)
    return StoredPlatform(
        platform=TestPlatform(seed=_seed(folder / _PLATFORM_FILE), made=made), folder=folder
    )


def _seed(path: Path) -> str:
    seed = _read_json(path).get("seed")
    if not isinstance(seed, str) or not seed:
        raise SimulatorError(f"{path} is not a test platform file")
    return seed


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise SimulatorError(
            f"{path} cannot be read: {error.strerror}; make one with facegate attest test-platform"
        ) from error
    except (ValueError, RecursionError) as error:
        raise SimulatorError(f"{path} is not JSON") from error
    if not isinstance(document, dict):
        raise SimulatorError(f"{path} is not a test platform file")
    return document


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content, over=True)
    except OSError as error:
        raise SimulatorError(f"{path} cannot be written: {error.strerror}") from error


def open_stored_device(device: Path) -> tuple[TestDevice, StoredPlatform]:
    """Open a device, named as FOLDER/KIND, of a stored platform, with the state of its earlier scans."""
    if device.name not in set(DeviceKind):
        raise SimulatorError(
            f"{device} names no test device: write FOLDER/KIND with one of {', '.join(DeviceKind)}"
        )
    stored = read_platform(device.parent)
    return stored.device(DeviceKind(device.name)), stored
