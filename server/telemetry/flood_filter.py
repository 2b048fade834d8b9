"""Keeps whoever can cause log lines from filling the disk: each kind of line has a rate.

Callers cause lines at will by refused and failed calls, by connections that they drop, and by what makes a
library log. Of each kind some are logged as they come, and once a minute a line tells how many were not. The
metrics count every one of them.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

__all__ = ["FloodFilter", "suppressed_lines"]

_BURST = 50.0
_LINES_A_SECOND = 0.5
_SUMMARY_SECONDS = 60.0
_CAUSED_BY_CALLERS = frozenset(
    {
        "call_failed",
        "call_refused",
        "client_certificate_refused",
        "connection_lost",
        "evidence_problem",
        "picture_not_kept",
        "storage_unavailable",
    }
)

_log = structlog.get_logger(__name__)
_suppressed = 0


def suppressed_lines() -> int:
    """How many lines of this process were not logged."""
    return _suppressed


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float
    suppressed: int = 0


class FloodFilter(logging.Filter):
    """For a handler: lets a line pass while its kind keeps to its rate.

    A kind is an event and the reason it names, or a library's logger and level: none of them is made up by
    callers.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Nothing was logged yet."""
        super().__init__()
        self._monotonic = monotonic
        self._buckets: dict[str, _Bucket] = {}
        self._told = monotonic()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is logged."""
        now = self._monotonic()
        if now - self._told >= _SUMMARY_SECONDS:
            self._told = now
            self._tell()
        kind = _kind(record)
        if kind is None:
            return True
        bucket = self._buckets.setdefault(kind, _Bucket(_BURST, now))
        bucket.tokens = min(_BURST, bucket.tokens + (now - bucket.filled) * _LINES_A_SECOND)
        bucket.filled = now
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return True
        bucket.suppressed += 1
        global _suppressed  # noqa: PLW0603 - logging belongs to the process, and so does the count
        _suppressed += 1
        return False

    def _tell(self) -> None:
        for kind, bucket in list(self._buckets.items()):
            lines, bucket.suppressed = bucket.suppressed, 0
            if lines:
                _log.warning("log_lines_suppressed", kind=kind, lines=lines)


def _kind(record: logging.LogRecord) -> str | None:
    """What a line counts as; ``None`` for one that no caller can cause at will."""
    if not isinstance(record.msg, dict):
        return f"{record.name} {record.levelname}"
    event = str(record.msg.get("event"))
    return f"{event} {record.msg.get('reason', '')}".rstrip() if event in _CAUSED_BY_CALLERS else None
