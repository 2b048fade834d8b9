"""How an attempt ends, and what that leaves of it and of its check: one state machine. Pure.

::

    ┌─────────┐  AttemptEnd   ┌────────┐  only conditions stood in the way,
    │ RUNNING │ ────────────► │ SIGNED │  and another attempt may start ───► RETRY      the next attempt runs
    └─────────┘               └────────┘  anything else ───────────────────► DECIDED    the check is decided
         │                        │
         │ any other ending       │ its outcome did not become durable
         ▼                        ▼
    ┌──────────────────────────────────┐  what was seen stands ────────────► DECIDED    the check is decided
    │               LEFT               │
    └──────────────────────────────────┘  anything else ───────────────────► INTERRUPTED
                                                                                  │
           the ending closes the check, which is decided by what there is ◄───────┤
           the check stays open, and its device may come back ◄───────────────────┤
           a newer stream has the check ◄─────────────────────────────────────────┘

What ended the attempt (``EndedBy``) says what is kept of one that was left, and what becomes of its check:
``RULES``. An ending that should close the check and cannot is followed by another one, which closes nothing
(``ending_of`` what went wrong). An attempt without a frame stands nowhere, unless the server ended it or the
device broke its transcript.
``server.scan.ender`` does the work.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from server.checks.running import CheckClosing
from server.domain.terms import AttemptOutcome, EndedBy
from server.errors import Reason, Refusal
from server.scan.inbox import ConnectionLost, StreamEnded
from server.storage.errors import Conflict
from server.verdict import FailureReason

__all__ = [
    "RULES",
    "TAMPERING",
    "UNSEEN",
    "Ending",
    "LeaseLost",
    "Pictures",
    "Rule",
    "ScanDeadlinePassed",
    "Seen",
    "Settlement",
    "State",
    "ending_of",
    "follow",
    "settle_left",
    "settle_signed",
]

TAMPERING = frozenset(
    {
        Reason.FRAME_OUT_OF_ORDER,
        Reason.FRAME_MAC_INVALID,
        Reason.FRAME_TIME_INVALID,
        Reason.ATTEMPT_END_INVALID,
    }
)
"""Refusals after which the check is over: an honest device never breaks its own transcript."""


class LeaseLost(Exception):
    """A newer stream of the same scan took over."""


class ScanDeadlinePassed(Exception):
    """The scan's deadline passed."""


class State(StrEnum):
    """Where an attempt stands that has no ``AttemptOutcome`` yet."""

    RUNNING = "RUNNING"
    SIGNED = "SIGNED"
    LEFT = "LEFT"


class Pictures(StrEnum):
    """Which of an attempt's pictures are kept with what is written of it."""

    NONE = "NONE"
    ALL_OR_NONE = "ALL_OR_NONE"
    """A store that is away keeps nothing else from being written."""
    NAMED = "NAMED"
    """Also those that could not be stored are named: what speaks against somebody stands without them."""
    NEEDED = "NEEDED"
    """One that could not be stored is a fault of the server, and nothing is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What becomes of an attempt that was left, and of its check, where what was seen does not decide it.

    Attributes:
        closes: Why the check is closed; ``None`` where it stays open.
        resumable: Whether the device of a check that stays open may come back; not to a newer stream's.
        judgement: Whether what the attempt was judged to be is kept. Else it need not be judged at all.
        pictures: Which of its pictures are kept.
        without_frames: Whether an attempt without a frame stands, too: else nothing would say that the person
            was not to blame.
        fenced: What stands as having ended it where a newer stream has the lease.
    """

    closes: FailureReason | None = None
    resumable: bool = False
    judgement: bool = True
    pictures: Pictures = Pictures.ALL_OR_NONE
    without_frames: bool = False
    fenced: EndedBy = EndedBy.SUPERSEDED


