"""The ``facegate`` command. Mounts the commands; each has a module."""

import os
from typing import Final

import typer

from cli import calibrate, config, db, evaluate, keys, policy
from cli.analyze.command import analyze
from cli.attest import command as attest
from cli.audit import command as audit
from cli.backup import backup_app, restore_app
from cli.bench import bench
from cli.checks import command as checks
from cli.conformance.command import conformance
from cli.demo.command import demo
from cli.doctor.command import doctor
from cli.help import RootGroup, add_help_all, brief
from cli.image import command as image
from cli.models import command as models
from cli.result import command as result
from cli.retention import app as retention_app
from cli.serve import serve
from cli.try_.command import try_command
from cli.verify import VerifyCommand, verify
from server.private_files import PRIVATE_UMASK

app = typer.Typer(
    name="facegate",
    cls=RootGroup,
    help="Verify that a face is the right person, a living person, and there now.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",
)

_FOR_OTHERS: Final = frozenset({"attest", "calibrate", "models"})
"""Commands with public output, such as lists and packs, that another user may need: the server's."""


@app.callback()
def keep_private(context: typer.Context) -> None:
    """Keeps other users from reading the output of a command, such as images of faces."""
    if context.invoked_subcommand not in _FOR_OTHERS:
        before = os.umask(PRIVATE_UMASK)
        context.call_on_close(lambda: os.umask(before))


app.command()(serve)
app.command(cls=brief("--config", "--only", "--skip", "--json"))(doctor)
app.command(cls=VerifyCommand)(verify)
app.command(cls=brief("--out", "--pack", "--offline", "--keep-server"))(demo)
app.command("try", cls=brief("--pack", "--sandbox", "--no-browser", "--port"))(try_command)
app.command(cls=brief("--mode", "--as-frames", "--json", "--explain", "--pack", "--server"))(analyze)
app.command(cls=brief("--pack", "--runs", "--at-once", "--json"))(bench)
app.command(cls=brief("--run", "--reference", "--only", "--out", "--ticket", "--origin"))(conformance)
app.add_typer(image.app, name="image")
app.add_typer(attest.app, name="attest")
app.add_typer(models.app, name="models")
app.add_typer(result.app, name="result")
app.add_typer(checks.app, name="checks")
app.add_typer(policy.app, name="policy")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(calibrate.app, name="calibrate")
app.add_typer(config.app, name="config")
app.add_typer(keys.app, name="keys")
app.add_typer(db.app, name="db")
app.add_typer(retention_app, name="retention")
app.add_typer(audit.app, name="audit")
app.add_typer(backup_app, name="backup")
app.add_typer(restore_app, name="restore")
add_help_all(app)


def main() -> None:
    """Runs the command."""
    app()
