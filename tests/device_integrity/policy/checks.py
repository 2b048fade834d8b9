"""Hand-made tests as verifiers return them."""

from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation
from device_integrity.policy.demands import NEEDED_CHECKS

__all__ = ["attested", "failed", "made", "observed", "open_check"]


def made(*names: str) -> tuple[DeviceCheck, ...]:
    """Tests that passed."""
    return tuple(
        DeviceCheck(name=name, outcome=DeviceFinding.PASS, reason="FINE", detail="fine") for name in names
    )


def attested(verifier: str) -> tuple[DeviceCheck, ...]:
    """An attestation with all required tests passed."""
    return made(*(f"{verifier}.{check}" for check in sorted(NEEDED_CHECKS[verifier])))


def failed(
    name: str, sign: Manipulation | None = None, *, soft: bool = False, reason: str = "WRONG"
) -> DeviceCheck:
    """A test that failed."""
    return DeviceCheck(
        name=name, outcome=DeviceFinding.FAIL, reason=reason, detail="wrong", sign_of=sign, soft=soft
    )


def open_check(name: str, outcome: DeviceFinding = DeviceFinding.NOT_EVALUATED) -> DeviceCheck:
    """A test that was not evaluated."""
    return DeviceCheck(name=name, outcome=outcome, reason="OPEN", detail="open")


def observed() -> tuple[DeviceCheck, ...]:
    """The tests of an honest phone's description, frames and connection."""
    return (
        open_check("device.emulator"),
        open_check("camera.name"),
        *made("camera.facing", "camera.timestamps", "stream.duplicates", "stream.noise", "server_key.same"),
        *made("contradiction.wording"),
    )