RULES: Mapping[EndedBy, Rule] = MappingProxyType(
    {
        EndedBy.HALF_CLOSED: Rule(closes=FailureReason.ABANDONED),
        EndedBy.CONNECTION_LOST: Rule(resumable=True),
        EndedBy.SUPERSEDED: Rule(pictures=Pictures.NONE),
        EndedBy.REFUSED: Rule(resumable=True),
        EndedBy.DEADLINE: Rule(closes=FailureReason.EXPIRED),
        EndedBy.CHECK_CLOSED: Rule(closes=FailureReason.CANCELLED),
        EndedBy.SERVER_FAULT: Rule(
            resumable=True,
            judgement=False,
            pictures=Pictures.NONE,
            without_frames=True,
            fenced=EndedBy.SERVER_FAULT,
        ),
        EndedBy.SERVER_STOPPED: Rule(resumable=True, without_frames=True),
    }
)
"""By everything that ends an attempt but the device's signature."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What ended a stream, and with it the attempt that still ran.

    Attributes:
        by: What ended it; anything but SIGNED.
        reason: Why the check is closed, where that is not the rule's own reason. It closes the check also
            where the rule would leave it open.
    """

    by: EndedBy
    reason: FailureReason | None = None

    @property
    def rule(self) -> Rule:
        """What holds for it."""
        return RULES[self.by]

    @property
    def closes(self) -> FailureReason | None:
        """Why the check is closed where nothing that was seen decides it; ``None`` where it stays open."""
        return self.reason or self.rule.closes

    @property
    def breaks_transcript(self) -> bool:
        """Whether the device broke the transcript of its attempt."""
        return self.reason is FailureReason.TRANSCRIPT_BROKEN

    @property
    def without_frames(self) -> bool:
        """Whether an attempt that it ended stands also without a frame: else a break would seem another's."""
        return self.rule.without_frames or self.breaks_transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an attempt showed, as far as its outcome depends on it.

    Attributes:
        counts: Whether enough of its frames were accepted. Too short a look speaks against nobody.
        adverse: Whether its judgement speaks against the person.
        stands: Whether that judgement decides the check however the attempt ends.
        retryable: Whether only conditions stood in the way of a decision.
        manipulated: Whether the device shows for certain that it was manipulated.
    """

    counts: bool
    adverse: bool
    stands: bool
    retryable: bool
    manipulated: bool


UNSEEN = Seen(counts=False, adverse=False, stands=False, retryable=False, manipulated=False)
"""Of an attempt that could not be judged."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What stands of an attempt.

    Attributes:
        outcome: What came of it.
        reason: The circumstances that the check's decision names; ``None`` where there are none to name.
        judgement: Whether what it was judged to be is kept.
        pictures: Which of its pictures are kept.
    """

    outcome: AttemptOutcome
    reason: FailureReason | None
    judgement: bool
    pictures: Pictures


def ending_of(error: BaseException | None, *, failed: bool, draining: bool, cancelled: bool) -> Ending:
    """What ended a stream.

    Args:
        error: What its work raised; ``None`` where it came to its end, as it does when the server stops.
        failed: Whether the server failed to conclude an attempt. The device may be gone when that shows.
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
    """Where ``ended_by`` takes an attempt.

    Raises:
        ValueError: It has been left, or is signed and cannot be signed again.
    """
    if ended_by is not EndedBy.SIGNED and state is not State.LEFT:
        return State.LEFT
    if ended_by is EndedBy.SIGNED and state is State.RUNNING:
        return State.SIGNED
    raise ValueError(f"an attempt that is {state} cannot end by {ended_by}")


def settle_signed(seen: Seen, *, another: bool, cancelled: bool) -> Settlement:
    """What comes of a SIGNED attempt.

    Args:
        seen: What it showed.
        another: Whether another one may start.
        cancelled: Whether it ended because the person cancelled.
    """
    adverse = seen.adverse or seen.manipulated
    pictures = Pictures.NAMED if adverse else Pictures.NEEDED
    undecided = seen.retryable and not seen.manipulated
    if undecided and another:
        return Settlement(AttemptOutcome.RETRY, None, judgement=True, pictures=pictures)
    reason = None
    if undecided:
        reason = FailureReason.CANCELLED if cancelled else FailureReason.CONDITIONS
    return Settlement(AttemptOutcome.DECIDED, reason, judgement=True, pictures=pictures)


def settle_left(seen: Seen, ending: Ending) -> Settlement:
    """What comes of a LEFT attempt. Whoever leaves early leaves what was seen of them.

    An adverse judgement that stands decides the check, and so does a device that shows for certain that it
    was manipulated: leaving takes nothing back, nor does a newer stream. Anything else decides nothing, and
    costs an attempt once its frames count.
    """
    if seen.manipulated or (seen.counts and seen.stands):
        return Settlement(
            AttemptOutcome.DECIDED,
            ending.reason if ending.breaks_transcript else None,
            judgement=True,
            pictures=Pictures.NAMED,
        )
    speaks = seen.counts and not seen.adverse
    return Settlement(
        AttemptOutcome.INTERRUPTED,
        None,
        judgement=ending.rule.judgement and speaks,
        pictures=ending.rule.pictures,
    )
