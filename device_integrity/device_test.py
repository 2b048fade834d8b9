"""The result of one test of a device, the named tests of a verifier, and the levels of assurance."""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial


class Assurance(StrEnum):
    """The levels of assurance, lowest first; the names are those of ``facegate.v1.DeviceAssurance``."""

    NONE = "NONE"
    """Nothing vouches for the device."""
    LOW = "LOW"
    """The same key, or the same app, as before; nothing is known of the device."""
    MEDIUM = "MEDIUM"
    """A platform vouches for the key or the app."""
    HIGH = "HIGH"
    """Hardware vouches for key and app, on Android for the system too, and the frames are bound to it."""

    @property
    def attested(self) -> bool:
        """Whether the level needs an attestation: MEDIUM and HIGH do, NONE and LOW do not."""
        return self.level >= Assurance.MEDIUM.level

    @property
    def level(self) -> int:
        """The position of the level, from 0 for NONE to 3 for HIGH."""
        return list(Assurance).index(self)


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
class DeviceTest:
    """The finding of one test.

    Attributes:
        name: Machine-readable name, lower_snake_case, unique in its verifier; the part before the first
            dot is the verifier, such as ``android_key.boot_state``.
        reason: Machine-readable reason, UPPER_SNAKE_CASE.
        detail: The finding in plain words, at most 500 characters, without keys, tokens or identifiers of
            a device: the value that was found, and the expected one.
        sign_of: The manipulation that a FAIL indicates, or ``None``.
        soft: For a FAIL, whether honest devices also fail the test, so that it does not decide alone.
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


_LONGEST_DETAIL = 500


def _made(outcome: DeviceFinding, name: str, reason: str, detail: str) -> DeviceTest:
    return DeviceTest(name=name, outcome=outcome, reason=reason, detail=detail[:_LONGEST_DETAIL])


passed_test = partial(_made, DeviceFinding.PASS)
"""Returns the finding PASS of the test ``name``."""
not_evaluated = partial(_made, DeviceFinding.NOT_EVALUATED)
"""Returns a test that the data cannot answer, although nothing is missing."""
unavailable = partial(_made, DeviceFinding.UNAVAILABLE)
"""Returns a test that could not be evaluated because something is missing."""


def suspect(
    name: str,
    reason: str,
    detail: str,
    *,
    soft: bool = True,
    sign: Manipulation | None = Manipulation.INJECTION,
) -> DeviceTest:
    """Return a failed test of a device's claims or frames; soft unless honest ones never fail it."""
    return replace(_made(DeviceFinding.FAIL, name, reason, detail), sign_of=sign, soft=soft)


@dataclass(frozen=True, slots=True)
class Checklist:
    """The tests of one verifier.

    Attributes:
        verifier: The verifier's name, which is the first part of its tests' names.
        checks: The tests' names without that part, in order. The first test is whether the evidence can be
            read.
    """

    verifier: str
    checks: tuple[str, ...]

    def passed(self, check: str, reason: str, detail: str) -> DeviceTest:
        """Return the finding PASS of a test."""
        return passed_test(f"{self.verifier}.{check}", reason, detail)

    def failed(
        self,
        check: str,
        reason: str,
        detail: str,
        sign_of: Manipulation | None = None,
        *,
        soft: bool = False,
    ) -> DeviceTest:
        """Return a failed test."""
        return suspect(f"{self.verifier}.{check}", reason, detail, soft=soft, sign=sign_of)

    def not_evaluated(self, check: str, reason: str, detail: str) -> DeviceTest:
        """Return a test that was not evaluated."""
        return not_evaluated(f"{self.verifier}.{check}", reason, detail)

    def unavailable(self, check: str, reason: str, detail: str) -> DeviceTest:
        """Return a test that could not be evaluated because something is missing."""
        return unavailable(f"{self.verifier}.{check}", reason, detail)

    def judged(
        self,
        check: str,
        *,
        holds: bool,
        good: tuple[str, str],
        bad: tuple[str, str],
        sign_of: Manipulation | None = None,
    ) -> DeviceTest:
        """Return a test that passes if ``holds``, with the reason and detail of ``good`` or of ``bad``."""
        return self.passed(check, *good) if holds else self.failed(check, *bad, sign_of)

    def unreadable(self, detail: str) -> tuple[DeviceTest, ...]:
        """Return all tests of unreadable evidence: the first fails, the others are not evaluated."""
        rest = (
            self.not_evaluated(check, "EVIDENCE_UNREADABLE", "not evaluated: the evidence cannot be read")
            for check in self.checks[1:]
        )
        return (self.failed(self.checks[0], "MALFORMED", detail), *rest)
