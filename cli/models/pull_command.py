"""``facegate models pull``: shows the terms, asks for acceptance if needed, and fetches."""

import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cli.error_reporting import errors_reported
from cli.models.options import ModelsDirOption, known_packs, models_folder
from cli.models.progress import TerminalProgress
from vision.errors import TermsNotAccepted, VisionError
from vision.packs import CataloguePack
from vision.packs.pulling import PARALLEL, PullReport, inspect_pack, needs_acceptance, pull_pack, terms_text

__all__ = ["pull_command"]

STOPPED = 130


def pull_command(
    *,
    packs: Annotated[list[str], typer.Argument(help="Packs to install.", show_default=False)],
    accept: Annotated[
        bool, typer.Option("--accept", help="Accept the terms of the weights. The acceptance is recorded.")
    ] = False,
    mirror: Annotated[
        str | None,
        typer.Option(
            help="Fetch the files from here. A folder, a tar file of `facegate models bundle`, or an address "
            "that begins with https://.",
            show_default=False,
        ),
    ] = None,
    parallel: Annotated[int, typer.Option(help="Files at once.", min=1, max=32)] = PARALLEL,
    timeout: Annotated[
        float | None,
        typer.Option(help="Time limit of the whole command, in seconds.", min=0.1, show_default=False),
    ] = None,
    models_dir: ModelsDirOption = None,
) -> None:
    """Install packs, or repair them.

    Shows the terms of weights and training data first. If a licence restricts use, it must be accepted: at
    the prompt, or with --accept. Every file is compared with the SHA-256 in the catalogue, whatever its
    source; a pack is installed only if all its files are correct. If the command is repeated, files that
    arrived whole are not fetched again. Proxies are taken from the environment.

    The exit status is 0 if the packs are installed, and 2 if one could not be installed. For example:

        facegate models pull open

        facegate models pull buffalo_l --accept --models-dir /srv/models

        facegate models pull open --mirror https://models.example/facegate

        facegate models pull open --mirror /media/stick/open.tar
    """
    with errors_reported(VisionError):
        folder = models_folder(models_dir)
        known = known_packs(packs)
        for pack in known:
            _show_terms(pack, folder)
        asked = [pack.name for pack in known if not accept and needs_acceptance(pack, folder)]
        if asked:
            again = [*packs, "--accept", *_words(mirror=mirror, models_dir=models_dir)]
            _ask(asked, again=shlex.join(["facegate", "models", "pull", *again]))
        until = None if timeout is None else time.monotonic() + timeout
        try:
            for pack in known:
                deadline = None if until is None else max(0.0, until - time.monotonic())
                with TerminalProgress(Console(stderr=True)) as progress:
                    report = pull_pack(
                        pack,
                        models_dir=folder,
                        source=mirror,
                        accept=accept or pack.name in asked,
                        deadline=deadline,
                        progress=progress,
                        parallel=parallel,
                    )
                typer.echo(_summary(report))
        except KeyboardInterrupt:
            typer.echo("Stopped. Files that arrived whole are kept: pull again to continue.", err=True)
            raise typer.Exit(STOPPED) from None


def _show_terms(pack: CataloguePack, folder: Path) -> None:
    """Shows the terms if anything has to be fetched or accepted."""
    if needs_acceptance(pack, folder) or not inspect_pack(pack, folder).complete:
        Console().print(escape(terms_text(pack)), highlight=False, soft_wrap=True)


def _ask(packs: Sequence[str], *, again: str) -> None:
    """Asks at the terminal for acceptance of the terms that were shown.

    Raises:
        TermsNotAccepted: They were declined, or the session is not interactive; then the message contains
            ``again``, the command with the acceptance.
    """
    names = ", ".join(packs)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise TermsNotAccepted(
            f"The licence of some models in {names} restricts their use, and this "
            f"session is not interactive. Nothing was fetched. If you accept the terms above: {again}"
        )
    if not typer.confirm(f"The licence of some models in {names} restricts their use. Do you accept it?"):
        raise TermsNotAccepted("The terms were not accepted; nothing was fetched.")


def _words(**options: object) -> list[str]:
    """Returns options in the form of a command line, without those that are None."""
    return [
        word
        for name, value in options.items()
        if value is not None
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]


def _summary(report: PullReport) -> str:
    name = report.pack.name
    if not report.fetched:
        state = f"{name} is installed and intact; nothing was fetched."
    else:
        before = f", {len(report.kept)} were present" if report.kept else ""
        state = f"{name} is installed. Files fetched: {len(report.fetched)}{before}."
    left = f" Without {', '.join(file.name for file in report.skipped)}." if report.skipped else ""
    return f"{state}{left} {report.folder}"
