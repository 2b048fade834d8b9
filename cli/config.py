"""``facegate config``: shows the effective settings with their sources."""

import json

import typer
from rich.markup import escape
from rich.table import Table

from cli.errors import errors_reported
from cli.options import JsonOption
from cli.shown import wide_console
from server.configuration.loading import SettingsInvalid, load_settings, shown_settings

app = typer.Typer(help="Show the settings.", no_args_is_help=True)


@app.callback()
def config() -> None:
    """Show the settings."""


@app.command()
def show(as_json: JsonOption = False) -> None:
    """Show the effective settings, each with its source: default, file or environment.

    Passwords in URLs are masked.
    """
    with errors_reported(SettingsInvalid):
        loaded = load_settings()
    rows = {key: (value, loaded.origin(key).value) for key, value in shown_settings(loaded.settings).items()}
    if as_json:
        found = {key: {"value": value, "origin": origin} for key, (value, origin) in rows.items()}
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table(title=str(loaded.file or "no settings file"))
    for heading in ("setting", "value", "origin"):
        table.add_column(heading, overflow="fold")
    for key, (value, origin) in rows.items():
        table.add_row(key, "" if value is None else escape(str(value)), origin)
    wide_console().print(table)
