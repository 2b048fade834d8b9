"""Hand-made tests as verifiers return them, and the demands of a policy."""

from typing import Final

from device_integrity.camera import Platform
from device_integrity.device_test import DeviceFinding, DeviceTest, Manipulation
from device_integrity.policy import Demand, DemandTable, Evidence
from device_integrity.policy.demands import NEEDED_CHECKS

_OF_EVERY_PLATFORM: Final = {
    **dict.fromkeys(
        (Evidence.ANDROID_KEY, Evidence.PLAY_INTEGRITY, Evidence.APP_ATTEST, Evidence.WEB_KEY), Demand.IGNORED
    ),
    **dict.fromkeys(
        (
            Evidence.SERVER_KEY,
            Evidence.DEVICE,
            Evidence.CAMERA,
            Evidence.STREAM,
            Evidence.CONTRADICTION,
        ),
        Demand.REQUIRED,
    ),
}
_OF_A_PLATFORM: Final = {
    Platform.ANDROID: {Evidence.ANDROID_KEY: Demand.REQUIRED, Evidence.PLAY_INTEGRITY: Demand.ADVISORY},
    Platform.IOS: {Evidence.APP_ATTEST: Demand.REQUIRED},
    # A page cannot see the certificate of its own connection.
    Platform.WEB: {Evidence.WEB_KEY: Demand.REQUIRED, Evidence.SERVER_KEY: Demand.IGNORED},
}
DEFAULT_DEMANDS: Final = DemandTable(
    {platform: _OF_EVERY_PLATFORM | own for platform, own in _OF_A_PLATFORM.items()}
)
"""The demands of the policy ``high``, which wants the most that each platform can give. A desktop has no row,
because it can give nothing.

The scan memory is advisory, because a policy may not want to keep one.
"""


def made(*names: str) -> tuple[DeviceTest, ...]:
    """Tests that passed."""
    return tuple(
        DeviceTest(name=name, outcome=DeviceFinding.PASS, reason="FINE", detail="fine") for name in names
    )


def attested(verifier: str) -> tuple[DeviceTest, ...]:
    """An attestation with all required tests passed."""
    return made(*(f"{verifier}.{check}" for check in sorted(NEEDED_CHECKS[verifier])))


def failed(
    name: str, sign: Manipulation | None = None, *, soft: bool = False, reason: str = "WRONG"
) -> DeviceTest:
    """A test that failed."""
    return DeviceTest(
        name=name, outcome=DeviceFinding.FAIL, reason=reason, detail="wrong", sign_of=sign, soft=soft
    )


def open_check(name: str, outcome: DeviceFinding = DeviceFinding.NOT_EVALUATED) -> DeviceTest:
    """A test that was not evaluated."""
    return DeviceTest(name=name, outcome=outcome, reason="OPEN", detail="open")


def observed() -> tuple[DeviceTest, ...]:
    """The tests of an honest phone's description, frames and connection."""
    return (
        open_check("device.emulator"),
        open_check("camera.name"),
        *made("camera.facing", "camera.timestamps", "stream.duplicates", "stream.noise", "server_key.same"),
        *made("contradiction.wording"),
    )
