"""The end of an attempt and its effect on the attempt and its check, as one state machine. It is pure.

::

    ┌─────────┐  AttemptEnd   ┌────────┐  only conditions or the person prevented a decision,
    │ RUNNING │ ────────────► │ SIGNED │  and another attempt may start ───► RETRY      the next attempt runs
    └─────────┘               └────────┘  anything else ───────────────────► DECIDED    the check is decided
         │                        │
         │ any other ending       │ its outcome did not become durable
         ▼                        ▼
    ┌──────────────────────────────────┐  its judgement stands ────────────► DECIDED    the check is decided
    │               LEFT               │
    └──────────────────────────────────┘  anything else ───────────────────► INTERRUPTED
                                                                                  │
           the ending closes the check, decided by its attempts           ◄───────┤
           the check stays open, and its device may come back ◄───────────────────┤
           a newer stream has the check ◄─────────────────────────────────────────┘

The event that ended an attempt (``EndedBy``) selects a rule in ``RULES``. The rule states which parts of a
LEFT attempt are kept, and whether its check is closed. If closing the check fails, the error becomes a second
ending (``ending_of``), which leaves the check open. An attempt without frames is not recorded, unless the
server ended it or the device broke its transcript.

``server.scan.ends`` applies these rules.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from server.base.errors import Reason, Refusal
from server.checks.running import CheckClosing
from server.domain.terms import AttemptOutcome, EndedBy
from server.scan.inbox import ConnectionLost, StreamEnded
from server.storage.errors import Conflict
from server.verdict import FailureReason

TAMPERING = frozenset(
    {
        Reason.FRAME_OUT_OF_ORDER,
        Reason.FRAME_MAC_INVALID,
        Reason.FRAME_TIME_INVALID,
        Reason.ATTEMPT_END_INVALID,
    }
)
"""Refusals that close the check, because an honest device never breaks its own transcript."""


class LeaseLost(Exception):
    """A newer stream of the same scan took over."""


class ScanDeadlinePassed(Exception):
    """The scan's deadline passed."""


class State(StrEnum):
    """The state of an attempt that has no ``AttemptOutcome`` yet."""

    RUNNING = "RUNNING"
    SIGNED = "SIGNED"
    LEFT = "LEFT"


class Images(StrEnum):
    """The images of an attempt that are kept with its row."""

    NONE = "NONE"
    ALL_OR_NONE = "ALL_OR_NONE"
    """If an image cannot be stored, none is kept, and everything else is still written."""
    NAMED = "NAMED"
    """Images that could not be stored are named, too, because an adverse decision holds without them."""
    NEEDED = "NEEDED"
    """An image that cannot be stored is a fault of the server, and nothing is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The effect on an attempt that was left, and on its check, unless the attempt's frames decide the check.

    Attributes:
        closes: The reason for which the check is closed; ``None`` if it stays open.
        resumable: Whether the device may reconnect to a check that stays open. False if a newer stream has
            it.
        judgement: Whether the attempt's judgement is kept. If not, the attempt need not be judged.
        without_frames: Whether an attempt without frames is recorded, too, so that the result shows that the
            person was not to blame.
        fenced: The event that is stored as having ended the attempt if a newer stream holds the lease.
    """

    closes: FailureReason | None = None
    resumable: bool = False
    judgement: bool = True
    images: Images = Images.ALL_OR_NONE
    without_frames: bool = False
    fenced: EndedBy = EndedBy.SUPERSEDED


RULES: Mapping[EndedBy, Rule] = MappingProxyType(
    {
        EndedBy.HALF_CLOSED: Rule(closes=FailureReason.ABANDONED),
        EndedBy.CONNECTION_LOST: Rule(resumable=True),
        EndedBy.SUPERSEDED: Rule(images=Images.NONE),
        EndedBy.REFUSED: Rule(resumable=True),
        EndedBy.DEADLINE: Rule(closes=FailureReason.EXPIRED),
        EndedBy.CHECK_CLOSED: Rule(closes=FailureReason.CANCELLED),
        EndedBy.SERVER_FAULT: Rule(
            resumable=True,
            judgement=False,
            images=Images.NONE,
            without_frames=True,
            fenced=EndedBy.SERVER_FAULT,
        ),
        EndedBy.SERVER_STOPPED: Rule(resumable=True, without_frames=True),
    }
)
"""The rules for every event that ends an attempt, except the device's signature."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The event that ended a stream and the attempt that was still running.

    Attributes:
        by: The event; never SIGNED.
        reason: The reason for which the check is closed, if it differs from the rule's own reason. It closes
            the check even if the rule would leave it open.
    """

    by: EndedBy
    reason: FailureReason | None = None

    @property
    def rule(self) -> Rule:
        """The rule for this event."""
        return RULES[self.by]

    @property
    def closes(self) -> FailureReason | None:
        """The reason to close the check unless the attempt decides it; ``None`` if the check stays open."""
        return self.reason or self.rule.closes

    @property
    def breaks_transcript(self) -> bool:
        """Whether the device broke the transcript of its attempt."""
        return self.reason is FailureReason.TRANSCRIPT_BROKEN

    @property
    def without_frames(self) -> bool:
        """Whether an attempt that it ended is recorded even without frames.

        A broken transcript is recorded because it would otherwise be attributed to another attempt.
        """
        return self.rule.without_frames or self.breaks_transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFacts:
    """The facts about an attempt that its outcome depends on.

    Attributes:
        counts: Whether enough frames were received. An attempt with fewer is never held against the person.
        adverse: Whether its judgement is adverse to the person.
        stands: Whether the adverse judgement decides the check, however the attempt ends.
        retryable: Whether another attempt may decide.
        doubted: Whether doubt about the person prevented a decision, and not conditions.
        manipulated: Whether the device is certainly manipulated.
    """

    counts: bool
    adverse: bool
    stands: bool
    retryable: bool
    doubted: bool
    manipulated: bool


