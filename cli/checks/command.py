"""The commands of ``facegate checks``."""

import typer

from cli.checks.erase_commands import delete_command, erase_command
from cli.checks.export_command import export_command
from cli.checks.hold_commands import hold_command, release_command
from cli.checks.list_command import list_command
from cli.checks.show_command import show_command
from cli.help import brief

__all__ = ["app"]

app = typer.Typer(help="Find, read, export and erase evidence of decided checks.", no_args_is_help=True)
app.command("list", cls=brief("--since", "--reason", "--policy", "--subject", "--on-hold", "--json"))(
    list_command
)
app.command("show", cls=brief("--images", "--purpose", "--save"))(show_command)
app.command("export", cls=brief("--out", "--purpose", "--subject"))(export_command)
app.command("hold", cls=brief("--reference", "--reason"))(hold_command)
app.command("release", cls=brief("--reference", "--purpose"))(release_command)
app.command("delete", cls=brief("--purpose", "--yes"))(delete_command)
app.command("erase", cls=brief("--reason", "--purpose"))(erase_command)
