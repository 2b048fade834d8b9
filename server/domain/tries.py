"""How often a subject, a portrait or a device may fail over several checks. Pure: storage keeps the history.

Too many failed checks within a short window bring a lock, too many within a long one a block, however they
are spread. Checks whose scan began and that are not decided count as failures for as long as they last: else
any number of checks, scanned at once, would each be the first. A check that was left early, or failed by
conditions alone, counts a quarter: it lets nobody in, but does not let anybody try without an end either.
"""

import hmac
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from server.domain.reasons import ADVERSE, CheckStatus, FailureReason

__all__ = [
    "BUSY_SECONDS",
    "EarlierAttacks",
    "Standing",
    "Tried",
    "TryKind",
    "TryMark",
    "TryRules",
    "TrySetting",
    "judge_tries",
    "portrait_mark",
    "subject_mark",
    "tried",
]

BUSY_SECONDS: Final = 10.0
"""When to ask again where only scans that run now stand in the way."""

_DOMAIN: Final = b"facegate/v1/tries/"
_ATTACKS = frozenset({FailureReason.SPOOF, FailureReason.IDENTITY_CHANGED, FailureReason.DEVICE_MANIPULATED})
_LEFT = frozenset({FailureReason.ABANDONED, FailureReason.CANCELLED, FailureReason.EXPIRED})


class TryKind(StrEnum):
    """What is limited."""

    SUBJECT = "subject"
    """The orchestrator's reference to the person."""
    PORTRAIT = "portrait"
    """The bytes of the trusted image."""
    DEVICE = "device"
    """A verified key of the device that outlives a scan."""


class Tried(StrEnum):
    """What a check counts as."""

    CREATED = "created"
    """Nothing yet: nobody scanned."""
    UNCLEAR = "unclear"
    """It failed by conditions alone, or was left before enough was seen to judge it."""
    BEGUN = "begun"
    """A scan began and is not decided."""
    FAILED = "failed"
    """It failed."""
    ATTACK = "attack"
    """It failed because of an attack on liveness or by a manipulated device."""


_FAILURE: Final = 4
_POINTS: Final[Mapping[Tried, int]] = {
    Tried.CREATED: 0,
    Tried.UNCLEAR: 1,
    Tried.BEGUN: _FAILURE,
    Tried.FAILED: _FAILURE,
    Tried.ATTACK: _FAILURE,
}


@dataclass(frozen=True, slots=True)
class TryMark:
    """What is limited, as storage knows it.

    Attributes:
        kind: What it is.
        mark: HMAC of it under a key of the tenant, 32 bytes.
    """

    kind: TryKind
    mark: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TryRules:
    """The limits; see ``server.settings_failures.FailureLimits``.

    Attributes:
        maximum: Failed checks within ``window`` that bring a lock.
        window: Within which failures are counted together.
        lock: How long a lock lasts.
        block_maximum: Failed checks within ``block`` that bring a block.
        block: Within which failures are counted for a block, and how long it lasts.
    """

    maximum: int
    window: timedelta
    lock: timedelta
    block_maximum: int
    block: timedelta

    @property
    def reach(self) -> timedelta:
        """Older checks change nothing: a block that lasts counted failures from before it began."""
        return 2 * max(self.window, self.block)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrySetting:
    """The limits of real checks and of sandbox checks.

    Attributes:
        real: Of real checks.
        sandbox: Of sandbox checks.
        remembered: How long failures are kept, for locks and for the signals about earlier attacks.
    """

    real: TryRules
    sandbox: TryRules
    remembered: timedelta

    def of(self, *, sandbox: bool) -> TryRules:
        """The limits of a check."""
        return self.sandbox if sandbox else self.real


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierAttacks:
    """How many earlier checks failed by an attack (``Tried.ATTACK``), as far as they are remembered.

    Attributes:
        subject: Of the same subject reference; ``None`` without one.
        device: By the same device; ``None`` where it showed no verified key that outlives a scan.
    """

    subject: int | None = None
    device: int | None = None


class Standing(StrEnum):
    """Whether a further try is allowed."""

    ALLOWED = "allowed"
    BUSY = "busy"
    """Failures and scans that run now make up the maximum."""
    LOCKED = "locked"
    BLOCKED = "blocked"


def judge_tries(
    history: Iterable[tuple[Tried, datetime]], *, rules: TryRules, now: datetime
) -> tuple[Standing, datetime]:
    """Whether a further try is allowed, and from when on it is.

    Failures during a lock belong to scans that ran when it began; they neither prolong nor repeat it.

    Args:
        history: What earlier checks count as, and when they were decided, in any order.
        rules: The limits.
        now: The time.

    Returns:
        The standing and its end: ``now`` where it is ALLOWED, else later than ``now``.
    """
    known = tuple(history)
    running = sum(_POINTS[outcome] for outcome, _ in known if outcome is Tried.BEGUN)
    over = sorted((time, _POINTS[outcome]) for outcome, time in known if outcome is not Tried.BEGUN)
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
    return [one for one in tries if one[0] > start]


def _sum(tries: Iterable[tuple[datetime, int]]) -> int:
    return sum(points for _, points in tries)


def tried(status: CheckStatus, reasons: Sequence[FailureReason], *, frames_counted: bool) -> Tried | None:
    """What a decided check counts as; ``None`` where it does not count.

    A fault of the server never counts. Conditions alone, such as bright light, are UNCLEAR: whoever has bad
    light is not to be locked out. So is a scan that was left before enough frames came to judge it.

    Args:
        status: The check's status.
        reasons: Its reasons.
        frames_counted: Whether one of its attempts counted.
    """
    told = frozenset(reasons)
    if status is not CheckStatus.FAILURE:
        return None
    if told & _ATTACKS:
        return Tried.ATTACK
    if told & ADVERSE:
        return Tried.FAILED
    if FailureReason.CONDITIONS in told or (told & _LEFT and not frames_counted):
        return Tried.UNCLEAR
    return Tried.FAILED


def subject_mark(reference: str, *, tenant_key: bytes) -> TryMark:
    """The mark of a subject reference, however its accents are encoded and whatever space surrounds it."""
    plain = unicodedata.normalize("NFC", reference).strip()
    return TryMark(TryKind.SUBJECT, _mark(TryKind.SUBJECT, plain.encode(), tenant_key))


def portrait_mark(image: bytes, *, tenant_key: bytes) -> TryMark:
    """The mark of a trusted image's bytes. One changed byte makes another portrait of it."""
    return TryMark(TryKind.PORTRAIT, _mark(TryKind.PORTRAIT, image, tenant_key))


def _mark(kind: TryKind, value: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _DOMAIN + kind.value.encode() + b"\0" + value, "sha256")
