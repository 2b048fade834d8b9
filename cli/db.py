"""``facegate db``: migrates the database, and erases data on a person's devices."""

import asyncio
from typing import Annotated

import typer

from cli.audited import ReasonOption, server_settings
from server.edge.callers import LOCAL_TENANT
from server.operating.changes import forget_devices
from server.storage.schema import needed_revision, upgrade

app = typer.Typer(help="Migrate the database, or erase device data.", no_args_is_help=True)


@app.command("upgrade")
def upgrade_command() -> None:
    """Apply the missing migrations to the database."""
    with server_settings() as settings:
        asyncio.run(upgrade(settings.database_url))
    typer.echo(f"The database is at revision {needed_revision()}.")


@app.command("forget-devices")
def forget_devices_command(
    subject: Annotated[str, typer.Option(help="The person's subject reference, as in your uploads.")],
    tenant: Annotated[
        str,
        typer.Option(
            help="Tenant of the checks: that of your API key, or the name of your client certificate."
        ),
    ] = LOCAL_TENANT,
    reason: ReasonOption = "",
) -> None:
    """Erase the stored data on a person's devices, in all checks.

    These are the enrolled keys (App Attest, WebAuthn), the uses of keys, and the scan memory of frames.
    Checks and their evidence are kept until their retention ends; then their data on devices is erased too.
    A legal hold keeps the uses of keys and the scan memory of its check.
    The server may be running. The audit log records the erasure, with a pseudonym of the person.

    For example:

        facegate db forget-devices --subject customer-4711

        facegate db forget-devices --subject customer-4711 --tenant branch-12 --config facegate.toml
    """
    if not subject:
        typer.echo("--subject is empty: give the subject reference of your uploads", err=True)
        raise typer.Exit(2)
    with server_settings() as settings:
        count = asyncio.run(forget_devices(settings, tenant, subject, reason=reason))
    if count == 0:
        typer.echo(
            f"Nothing is stored on devices of {subject} in tenant {tenant} that no hold keeps. "
            "Are both right?",
            err=True,
        )
        raise typer.Exit(1)
    typer.echo(f"Erased: {count} enrolled keys, uses of keys and scans.")
