"""The checks of one verifier, by name: so that none is forgotten when evidence cannot be read."""

from dataclasses import dataclass

from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation

__all__ = ["Checklist"]

_LONGEST_DETAIL = 500


@dataclass(frozen=True, slots=True)
class Checklist:
    """What one verifier checks.

    Attributes:
        verifier: Its name, which all its checks' names begin with.
        checks: Their names without it, in order; the first is whether the evidence can be read.
    """

    verifier: str
    checks: tuple[str, ...]

    def passed(self, check: str, reason: str, detail: str) -> DeviceCheck:
        """A check that passed."""
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
        """A check that failed."""
        return self._made(check, DeviceFinding.FAIL, reason, detail, sign_of, soft=soft)

    def not_evaluated(self, check: str, reason: str, detail: str) -> DeviceCheck:
        """A check that was not made."""
        return self._made(check, DeviceFinding.NOT_EVALUATED, reason, detail)

    def unavailable(self, check: str, reason: str, detail: str, *, soft: bool = False) -> DeviceCheck:
        """A check that could not be made because something is missing."""
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
        """A check that passed if ``holds``, with the reason and detail of that case."""
        return self.passed(check, *good) if holds else self.failed(check, *bad, sign_of)

    def unreadable(self, detail: str) -> tuple[DeviceCheck, ...]:
        """All checks where the evidence cannot be read: the first failed, and no other was made."""
        rest = (
            self.not_evaluated(check, "EVIDENCE_UNREADABLE", "not looked at: the evidence cannot be read")
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
