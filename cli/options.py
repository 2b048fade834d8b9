"""Common options of several commands."""

from typing import Annotated

import typer

__all__ = [
    "JsonOption",
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
