"""``facegate retention``: erases the checks whose retention has ended."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.audited import audited_database, shell_actor
from cli.errors import errors_reported
from server.checks.expiry import CheckExpiry
from server.configuration.loading import SettingsInvalid, load_settings
from server.configuration.settings import Settings
from server.evidence.store import delete_objects
from server.storage.errors import StorageError
from server.storage.objects import open_object_store
from server.storage.retention import DueChecks, RetentionRepository

__all__ = [
    "app",
]

app = typer.Typer(help="Erase checks whose retention has ended.", no_args_is_help=True)

_BATCH = 100


@app.callback()
def retention() -> None:
    """Erase checks whose retention has ended."""


@app.command("run")
def run_command(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be erased, by policy.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, show_default=False, help="Maximum number of checks to erase. By default all."),
    ] = None,
) -> None:
    """Erase every check, and all images, whose retention has ended and that no legal hold keeps.

    Running servers do this too, at most 100 checks a minute. Both may run at once: each check is erased once,
    and the audit log records it. May be repeated after an interruption. The key folder is not needed. For
    example:

        facegate retention run --dry-run

        facegate retention run --config /etc/facegate.toml
    """
    with errors_reported(SettingsInvalid, StorageError):
        settings = load_settings().settings
        now = datetime.now(UTC)
        if dry_run:
            _show(asyncio.run(_due(settings.database_url, now)))
        else:
            asyncio.run(_run(settings, now, limit))


async def _due(database_url: str, now: datetime) -> tuple[DueChecks, ...]:
    async with audited_database(database_url) as database:
        return await RetentionRepository(database).due(now)


async def _run(settings: Settings, now: datetime, limit: int | None) -> None:
    """Erases, and prints the report."""
    async with audited_database(settings.database_url) as database:
        objects = open_object_store(settings.objects_url)
        repository = RetentionRepository(database)
        expiry = CheckExpiry(retention=repository, delete=partial(delete_objects, objects))
        before = await repository.due(now)
        due, due_images = sum(one.due for one in before), sum(one.images for one in before)
        left = due + due_images if limit is None else min(due + due_images, limit)
        erased = []
        columns = (TextColumn("Erasing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("", total=left)
            for erase in (expiry.erase, expiry.erase_images):
                count = 0
                while left > 0:
                    done = await erase(now, limit=min(left, _BATCH), actor=shell_actor())
                    left -= done.found
                    count += done.erased
                    progress.advance(task, done.found)
                    if not done.found:
                        break
                erased.append(count)
        clean = await repository.forget_erased()
        after = await repository.due(now)
    held = sum(one.held for one in after)
    still, still_images = sum(one.due for one in after), sum(one.images for one in after)
    typer.echo(f"Checks: {due:,} due, {erased[0]:,} erased, {still:,} still due, {held:,} kept by a hold.")
    if due_images:
        typer.echo(
            f"Images of further checks: {due_images:,} due, {erased[1]:,} erased, {still_images:,} still due."
        )
    if not clean:
        typer.echo(
            "The database's log still holds erased data because a reader, such as a backup, uses it. A "
            "server will clean it, or this command when it is repeated.",
            err=True,
        )


def _show(due: Sequence[DueChecks]) -> None:
    if not due:
        typer.echo("No retention has ended.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("Policy", overflow="fold")
    for name in ("To erase", "Only images", "Kept by a hold"):
        table.add_column(name, justify="right")
    table.add_column("Since (UTC)")
    for one in due:
        table.add_row(
            one.policy, f"{one.due:,}", f"{one.images:,}", f"{one.held:,}", f"{one.since:%Y-%m-%d %H:%M:%S}"
        )
    Console().print(table)
