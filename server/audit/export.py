"""The export of the audit log: JSON objects, one a line, in the schema of ``docs/evidence.md``.

For each tenant, an export has a ``start`` (unless it begins with the first entry), the entries, the
checkpoints, and a ``head`` (unless newer entries are left out); an export of all logs ends with a ``head`` of
all. It is verified without the database, and with the copies of checkpoints that were saved elsewhere.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from server.audit.chain import (
    ALL_LOGS,
    AuditEntry,
    ChainVerifier,
    CheckpointChain,
    Head,
    Problem,
    ProblemKind,
    Report,
)
from server.audit.checkpoint import CheckpointKeys, SignedCheckpoint, digest_of
from server.audit.event import AuditExportInvalid, CheckpointInvalid

_VERSION: Final = 1
_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"

Mark = tuple[str, str, Head]
"""``"start"`` or ``"head"``, the tenant, and the entry in front of the export, or the newest one.

The head of ``ALL_LOGS`` has the position and the SHA-256 of the newest checkpoint of all tenants; only an
export of all logs has one.
"""


@dataclass(frozen=True, slots=True)
class ExportedEntry:
    """An entry of an export.

    Attributes:
        unhashed: The names of the line's fields that are not what the entry's hash covers, as where somebody
            changed one that repeats a hashed field for readers.
    """

    entry: AuditEntry
    unhashed: tuple[str, ...] = ()


def entry_line(entry: AuditEntry) -> str:
    """Return the line of an entry, without a line break."""
    return _line(
        "entry",
        entry.tenant,
        sequence=entry.sequence,
        time=entry.time.strftime(_TIME),
        time_us=entry.time_us,
        action=entry.action,
        actor={"name": entry.actor, "role": entry.role, "address": entry.address},
        check_id=entry.check_id,
        pseudonym=entry.pseudonym,
        purpose=entry.purpose,
        detail=entry.details,
        detail_json=entry.detail,
        hash=entry.hash,
    )


def checkpoint_line(checkpoint: SignedCheckpoint) -> str:
    """Return the line of a checkpoint, without a line break."""
    timestamp = checkpoint.timestamp
    return _line(
        "checkpoint",
        checkpoint.tenant,
        number=checkpoint.number,
        sequence=checkpoint.sequence,
        position=checkpoint.position,
        jws=checkpoint.jws,
        timestamp=None if timestamp is None else base64.b64encode(timestamp).decode(),
    )


def mark_line(kind: str, tenant: str, head: Head) -> str:
    """Return the line of a ``"start"`` or a ``"head"``, without a line break."""
    return _line(kind, tenant, sequence=head.sequence, hash=head.hash)


def parse_line(line: str) -> ExportedEntry | SignedCheckpoint | Mark:
    """Parse a line of an export.

    Raises:
        AuditExportInvalid: It is no such line.
    """
    try:
        found = json.loads(line, object_pairs_hook=_object)
        if not isinstance(found, Mapping) or found["version"] != _VERSION:
            raise AuditExportInvalid("it is not a line of an export of version 1")
        match found["type"]:
            case "entry":
                entry = _entry(found)
                return ExportedEntry(entry, _differing(found, json.loads(entry_line(entry))))
            case "checkpoint":
                return _checkpoint(found)
            case "start" | "head" as kind:
                head = Head(_typed(found, "sequence", int), _typed(found, "hash", str))
                return kind, _typed(found, "tenant", str), head
            case _:
                raise AuditExportInvalid("its type is not known")
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise AuditExportInvalid("it is not a line of an export") from error


def _line(kind: str, tenant: str, **fields: Any) -> str:
    line = {"version": _VERSION, "type": kind, "tenant": tenant, **fields}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    # Of a name that occurs twice, readers may take another value than the one that is verified.
    if len(found) != len(pairs):
        raise AuditExportInvalid("it has a field twice")
    return found


def _differing(found: Mapping[str, Any], expected: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of fields that one of the two lacks, or whose values differ, also in their type."""
    names = found.keys() | expected.keys()
    return tuple(sorted(name for name in names if _value(found, name) != _value(expected, name)))


def _value(line: Mapping[str, Any], name: str) -> str | None:
    return json.dumps(line[name], sort_keys=True) if name in line else None


def _entry(found: Mapping[str, Any]) -> AuditEntry:
    actor = found["actor"]
    return AuditEntry(
        **{name: _typed(found, name, str) for name in ("tenant", "action", "purpose", "hash")},
        **{name: _typed(found, name, int) for name in ("sequence", "time_us")},
        check_id=_optional(found, "check_id"),
        pseudonym=_optional(found, "pseudonym"),
        actor=_typed(actor, "name", str),
        role=_typed(actor, "role", str),
        address=_typed(actor, "address", str),
        detail=_typed(found, "detail_json", str),
    )


def _checkpoint(found: Mapping[str, Any]) -> SignedCheckpoint:
    timestamp = found["timestamp"]
    return SignedCheckpoint(
        **{name: _typed(found, name, str) for name in ("tenant", "jws")},
        **{name: _typed(found, name, int) for name in ("number", "sequence", "position")},
        timestamp=None if timestamp is None else base64.b64decode(timestamp, validate=True),
    )


def _optional(found: Mapping[str, Any], name: str) -> str | None:
    # The hash does not tell an empty text from null, which is what an export has.
    return None if found[name] is None else _typed(found, name, str) or None


def _typed(found: Mapping[str, Any], name: str, kind: type) -> Any:
    value = found[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise AuditExportInvalid(f"{name} is of another type")
    return value


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
