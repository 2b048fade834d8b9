"""The chain of the checkpoints of all tenants: its newest checkpoint is a head over all logs.

A witness keeps the newest checkpoint of each tenant outside the database. A log extends the witness if the
head of the witness is in its chain, and each later checkpoint follows the one before it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from server.audit.chain import Problem, ProblemKind
from server.audit.checkpoint import Checkpoint, CheckpointKeys, SignedCheckpoint, digest_of
from server.audit.errors import CheckpointInvalid

__all__ = ["ALL_LOGS", "CheckpointChain", "LostCheckpoints", "NewestCheckpoint"]

ALL_LOGS: Final = "*"
"""Stands for all tenants where a problem or a head has one; no tenant has this name."""
_MOST_PROBLEMS: Final = 1000


@dataclass(frozen=True, slots=True)
class NewestCheckpoint:
    """The newest checkpoint of a tenant: what it states, and its JWS."""

    content: Checkpoint
    jws: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LostCheckpoints:
    """Positions that the log lacks, as an operator accepted.

    Attributes:
        first: The first lost position.
        last: The last one.
        time: When the operator accepted it.
    """

    first: int
    last: int
    time: datetime


@dataclass(slots=True)
class CheckpointChain:
    """Follows the chain from one position to a later one.

    Attributes:
        position: The position of the newest checkpoint; 0 for none.
        digest: The SHA-256 of its JWS, 64 hexadecimal digits; empty for none.
        newest: The newest checkpoint of each tenant.
        problems: All that does not fit, under the tenant ``ALL_LOGS`` and by position; at most 1000.
        lost: What operators accepted as lost.
        accepted_at: The position of the newest checkpoint by which an operator accepted a log; 0 for none.
        open_problems: The problems behind that position.
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
        """Returns the chain up to the newest of the given checkpoints (JWS).

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
        """Returns a copy, without its problems and losses."""
        return CheckpointChain(position=self.position, digest=self.digest, newest=dict(self.newest))

    def witness(self) -> tuple[str, ...]:
        """Returns the newest checkpoint of each tenant (JWS) in the order of their positions."""
        ordered = sorted(self.newest.values(), key=lambda newest: newest.content.position)
        return tuple(newest.jws for newest in ordered)

    def extend(self, checkpoints: Iterable[SignedCheckpoint], keys: CheckpointKeys) -> None:
        """Adds the next checkpoints, in the order of their positions, and notes what does not fit.

        A checkpoint by which an operator accepted the log forgets the newest checkpoints before it.
        """
        for found in checkpoints:
            position = found.position
            try:
                signed = keys.verify(found.jws)
            except CheckpointInvalid as error:
                self.add(ProblemKind.CHECKPOINT_INVALID, position, str(error))
            else:
                if (signed.tenant, signed.number, signed.sequence, signed.position) != (
                    found.tenant, found.number, found.sequence, position
                ):  # fmt: skip
                    self.add(
                        ProblemKind.CHECKPOINT_INVALID, position, "its row differs from what its key signed"
                    )
                self._follow(signed)
                self.newest[signed.tenant] = NewestCheckpoint(signed, found.jws)
            self.position, self.digest = position, digest_of(found.jws).hex()
            if self.copies.get(position) == self.digest:
                del self.copies[position]

    def finish(self) -> None:
        """Notes the copies that the whole chain did not pass, unless an operator accepted their loss."""
        for position in sorted(self.copies):
            if not any(one.first <= position <= one.last for one in self.lost):
                self.add(
                    ProblemKind.CHECKPOINT_REMOVED,
                    position,
                    "the log lacks the checkpoint of this position, of which there is a copy",
                )

    def add(self, kind: ProblemKind, position: int, explanation: str) -> None:
        """Notes a problem."""
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
