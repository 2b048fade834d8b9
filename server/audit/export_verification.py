"""Verifies an export of the audit log, and the copies of checkpoints that were saved elsewhere."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from server.audit.chain import (
    ALL_LOGS,
    ChainVerifier,
    CheckpointChain,
    Head,
    Problem,
    ProblemKind,
    Report,
)
from server.audit.checkpoint import CheckpointKeys, SignedCheckpoint, digest_of
from server.audit.event import CheckpointInvalid
from server.audit.export import ExportedEntry, Mark

ExportLine = ExportedEntry | SignedCheckpoint | Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedExport:
    """The verification of an export.

    Attributes:
        logs: Each tenant's chain, and its checkpoints.
        tenants: The tenants of which the export has a log, or a checkpoint was saved.
        chain: The chain of the checkpoints over all logs.
        checkpoints: The number of checkpoints in it; ``None`` if the export has no head of all logs, so
            that it was not verified.
    """

    logs: tuple[tuple[Report, Sequence[SignedCheckpoint]], ...]
    tenants: frozenset[str]
    chain: CheckpointChain
    checkpoints: int | None


def verify_export(
    lines: Callable[[], Iterator[ExportLine]],
    tenant: str | None,
    *,
    keys: CheckpointKeys,
    copies: Mapping[str, Sequence[str]],
) -> VerifiedExport:
    """Verify an export.

    Args:
        lines: Returns the lines. They are read twice, not kept, because checkpoints stand behind the entries
            that they cover.
        tenant: The only tenant to verify; ``None`` for all.
        copies: Saved checkpoints that the export must have, by tenant.
    """
    heads: dict[str, Head] = {}
    starts: dict[str, Head] = {}
    checkpoints: dict[str, list[SignedCheckpoint]] = {}
    for line in lines():
        if isinstance(line, SignedCheckpoint):
            checkpoints.setdefault(line.tenant, []).append(line)
        elif isinstance(line, ExportedEntry):
            checkpoints.setdefault(line.entry.tenant, [])
        else:
            kind, name, head = line
            (starts if kind == "start" else heads)[name] = head
            if name != ALL_LOGS:
                checkpoints.setdefault(name, [])
    chain = CheckpointChain(copies=copies_by_position(copies, keys))
    whole = heads.pop(ALL_LOGS, None)
    count = None
    if whole is not None:
        placed = [one for some in checkpoints.values() for one in some if one.position > 0]
        chain.extend(sorted(placed, key=lambda one: one.position), keys)
        chain.finish()
        if (chain.position, chain.digest) != (whole.sequence, whole.hash):
            chain.add(
                ProblemKind.CHECKPOINT_REMOVED,
                whole.sequence,
                f"the export has the checkpoints of all logs up to {chain.position}, and its head states "
                f"{whole.sequence}",
            )
        count = len(placed)
    # A tenant of which only copies of checkpoints are left was removed as a whole.
    for name in copies:
        checkpoints.setdefault(name, [])
    verifiers = {
        name: ChainVerifier(
            name,
            checkpoints=checkpoints[name],
            keys=keys,
            saved=without_lost(copies.get(name, ()), keys, chain),
            start=starts.get(name),
        )
        for name in sorted(checkpoints)
        if tenant in {None, name}
    }
    for line in lines():
        if isinstance(line, ExportedEntry) and line.entry.tenant in verifiers:
            verifier = verifiers[line.entry.tenant]
            verifier.verify_entry(line.entry)
            if line.unhashed:
                verifier.report_unhashed(line.entry.sequence, line.unhashed)
    logs = tuple(
        (verifier.finish(heads.get(name)), checkpoints[name]) for name, verifier in verifiers.items()
    )
    return VerifiedExport(logs=logs, tenants=frozenset(checkpoints), chain=chain, checkpoints=count)


def copies_by_tenant(
    saved: Iterable[str], keys: CheckpointKeys
) -> tuple[dict[str, list[str]], list[Problem]]:
    """Return saved checkpoints by their tenant, and a problem for each that is not valid."""
    copies: dict[str, list[str]] = {}
    problems = []
    for signed in saved:
        try:
            copies.setdefault(keys.verify(signed).tenant, []).append(signed)
        except CheckpointInvalid as error:
            problems.append(
                Problem(
                    tenant=ALL_LOGS,
                    kind=ProblemKind.CHECKPOINT_INVALID,
                    sequence=0,
                    explanation=f"a saved one: {error}",
                )
            )
    return copies, problems


def copies_by_position(copies: Mapping[str, Sequence[str]], keys: CheckpointKeys) -> dict[int, str]:
    """Return the digests of the copies that have a position, by it."""
    signed = ((keys.verify(one).position, one) for some in copies.values() for one in some)
    return {position: digest_of(one).hex() for position, one in signed if position}


def without_lost(copies: Iterable[str], keys: CheckpointKeys, chain: CheckpointChain) -> list[str]:
    """Return the copies without those that an operator accepted as lost."""
    return [
        signed
        for signed in copies
        if not any(one.first <= keys.verify(signed).position <= one.last for one in chain.lost)
    ]
