"""``facegate policy``: shows policies, and tests policy files before a server reads them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.error_reporting import errors_reported
from cli.options import ConfigOption, JsonOption
from cli.reference_page import policies_page
from device_integrity import Assurance
from server.device.configured import missing_settings
from server.policies import PolicyBook, PolicyFile, load_policies, read_policy
from server.policies.availability import Availability, availabilities
from server.policies.device_rules import AssuranceFloors
from server.policies.errors import PolicyError, PolicyInvalid
from server.policies.json_schema import render_schema
from server.settings_loading import SettingsInvalid, load_settings

__all__ = ["app"]

app = typer.Typer(help="Show policies, and test policy files.", no_args_is_help=True)


@app.command("list")
def list_command(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List a server's policies, and the settings that they lack.

    Whether the pack meets a policy is tested when the server starts.
    """
    book, found = _book(config)
    if as_json:
        listed = [_summary(book.get(name)) | _availability(found[name]) for name in book.names]
        typer.echo(json.dumps(listed, indent=2))
        return
    table = Table("name", "version", "mode", "max FMR", "least assurance", "available", "description")
    for name in book.names:
        policy = book.get(name).policy
        table.add_row(
            name,
            str(policy.version),
            policy.mode.value,
            f"{policy.match.max_fmr:g}",
            _floors(policy.device.minimum_assurance),
            _available(found[name]),
            escape(policy.description),
        )
    Console().print(table)
    for name, one in found.items():
        _print_shortfall(name, one)


@app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(help="The policy's name.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every setting of a policy, including defaults, and the hash that checks contain."""
    book, found = _book(config)
    with errors_reported(PolicyError):
        file = book.get(name)
    values = file.policy.model_dump(mode="json")
    if as_json:
        shown = _summary(file) | _availability(found[name]) | {"policy": values}
        typer.echo(json.dumps(shown, indent=2))
        return
    table = Table("setting", "value", title=f"{name}, version {file.policy.version}")
    for key, value in _leaves(values):
        table.add_row(key, escape(str(value)))
    Console().print(table)
    typer.echo(f"SHA-256 of the file: {file.sha256.hex()}")
    if unattested := file.policy.device.as_table().unattested:
        platforms = ", ".join(platform.lower() for platform in unattested)
        typer.echo(
            f"A check can succeed with a device that nobody attested ({platforms}); its result says so."
        )
    _print_shortfall(name, found[name])


@app.command("check")
def check_command(
    files: Annotated[list[Path], typer.Argument(help="Policy files (TOML).")],
) -> None:
    """Test policy files and print every problem; the exit status is 1 if there is one."""
    problems = 0
    for path in files:
        try:
            file = read_policy(path)
        except PolicyInvalid as error:
            problems += len(error.problems)
            for problem in error.problems:
                typer.echo(problem, err=True)
        else:
            typer.echo(f"{path}: {file.policy.name}, version {file.policy.version}, {file.sha256.hex()}")
    if problems:
        raise typer.Exit(1)


@app.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of policy files, for editors."""
    typer.echo(render_schema(), nl=False)


@app.command("reference")
def reference_command() -> None:
    """Print the reference of every field of a policy file, as Markdown."""
    typer.echo(policies_page(), nl=False)


def _book(config: Path | None) -> tuple[PolicyBook, Mapping[str, Availability]]:
    with errors_reported(SettingsInvalid, PolicyError):
        settings = load_settings(config).settings
        book = load_policies(settings.policies.folder)
    return book, availabilities(book, missing=missing_settings(settings))


def _availability(found: Availability) -> dict[str, Any]:
    return {
        "available": found.available,
        "left_out": [
            {
                "platform": each.platform.value,
                "missing_settings": list(each.settings),
                "reason": each.reason,
            }
            for each in found.shortfalls
        ],
    }


def _available(found: Availability) -> str:
    if not found.available:
        return "no"
    return "in part" if found.missing_settings else "yes"


def _print_shortfall(name: str, found: Availability) -> None:
    if not found.available:
        typer.echo(f"{name} is not available: {found.reason}")
    elif found.missing_settings:
        typer.echo(f"{name} excludes platforms: {found.reason}")


def _floors(least: Assurance | AssuranceFloors) -> str:
    if isinstance(least, Assurance):
        return least.value
    named = [f"{platform.lower()} {floor.value}" for platform, floor in least.named().items()]
    return ", ".join([least.default.value, *named])


def _summary(file: PolicyFile) -> dict[str, Any]:
    return {
        "name": file.policy.name,
        "version": file.policy.version,
        "mode": file.policy.mode.value,
        "description": file.policy.description,
        "sha256": file.sha256.hex(),
    }


def _leaves(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += _leaves(value, f"{prefix}{name}.")
        else:
            found.append((prefix + name, value))
    return found
