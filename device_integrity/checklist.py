"""The named tests of a verifier, so that its result lists all of them even if evidence is unreadable."""

from dataclasses import dataclass

from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation

__all__ = ["Checklist"]

_LONGEST_DETAIL = 500


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

    def passed(self, check: str, reason: str, detail: str) -> DeviceCheck:
        """Returns the finding PASS of a test."""
        return self._made(check, DeviceFinding.PASS, reason, detail)

    def failed(
        self,
        check: str,
        reason: str,
        detail: str,
        sign_of: Manipulation | None = None,
        *,
        soft: bool = False,
    ) -> DeviceCheck:
        """Returns a failed test."""
        return self._made(check, DeviceFinding.FAIL, reason, detail, sign_of, soft=soft)

    def not_evaluated(self, check: str, reason: str, detail: str) -> DeviceCheck:
        """Returns a test that was not evaluated."""
        return self._made(check, DeviceFinding.NOT_EVALUATED, reason, detail)

    def unavailable(self, check: str, reason: str, detail: str, *, soft: bool = False) -> DeviceCheck:
        """Returns a test that could not be evaluated because something is missing."""
        return self._made(check, DeviceFinding.UNAVAILABLE, reason, detail, soft=soft)

    def judged(
        self,
        check: str,
        *,
        holds: bool,
        good: tuple[str, str],
        bad: tuple[str, str],
        sign_of: Manipulation | None = None,
    ) -> DeviceCheck:
        """Returns a test that passes if ``holds``, with the reason and detail of ``good`` or of ``bad``."""
        return self.passed(check, *good) if holds else self.failed(check, *bad, sign_of)

    def unreadable(self, detail: str) -> tuple[DeviceCheck, ...]:
        """Returns all tests of unreadable evidence: the first fails, the others are not evaluated."""
        rest = (
            self.not_evaluated(check, "EVIDENCE_UNREADABLE", "not evaluated: the evidence cannot be read")
            for check in self.checks[1:]
        )
        return (self.failed(self.checks[0], "MALFORMED", detail), *rest)

    def _made(
        self,
        check: str,
        outcome: DeviceFinding,
        reason: str,
        detail: str,
        sign_of: Manipulation | None = None,
        *,
        soft: bool = False,
    ) -> DeviceCheck:
        return DeviceCheck(
            name=f"{self.verifier}.{check}",
            outcome=outcome,
            reason=reason,
            detail=detail[:_LONGEST_DETAIL],
            sign_of=sign_of,
            soft=soft,
        )
