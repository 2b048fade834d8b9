"""Creates the findings of this package's tests."""

from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation

__all__ = ["not_evaluated", "suspect", "unavailable"]


def suspect(
    name: str, reason: str, detail: str, *, soft: bool = True, sign: Manipulation = Manipulation.INJECTION
) -> DeviceCheck:
    """Returns a failed test; soft unless honest streams never fail it."""
    return DeviceCheck(
        name=name, outcome=DeviceFinding.FAIL, reason=reason, detail=detail, sign_of=sign, soft=soft
    )


def not_evaluated(name: str, reason: str, detail: str) -> DeviceCheck:
    """Returns a test that these frames cannot answer, although nothing is missing."""
    return DeviceCheck(name=name, outcome=DeviceFinding.NOT_EVALUATED, reason=reason, detail=detail)


def unavailable(name: str, reason: str, detail: str) -> DeviceCheck:
    """Returns a test that could not be evaluated because something is missing."""
    return DeviceCheck(name=name, outcome=DeviceFinding.UNAVAILABLE, reason=reason, detail=detail)
