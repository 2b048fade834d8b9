"""``facegate image``: the commands on trusted images."""

import typer

from cli.help import brief
from cli.image.check_command import check_command
from cli.image.convert_command import convert_command
from cli.image.inspect_command import inspect_command

__all__ = ["app"]

app = typer.Typer(help="Inspect, test and convert trusted images.", no_args_is_help=True)
app.command("inspect")(inspect_command)
app.command("check")(check_command)
app.command("convert", cls=brief("--to", "--force", "--rotate", "--pack"))(convert_command)
