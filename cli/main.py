"""The ``facegate`` command: lists the commands, each of which has a module that is imported when it runs."""

import os
from importlib.metadata import version
from typing import Annotated, Final

import typer

from cli.help import brief
from cli.late import LateCommand, root_group
from cli.verify.help import ScanCommand, VerifyCommand
from server.base.private_files import PRIVATE_UMASK

__all__ = ["COMMANDS", "app", "main"]

COMMANDS: Final = {
    "serve": LateCommand("cli.serve:serve", "Run a server until SIGTERM or Ctrl-C."),
    "doctor": LateCommand(
        "cli.doctor.command:doctor",
        "Examine a deployment, and state what to correct.",
        brief("--config", "--only", "--skip", "--json"),
    ),
    "verify": LateCommand(
        "cli.verify.command:verify",
        "Verify that a scan shows the living person of the trusted image.",
        VerifyCommand,
    ),
    "scan": LateCommand(
        "cli.verify.scan_command:scan_command",
        "Scan with a token of your backend.",
        ScanCommand,
    ),
    "demo": LateCommand(
        "cli.demo.command:demo",
        "Run twenty-one checks in both modes, and write a page.",
        brief("--out", "--pack", "--offline", "--keep-server"),
    ),
    "try": LateCommand(
        "cli.try_.command:try_command",
        "Scan your own face in a page on this machine, and see why.",
        brief("--pack", "--sandbox", "--no-browser", "--port"),
    ),
    "analyze": LateCommand(
        "cli.analyze.command:analyze",
        "Judge images and videos of people: LIVE, SPOOF or INCONCLUSIVE.",
        brief("--mode", "--as-frames", "--json", "--explain", "--pack", "--server"),
    ),
    "bench": LateCommand(
        "cli.bench.command:bench",
        "Measure a server's CPU time for a frame, and its latency.",
        brief("--pack", "--runs", "--at-once", "--json"),
    ),
    "conformance": LateCommand(
        "cli.conformance.command:conformance",
        "Test the client of an SDK: a strict server plays scenarios.",
        brief("--run", "--reference", "--only", "--out", "--ticket", "--origin"),
    ),
    "image": LateCommand("cli.image.command:app", "Inspect, test and convert trusted images."),
    "attest": LateCommand(
        "cli.attest.command:app", "Inspect evidence of devices, and make evidence for tests."
    ),
    "models": LateCommand("cli.models.command:app", "Pull, show, verify and bundle packs of models."),
    "result": LateCommand("cli.result.command:app", "Verify saved results."),
    "checks": LateCommand(
        "cli.checks.command:app", "Find, read, export and erase evidence of decided checks."
    ),
    "policy": LateCommand("cli.policy:app", "Show policies, and test policy files."),
    "evaluate": LateCommand("cli.evaluate:app", "Measure error rates and outcomes over data sets."),
    "calibrate": LateCommand("cli.calibrate:app", "Derive thresholds from your own data."),
    "config": LateCommand("cli.config:app", "Show the settings."),
    "keys": LateCommand("cli.keys.command:app", "Make API keys, and manage the server's keys."),
    "db": LateCommand("cli.db:app", "Show the state of the database, or change it."),
    "retention": LateCommand("cli.retention:app", "Erase checks whose retention has ended."),
    "audit": LateCommand("cli.audit.command:app", "Verify, show, export or accept the audit log."),
    "backup": LateCommand("cli.backup.backup_command:app", "Back up the database, the objects and the keys."),
    "restore": LateCommand("cli.backup.restore_command:app", "Restore backups into an empty deployment."),
}

app = typer.Typer(
    name="facegate",
    cls=root_group(COMMANDS),
    help="Verify that the right person, a living person, is in front of a device now.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",
)

_FOR_OTHERS: Final = frozenset({"attest", "calibrate", "models"})
"""Commands with public output, such as lists and packs, that another user may need: the server's."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"facegate {version('facegate')}")
        raise typer.Exit


@app.callback()
def keep_private(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keeps other users from reading the output of a command, such as images of faces."""
    if context.invoked_subcommand not in _FOR_OTHERS:
        before = os.umask(PRIVATE_UMASK)
        context.call_on_close(lambda: os.umask(before))


def main() -> None:
    """Runs the command."""
    app()
