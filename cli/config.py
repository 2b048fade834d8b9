"""``facegate config``: shows the effective settings with their sources."""

import json
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.errors import errors_reported
from server.configuration.loading import LoadedSettings, SettingsInvalid, load_settings, shown_settings

_WIDEST: Final = 100_000
"""Greatest length of a line outside a terminal."""

app = typer.Typer(help="Show the settings.", no_args_is_help=True)


class Form(StrEnum):
    """The formats in which settings are printed."""

    TABLE = "table"
    TOML = "toml"
    JSON = "json"


@app.callback()
def config() -> None:
    """Show the settings."""


@app.command()
def show(
    form: Annotated[Form, typer.Option("--format", help="Format of the output.")] = Form.TABLE,
) -> None:
    """Show the effective settings, each with its source: default, file or environment.

    Passwords in URLs are masked.
    """
    with errors_reported(SettingsInvalid):
        loaded = load_settings()
    match form:
        case Form.JSON:
            typer.echo(_as_json(loaded))
        case Form.TOML:
            typer.echo(_as_toml(loaded), nl=False)
        case Form.TABLE:
            _print_whole(_as_table(loaded))


def _as_json(loaded: LoadedSettings) -> str:
    rows = shown_settings(loaded.settings)
    return json.dumps(
        {key: {"value": value, "origin": loaded.origin(key).value} for key, value in rows.items()}, indent=2
    )


def _as_toml(loaded: LoadedSettings) -> str:
    """Returns the settings as TOML with dotted keys. Settings without a value are comments."""
    lines = [f"# {loaded.file or 'no settings file'}"]
    for key, value in shown_settings(loaded.settings).items():
        text = f"# {key} is not set" if value is None else f"{key} = {_toml_value(value)}"
        lines.append(f"{text}  # {loaded.origin(key).value}")
    return "\n".join(lines) + "\n"


def _as_table(loaded: LoadedSettings) -> Table:
    table = Table(title=str(loaded.file or "no settings file"))
    for heading in ("setting", "value", "origin"):
        table.add_column(heading, overflow="fold")
    for key, value in shown_settings(loaded.settings).items():
        table.add_row(key, "" if value is None else escape(str(value)), loaded.origin(key).value)
    return table


def _print_whole(table: Table) -> None:
    """Prints a table without cutting a cell.

    Cells wrap on a terminal. Elsewhere, such as in a pipe, lines are as long as they must be.
    """
    console = Console()
    if not console.is_terminal:
        unlimited = console.options.update_width(_WIDEST)
        console.width = max(console.width, console.measure(table, options=unlimited).maximum)
    console.print(table)


def _toml_value(value: Any) -> str:
    # TOML's strings, numbers, booleans and arrays of them are spelled as in JSON.
    return json.dumps(value, ensure_ascii=False)
