"""The ``facegate`` command: lists the commands, each of which has a module that is imported when it runs."""

import codecs
import io
import json
import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.groups import LateCommand, root_group
from server.base.private_files import PRIVATE_UMASK

COMMANDS: Final = {
    "serve": LateCommand("cli.serve:serve", "Run a server until SIGTERM or Ctrl-C."),
    "doctor": LateCommand("cli.doctor.command:doctor", "Examine a deployment, and state what to correct."),
    "verify": LateCommand(
        "cli.verify.command:verify", "Verify that a scan shows the living person of the trusted image."
    ),
    "demo": LateCommand(None, "Run twenty-one checks in both modes, and write a page."),
    "try": LateCommand(None, "Scan your own face in a page on this machine, and see why."),
    "analyze": LateCommand(
        "cli.analyze.command:analyze", "Judge images and videos of people: LIVE, SPOOF or INCONCLUSIVE."
    ),
    "bench": LateCommand(None, "Measure a server's CPU time for a frame, and its latency."),
    "conformance": LateCommand(None, "Test the client of an SDK: a strict server plays scenarios."),
    "image": LateCommand("cli.image.command:app", "Inspect, test and convert trusted images."),
    "attest": LateCommand(
        "cli.attest.command:app", "Inspect evidence of devices, and make evidence for tests."
    ),
    "models": LateCommand("cli.models.command:app", "Pull, import, show and bundle packs of models."),
    "result": LateCommand("cli.result:app", "Verify saved results."),
    "checks": LateCommand("cli.checks:app", "Find, read, export and erase evidence of decided checks."),
    "review": LateCommand("cli.review:app", "Review checks that a policy sends to people."),
    "events": LateCommand("cli.events:app", "List and replay the events of webhooks."),
    "policy": LateCommand("cli.policy:app", "Show policies, and test policy files."),
    "evaluate": LateCommand(None, "Measure error rates on your data, and calibrate packs."),
    "config": LateCommand("cli.config:app", "Show the settings."),
    "keys": LateCommand("cli.keys:app", "Make and manage keys."),
    "db": LateCommand("cli.db:app", "Migrate the database, or erase device data."),
    "retention": LateCommand(
        "cli.retention:app", "Erase checks whose retention has ended, or print the schedule."
    ),
    "audit": LateCommand("cli.audit:app", "Verify, show or export the audit log."),
    "backup": LateCommand("cli.backup:backup", "Back up the database, the objects and the keys."),
    "restore": LateCommand("cli.backup:restore", "Restore backups into an empty deployment."),
}

app = typer.Typer(
    name="facegate",
    cls=root_group(COMMANDS),
    help="Verify that the right person, a living person, is in front of a device now.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",
)

_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1")

_FOR_OTHERS: Final = frozenset({"attest", "models"})
"""Commands with public output, such as lists and packs, that another user may need: the server's."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"facegate {version('facegate')}")
        raise typer.Exit


@app.callback()
def prepare(
    context: typer.Context,
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="Settings file (TOML). By default the one that FACEGATE_CONFIG names.")
    ] = None,
    models_dir: Annotated[
        Path | None,
        typer.Option(
            help="Models folder. By default that of FACEGATE_MODELS_DIR or of the settings file, or "
            "facegate/models in the user's data folder."
        ),
    ] = None,
) -> None:
    """Keep other users from reading the output of a command, such as images of faces, and proxies from it.

    Settings file and models folder are handed to the command in the variables that it reads without them.
    """
    paths = {"FACEGATE_CONFIG": config, "FACEGATE_MODELS_DIR": models_dir}
    given = {name: str(path) for name, path in paths.items() if path is not None}
    given |= loopback_spared(os.environ)
    before = {name: os.environ.get(name) for name in given}
    context.call_on_close(lambda: _set_variables(before))
    _set_variables(given)
    if context.invoked_subcommand not in _FOR_OTHERS:
        umask = os.umask(PRIVATE_UMASK)
        context.call_on_close(lambda: os.umask(umask))


def loopback_spared(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which no library of this process takes a proxy to this machine.

    They say what ``no_proxy`` says already, and name the loopback addresses in all forms, because some
    libraries match networks, some only names. Nothing is returned where no proxy is set.
    """
    if not any(environment.get(name) for proxy in _PROXIES for name in (proxy, proxy.upper())):
        return {}
    lower, upper = environment.get("no_proxy", ""), environment.get("NO_PROXY", "")
    said = {"no_proxy": lower or upper, "NO_PROXY": upper or lower}
    if "no_grpc_proxy" in environment:
        said["no_grpc_proxy"] = environment["no_grpc_proxy"]
    return {
        name: value if value.strip() == "*" else ",".join(filter(None, (value, *_LOOPBACK)))
        for name, value in said.items()
    }


def _set_variables(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


_IN_ASCII: Final = str.maketrans(
    {"✓": "+", "✗": "x", "·": "-", "○": "o", "≈": "~", "≥": ">=", "→": "->", "…": "...", "⚠": "!"}
)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_IN_ASCII)
    # Others as JSON escapes them, of which much output is.
    return "".join(one if one.isascii() else json.dumps(one)[1:-1] for one in text), error.end


def _print_in_any_encoding() -> None:
    """Write to standard output what the encoding of the terminal lacks with other characters."""
    codecs.register_error("facegate-ascii", _in_ascii)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="facegate-ascii")


def main() -> None:
    """Run the command."""
    _print_in_any_encoding()
    app()
