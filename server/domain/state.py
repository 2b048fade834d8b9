"""The life of a check, as an explicit state machine. Pure: storage carries the transitions out.

::

    CREATED ──scan──► SCANNING ──attempt ended, another allowed──► (stays)
       │                │  │
       │                │  └──stream lost──► WAITING ──reconnect──► SCANNING
       │                ▼                       │
       │             DECIDED ◄──────────────────┤   verdict and evidence durable
       └──deadline──────►│ ◄──────deadline──────┘
                         ▼
                     FINISHED   (the orchestrator took the verdict)
                         │
                         ▼
                      ERASED    (retention ended: evidence keys destroyed, tombstone kept)
"""

from enum import Enum


class CheckState(Enum):
    """Where a check stands."""

    CREATED = "created"
    """The trusted image is accepted; nobody has scanned."""
    SCANNING = "scanning"
    """A stream holds the lease."""
    WAITING = "waiting"
    """Streams were lost or ended without a decision; the device may come back until the deadline."""
    DECIDED = "decided"
    """The verdict and its evidence are durable; no more attempts."""
    FINISHED = "finished"
    """The orchestrator took the verdict."""
    ERASED = "erased"
    """The result and its evidence are gone; the identifier is never given again."""


TRANSITIONS: dict[CheckState, frozenset[CheckState]] = {
    CheckState.CREATED: frozenset({CheckState.SCANNING, CheckState.DECIDED}),
    CheckState.SCANNING: frozenset({CheckState.SCANNING, CheckState.WAITING, CheckState.DECIDED}),
    CheckState.WAITING: frozenset({CheckState.SCANNING, CheckState.DECIDED}),
    CheckState.DECIDED: frozenset({CheckState.FINISHED, CheckState.ERASED}),
    CheckState.FINISHED: frozenset({CheckState.ERASED}),
    CheckState.ERASED: frozenset(),
}
"""Every transition that there is."""

OPEN_STATES = frozenset({CheckState.CREATED, CheckState.SCANNING, CheckState.WAITING})
"""States in which a scan may still decide the check."""

CLOSED_WITH_RESULT = frozenset({CheckState.DECIDED, CheckState.FINISHED})
"""States in which there is a verdict, and what it rests on is kept."""


def may_become(state: CheckState, new: CheckState) -> bool:
    """Whether a check in ``state`` may go to ``new``."""
    return new in TRANSITIONS[state]
