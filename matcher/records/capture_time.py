"""The time at which an image was taken, as a 2011 record codes it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

__all__ = ["UNKNOWN_TIME", "CaptureTime"]

_UNKNOWN_YEAR: Final = 0xFFFF
_UNKNOWN: Final = 0xFF
_MILLISECOND: Final = 1000


@dataclass(frozen=True, slots=True)
class CaptureTime:
    """Date and time in UTC; every field all ones (or, by some writers, all zeros) for unknown.

    Source: ISO/IEC 19794-1:2011, as ISO/IEC 19794-5:2011, 5.4.2 uses it.

    Attributes:
        year: 0..65535.
        month: 1..12.
        day: 1..31.
        hour: 0..23.
        minute: 0..59.
        second: 0..59.
        millisecond: 0..999.
    """

    year: int = _UNKNOWN_YEAR
    month: int = _UNKNOWN
    day: int = _UNKNOWN
    hour: int = _UNKNOWN
    minute: int = _UNKNOWN
    second: int = _UNKNOWN
    millisecond: int = _UNKNOWN_YEAR

    @property
    def given(self) -> bool:
        """False if every field is unknown."""
        return self not in _NOT_GIVEN

    @property
    def utc(self) -> datetime | None:
        """The time; None if it is not given or not possible. Unknown milliseconds count as 0."""
        milliseconds = 0 if self.millisecond == _UNKNOWN_YEAR else self.millisecond
        try:
            return datetime(
                self.year,
                self.month,
                self.day,
                self.hour,
                self.minute,
                self.second,
                milliseconds * _MILLISECOND,
                tzinfo=UTC,
            )
        except (ValueError, OverflowError):
            return None

    @classmethod
    def of_datetime(cls, moment: datetime) -> "CaptureTime":
        """Return a time in UTC, truncated to milliseconds.

        Args:
            moment: The time; without a time zone it counts as UTC.
        """
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return cls(
            aware.year,
            aware.month,
            aware.day,
            aware.hour,
            aware.minute,
            aware.second,
            aware.microsecond // _MILLISECOND,
        )


UNKNOWN_TIME: Final = CaptureTime()
"""No field is given."""
_NOT_GIVEN: Final = frozenset({UNKNOWN_TIME, CaptureTime(0, 0, 0, 0, 0, 0, 0)})
