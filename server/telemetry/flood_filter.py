"""Limits the rate of each kind of log line, so that callers cannot fill the disk.

Callers can cause lines at will: by refused and failed calls, by dropped connections, and by actions that make
a library log. Of each kind, lines are logged up to a rate, and once a minute a line states how many were
suppressed. The metrics count every suppressed line.
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
        "native_output",
        "origin_refused",
        "picture_not_kept",
        "storage_unavailable",
        "tls_handshake_failed",
    }
)

_log = structlog.get_logger(__name__)
_suppressed = 0


def suppressed_lines() -> int:
    """Returns the number of lines of this process that were suppressed."""
    return _suppressed


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float
    suppressed: int = 0


class FloodFilter(logging.Filter):
    """A filter for a handler, which accepts a line while its kind stays within its rate.

    A kind is an event with its reason, or the logger and level of a library. Callers cannot invent kinds.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Creates a filter that has not counted any line."""
        super().__init__()
        self._monotonic = monotonic
        self._buckets: dict[str, _Bucket] = {}
        self._summarised = monotonic()

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether the line is logged."""
        now = self._monotonic()
        if now - self._summarised >= _SUMMARY_SECONDS:
            self._summarised = now
            self._log_summary()
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
        global _suppressed  # noqa: PLW0603 - logging is global to the process, and so is the count
        _suppressed += 1
        return False

    def _log_summary(self) -> None:
        for kind, bucket in list(self._buckets.items()):
            lines, bucket.suppressed = bucket.suppressed, 0
            if lines:
                _log.warning("log_lines_suppressed", kind=kind, lines=lines)


def _kind(record: logging.LogRecord) -> str | None:
    """Returns the kind of a line; ``None`` for a line that no caller can cause at will."""
    if not isinstance(record.msg, dict):
        return f"{record.name} {record.levelname}"
    event = str(record.msg.get("event"))
    return f"{event} {record.msg.get('reason', '')}".rstrip() if event in _CAUSED_BY_CALLERS else None
