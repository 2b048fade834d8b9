"""``facegate db``: the database's schema."""

import asyncio
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from server.settings_loading import SettingsInvalid, load_settings
from server.storage.engine import open_engine
from server.storage.errors import StorageError
from server.storage.schema import current_revision, needed_revision, upgrade

__all__ = ["app"]

app = typer.Typer(help="Look at or change the database's schema.", no_args_is_help=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", envvar="FACEGATE_CONFIG", help="Settings file (TOML)."),
]


@app.command("upgrade")
def upgrade_command(config: ConfigOption = None) -> None:
    """Apply the migrations that the database does not have."""
    try:
        asyncio.run(upgrade(load_settings(config).settings.database_url))
    except (SettingsInvalid, StorageError) as error:
        _fail(error)
    typer.echo(f"The database is at revision {needed_revision()}.")


@app.command("status")
def status_command(config: ConfigOption = None) -> None:
    """Say which revision the database is at; exit 1 where it is not the one that is needed."""
    try:
        current = asyncio.run(_current(load_settings(config).settings.database_url))
    except (SettingsInvalid, StorageError) as error:
        _fail(error)
    needed = needed_revision()
    if current == needed:
        typer.echo(f"The database is at revision {current}, the one that is needed.")
        return
    typer.echo(f"The database is at revision {current or 'none'}; {needed} is needed: facegate db upgrade")
    raise typer.Exit(1)


async def _current(url: str) -> str | None:
    engine = open_engine(url)
    try:
        return await current_revision(engine)
    finally:
        await engine.dispose()


def _fail(error: Exception) -> NoReturn:
    typer.echo(str(error), err=True)
    raise typer.Exit(2) from error
