"""``facegate backup`` and ``facegate restore``: database, objects and keys, each on its own."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from cli.audited import server_settings
from cli.errors import CommandError, FileUnusable
from cli.shown import counted
from server.audit import AuditAction
from server.backup import (
    DumpSummary,
    copy_objects,
    dump_database,
    key_names_sha256,
    pack_keys,
    restore_database,
    unpack_keys,
)
from server.configuration.settings import Settings
from server.keyring.key_encryption import KeyEncryptionError
from server.keyring.key_files import KeysUnusable, open_key_files
from server.keyring.keys import read_every_key
from server.operating.changes import record_change
from server.storage.objects import folder_of, open_object_store

_KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        help="For keys: file with the key of the backup, 32 bytes as base64 (openssl rand -base64 32).",
    ),
]


class Part(StrEnum):
    """What is backed up."""

    DATABASE = "database"
    OBJECTS = "objects"
    KEYS = "keys"


def backup(
    part: Annotated[Part, typer.Argument(help="What to back up.")],
    target: Annotated[
        str,
        typer.Argument(help="File to write; for objects a folder, or a URL such as s3://backups/facegate."),
    ],
    *,
    prune: Annotated[
        bool, typer.Option("--prune", help="For objects: delete what was erased from the source.")
    ] = False,
    key_file: _KeyFileOption = None,
) -> None:
    """Back up the database, the objects and the keys.

    The database is copied as of one moment, with a manifest beside the file that proves it: SQLite by its
    online backup, PostgreSQL by `pg_dump`, which must be as new as the server. It is restored into a database
    of the same kind. Sealed records stay sealed. Of the objects, those that the target lacks are copied; an
    interrupted copy may be repeated. Back up the database before the objects: images are stored before the
    rows that name them. The key files become one encrypted file: keep it, and the key that encrypts it, apart
    from the others. The audit log records each backup. For example:

        facegate backup database /backup/facegate-2031-04-01.backup

        facegate backup objects /backup/objects --prune

        openssl rand -base64 32 > /safe/backup.key && chmod 600 /safe/backup.key

        facegate backup keys /key-backup/keys.json --key-file /safe/backup.key
    """
    key = _fitting_key(part, key_file, prune=prune)
    with server_settings() as settings:

        def record(change: Callable[[], int] = lambda: 0, *, names_sha256: str = "") -> int:
            recorded = record_change(
                settings.database_url,
                AuditAction.BACKUP_MADE,
                lambda _: change(),
                part=part.value,
                names_sha256=names_sha256,
            )
            return asyncio.run(recorded)

        match part:
            case Part.DATABASE:
                with _rows_shown("Reading") as progress:
                    made = dump_database(
                        settings.database_url, Path(target), now=datetime.now(UTC), progress=progress
                    )
                    done = _dump_report(asyncio.run(made))
                    record()
            case Part.OBJECTS:
                done = _copy(settings.objects_url, target, prune=prune)
                record()
            case _:
                count = record(
                    lambda: pack_keys(settings.key_folder, Path(target), key_file=key),
                    names_sha256=key_names_sha256(settings.key_folder),
                )
                done = f"{counted(count, 'key file')}, encrypted"
    typer.echo(f"{target}: {done}.")


def restore(
    part: Annotated[Part, typer.Argument(help="What to restore.")],
    source: Annotated[str, typer.Argument(help="What `facegate backup` wrote: a file, folder or URL.")],
    *,
    key_file: _KeyFileOption = None,
) -> None:
    """Restore backups into an empty deployment.

    The database is restored in one transaction. Its tables are made; it must have no rows, and the manifest
    must lie beside the file. A file that is cut off or altered is refused before anything is written; the
    restored rows are counted, and the restored audit log records the restoration. For a day after it,
    retention is suspended, so that later holds can be repeated. Objects are copied back; key files are
    restored into a folder without other files, and must then be readable with the keys of keys.encryption,
    which no backup contains. Both may be repeated after an interruption. For example:

        facegate restore database /backup/facegate-2031-04-01.backup

        facegate restore objects /backup/objects

        facegate restore keys /key-backup/keys.json --key-file /safe/backup.key
    """
    key = _fitting_key(part, key_file, prune=False)
    with server_settings() as settings:
        match part:
            case Part.DATABASE:
                with _rows_shown("Restoring") as progress:
                    restored = restore_database(Path(source), settings.database_url, progress=progress)
                    summary = asyncio.run(restored)
                    made = summary.time.isoformat()
                    asyncio.run(
                        record_change(
                            settings.database_url, AuditAction.BACKUP_RESTORED, lambda _: None, made=made
                        )
                    )
                typer.echo(f"Restored {_dump_report(summary)}.")
                typer.echo(
                    "Repeat the holds and the erasures that are later. Retention is suspended for a day; "
                    "`facegate checks erase` erases."
                )
            case Part.OBJECTS:
                folder = folder_of(source)
                if folder is not None and not folder.is_dir():
                    raise FileUnusable(f"{source} is no folder; name what `facegate backup objects` wrote")
                done = _copy(source, settings.objects_url)
                typer.echo(f"{settings.objects_url}: {done}.")
            case _:
                count = unpack_keys(Path(source), settings.key_folder, key_file=key)
                typer.echo(f"{settings.key_folder}: restored {counted(count, 'key file')}.")
                _expect_readable(settings)


def _expect_readable(settings: Settings) -> None:
    """Raise CommandError if restored keys cannot be decrypted, which a server would find at its start."""
    try:
        read_every_key(open_key_files(settings.key_folder, settings.keys))
    except (KeyEncryptionError, KeysUnusable) as error:
        raise CommandError(
            f"the restored key files cannot be used: {error}. If keys.encryption names a key in a file or in "
            "the environment, this backup does not contain it: put it back from your own copy"
        ) from error


def _fitting_key(part: Part, key_file: Path | None, *, prune: bool) -> Path:
    """Return the file with the key of a backup of keys; verify that no option is for another part."""
    if (key_file is not None) != (part is Part.KEYS):
        raise typer.BadParameter("the backup of keys needs it, and no other", param_hint="--key-file")
    if prune and part is not Part.OBJECTS:
        raise typer.BadParameter("only objects are pruned", param_hint="--prune")
    return key_file or Path()


def _copy(source: str, target: str, *, prune: bool = False) -> str:
    """Copy objects; return what was done, in a sentence."""
    with _rows_shown("Copying") as progress:
        copied = copy_objects(
            open_object_store(source),
            open_object_store(target),
            prune=prune,
            progress=lambda count: progress("objects", count),
        )
        summary = asyncio.run(copied)
    parts = [f"copied {counted(summary.copied, 'object')}", f"{summary.present:,} already there"]
    if summary.gone:
        parts.append(f"{summary.gone:,} erased meanwhile")
    if summary.pruned:
        parts.append(f"deleted {summary.pruned:,} that the source has no more")
    return ", ".join(parts)


@contextmanager
def _rows_shown(verb: str) -> Iterator[Callable[[str, int], None]]:
    """Show on standard error how many rows or objects were handled."""
    columns = (SpinnerColumn(), TextColumn(verb), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")
        yield lambda name, count: progress.update(task, description=f"{name}: {count:,}")


def _dump_report(summary: DumpSummary) -> str:
    checks = summary.rows.get("checks", 0)
    return (
        f"{counted(sum(summary.rows.values()), 'row')} of {counted(checks, 'check')}, as of "
        f"{summary.time:%Y-%m-%d %H:%M:%S} UTC, schema {summary.revision}"
    )
