"""``facegate db``: the database's schema, and what is to be forgotten of a person."""

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

app = typer.Typer(help="Look at or change the database.", no_args_is_help=True)


@app.command("upgrade")
def upgrade_command(config: ConfigOption = None) -> None:
    """Apply the migrations that the database does not have."""
    with errors_reported(SettingsInvalid, StorageError):
        asyncio.run(upgrade(load_settings(config).settings.database_url))
    typer.echo(f"The database is at revision {needed_revision()}.")


@app.command("status")
def status_command(config: ConfigOption = None) -> None:
    """Say which revision the database is at; exit 1 where it is not the one that is needed."""
    with errors_reported(SettingsInvalid, StorageError):
        current = asyncio.run(_current(load_settings(config).settings.database_url))
    needed = needed_revision()
    if current == needed:
        typer.echo(f"The database is at revision {current}, the one that is needed.")
        return
    typer.echo(f"The database is at revision {current or 'none'}; {needed} is needed: facegate db upgrade")
    raise typer.Exit(1)


@app.command("forget-devices")
def forget_devices_command(
    subject: Annotated[str, typer.Option(help="The person's reference, as your uploads gave it.")],
    tenant: Annotated[
        str, typer.Option(help="Whose checks: the tenant of your API key, or your client certificate's name.")
    ] = LOCAL_TENANT,
    config: ConfigOption = None,
) -> None:
    """Forget what is known of a person's devices, in all checks.

    Those are the keys that were enrolled (App Attest, WebAuthn), the uses of keys, and what frames would be
    known again by. Checks and their evidence stay until their own retention ends; what they know of devices
    goes then anyway. The server may be running.

    For example:

        facegate db forget-devices --subject customer-4711

        facegate db forget-devices --subject customer-4711 --tenant branch-12 --config facegate.toml
    """
    if not subject:
        typer.echo("--subject is empty: name the person as your uploads did", err=True)
        raise typer.Exit(2)
    with errors_reported(SettingsInvalid, StorageError):
        count = asyncio.run(_forget(load_settings(config).settings.database_url, tenant, subject))
    if count is None:
        typer.echo("The database is not at the revision that is needed: facegate db upgrade", err=True)
        raise typer.Exit(2)
    typer.echo(f"Forgotten: {count} enrolled keys, uses of keys and scans.")


async def _forget(url: str, tenant: str, subject: str) -> int | None:
    """How much was forgotten; ``None`` where the schema is not the one that is needed."""
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