NO_FACTS = AttemptFacts(
    counts=False, adverse=False, stands=False, retryable=False, doubted=False, manipulated=False
)
"""The facts about an attempt that could not be judged."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of an attempt, and the data that the server keeps.

    Attributes:
        reason: The circumstance that the check's decision names; ``None`` if there is none.
        judgement: Whether its judgement is kept.
    """

    outcome: AttemptOutcome
    reason: FailureReason | None
    judgement: bool
    images: Images


def ending_of(error: BaseException | None, *, failed: bool, draining: bool, cancelled: bool) -> Ending:
    """Return the ending of a stream.

    Args:
        error: The exception that the stream's work raised; ``None`` if the work finished, as it does when the
            server stops.
        failed: Whether the server failed to conclude an attempt. The device may have disconnected since.
        draining: Whether the server is about to stop.
        cancelled: Whether the person cancelled the last attempt.
    """
    match error:
        case None:
            return Ending(EndedBy.SERVER_STOPPED)
        case LeaseLost() | Conflict():
            return Ending(EndedBy.SUPERSEDED)
        case CheckClosing():
            return Ending(EndedBy.CHECK_CLOSED, error.reason)
        case StreamEnded():
            return Ending(EndedBy.HALF_CLOSED, FailureReason.CANCELLED if cancelled else None)
        case ScanDeadlinePassed():
            return Ending(EndedBy.DEADLINE)
        case Refusal():
            broken = error.reason in TAMPERING
            return Ending(EndedBy.REFUSED, FailureReason.TRANSCRIPT_BROKEN if broken else None)
        case ConnectionLost() | asyncio.CancelledError() if not failed:
            return Ending(EndedBy.SERVER_STOPPED if draining else EndedBy.CONNECTION_LOST)
        case _:
            return Ending(EndedBy.SERVER_FAULT)


def follow(state: State, ended_by: EndedBy) -> State:
    """Return the state of an attempt after ``ended_by``.

    Raises:
        ValueError: The attempt was left already, or is signed and cannot be signed again.
    """
    if ended_by is not EndedBy.SIGNED and state is not State.LEFT:
        return State.LEFT
    if ended_by is EndedBy.SIGNED and state is State.RUNNING:
        return State.SIGNED
    raise ValueError(f"an attempt that is {state} cannot end by {ended_by}")


def settle_signed(facts: AttemptFacts, *, another: bool, cancelled: bool) -> Settlement:
    """Settle a SIGNED attempt.

    An attempt that the person cancelled never leads to SUCCESS. An adverse judgement of its frames stands.
    Doubt that is left at the end is no bad light: the check counts as failed, and not as a quarter.

    Args:
        another: Whether another attempt may start.
        cancelled: Whether the attempt ended because the person cancelled.
    """
    adverse = facts.adverse or facts.manipulated
    images = Images.NAMED if adverse else Images.NEEDED
    undecided = not facts.manipulated and (facts.retryable or (cancelled and not facts.adverse))
    if undecided and another:
        return Settlement(AttemptOutcome.RETRY, None, judgement=True, images=images)
    reason = None
    if undecided and cancelled:
        reason = FailureReason.CANCELLED
    elif undecided and not facts.doubted:
        reason = FailureReason.CONDITIONS
    return Settlement(AttemptOutcome.DECIDED, reason, judgement=True, images=images)


def settle_left(facts: AttemptFacts, ending: Ending) -> Settlement:
    """Settle a LEFT attempt, whose frames count even though the device left.

    An adverse judgement that stands decides the check, and so does a device that is certainly manipulated.
    Neither leaving nor a newer stream undoes this. Any other attempt decides nothing, and is used up once its
    frames count.
    """
    # 1. A manipulated device or an adverse judgement that stands decides the check.
    if facts.manipulated or (facts.counts and facts.stands):
        return Settlement(
            AttemptOutcome.DECIDED,
            ending.reason if ending.breaks_transcript else None,
            judgement=True,
            images=Images.NAMED,
        )
    # 2. Any other attempt is interrupted. Its judgement is kept if it counts and is not adverse.
    holds = facts.counts and not facts.adverse
    return Settlement(
        AttemptOutcome.INTERRUPTED,
        None,
        judgement=ending.rule.judgement and holds,
        images=ending.rule.images,
    )
