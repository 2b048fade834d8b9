"""The life of a check, as an explicit state machine. It is pure; storage performs the transitions.

::

    CREATED ──scan──► SCANNING ──attempt ended, another allowed──► (stays)
       │                │  │
       │                │  └──stream lost──► WAITING ──reconnect──► SCANNING
       │                ▼                       │
       │             DECIDED ◄──────────────────┤   decision and evidence durable
       └──deadline──────►│ ◄──────deadline──────┘
                         ▼
                     FINISHED   (the orchestrator received the result)
                         │
                         ▼
                      ERASED    (retention ended: evidence keys destroyed, tombstone kept)
"""

from enum import Enum


class CheckState(Enum):
    """The state of a check."""

    CREATED = "created"
    """The trusted image is accepted, and no scan has begun."""
    SCANNING = "scanning"
    """A stream holds the lease."""
    WAITING = "waiting"
    """Streams were lost or ended without a decision; the device may reconnect until the deadline."""
    DECIDED = "decided"
    """The decision and its evidence are durable; no further attempts are allowed."""
    FINISHED = "finished"
    """The orchestrator received the result."""
    ERASED = "erased"
    """The result and its evidence are erased; the identifier is never used again."""


TRANSITIONS: dict[CheckState, frozenset[CheckState]] = {
    CheckState.CREATED: frozenset({CheckState.SCANNING, CheckState.DECIDED}),
    CheckState.SCANNING: frozenset({CheckState.SCANNING, CheckState.WAITING, CheckState.DECIDED}),
    CheckState.WAITING: frozenset({CheckState.SCANNING, CheckState.DECIDED}),
    CheckState.DECIDED: frozenset({CheckState.FINISHED, CheckState.ERASED}),
    CheckState.FINISHED: frozenset({CheckState.ERASED}),
    CheckState.ERASED: frozenset(),
}
"""The transitions that are allowed."""

OPEN_STATES = frozenset({CheckState.CREATED, CheckState.SCANNING, CheckState.WAITING})
"""States in which a scan may still decide the check."""

CLOSED_WITH_RESULT = frozenset({CheckState.DECIDED, CheckState.FINISHED})
"""States in which the check has a result whose evidence is kept."""


def may_become(state: CheckState, new: CheckState) -> bool:
    """Returns whether a check in ``state`` may change to ``new``."""
    return new in TRANSITIONS[state]
