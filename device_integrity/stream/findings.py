"""The forms that this package's checks take."""

from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation

__all__ = ["not_evaluated", "suspect", "unavailable"]


def suspect(
    name: str, reason: str, detail: str, *, soft: bool = True, sign: Manipulation = Manipulation.INJECTION
) -> DeviceCheck:
    """A check that failed; soft unless honest streams never fail it."""
    return DeviceCheck(
        name=name, outcome=DeviceFinding.FAIL, reason=reason, detail=detail, sign_of=sign, soft=soft
    )


def not_evaluated(name: str, reason: str, detail: str) -> DeviceCheck:
    """A check that these frames say nothing of, though nothing is missing."""
    return DeviceCheck(name=name, outcome=DeviceFinding.NOT_EVALUATED, reason=reason, detail=detail)


def unavailable(name: str, reason: str, detail: str) -> DeviceCheck:
    """A check for which something is missing."""
    return DeviceCheck(name=name, outcome=DeviceFinding.UNAVAILABLE, reason=reason, detail=detail)
