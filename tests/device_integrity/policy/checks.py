"""Checks as verifiers give them, made by hand."""

from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation
from device_integrity.policy.demands import NEEDED_CHECKS

__all__ = ["attested", "failed", "made", "observed", "open_check"]


def made(*names: str) -> tuple[DeviceCheck, ...]:
    """Checks that passed."""
    return tuple(
        DeviceCheck(name=name, outcome=DeviceFinding.PASS, reason="FINE", detail="fine") for name in names
    )


def attested(verifier: str) -> tuple[DeviceCheck, ...]:
    """An attestation of which every needed check passed."""
    return made(*(f"{verifier}.{check}" for check in sorted(NEEDED_CHECKS[verifier])))


def failed(
    name: str, sign: Manipulation | None = None, *, soft: bool = False, reason: str = "WRONG"
) -> DeviceCheck:
    """A check that failed."""
    return DeviceCheck(
        name=name, outcome=DeviceFinding.FAIL, reason=reason, detail="wrong", sign_of=sign, soft=soft
    )


def open_check(name: str, outcome: DeviceFinding = DeviceFinding.NOT_EVALUATED) -> DeviceCheck:
    """A check that says nothing."""
    return DeviceCheck(name=name, outcome=outcome, reason="OPEN", detail="open")


def observed() -> tuple[DeviceCheck, ...]:
    """What an honest phone's description, frames and connection give."""
    return (
        open_check("device.emulator"),
        open_check("camera.name"),
        *made("camera.facing", "camera.timestamps", "stream.duplicates", "stream.noise", "server_key.same"),
        *made("contradiction.wording"),
    )
