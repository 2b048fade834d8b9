"""``facegate retention``: erases the checks whose retention has ended, and prints the retention schedule."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Final

import typer
from rich.console import Console

from cli.audited import server_settings
from cli.errors import errors_reported, fail
from cli.options import JsonOption
from cli.shown import counting, list_table
from server.base.version import server_version
from server.checks.expiry import CheckExpiry
from server.compliance.schedule import retention_schedule
from server.configuration.settings import Settings
from server.device.configured import missing_settings
from server.evidence.store import delete_objects
from server.operating.changes import existing_database, shell_actor
from server.pages import render
from server.policies import load_policies
from server.policies.availability import availabilities
from server.policies.loading import PolicyError
from server.storage.events import Outbox
from server.storage.objects import open_object_store
from server.storage.retention import DueChecks, RetentionRepository

app = typer.Typer(help="Erase checks whose retention has ended, or print the schedule.", no_args_is_help=True)

_BATCH = 100


@app.callback()
def retention() -> None:
    """Erase checks whose retention has ended, or print the schedule."""


@app.command("run")
def run_command(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be erased, by policy.")
    ] = False,
) -> None:
    """Erase every check, and all images, whose retention has ended and that no legal hold keeps.

    Running servers do this too, at most 100 checks a minute. Both may run at once: each check is erased once,
    and the audit log records it. For a day after a backup was restored, or an older audit log accepted,
    neither erases anything: repeat later holds first. `facegate checks erase` erases one check at any time.
    May be repeated after an interruption. The key folder is not needed. For example:

        facegate retention run --dry-run

        facegate retention run --config /etc/facegate.toml
    """
    with server_settings() as settings:
        now = datetime.now(UTC)
        asyncio.run(_run(settings, now, dry_run=dry_run))


async def _run(settings: Settings, now: datetime, *, dry_run: bool) -> None:
    """Erase, and print the report."""
    async with existing_database(settings.database_url) as database:
        if dry_run:
            _show(await RetentionRepository(database).due(now))
            return
        objects = open_object_store(settings.objects_url)
        repository = RetentionRepository(database, Outbox(settings.webhooks.endpoints))
        if (until := await repository.suspended_until(now)) is not None:
            typer.echo(
                "Nothing was erased: a backup was restored, or an older audit log accepted. Repeat the holds "
                f"that are lost; retention goes on at {until:%Y-%m-%d %H:%M:%S} UTC."
            )
            return
        expiry = CheckExpiry(retention=repository, delete=partial(delete_objects, objects))
        before = await repository.due(now)
        due, due_images = sum(one.due for one in before), sum(one.images for one in before)
        erased = []
        with counting("Erasing") as progress:
            task = progress.add_task("", total=due + due_images)
            for erase, most in ((expiry.erase, due), (expiry.erase_images, due_images)):
                found = count = 0
                # Bounded: what cannot be erased now is found again.
                while found < most and (done := await erase(now, limit=_BATCH, actor=shell_actor())).found:
                    found += done.found
                    count += done.erased
                    progress.advance(task, done.found)
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
    numbers = ("To erase", "Only images", "Kept by a hold")
    table = list_table("Policy", *numbers, "Since (UTC)", right=numbers)
    for one in due:
        table.add_row(
            one.policy, f"{one.due:,}", f"{one.images:,}", f"{one.held:,}", f"{one.since:%Y-%m-%d %H:%M:%S}"
        )
    Console().print(table)


_ABOUT: Final = (
    "Times are those of the settings and policies that this server reads now. A check keeps the policy under "
    "which it was created. Retention means that every server erases the checks whose time has ended, at most "
    "100 a minute, and facegate retention run erases all of them, except for a day after a backup was "
    "restored; facegate checks erase, or a shorter retention_seconds of the upload, erases earlier. Sealed "
    "data are encrypted under a key of their own, which is destroyed with them. The software is not "
    "certified, and this is no legal advice: whether these times and purposes are lawful is yours to judge."
)


@app.command("schedule")
def schedule_command(as_json: JsonOption = False) -> None:
    """Print the retention schedule: each datum, where it is, why, how long, and what destroys it.

    It is a page, or JSON. It is made from the settings and the policies that the server reads, so it is true
    for this server. BIPA and CUBI want such a schedule with the purpose and the time of destruction. For
    example:

        facegate retention schedule --config /etc/facegate.toml > schedule.html

        facegate retention schedule --json
    """
    if not as_json and sys.stdout.isatty():
        fail(
            "The schedule is an HTML page. Write it to a file: `facegate retention schedule > schedule.html`"
        )
    with errors_reported(PolicyError), server_settings() as settings:
        about = f"Facegate {server_version()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        book = load_policies(settings.policies.folder, served=settings.policies.served)
        found = availabilities(book, missing=missing_settings(settings))
        chosen = {name: book.get(name).policy for name in book.names if found[name].available}
        if left_out := [name for name in book.names if name not in chosen]:
            about += f". Not served with these settings: {', '.join(left_out)}"
        schedule = retention_schedule(settings, tuple(chosen.values()))
    if as_json:
        typer.echo(json.dumps({"about": about, "note": _ABOUT} | asdict(schedule), indent=2))
    else:
        title = "Retention schedule"
        typer.echo(render("retention.html", title=title, about=about, note=_ABOUT, schedule=schedule))
