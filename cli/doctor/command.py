"""``facegate doctor``."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Final

import typer
from rich import box
from rich.console import Console
from rich.text import Text

from cli.doctor.data import examine_audit, examine_backup, examine_clock, examine_database, examine_objects
from cli.doctor.finding import Deployment, Finding, Level, failure, fine
from cli.doctor.machine import (
    examine_decoders,
    examine_disk,
    examine_machine,
    examine_models,
    examine_policies,
    examine_ports,
)
from cli.doctor.trust import (
    examine_attestation,
    examine_callers,
    examine_hosted,
    examine_keys,
    examine_tls,
    examine_webhooks,
)
from cli.errors import CommandError, errors_reported
from cli.options import JsonOption
from cli.shown import counted, list_table
from cli.silenced_log import silenced_log
from server.configuration.loading import SettingsInvalid, load_settings

_FAILURES: Final = 1
_WARNINGS: Final = 4
_SETTINGS: Final = "settings"
AREAS: Final[Mapping[str, Callable[[Deployment], Awaitable[list[Finding]]]]] = {
    "models": examine_models,
    "policies": examine_policies,
    "keys": examine_keys,
    "clock": examine_clock,
    "database": examine_database,
    "objects": examine_objects,
    "attestation": examine_attestation,
    "machine": examine_machine,
    "disk": examine_disk,
    "decoders": examine_decoders,
    "tls": examine_tls,
    "callers": examine_callers,
    "webhooks": examine_webhooks,
    "hosted": examine_hosted,
    "ports": examine_ports,
    "audit": examine_audit,
    "backup": examine_backup,
}
"""The function that examines each area, in the order of the report."""
_BESIDE_WIDTH: Final = 120
"""Columns of a terminal that has room for the advice beside the finding."""
_FILE_WIDTH: Final = 160
_STYLES: Final = {
    Level.FINE: "green",
    Level.NOT_EXAMINED: "dim",
    Level.WARNING: "yellow",
    Level.FAILURE: "bold red",
}


def doctor(
    *,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Examine this area only; may be repeated.")
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option("--skip", help="Do not examine this area; may be repeated.")
    ] = None,
    max_backup_age: Annotated[
        float, typer.Option("--max-backup-age", min=1, help="Hours from which a backup is too old.")
    ] = 26.0,
    as_json: JsonOption = False,
) -> None:
    """Examine a deployment, and state what to correct.

    Reads the settings that the server would read, starts no server, and leaves nothing changed: probes of
    the object store are deleted again. The exit status is 0 if all is fine, 1 with a failure, 2 if the
    examination cannot run, and 4 if there are only warnings. For example:

        facegate doctor --config /etc/facegate.toml

        facegate doctor --skip backup --json

    Areas: settings, models, policies, keys, clock, database, objects, attestation, machine, disk, decoders,
    tls, callers, webhooks, hosted, ports, audit, backup.
    """
    with errors_reported():
        for name in (*(only or ()), *(skip or ())):
            if name not in AREAS and name != _SETTINGS:
                raise CommandError(f"there is no area {name!r}: use {_SETTINGS}, {', '.join(AREAS)}")
    chosen = [name for name in AREAS if name not in (skip or ()) and (not only or name in only)]
    try:
        loaded = load_settings()
    except SettingsInvalid as error:
        found = {
            _SETTINGS: [
                failure(
                    "SETTINGS_INVALID",
                    problem,
                    expected="valid settings",
                    remedy="docs/reference/settings.md",
                )
                for problem in error.problems
            ]
        }
    else:
        deployment = Deployment(settings=loaded.settings, max_backup_age=timedelta(hours=max_backup_age))
        found = {_SETTINGS: [fine("SETTINGS_READ", str(loaded.file or "no settings file"))]}
        with silenced_log():
            found |= asyncio.run(_examine(deployment, chosen))
    if as_json:
        rows = [{"area": area, **asdict(one)} for area, findings in found.items() for one in findings]
        typer.echo(json.dumps({"findings": rows}, indent=2))
    else:
        _print(found)
    levels = {finding.level for findings in found.values() for finding in findings}
    if Level.FAILURE in levels:
        raise typer.Exit(_FAILURES)
    if Level.WARNING in levels:
        raise typer.Exit(_WARNINGS)


async def _examine(deployment: Deployment, chosen: list[str]) -> dict[str, list[Finding]]:
    found = {}
    for name in chosen:
        try:
            found[name] = await AREAS[name](deployment)
        except Exception as error:  # noqa: BLE001 - an unforeseen fault in one area must not hide the others
            found[name] = [
                failure(
                    "EXAMINATION_FAILED",
                    f"an unforeseen {type(error).__name__}",
                    expected="an answer",
                    remedy=f"report it with the output of facegate doctor --only {name}",
                )
            ]
    return found


def _print(found: Mapping[str, list[Finding]]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_FILE_WIDTH)
    # On a narrow terminal, the advice goes below the finding: two narrow columns are tall and hard to read.
    beside = console.width >= _BESIDE_WIDTH
    headings = ("found", "what to do") if beside else ("found, and what to do",)
    fixed = ("area", "state")
    table = list_table(*fixed, *headings, whole=fixed, box=box.SIMPLE_HEAD, pad_edge=True)
    counts = dict.fromkeys(Level, 0)
    for area, findings in found.items():
        for one in findings:
            counts[one.level] += 1
            shown = Text(one.found).append(f"\n{one.code}" if one.remedy else "", "dim")
            advice = Text(one.remedy or "")
            if one.expected:
                advice.append("\n" if one.remedy else "").append(f"expected: {one.expected}", "dim")
            cells = (shown, advice) if beside else (Text("\n").join([shown, advice]) if advice else shown,)
            table.add_row(area, Text(one.level.value, _STYLES[one.level]), *cells)
    console.print(table)
    console.print(
        f"{counted(counts[Level.FAILURE], 'failure')}, {counted(counts[Level.WARNING], 'warning')}, "
        f"{counts[Level.FINE]} fine"
    )
