"""Limits on failed checks of one subject, portrait or device. The module is pure; storage keeps the history.

Too many failed checks within a short window cause a lock. Too many within a long window cause a block,
however they are spread. A running scan counts as a failure until its check is decided; otherwise any number
of checks could be scanned at once, each as the first. A check that was left early, or that failed by
conditions alone, counts a quarter: it accepts no one, but it must not allow unlimited tries either.
"""

import hmac
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from server.domain.terms import ADVERSE, CheckStatus, FailureReason

BUSY_SECONDS: Final = 10.0
"""When to ask again if only running scans exceed the limit."""

_DOMAIN: Final = b"facegate/v1/tries/"
_ATTACKS = frozenset({FailureReason.SPOOF, FailureReason.IDENTITY_CHANGED, FailureReason.DEVICE_MANIPULATED})
_LEFT = frozenset({FailureReason.ABANDONED, FailureReason.CANCELLED, FailureReason.EXPIRED})


class TryKind(StrEnum):
    """The kind of a mark that the limits apply to."""

    SUBJECT = "subject"
    """The orchestrator's reference to the person."""
    PORTRAIT = "portrait"
    """The bytes of the trusted image."""
    DEVICE = "device"
    """A verified key of the device that outlives a scan."""


class TryOutcome(StrEnum):
    """How a check counts towards the limits."""

    CREATED = "created"
    """Not at all: no scan has begun."""
    UNCLEAR = "unclear"
    """It failed by conditions alone, or was left before enough frames arrived to judge it."""
    BEGUN = "begun"
    """A scan began and the check is not decided."""
    FAILED = "failed"
    """It failed."""
    ATTACK = "attack"
    """It failed because of an attack on liveness or a manipulated device."""


_FAILURE: Final = 4
_POINTS: Final[Mapping[TryOutcome, int]] = {
    TryOutcome.CREATED: 0,
    TryOutcome.UNCLEAR: 1,
    TryOutcome.BEGUN: _FAILURE,
    TryOutcome.FAILED: _FAILURE,
    TryOutcome.ATTACK: _FAILURE,
}


@dataclass(frozen=True, slots=True)
class TryMark:
    """A limited subject, portrait or device, in the form that storage knows.

    Attributes:
        kind: Whether the mark identifies a subject, a portrait or a device.
        mark: HMAC of its value under a key of the tenant, 32 bytes.
    """

    kind: TryKind
    mark: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TryRules:
    """The limits; see ``server.configuration.tables.FailureSettings``.

    Attributes:
        maximum: Failed checks within ``window`` that cause a lock.
        window: The period within which failures count together for a lock.
        lock: How long a lock lasts.
        block_maximum: Failed checks within ``block`` that cause a block.
        block: The period within which failures count together for a block, and the time that a block lasts.
    """

    maximum: int
    window: timedelta
    lock: timedelta
    block_maximum: int
    block: timedelta

    @property
    def reach(self) -> timedelta:
        """The age from which a check cannot count. An active block counted failures from before it began."""
        return 2 * max(self.window, self.block)


