"""What makes a server believe a test platform: its settings, and a policy that demands evidence."""

import json
from pathlib import Path
from typing import Final

from simulator.devices import TestPlatform

__all__ = ["POLICY_NAME", "policy_text", "settings_text"]

POLICY_NAME: Final = "attested"

_OBSERVED: Final = """\
device = "required"
camera = "required"
stream = "required"
contradiction = "required"
memory = "ignored"
"""


def settings_text(platform: TestPlatform, folder: Path) -> str:
    """Settings, TOML: first keys and then tables, to go below the keys of a server of its own.

    Args:
        platform: The platform.
        folder: Where its files lie, absolute.
    """
    app = platform.app

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
revocation_file = {at("revocation.json")}
# Google's list is new every day; that of a test platform never changes.
max_revocation_age_hours = 2160

[device_integrity.android.play]
decoder = "local"
decryption_key_file = {at("play_decryption_key.txt")}
verification_key_file = {at("play_verification_key.txt")}

[device_integrity.apple]
app_ids = ["{app.apple_id}"]

[device_integrity.web]
rp_id = "{app.rp_id}"
origins = ["{app.origin}"]

[device_integrity.test_roots]
android_spki_sha256 = ["{platform.android_root_sha256.hex()}"]
apple_certificate = {at("apple_root.pem")}
apple_receipt_certificate = {at("apple_receipt_root.pem")}
"""


def policy_text(name: str = POLICY_NAME) -> str:
    """A policy, TOML: evidence of each platform is demanded.

    It does not demand the TLS key that the device saw, as a server on loopback may have none; and it forgets
    earlier scans, as two simulated ones of the same seed are the same.
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

[challenge.raised] # no person blinks or turns before a simulated device
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
