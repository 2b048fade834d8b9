"""The events of checks that webhooks deliver: their kinds, their bodies, and the times of delivery."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final


class EventKind(StrEnum):
    """What happened. The values are the names of the types in the bodies of webhooks, and never change."""

    SCAN_STARTED = "check.scan_started"
    """The first stream of a device began."""
    CHECK_DECIDED = "check.decided"
    """A check was decided before its deadline, by a scan or otherwise."""
    CHECK_CLOSED = "check.closed"
    """The orchestrator got the result of a check, for the first time."""
    CHECK_EXPIRED = "check.expired"
    """The deadline of a check passed, and that decided it."""
    REVIEW_DECIDED = "review.decided"
    """People decided the review of a check."""
    EVIDENCE_ERASED = "evidence.erased"
    """The evidence of a check, or its images alone, was erased."""
    SUBJECT_ERASED = "subject.erased"
    """A person was erased."""


class EventState(StrEnum):
    """Whether an event was delivered; the names are those of ``facegate.v1.EventState``."""

    WAITING = "WAITING"
    """It is delivered at its next time, and after the earlier events of its check."""
    DELIVERED = "DELIVERED"
    """The endpoint took it."""
    DEAD = "DEAD"
    """It is not tried again, unless somebody replays it."""


BACK_OFF: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
"""The pauses between the attempts to deliver an event, three days in all; after the last, it is dead.

They are those that the specification of Standard Webhooks suggests.
"""


def pause_after(attempts: int) -> timedelta | None:
    """Return the pause after that many failed attempts; ``None`` if no further one follows."""
    return BACK_OFF[attempts - 1] if attempts <= len(BACK_OFF) else None


def event_time(time: datetime) -> str:
    """Return a time as bodies state it."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def event_body(kind: EventKind, time: datetime, data: Mapping[str, object]) -> str:
    """Return the body of a webhook: JSON, the same for every attempt."""
    content = {"type": kind.value, "timestamp": event_time(time), "data": data}
    return json.dumps(content, separators=(",", ":"))
