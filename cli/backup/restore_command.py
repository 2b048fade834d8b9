"""``facegate restore``."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cli.audited import ReasonOption
from cli.backup.shared import KeyFileOption, copy_report, dump_report, loaded, rows_shown
from cli.keys.audited import record_change
from cli.options import ConfigOption
from server.audit import AuditAction
from server.backup import copy_objects, restore_database, unpack_keys
from server.storage.objects import open_object_store

__all__ = ["app"]

app = typer.Typer(help="Restore backups into an empty deployment.", no_args_is_help=True)


@app.command()
def database(
    source: Annotated[Path, typer.Argument(help="File that `facegate backup database` wrote.")],
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Restore the database in one transaction. Its tables are made; it must have no rows.

    The manifest must lie beside the file. A file that is cut off or altered is refused before anything is
    written; the restored rows are counted. The restored audit log records
    the restoration. For example:

        facegate restore database /backup/facegate-2031-04-01.backup
    """
    with loaded(config) as settings, rows_shown("Restoring") as progress:
        summary = asyncio.run(restore_database(source, settings.database_url, progress=progress))
        record_change(
            settings.database_url,
            AuditAction.BACKUP_RESTORED,
            lambda _: None,
            reason=reason,
            made=summary.time.isoformat(),
        )
    typer.echo(f"Restored {dump_report(summary)}.")


@app.command()
def objects(
    source: Annotated[str, typer.Argument(help="Folder or URL that `facegate backup objects` wrote to.")],
    config: ConfigOption = None,
) -> None:
    """Copy the sealed objects back.

    May be repeated after an interruption. For example:

        facegate restore objects /backup/objects
    """
    with loaded(config) as settings, rows_shown("Copying") as progress:
        summary = asyncio.run(
            copy_objects(
                open_object_store(source),
                open_object_store(settings.objects_url),
                progress=lambda count: progress("objects", count),
            )
        )
    typer.echo(f"{settings.objects_url}: {copy_report(summary)}.")


@app.command()
def keys(
    source: Annotated[Path, typer.Argument(help="File that `facegate backup keys` wrote.")],
    *,
    key_file: KeyFileOption,
    config: ConfigOption = None,
) -> None:
    """Restore the key files into a key folder without other files.

    May be repeated after an interruption. For example:

        facegate restore keys /key-backup/keys.json --key-file /safe/backup.key
    """
    with loaded(config) as settings:
        count = unpack_keys(source, settings.key_folder, key_file=key_file)
    typer.echo(f"{settings.key_folder}: restored {count} key files.")
