"""Common options of several commands."""

import shlex
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", help="List each liveness signal and device test.")]

PackOption = Annotated[
    str | None,
    typer.Option(
        "--pack",
        help="Pack. `embedded`, the name of a pulled pack, or a family and folder as in the settings; by "
        "default that of the settings file, or `embedded`.",
        show_default=False,
    ),
]
CheckArgument = Annotated[str, typer.Argument(metavar="CHECK", help="Identifier of the check.")]

TIME_FORMATS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


def in_utc(time: datetime) -> datetime:
    """Return the time of an option with its time zone, which is UTC if it has none."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def command_line(*words: str, **options: object) -> str:
    """Return a command with those of its options that have a value; of a file only the name, for reports."""
    parts = list(words)
    for name, value in options.items():
        values = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
        for each in values:
            if each is None or each is False:
                continue
            parts.append(f"--{name.replace('_', '-')}")
            if each is not True:
                parts.append((each.name or "DIR") if isinstance(each, Path) else str(each))
    return shlex.join(parts)
