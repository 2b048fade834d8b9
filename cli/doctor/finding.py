"""The findings of the examination of a deployment."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from server.configuration.settings import Settings


class Level(StrEnum):
    """How serious a finding is."""

    FINE = "fine"
    """As expected."""
    NOT_EXAMINED = "not examined"
    """Another finding states why it could not be examined."""
    WARNING = "warning"
    """The server works, but something needs attention."""
    FAILURE = "failure"
    """The server does not start, refuses calls, or would lose data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding.

    Attributes:
        code: Its stable name for programs, in UPPER_SNAKE_CASE.
        found: The state that was found, in words. It contains no secret.
        expected: The expected state; empty if all is fine.
        remedy: Instructions; empty if all is fine.
    """

    code: str
    level: Level
    found: str
    expected: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The deployment that is examined.

    Attributes:
        settings: The settings that the server would read.
        max_backup_age: The age from which a backup is too old.
        now: The time of the examination, by the clock of this machine; UTC.
    """

    settings: Settings
    max_backup_age: timedelta
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


def fine(code: str, found: str) -> Finding:
    """Return a finding that all is as expected."""
    return Finding(code=code, level=Level.FINE, found=found)


def warning(code: str, found: str, *, expected: str, remedy: str) -> Finding:
    """Return a finding that needs attention."""
    return Finding(code=code, level=Level.WARNING, found=found, expected=expected, remedy=remedy)


def failure(code: str, found: str, *, expected: str, remedy: str) -> Finding:
    """Return a finding that keeps the server from working, or endangers data."""
    return Finding(code=code, level=Level.FAILURE, found=found, expected=expected, remedy=remedy)


def not_examined(code: str, why: str) -> Finding:
    """Return the finding that something could not be examined."""
    return Finding(code=code, level=Level.NOT_EXAMINED, found=why)
