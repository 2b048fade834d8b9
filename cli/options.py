"""Common options of several commands."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "JsonOption",
]

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", envvar="FACEGATE_CONFIG", help="Settings file (TOML)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
