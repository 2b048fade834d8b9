"""``facegate attest``: the commands on evidence of devices."""

import typer

from cli.attest.inspect_command import inspect_command
from cli.attest.revocation_command import revocation_command
from cli.attest.test_platform_command import make_test_platform
from cli.help import brief

__all__ = ["app"]

app = typer.Typer(help="Inspect evidence of devices, and make evidence for tests.", no_args_is_help=True)
app.command("inspect", cls=brief("--challenge", "--app", "--public-key", "--json"))(inspect_command)
app.command("revocation")(revocation_command)
app.command("test-platform")(make_test_platform)
