"""``facegate result``: the commands on saved results."""

import typer

from cli.help import brief
from cli.result.verify_command import verify_command

__all__ = ["app"]

app = typer.Typer(help="Verify saved results.", no_args_is_help=True)
app.command("verify", cls=brief("--jwks", "--expect-check-id", "--json"))(verify_command)


@app.callback()
def _group() -> None:
    """Keeps ``verify`` a subcommand although it is the only one."""
