"""``facegate models``: pulls, shows, verifies and bundles packs of models."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cli.error_reporting import errors_reported
from cli.help import brief
from cli.models.bench import bench_command
from cli.models.import_command import import_command
from cli.models.options import ModelsDirOption, PackArgument, known_packs, models_folder
from cli.models.pull_command import pull_command
from cli.models.tables import (
    EMBEDDED,
    embedded_json,
    embedded_list_json,
    embedded_text,
    list_json,
    list_table,
    pack_json,
    pack_text,
)
from cli.options import JsonOption
from vision.errors import VisionError
from vision.packs import load_pack
from vision.packs.pulling import (
    FileState,
    PackState,
    inspect_pack,
    read_acceptance,
    size_text,
    terms_text,
    write_bundle,
)

__all__ = ["app"]

DAMAGED = 1

app = typer.Typer(help="Pull, show, verify and bundle packs of models.", no_args_is_help=True)
app.command("pull", cls=brief("--accept", "--mirror", "--models-dir"))(pull_command)
app.command("bench")(bench_command)
app.command("import", cls=brief("--to", "--weights", "--training-data"))(import_command)


@app.command("list")
def list_command(models_dir: ModelsDirOption = None, as_json: JsonOption = False) -> None:
    """List the packs, and whether each is installed.

    `installed` is `yes` if a server can use the pack, `partly` if files are missing, and `altered` if a
    file differs from the catalogued one: every byte is hashed. The `embedded` pack is always installed. For
    example:

        facegate models list

        facegate models list --json --models-dir /srv/models
    """
    with errors_reported(VisionError):
        folder = models_folder(models_dir)
        packs = [inspect_pack(pack, folder) for pack in known_packs()]
    if as_json:
        typer.echo(json.dumps([*map(list_json, packs), embedded_list_json()], indent=2))
        return
    console = Console()
    console.print(list_table(packs))
    console.print(escape(f"Models folder: {folder}"), highlight=False, soft_wrap=True)


@app.command("show")
def show_command(pack: PackArgument, models_dir: ModelsDirOption = None, as_json: JsonOption = False) -> None:
    """Show every file of a pack: role, size, SHA-256, address, terms, and how it is installed.

    For example:

        facegate models show open

        facegate models show embedded
    """
    if pack == EMBEDDED:
        with errors_reported(VisionError):
            loaded = load_pack(EMBEDDED)
        if as_json:
            typer.echo(json.dumps(embedded_json(loaded), indent=2))
        else:
            Console().print(embedded_text(loaded), soft_wrap=True, highlight=False, end="")
        return
    with errors_reported(VisionError):
        installed = inspect_pack(known_packs([pack])[0], models_folder(models_dir))
    if as_json:
        typer.echo(json.dumps(pack_json(installed), indent=2))
    else:
        Console().print(pack_text(installed), soft_wrap=True, highlight=False, end="")


@app.command("licence")
def licence_command(pack: PackArgument, models_dir: ModelsDirOption = None) -> None:
    """Show the terms of a pack in full, and whether they were accepted here.

    Facegate repeats the publishers' statements on weights and training data; it gives no legal advice. For
    example:

        facegate models licence buffalo_l
    """
    if pack == EMBEDDED:
        show_command(EMBEDDED)
        return
    with errors_reported(VisionError):
        known = known_packs([pack])[0]
    typer.echo(terms_text(known))
    accepted = read_acceptance(models_folder(models_dir) / known.name)
    if accepted is not None:
        today = "" if accepted.terms == terms_text(known) else ", as they were then"
        typer.echo(f"Accepted here on {accepted.accepted_at} with Facegate {accepted.facegate}{today}.")
    elif known.restricts_use:
        typer.echo(
            "They have not been accepted here. `facegate models pull` asks for it, or give it --accept."
        )
    else:
        typer.echo("No licence restricts use, so nothing has to be accepted.")


@app.command("verify")
def verify_command(
    packs: Annotated[
        list[str] | None,
        typer.Argument(help="Packs; by default all installed packs.", show_default=False),
    ] = None,
    models_dir: ModelsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hash all installed files, and compare them with the catalogue.

    The exit status is 0 if all is intact, 1 if a file is altered, cannot be read or is missing, and 2 if
    nothing could be verified. For example:

        facegate models verify

        facegate models verify open buffalo_l --models-dir /srv/models
    """
    with errors_reported(VisionError):
        folder = models_folder(models_dir)
        installed = [inspect_pack(pack, folder) for pack in known_packs(packs)]
    checked = [pack for pack in installed if packs or pack.state is not PackState.NO]
    damaged = [pack for pack in checked if pack.damaged]
    if as_json:
        typer.echo(json.dumps([pack_json(pack) for pack in checked], indent=2))
    else:
        for pack in checked:
            intact = sum(file.state is FileState.INTACT for file in pack.files)
            missing = [
                file.entry.file_name
                for file in pack.files
                if not file.required and file.state is FileState.MISSING
            ]
            without = f" (optional, not installed: {', '.join(missing)})" if missing else ""
            word = "not intact" if pack.damaged else "intact"
            typer.echo(f"{pack.pack.name}: {word}, {intact} files as catalogued{without}")
    for pack in damaged:
        for file in pack.damaged:
            typer.echo(f"{pack.pack.name}: {file.damage}", err=True)
        typer.echo(f"To repair it: {_pull(pack.pack.name, models_dir)}", err=True)
    if not checked:
        typer.echo(f"No pack is installed in {folder}. To install one: {_pull('open', models_dir)}", err=True)
    if damaged or not checked:
        raise typer.Exit(DAMAGED)


@app.command("bundle")
def bundle_command(
    packs: Annotated[list[str], typer.Argument(help="Installed packs.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Tar file to write; it must not exist.", show_default=False)],
    models_dir: ModelsDirOption = None,
) -> None:
    """Write installed packs to one tar file, for machines without a network.

    The same packs give the same bytes. On the other machine, compare the printed SHA-256 before the pull:

        facegate models bundle open --out open.tar

        facegate models pull open --mirror open.tar
    """
    with errors_reported(VisionError):
        report = write_bundle(known_packs(packs), models_dir=models_folder(models_dir), out=out)
    if report.left_out:
        typer.echo(f"Not installed, so omitted: {', '.join(report.left_out)}", err=True)
    typer.echo(f"{report.path}: {len(report.files)} model files, {size_text(report.size)}")
    typer.echo(f"SHA-256 {report.sha256}")


def _pull(pack: str, models_dir: Path | None) -> str:
    options = [] if models_dir is None else ["--models-dir", str(models_dir)]
    return shlex.join(["facegate", "models", "pull", pack, *options])
