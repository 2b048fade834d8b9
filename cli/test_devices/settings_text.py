"""The settings with which a server trusts a test platform, and a policy that demands evidence."""

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


def settings_text(platform: TestPlatform, folder: Path, *, page: str | None = None) -> str:
    """Returns settings, TOML: first keys and then tables, to append to the keys of other settings.

    Args:
        platform: The platform.
        folder: Folder of its files, absolute.
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
revocation_file = {at("revocation.json")}
# Google updates its list every day; the list of a test platform never changes.
max_revocation_age_hours = 2160

[device_integrity.android.play]
decoder = "local"
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
    """Returns a policy, TOML, that demands evidence of each platform.

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
