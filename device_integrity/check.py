"""One check of one claim of a device: what every verifier of this room returns."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DeviceCheck", "DeviceFinding", "Manipulation", "passed"]


class DeviceFinding(StrEnum):
    """How a check ended; the names are those of ``facegate.v1.DeviceCheck.Outcome``."""

    PASS = "PASS"  # noqa: S105 - a word of the contract, not a secret
    """The claim was verified."""
    FAIL = "FAIL"
    """The claim is wrong."""
    NOT_EVALUATED = "NOT_EVALUATED"
    """The claim was not looked at, or the platform itself did not evaluate it."""
    UNAVAILABLE = "UNAVAILABLE"
    """The claim could not be verified because something was missing. Missing is never a pass."""


class Manipulation(StrEnum):
    """What a failed check is a sign of."""

    VIRTUAL_CAMERA = "virtual_camera"
    """Software or hardware that feeds pictures in the place of the camera."""
    EMULATOR = "emulator"
    """A device in software."""
    CODE_MODIFICATION = "code_modification"
    """An app that its maker did not sign, such as one that was changed and signed anew."""
    FUNCTION_HOOKING = "function_hooking"
    """Code put into the running app, by a hooking framework or a debugger."""
    MAN_IN_THE_MIDDLE = "man_in_the_middle"
    """Somebody between the device and this server, or evidence of another device."""
    INJECTION = "injection"
    """Frames that no camera made just now."""
    ROOTED = "rooted"
    """An operating system that its maker did not sign, or keys that left their device."""
    REMOTE_CONTROL = "remote_control"
    """Another app that sees or drives the screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCheck:
    """One claim and what became of it.

    Attributes:
        name: Machine-readable name, lower_snake_case, unique in its verifier; the part before the first
            dot is the verifier, such as ``android_key.boot_state``.
        outcome: How it ended.
        reason: Machine-readable reason, UPPER_SNAKE_CASE.
        detail: The same in plain words, at most 500 characters, without keys, tokens or identifiers of
            a device: what was found, and what was expected.
        sign_of: What a FAIL is a sign of; ``None`` where it is a sign of nothing but itself.
        soft: Whether a FAIL is too common among honest devices to decide alone; of an UNAVAILABLE, whether
            the operator's settings let what is missing be missing.
        decisive: Whether it failed and fails the whole check by itself: see ``policy.decisive``; so does a
            demanded observation that no camera made the frames.
        tolerated: Whether it is decisive and must not decide, because a policy or a sandbox says so.
    """

    name: str
    outcome: DeviceFinding
    reason: str
    detail: str
    sign_of: Manipulation | None = None
    soft: bool = False
    decisive: bool = False
    tolerated: bool = False


def passed(name: str, reason: str, detail: str) -> DeviceCheck:
    """A check that passed."""
    return DeviceCheck(name=name, outcome=DeviceFinding.PASS, reason=reason, detail=detail)
