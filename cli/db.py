"""``facegate db``: migrates the database, and erases data on a person's devices."""

import asyncio
from typing import Annotated

import typer

from cli.error_reporting import errors_reported
from cli.options import ConfigOption
from server.edge.callers import LOCAL_TENANT
from server.settings_loading import SettingsInvalid, load_settings
from server.storage.database import open_database
from server.storage.devices import DeviceRepository
from server.storage.errors import StorageError
from server.storage.schema import current_revision, needed_revision, upgrade

__all__ = ["app"]

app = typer.Typer(help="Show the state of the database, or change it.", no_args_is_help=True)


@app.command("upgrade")
def upgrade_command(config: ConfigOption = None) -> None:
    """Apply the missing migrations to the database."""
    with errors_reported(SettingsInvalid, StorageError):
        asyncio.run(upgrade(load_settings(config).settings.database_url))
    typer.echo(f"The database is at revision {needed_revision()}.")


@app.command("status")
def status_command(config: ConfigOption = None) -> None:
    """Show the revision of the database; the exit status is 1 if it is not the required one."""
    with errors_reported(SettingsInvalid, StorageError):
        current = asyncio.run(_current(load_settings(config).settings.database_url))
    needed = needed_revision()
    if current == needed:
        typer.echo(f"The database is at revision {current}, as required.")
        return
    typer.echo(f"The database is at revision {current or 'none'}; {needed} is required: facegate db upgrade")
    raise typer.Exit(1)


@app.command("forget-devices")
def forget_devices_command(
    subject: Annotated[str, typer.Option(help="The person's subject reference, as in your uploads.")],
    tenant: Annotated[
        str,
        typer.Option(
            help="Tenant of the checks: that of your API key, or the name of your client certificate."
        ),
    ] = LOCAL_TENANT,
    config: ConfigOption = None,
) -> None:
    """Erase the stored data on a person's devices, in all checks.

    These are the enrolled keys (App Attest, WebAuthn), the uses of keys, and the scan memory of frames.
    Checks and their evidence are kept until their retention ends; then their data on devices is erased too.
    The server may be running.

    For example:

        facegate db forget-devices --subject customer-4711

        facegate db forget-devices --subject customer-4711 --tenant branch-12 --config facegate.toml
    """
    if not subject:
        typer.echo("--subject is empty: give the subject reference of your uploads", err=True)
        raise typer.Exit(2)
    with errors_reported(SettingsInvalid, StorageError):
        count = asyncio.run(_forget(load_settings(config).settings.database_url, tenant, subject))
    if count is None:
        typer.echo("The database is not at the required revision: facegate db upgrade", err=True)
        raise typer.Exit(2)
    typer.echo(f"Erased: {count} enrolled keys, uses of keys and scans.")


async def _forget(url: str, tenant: str, subject: str) -> int | None:
    """Returns the number of erased rows; ``None`` if the schema is not at the required revision."""
    database = open_database(url)
    try:
        if await current_revision(database) != needed_revision():
            return None
        return await DeviceRepository(database).forget_subject(tenant, subject)
    finally:
        await database.close()


async def _current(url: str) -> str | None:
    database = open_database(url)
    try:
        return await current_revision(database)
    finally:
        await database.close()
