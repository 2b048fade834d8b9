"""``facegate image``: the commands about one trusted image, mounted here."""

import typer

__all__ = ["app"]

app = typer.Typer(
    help="Look into a trusted image, check it, and turn it into another form.", no_args_is_help=True
)
