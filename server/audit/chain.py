"""The hash chain of a tenant: each entry's hash covers the entry and the hash of the entry before it.

The bytes of an entry are, each with a length of 4 bytes (big-endian) before it::

    "facegate/v1/audit", the hash of the entry before (32 bytes; zeros before the first), tenant,
    sequence (8 bytes), time in microseconds since 1970 UTC (8 bytes), action, actor, role, address,
    check identifier, pseudonym, purpose, detail (JSON as stored)

in UTF-8; an absent identifier or pseudonym has the length 0. The hash is SHA-256 of these bytes.

The verification finds altered, removed, inserted, reordered and truncated entries. They are given in the
order of their sequence, one after the other, so that a log of any length can be verified. After a problem,
the verification continues from the stored hash, so that it finds further ones.

The checkpoints of all tenants form a chain, too: its newest one is a head over all logs. A witness keeps the
newest checkpoint of each tenant outside the database. A log extends the witness if the head of the witness is
in its chain, and each later checkpoint follows the one before it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from server.audit.checkpoint import KEY_MISSING, Checkpoint, CheckpointKeys, SignedCheckpoint, digest_of
from server.audit.event import AuditEvent, CheckpointInvalid

GENESIS: Final = bytes(32)
"""The hash before the first entry of a tenant."""
_DOMAIN: Final = b"facegate/v1/audit"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LARGEST: Final = 2**63
_MOST_PROBLEMS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An entry as it is stored and exported.

    Attributes:
        sequence: The position in the chain, from 1.
        time_us: Microseconds since 1970, UTC.
        action: A value of ``AuditAction``, or one of a newer version.
        check_id: The check, as a UUID in lower case; ``None`` if it concerns none.
        pseudonym: The person's pseudonym, 64 hexadecimal digits; ``None`` if it concerns none.
        detail: Further facts: a JSON object of texts, with sorted keys.
        hash: The hash of the entry, 64 hexadecimal digits.
    """

    tenant: str
    sequence: int
    time_us: int
    action: str
    actor: str
    role: str
    address: str
    check_id: str | None
    pseudonym: str | None
    purpose: str
    detail: str
    hash: str

    @property
    def time(self) -> datetime:
        """The time of the entry, UTC; the largest one for a number out of range, as in an altered entry."""
        try:
            return _EPOCH + self.time_us * _MICROSECOND
        except OverflowError:
            return datetime.max.replace(tzinfo=UTC)

    @property
    def details(self) -> Mapping[str, str]:
        """The further facts; empty if ``detail`` is not a JSON object of texts, as in an altered entry."""
        try:
            found = json.loads(self.detail)
        except (ValueError, RecursionError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {str(key): value for key, value in found.items() if isinstance(value, str)}


def make_entry(
    event: AuditEvent, *, sequence: int, previous: bytes, pseudonym: bytes | None, now: datetime
) -> AuditEntry:
    """Return the entry of an event.

    Args:
        sequence: The position in the tenant's chain, from 1.
        previous: The hash of the entry before it, 32 bytes; ``GENESIS`` for the first.
        pseudonym: The pseudonym of ``event.subject``, 32 bytes.
    """
    entry = AuditEntry(
        tenant=event.tenant,
        sequence=sequence,
        time_us=(now - _EPOCH) // _MICROSECOND,
        action=event.action.value,
        actor=event.actor.name,
        role=event.actor.role,
        address=event.actor.address,
        check_id=None if event.check_id is None else str(event.check_id),
        pseudonym=None if pseudonym is None else pseudonym.hex(),
        purpose=event.purpose,
        detail=detail_text(event.detail),
        hash="",
    )
    return replace(entry, hash=entry_hash(entry, previous=previous).hex())


def detail_text(detail: Mapping[str, str]) -> str:
    """Return further facts as the text that is stored and hashed."""
    return json.dumps(dict(detail), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def entry_hash(entry: AuditEntry, *, previous: bytes) -> bytes:
    """Return the hash of an entry after ``previous``, 32 bytes. ``entry.hash`` is not part of it."""
    return sha256(encode_entry(entry, previous=previous)).digest()


def encode_entry(entry: AuditEntry, *, previous: bytes) -> bytes:
    """Return the bytes of an entry that its hash covers; see the module."""
    texts = (
        entry.action,
        entry.actor,
        entry.role,
        entry.address,
        entry.check_id or "",
        entry.pseudonym or "",
        entry.purpose,
        entry.detail,
    )
    parts = (
        _DOMAIN,
        previous,
        _bytes(entry.tenant),
        _number(entry.sequence),
        _number(entry.time_us),
        *(_bytes(text) for text in texts),
    )
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _bytes(text: str) -> bytes:
    # A database that somebody altered may hold lone surrogates.
    return text.encode("utf-8", "surrogatepass")


def _number(value: int) -> bytes:
    # Altered numbers may be out of range; they get other bytes than every number in range.
    return value.to_bytes(8, "big", signed=True) if -_LARGEST <= value < _LARGEST else str(value).encode()


class ProblemKind(StrEnum):
    """The kind of a problem of a chain."""

    ALTERED = "altered"
    """The entry is not what its hash covers: it was altered, inserted, or moved to another position."""
    REMOVED = "removed"
    """Entries are missing in front of this one."""
    INSERTED = "inserted"
    """The entry has a sequence that another entry has, or stands behind the head of the chain."""
    TRUNCATED = "truncated"
    """The newest entries are missing: the head or a checkpoint states a higher sequence."""
    HEAD_ALTERED = "head_altered"
    """The head is missing, or states another hash than the entry of its sequence."""
    REWRITTEN = "rewritten"
    """A checkpoint states another hash for the entry of its sequence: the chain was computed again."""
    CHECKPOINT_INVALID = "checkpoint_invalid"
    """A checkpoint is not signed by a known key, or its row states something else than its signature."""
    CHECKPOINT_REMOVED = "checkpoint_removed"
    """A checkpoint is missing, or is not the one that the next one or a copy refers to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem of a chain.

    Attributes:
        sequence: The entry, or, for problems of checkpoints, the number of the checkpoint.
        explanation: A sentence for people.
    """

    tenant: str
    kind: ProblemKind
    sequence: int
    explanation: str

    @property
    def key_missing(self) -> bool:
        """Whether a checkpoint cannot be verified, because the public key that it names is not given."""
        return self.kind is ProblemKind.CHECKPOINT_INVALID and KEY_MISSING in self.explanation

    def __str__(self) -> str:
        return f"{self.tenant}: {self.kind.value} at {self.sequence}: {self.explanation}"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry of a chain, as the head row states it.

    Attributes:
        hash: The hash of the entry, 64 hexadecimal digits.
    """

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of the verification of one chain.

    Attributes:
        covered: The highest sequence that a valid checkpoint covers; 0 for none. Later entries are chained,
            but no signature protects them yet.
        covered_time: The time of that checkpoint; ``None`` for none.
        problems: The problems, at most 1000; none if the chain is whole.
    """

    tenant: str
    entries: int
    checkpoints: int
    covered: int
    covered_time: datetime | None
    problems: tuple[Problem, ...]

    @property
    def whole(self) -> bool:
        """Whether there is no problem."""
        return not self.problems


class ChainVerifier:
    """Verifies one chain: ``verify_entry`` for every entry in order, then ``finish``."""

    def __init__(
        self,
        tenant: str,
        *,
        checkpoints: Iterable[SignedCheckpoint],
        keys: CheckpointKeys,
        saved: Iterable[str] = (),
        start: Head | None = None,
    ) -> None:
        """Verify the checkpoints.

        Args:
            checkpoints: The stored checkpoints of the tenant, by their number.
            saved: Copies (JWS) of checkpoints of this tenant that were kept elsewhere.
            start: The entry in front of the first one that is taken, in an export that begins later;
                ``None`` for a whole chain.
        """
        self._tenant = tenant
        self._problems: list[Problem] = []
        self._expected: dict[int, list[Checkpoint]] = {}
        self._number = 0
        self._entries = 0
        self._sequence = 0
        self._previous = GENESIS
        self._covered = 0
        self._covered_time: datetime | None = None
        self._take_checkpoints(checkpoints, keys=keys, saved=tuple(saved))
        if start is not None:
            self._begin(start)

    def verify_entry(self, entry: AuditEntry) -> None:
        """Verify the next entry."""
        self._entries += 1
        # 1. Does it follow the entry before it?
        expected = self._sequence + 1
        if entry.sequence > expected:
            self._add(
                ProblemKind.REMOVED,
                entry.sequence,
                f"the entries {expected} to {entry.sequence - 1} are missing",
            )
            self._pass(entry.sequence)
        elif entry.sequence < expected:
            self._add(ProblemKind.INSERTED, entry.sequence, "there is another entry of this sequence")
        # 2. Does its hash cover its content and the entry before it?
        computed = entry_hash(entry, previous=self._previous)
        # Behind a gap, the hash of the missing entry is not known, so this entry cannot be recomputed.
        if entry.tenant != self._tenant or (computed.hex() != entry.hash and entry.sequence <= expected):
            self._add(
                ProblemKind.ALTERED,
                entry.sequence,
                "its content and the entry before it do not have its hash: it was altered, inserted or moved",
            )
        # 3. Do the signed checkpoints of this sequence state the same hash?
        self._compare(entry.sequence, entry.hash)
        self._sequence = max(self._sequence, entry.sequence)
        self._previous = _hash_bytes(entry.hash) or computed

    def report_unhashed(self, sequence: int, fields: Sequence[str]) -> None:
        """Report fields of an entry's line in an export that are not what its hash covers."""
        self._add(
            ProblemKind.ALTERED,
            sequence,
            f"fields of its line are not what its hash covers: {', '.join(fields)}",
        )

    def before_the_first(self, sequence: int) -> None:
        """Report a row with a number below 1, the number of the first entry."""
        self._add(ProblemKind.INSERTED, sequence, "its number is below that of the first entry")

    def report_unreadable(self, sequence: int) -> None:
        """Report an entry whose row cannot be read as an entry."""
        self._entries += 1
        self._add(ProblemKind.ALTERED, sequence, "its row holds values that no entry has")
        self._sequence = max(self._sequence, sequence)
        self._previous = b""

    def finish(self, head: Head | None) -> Report:
        """Compare the end of the chain with its head and the checkpoints, and return the report."""
        # 1. Does the head of the chain name its last entry?
        if head is None:
            if self._sequence or self._number:
                self._add(ProblemKind.HEAD_ALTERED, self._sequence, "the head of the chain is missing")
        elif head.sequence > self._sequence:
            self._add(
                ProblemKind.TRUNCATED,
                self._sequence + 1,
                f"the entries {self._sequence + 1} to {head.sequence} are missing at the end",
            )
        elif head.sequence < self._sequence:
            self._add(
                ProblemKind.INSERTED,
                head.sequence + 1,
                f"the entries {head.sequence + 1} to {self._sequence} stand behind the head of the chain",
            )
        elif self._sequence and _hash_bytes(head.hash) != self._previous:
            self._add(ProblemKind.HEAD_ALTERED, head.sequence, "the head states another hash")
        # 2. Was every entry that a checkpoint covers there?
        for sequence in sorted(self._expected):
            checkpoint = self._expected[sequence][0]
            self._add(
                ProblemKind.TRUNCATED,
                sequence,
                f"checkpoint {checkpoint.number} of {checkpoint.time:%Y-%m-%dT%H:%M:%SZ} covers entry "
                f"{sequence}, and the chain ends at {self._sequence}",
            )
        return Report(
            tenant=self._tenant,
            entries=self._entries,
            checkpoints=self._number,
            covered=self._covered,
            covered_time=self._covered_time,
            problems=tuple(self._problems),
        )

    def _begin(self, start: Head) -> None:
        self._pass(start.sequence)
        self._compare(start.sequence, start.hash)
        self._sequence, self._previous = start.sequence, _hash_bytes(start.hash)

    def _pass(self, sequence: int) -> None:
        for passed in [found for found in self._expected if found < sequence]:
            del self._expected[passed]

    def _compare(self, sequence: int, stated: str) -> None:
        for checkpoint in self._expected.pop(sequence, ()):
            if checkpoint.hash == stated:
                if checkpoint.sequence >= self._covered:
                    self._covered, self._covered_time = checkpoint.sequence, checkpoint.time
            else:
                self._add(
                    ProblemKind.REWRITTEN,
                    sequence,
                    f"checkpoint {checkpoint.number} of {checkpoint.time:%Y-%m-%dT%H:%M:%SZ} states another "
                    "hash",
                )

    def _take_checkpoints(
        self, checkpoints: Iterable[SignedCheckpoint], *, keys: CheckpointKeys, saved: tuple[str, ...]
    ) -> None:
        digests: dict[int, str] = {}
        previous, before = "", 0
        for found in checkpoints:
            number = found.number
            self._number += 1
            try:
                signed = keys.verify(found.jws)
            except CheckpointInvalid as error:
                self._add(ProblemKind.CHECKPOINT_INVALID, number, str(error))
            else:
                # Without the position, the chain over all logs would not have it.
                if found.tenant != self._tenant or not found.agrees_with(signed):
                    self._add(
                        ProblemKind.CHECKPOINT_INVALID, number, "its row differs from what its key signed"
                    )
                if number != before + 1 or signed.previous != previous:
                    self._add(
                        ProblemKind.CHECKPOINT_REMOVED,
                        number,
                        "the checkpoint before it is missing, or another one",
                    )
                self._expected.setdefault(signed.sequence, []).append(signed)
            digests[number] = previous = digest_of(found.jws).hex()
            before = number
        for copy in saved:
            try:
                signed = keys.verify(copy)
            except CheckpointInvalid as error:
                self._add(ProblemKind.CHECKPOINT_INVALID, 0, f"a copy: {error}")
                continue
            if signed.tenant != self._tenant:
                continue
            if digests.get(signed.number) != digest_of(copy).hex():
                self._add(
                    ProblemKind.CHECKPOINT_REMOVED,
                    signed.number,
                    f"the log lacks this checkpoint of {signed.time:%Y-%m-%dT%H:%M:%SZ}, which covers the "
                    f"entries up to {signed.sequence} and of which there is a copy",
                )
                self._expected.setdefault(signed.sequence, []).append(signed)

    def _add(self, kind: ProblemKind, sequence: int, explanation: str) -> None:
        if len(self._problems) < _MOST_PROBLEMS:
            self._problems.append(
                Problem(tenant=self._tenant, kind=kind, sequence=sequence, explanation=explanation)
            )


def _hash_bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except (ValueError, TypeError):
        return b""


ALL_LOGS: Final = "*"
"""Stands for all tenants where a problem or a head has one; no tenant has this name."""


@dataclass(frozen=True, slots=True)
class NewestCheckpoint:
    """The newest checkpoint of a tenant: what it states, and its JWS."""

    content: Checkpoint
    jws: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LostCheckpoints:
    """Positions that the log lacks, as an operator accepted."""

    first: int
    last: int
    time: datetime


@dataclass(slots=True)
class CheckpointChain:
    """Follows the chain from one position to a later one.

    Attributes:
        position: The position of the newest checkpoint; 0 for none.
        digest: The SHA-256 of its JWS, 64 hexadecimal digits; empty for none.
        problems: All that does not fit, under the tenant ``ALL_LOGS`` and by position; at most 1000.
        lost: What operators accepted as lost.
        accepted_at: The position of the newest checkpoint by which an operator accepted a log; 0 for none.
        copies: The digests of checkpoints that the chain must still pass, by their position.
    """

    position: int = 0
    digest: str = ""
    newest: dict[str, NewestCheckpoint] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    lost: list[LostCheckpoints] = field(default_factory=list)
    accepted_at: int = 0
    open_problems: list[Problem] = field(default_factory=list)
    copies: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of_witness(cls, witnessed: Iterable[str], keys: CheckpointKeys) -> "CheckpointChain":
        """Return the chain up to the newest of the given checkpoints (JWS).

        One that is malformed, or that no known key signed, becomes a problem.
        """
        chain = cls()
        for signed in witnessed:
            try:
                content = keys.verify(signed)
            except CheckpointInvalid as error:
                chain.add(
                    ProblemKind.CHECKPOINT_INVALID, 0, f"one of the witness cannot be verified: {error}"
                )
                continue
            known = chain.newest.get(content.tenant)
            if known is None or known.content.position < content.position:
                chain.newest[content.tenant] = NewestCheckpoint(content, signed)
            if content.position > chain.position:
                chain.position, chain.digest = content.position, digest_of(signed).hex()
        return chain

    def copied(self) -> "CheckpointChain":
        """Return a copy, without its problems and losses."""
        return CheckpointChain(position=self.position, digest=self.digest, newest=dict(self.newest))

    def witness(self) -> tuple[str, ...]:
        """Return the newest checkpoint of each tenant (JWS) in the order of their positions."""
        ordered = sorted(self.newest.values(), key=lambda newest: newest.content.position)
        return tuple(newest.jws for newest in ordered)

    def extend(self, checkpoints: Iterable[SignedCheckpoint], keys: CheckpointKeys) -> None:
        """Add the next checkpoints, in the order of their positions, and note what does not fit.

        A checkpoint by which an operator accepted the log forgets the newest checkpoints before it.
        """
        for found in checkpoints:
            position = found.position
            try:
                signed = keys.verify(found.jws)
            except CheckpointInvalid as error:
                self.add(ProblemKind.CHECKPOINT_INVALID, position, str(error))
            else:
                if not found.agrees_with(signed):
                    self.add(
                        ProblemKind.CHECKPOINT_INVALID, position, "its row differs from what its key signed"
                    )
                self._follow(signed)
                self.newest[signed.tenant] = NewestCheckpoint(signed, found.jws)
            self.position, self.digest = position, digest_of(found.jws).hex()
            if self.copies.get(position) == self.digest:
                del self.copies[position]

    def finish(self) -> None:
        """Note the copies that the whole chain did not pass, unless an operator accepted their loss."""
        for position in sorted(self.copies):
            if not any(one.first <= position <= one.last for one in self.lost):
                self.add(
                    ProblemKind.CHECKPOINT_REMOVED,
                    position,
                    "the log lacks the checkpoint of this position, of which there is a copy",
                )

    def add(self, kind: ProblemKind, position: int, explanation: str) -> None:
        """Note a problem."""
        if len(self.problems) < _MOST_PROBLEMS:
            problem = Problem(tenant=ALL_LOGS, kind=kind, sequence=position, explanation=explanation)
            self.problems.append(problem)
            self.open_problems.append(problem)

    def _follow(self, signed: Checkpoint) -> None:
        expected, position = self.position + 1, signed.position
        if signed.accepted:
            if self.digest not in {signed.before, signed.accepted}:
                self.add(
                    ProblemKind.CHECKPOINT_REMOVED,
                    position,
                    "an operator accepted another log than the one before it",
                )
            elif position > expected:
                self.lost.append(LostCheckpoints(first=expected, last=position - 1, time=signed.time))
            self.accepted_at = position
            self.open_problems.clear()
            self.newest.clear()
        elif position != expected:
            self.add(
                ProblemKind.CHECKPOINT_REMOVED,
                position,
                f"of all logs, the checkpoints {expected} to {position - 1} are missing in front of it",
            )
        elif signed.before != self.digest:
            self.add(ProblemKind.CHECKPOINT_REMOVED, position, "the checkpoint in front of it is another one")
