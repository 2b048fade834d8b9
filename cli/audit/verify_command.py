"""``facegate audit verify``: looks for entries that were altered, removed, inserted, reordered or cut off."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.audit.options import TenantOption
from cli.audited import audited_database
from cli.error_reporting import errors_reported
from cli.errors import CommandError
from cli.options import ConfigOption, JsonOption
from server.audit import (
    AuditEntry,
    AuditError,
    AuditExportInvalid,
    ChainVerifier,
    CheckpointKeys,
    Head,
    Report,
    SignedCheckpoint,
    parse_line,
)
from server.errors import ConfigurationError
from server.key_files import open_key_files
from server.keys import read_audit_keys
from server.settings import Settings
from server.settings_loading import load_settings
from server.storage.audit_reader import AuditReader
from server.storage.errors import StorageError
from server.timestamps import TimestampFailed, TimestampRoots

__all__ = ["verify_command"]

_BROKEN: Final = 1
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class _Verified:
    """The verification of one chain.

    Attributes:
        report: The chain and its checkpoints.
        stamped: The time that the newest valid time stamp proves; ``None`` if there is none.
        bad_stamps: The numbers of checkpoints whose time stamp is not valid.
    """

    report: Report
    stamped: datetime | None
    bad_stamps: tuple[int, ...]

    @property
    def whole(self) -> bool:
        return self.report.whole and not self.bad_stamps


def verify_command(
    tenant: TenantOption = None,
    *,
    jwks: Annotated[
        Path | None,
        typer.Option(help="Public keys (`facegate audit keys`). By default those of the key folder."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="Verify this export instead of the database; needs no network and no server."),
    ] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(help="An earlier export: its checkpoints must still be in the log."),
    ] = None,
    timestamp_roots: Annotated[
        Path | None,
        typer.Option(help="PEM file with roots of the time-stamping authority. By default as in settings."),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Verify the audit log; the exit status is 1 if it was changed.

    Finds entries that were altered, removed, inserted, reordered or cut off, and checkpoints that do not fit.
    The server may be running. For example, on the server, and on another machine with an export:

        facegate audit verify

        facegate audit verify --export audit.jsonl --jwks audit-jwks.json

    An earlier export, kept elsewhere, also finds a log that was cut off together with its newest checkpoints:

        facegate audit verify --checkpoints last-month.jsonl
    """
    with errors_reported(ConfigurationError, StorageError, AuditError):
        # Offline, no settings are needed: their file may not exist on the machine of an auditor.
        settings = None if export is not None and jwks is not None else load_settings(config).settings
        keys = _keys(jwks, settings)
        roots = timestamp_roots or (None if settings is None else settings.audit.timestamp_roots)
        stamps = None if roots is None else TimestampRoots(roots)
        saved = [] if checkpoints is None else [line.jws for line in _checkpoints(checkpoints)]
        if export is not None:
            found = _verify_export(export, tenant, keys=keys, stamps=stamps, saved=saved)
        else:
            if settings is None:
                raise CommandError("name an export, or a settings file")
            found = asyncio.run(_verify(settings, tenant, keys=keys, stamps=stamps, saved=saved))
    _print(found, as_json=as_json)
    if not all(verified.whole for verified in found):
        raise typer.Exit(_BROKEN)


def _keys(jwks: Path | None, settings: Settings | None) -> CheckpointKeys:
    if jwks is not None:
        with errors_reported(OSError):
            return CheckpointKeys.from_jwks(jwks.read_bytes())
    if settings is None:
        raise CommandError("name the public keys: --jwks")
    return CheckpointKeys(read_audit_keys(open_key_files(settings.key_folder, settings.keys)))


async def _verify(
    settings: Settings,
    tenant: str | None,
    *,
    keys: CheckpointKeys,
    stamps: TimestampRoots | None,
    saved: Sequence[str],
) -> list[_Verified]:
    async with audited_database(settings.database_url) as database:
        reader = AuditReader(database)
        tenants = await reader.tenants() if tenant is None else (tenant,)
        if tenant is None:
            # A tenant of which only copies of checkpoints are left was removed as a whole.
            tenants = tuple(sorted({*tenants, *_tenants_of(saved, keys)}))
        return [
            _with_stamps(
                await reader.verify(name, keys=keys, saved=saved), await reader.checkpoints(name), stamps
            )
            for name in tenants
        ]


