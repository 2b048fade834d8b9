"""The result of one test of a device, which every verifier of this package returns."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DeviceCheck", "DeviceFinding", "Manipulation", "passed_test"]


class DeviceFinding(StrEnum):
    """The finding of a test. The names are those of ``facegate.v1.DeviceCheck.Outcome``."""

    PASS = "PASS"  # noqa: S105 - a word of the contract, not a secret
    """The claim was verified."""
    FAIL = "FAIL"
    """The claim is wrong."""
    NOT_EVALUATED = "NOT_EVALUATED"
    """The claim was not tested, or the platform itself did not evaluate it."""
    UNAVAILABLE = "UNAVAILABLE"
    """The claim could not be verified because something was missing. This never counts as a pass."""


class Manipulation(StrEnum):
    """The kinds of manipulation that a failed test can be a sign of."""

    VIRTUAL_CAMERA = "virtual_camera"
    """Software or hardware that delivers images in place of the camera."""
    EMULATOR = "emulator"
    """A device that software emulates."""
    CODE_MODIFICATION = "code_modification"
    """An app without its publisher's signature, such as a modified app with another signature."""
    FUNCTION_HOOKING = "function_hooking"
    """Code that a hooking framework or a debugger put into the running app."""
    MAN_IN_THE_MIDDLE = "man_in_the_middle"
    """A relay between the device and this server, or evidence of another device."""
    INJECTION = "injection"
    """Frames that no camera took during this scan."""
    ROOTED = "rooted"
    """An operating system without its vendor's signature, or keys that were extracted from their device."""
    REMOTE_CONTROL = "remote_control"
    """Another app that captures or controls the screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCheck:
    """The finding of one test.

    Attributes:
        name: Machine-readable name, lower_snake_case, unique in its verifier; the part before the first
            dot is the verifier, such as ``android_key.boot_state``.
        outcome: The finding.
        reason: Machine-readable reason, UPPER_SNAKE_CASE.
        detail: The finding in plain words, at most 500 characters, without keys, tokens or identifiers of
            a device: the value that was found, and the expected one.
        sign_of: The manipulation that a FAIL indicates, or ``None``.
        soft: For a FAIL, whether honest devices also fail the test, so that it does not decide alone. For
            an UNAVAILABLE, whether the operator's settings allow the item to be missing.
        decisive: Whether the test failed in a way that fails the whole check, unless it is tolerated; see
            ``policy.decisive``. A failed test of the camera or the frames that shows an injection is decisive
            too, if the policy demands that evidence.
        tolerated: Whether the test is decisive, but a policy or a sandbox keeps it from failing the check.
    """

    name: str
    outcome: DeviceFinding
    reason: str
    detail: str
    sign_of: Manipulation | None = None
    soft: bool = False
    decisive: bool = False
    tolerated: bool = False


def passed_test(name: str, reason: str, detail: str) -> DeviceCheck:
    """Returns the finding PASS of the test ``name``."""
    return DeviceCheck(name=name, outcome=DeviceFinding.PASS, reason=reason, detail=detail)