SANDBOX_RULES: Final = TryRules(
    maximum=1_000,
    window=timedelta(minutes=3),
    lock=timedelta(minutes=1),
    block_maximum=4_000,
    block=timedelta(minutes=1),
)
"""The limits of sandbox checks. Many of these fail in tests of an integration, so a lock takes many and lasts
a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrySetting:
    """The limits of real checks and of sandbox checks.

    Attributes:
        remembered: How long failures are kept, for locks and for the signals about earlier attacks.
    """

    real: TryRules
    sandbox: TryRules
    remembered: timedelta

    def limits_for(self, *, sandbox: bool) -> TryRules:
        """Return the limits of a check."""
        return self.sandbox if sandbox else self.real


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierAttacks:
    """The number of kept earlier checks that failed by an attack (``TryOutcome.ATTACK``).

    Attributes:
        subject: Of the same subject reference; ``None`` without a subject reference.
        device: By the same device; ``None`` if the device showed no verified key that outlives a scan.
    """

    subject: int | None = None
    device: int | None = None


class Standing(StrEnum):
    """Whether a further check may be scanned."""

    ALLOWED = "allowed"
    BUSY = "busy"
    """Failures and running scans together reach the maximum."""
    LOCKED = "locked"
    BLOCKED = "blocked"


def judge_tries(
    history: Iterable[tuple[TryOutcome, datetime]], *, rules: TryRules, now: datetime
) -> tuple[Standing, datetime]:
    """Decide whether a further check may be scanned, and if not, from when.

    Failures during a lock belong to scans that ran when it began; they neither prolong nor repeat the lock.

    Args:
        history: How earlier checks count and when they were decided, in any order.

    Returns:
        The standing and its end. The end is ``now`` if the standing is ALLOWED, otherwise later than ``now``.
    """
    known = tuple(history)
    running = sum(_POINTS[outcome] for outcome, _ in known if outcome is TryOutcome.BEGUN)
    over = sorted((time, _POINTS[outcome]) for outcome, time in known if outcome is not TryOutcome.BEGUN)
    lock, block = rules.maximum * _FAILURE, rules.block_maximum * _FAILURE
    recent: list[tuple[datetime, int]] = []
    long: list[tuple[datetime, int]] = []
    until, standing = now, Standing.ALLOWED
    for time, points in over:
        if standing is not Standing.ALLOWED and time < until:
            continue
        recent = [*_since(recent, time - rules.window), (time, points)]
        long = [*_since(long, time - rules.block), (time, points)]
        if _sum(long) >= block:
            standing, until = Standing.BLOCKED, time + rules.block
            recent, long = [], []
        elif _sum(recent) >= lock:
            standing, until = Standing.LOCKED, time + rules.lock
            recent = []
    if standing is not Standing.ALLOWED and now < until:
        return standing, until
    if (
        _sum(_since(recent, now - rules.window)) + running >= lock
        or _sum(_since(long, now - rules.block)) + running >= block
    ):
        return Standing.BUSY, now + timedelta(seconds=BUSY_SECONDS)
    return Standing.ALLOWED, now


def _since(tries: Iterable[tuple[datetime, int]], start: datetime) -> list[tuple[datetime, int]]:
    return [(time, points) for time, points in tries if time > start]


def _sum(tries: Iterable[tuple[datetime, int]]) -> int:
    return sum(points for _, points in tries)


def try_outcome(
    status: CheckStatus, reasons: Sequence[FailureReason], *, frames_counted: bool
) -> TryOutcome | None:
    """Return how a decided check counts towards the limits; ``None`` if it does not count.

    A fault of the server never counts. A check that failed by conditions alone, such as bright light, is
    UNCLEAR because bad light must not lock a person out. A scan that was left before enough frames arrived to
    judge it is UNCLEAR, too.

    Args:
        frames_counted: Whether one of its attempts counted.
    """
    given = frozenset(reasons)
    if status is not CheckStatus.FAILURE:
        return None
    if given & _ATTACKS:
        return TryOutcome.ATTACK
    if given & ADVERSE:
        return TryOutcome.FAILED
    if FailureReason.CONDITIONS in given or (given & _LEFT and not frames_counted):
        return TryOutcome.UNCLEAR
    return TryOutcome.FAILED


def subject_mark(reference: str, *, tenant_key: bytes) -> TryMark:
    """Return the mark of a subject reference, normalised to NFC and stripped of surrounding space."""
    plain = unicodedata.normalize("NFC", reference).strip()
    return TryMark(TryKind.SUBJECT, _mark(TryKind.SUBJECT, plain.encode(), tenant_key))


def portrait_mark(image: bytes, *, tenant_key: bytes) -> TryMark:
    """Return the mark of a trusted image's bytes. Images that differ in one byte have different marks."""
    return TryMark(TryKind.PORTRAIT, _mark(TryKind.PORTRAIT, image, tenant_key))


def _mark(kind: TryKind, value: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _DOMAIN + kind.value.encode() + b"\0" + value, "sha256")