def _verify_export(
    path: Path,
    tenant: str | None,
    *,
    keys: CheckpointKeys,
    stamps: TimestampRoots | None,
    saved: Sequence[str],
) -> list[_Verified]:
    heads: dict[str, Head] = {}
    starts: dict[str, Head] = {}
    checkpoints: dict[str, list[SignedCheckpoint]] = {}
    # Checkpoints stand behind the entries that they cover, so the file is read twice, not kept.
    for line in _lines(path):
        if isinstance(line, SignedCheckpoint):
            checkpoints.setdefault(line.tenant, []).append(line)
        elif isinstance(line, AuditEntry):
            checkpoints.setdefault(line.tenant, [])
        else:
            kind, name, head = line
            checkpoints.setdefault(name, [])
            (starts if kind == "start" else heads)[name] = head
    chosen = [name for name in sorted(checkpoints) if tenant in {None, name}]
    verifiers = {
        name: ChainVerifier(
            name, checkpoints=checkpoints[name], keys=keys, saved=saved, start=starts.get(name)
        )
        for name in chosen
    }
    for line in _lines(path):
        if isinstance(line, AuditEntry) and line.tenant in verifiers:
            verifiers[line.tenant].verify_entry(line)
    return [
        _with_stamps(verifier.finish(heads.get(name)), checkpoints[name], stamps)
        for name, verifier in verifiers.items()
    ]


def _with_stamps(
    report: Report, checkpoints: Sequence[SignedCheckpoint], stamps: TimestampRoots | None
) -> _Verified:
    stamped: datetime | None = None
    bad: list[int] = []
    if stamps is not None:
        for checkpoint in checkpoints:
            if checkpoint.timestamp is None:
                continue
            try:
                stamped = stamps.verify(checkpoint.timestamp, checkpoint.jws.encode())
            except TimestampFailed:
                bad.append(checkpoint.number)
    return _Verified(report, stamped, tuple(bad))


def _checkpoints(path: Path) -> list[SignedCheckpoint]:
    return [line for line in _lines(path) if isinstance(line, SignedCheckpoint)]


def _lines(path: Path) -> "Iterator[AuditEntry | SignedCheckpoint | tuple[str, str, Head]]":
    with errors_reported(OSError), path.open(encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield parse_line(line)
            except AuditExportInvalid as error:
                raise CommandError(f"{path}, line {number}: {error}") from error


def _tenants_of(saved: Sequence[str], keys: CheckpointKeys) -> set[str]:
    found = set()
    for signed in saved:
        with suppress(AuditError):
            found.add(keys.verify(signed).tenant)
    return found


def _print(found: Sequence[_Verified], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_document(verified) for verified in found], indent=2, default=str))
        return
    if not found:
        typer.echo("The log has no entry.")
    for verified in found:
        report = verified.report
        state = "whole" if verified.whole else "CHANGED"
        typer.echo(
            f"{report.tenant}: {state}; {report.entries} entries, {report.checkpoints} checkpoints, "
            f"signed up to entry {report.covered}"
            + ("" if verified.stamped is None else f", time stamp of {verified.stamped:%Y-%m-%dT%H:%M:%SZ}")
        )
        for problem in report.problems[:_SHOWN]:
            typer.echo(f"  {problem.kind.value} at {problem.sequence}: {problem.explanation}")
        if len(report.problems) > _SHOWN:
            typer.echo(f"  and {len(report.problems) - _SHOWN} more")
        for number in verified.bad_stamps:
            typer.echo(f"  timestamp_invalid at {number}: the time stamp of this checkpoint is not valid")


def _document(verified: _Verified) -> dict[str, object]:
    return {
        **asdict(verified.report),
        "whole": verified.whole,
        "timestamp": verified.stamped,
        "invalid_timestamps": verified.bad_stamps,
    }
