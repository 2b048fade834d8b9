"""``facegate backup``."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.audited import ReasonOption
from cli.backup.shared import KeyFileOption, copy_report, dump_report, loaded, rows_shown
from cli.keys.audited import record_change
from cli.options import ConfigOption
from server.audit import AuditAction
from server.backup import copy_objects, dump_database, pack_keys
from server.storage.objects import open_object_store

__all__ = ["app"]

app = typer.Typer(help="Back up the database, the objects and the keys.", no_args_is_help=True)


@app.command()
def database(
    out: Annotated[Path, typer.Argument(help="File to write, such as facegate.backup.")],
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Copy the database, as of one moment, into a file, and write a manifest that proves it beside it.

    SQLite is copied by its online backup, PostgreSQL by `pg_dump`, which must be as new as the server. The
    copy is restored into a database of the same kind. Sealed records stay sealed. Back up the database before
    the objects: images are stored before the rows that name them. The audit log records each backup. For
    example:

        facegate backup database /backup/facegate-2031-04-01.backup
    """
    with loaded(config) as settings, rows_shown("Reading") as progress:
        made = dump_database(settings.database_url, out, now=datetime.now(UTC), progress=progress)
        summary = asyncio.run(made)
        record_change(
            settings.database_url, AuditAction.BACKUP_MADE, lambda _: None, reason=reason, part="database"
        )
    typer.echo(f"{out}: {dump_report(summary)}.")


@app.command()
def objects(
    target: Annotated[str, typer.Argument(help="Folder, or a URL such as s3://backups/facegate.")],
    *,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete from the target what was erased from the source.")
    ] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Copy the sealed objects that the target lacks.

    Objects never change, so later copies take only new ones, and an interrupted copy may be repeated. For
    example:

        facegate backup objects /backup/objects --prune
    """
    with loaded(config) as settings, rows_shown("Copying") as progress:
        summary = asyncio.run(
            copy_objects(
                open_object_store(settings.objects_url),
                open_object_store(target),
                prune=prune,
                progress=lambda count: progress("objects", count),
            )
        )
        record_change(
            settings.database_url, AuditAction.BACKUP_MADE, lambda _: None, reason=reason, part="objects"
        )
    typer.echo(f"{target}: {copy_report(summary)}.")


@app.command()
def keys(
    out: Annotated[Path, typer.Argument(help="File to write, such as facegate-keys.json.")],
    *,
    key_file: KeyFileOption,
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Write all key files into one encrypted file.

    Keep it, and the key that encrypts it, apart from the backups of database and objects. For example:

        openssl rand -base64 32 > /safe/backup.key && chmod 600 /safe/backup.key

        facegate backup keys /key-backup/keys.json --key-file /safe/backup.key
    """
    with loaded(config) as settings:
        count = record_change(
            settings.database_url,
            AuditAction.BACKUP_MADE,
            lambda _: pack_keys(settings.key_folder, out, key_file=key_file),
            reason=reason,
            part="keys",
        )
    typer.echo(f"{out}: {count} key files, encrypted.")
