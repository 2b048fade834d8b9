"""``facegate models``: pulls, imports, shows and bundles packs of models."""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from cli.chosen import known_packs, models_folder
from cli.errors import CommandError, FileUnusable, errors_reported
from cli.models.tables import (
    EMBEDDED,
    EMBEDDED_USE,
    TerminalProgress,
    embedded_json,
    embedded_list_json,
    list_json,
    list_table,
    pack_json,
    pack_text,
    terms_and_acceptance,
)
from cli.options import JsonOption, command_line
from cli.shown import say
from vision.errors import PackNotFound, TermsNotAccepted, VisionError
from vision.packs import (
    FAMILIES,
    IMPORTED_KIND,
    MODELS_FILE,
    VerifiedFile,
    choose_files,
    folder_files,
    load_catalogue,
    load_pack,
    named_files,
    read_file,
)
from vision.packs.pulling import (
    PackState,
    PullReport,
    inspect_pack,
    needs_acceptance,
    pull_pack,
    size_text,
    terms_text,
    write_bundle,
)

_RANK: Final = 100
_CHANNELS: Final = 3
_MIDDLE: Final = 127.5
"""What ArcFace and its relatives subtract from 0..255 and divide by."""
_SUFFIX: Final = ".onnx"


def import_command(
    *,
    embedder: Annotated[Path, typer.Argument(help="ONNX file of the embedder.", show_default=False)],
    beside: Annotated[
        str, typer.Option(help="Pack whose other files are used: a pulled one, or a family and folder.")
    ] = "open",
    to: Annotated[Path, typer.Option(help="New folder for the pack.", show_default=False)],
    weights: Annotated[str, typer.Option(help="Terms of the weights, in plain words.", show_default=False)],
    training_data: Annotated[str, typer.Option(help="Known terms of the training data.", show_default=False)],
    mirror: Annotated[
        bool, typer.Option(help="Add the template of the mirror image, for twice the time.")
    ] = True,
) -> None:
    """Make a folder pack with an embedder of your own.

    Copies the embedder, and the detector, landmarks and PAD networks of an installed pack, into a new folder,
    and writes `models.toml` there, which pins the embedder's SHA-256 and states its preprocessing and terms.
    The embedder takes an aligned square face in RGB and gives one template, as ArcFace and its relatives do.
    If it wants other numbers than ArcFace, edit `mean` and `std` there.

    For example:

        facegate models import aura.onnx --to aura --weights MIT --training-data "research only"

    No policy is available with it until you calibrate it on your own photos (`facegate evaluate match
    --calibration` on another machine, with facegate-lab), unless the embedder is one that Facegate has
    calibrated. Name the file when you serve:
    `FACEGATE_CALIBRATION=aura.toml FACEGATE_PACK=open:aura facegate serve`.
    """
    with errors_reported(VisionError, OSError):
        if not (weights.strip() and training_data.strip()):
            raise CommandError("--weights and --training-data state the terms: neither may be empty")
        others = _others(beside, models_folder())
        content, sha256 = read_file(embedder)
        _refuse_known(embedder, sha256)
        if to.exists():
            raise CommandError(f"{to} exists: choose a new folder")
        to.mkdir(parents=True)
        try:
            for file in others:
                shutil.copyfile(file.path, to / file.path.name)
            (to / embedder.name).write_bytes(content)
            (to / MODELS_FILE).write_text(
                _entry(
                    name=embedder.name,
                    sha256=sha256,
                    weights=weights,
                    training_data=training_data,
                    mirror=mirror,
                ),
                encoding="utf-8",
            )
            family = "insightface" if any(file.entry.kind == "scrfd" for file in others) else "open"
            spec = f"{family}:{to.resolve()}"
            pack = load_pack(spec)
        except BaseException:
            shutil.rmtree(to)
            raise
    known = pack.match_calibration
    typer.echo(
        f"Made the pack {spec}. Its templates have {pack.template_form.dimensions} numbers.\n"
        + (
            "No policy is available with it until it is calibrated on your own photos"
            if known.lowest_bound >= 1
            else f"Facegate knows this embedder: its own calibration ({known.record.provenance}) supports "
            f"bounds on FMR down to {known.lowest_bound:.3g}. To calibrate on your own photos"
        )
        + ", on another machine with facegate-lab:\n"
        f"  facegate evaluate match --identities PHOTOS --pack {spec} --calibration calibration.toml"
    )


def _refuse_known(embedder: Path, sha256: str) -> None:
    """Refuse a file that is no ONNX file by its name, or has a content or name of the catalogue."""
    if embedder.suffix != _SUFFIX:
        raise FileUnusable(f"{embedder} is not named *{_SUFFIX}: give the ONNX file of an embedder")
    catalogue = load_catalogue()
    known = catalogue.by_hash(sha256)
    if known is not None:
        raise FileUnusable(
            f"{embedder} is the file {known.file_name} of Facegate's catalogue ({known.role}): it needs no "
            "import. Put it into a folder, and name open:<folder> or insightface:<folder> as the pack"
        )
    if catalogue.by_name(embedder.name) is not None:
        raise FileUnusable(
            f"{embedder} has the name of another file of Facegate's catalogue: rename it before the import"
        )


def _others(beside: str, models_dir: Path) -> tuple[VerifiedFile, ...]:
    """Return the files of the pack without its embedder."""
    known, colon, folder = beside.partition(":")
    catalogue = load_catalogue()
    named = catalogue.pack(beside)
    if named is not None:
        family = FAMILIES[named.family]
        files = named_files(named, models_dir)
    elif colon and known in FAMILIES:
        family = next(kinds for name, kinds in FAMILIES.items() if name == known)
        files = folder_files(Path(folder).expanduser(), family=family, catalogue=catalogue)
    else:
        raise PackNotFound(f"--beside {beside}: name a pulled pack, open:<folder> or insightface:<folder>")
    chosen = choose_files(files, family=family, where=beside)
    return tuple(file for file in chosen.used if file is not chosen.embedder)


def _entry(*, name: str, sha256: str, weights: str, training_data: str, mirror: bool) -> str:
    # JSON texts and numbers are TOML ones.
    values = {
        "names": [name],
        "sha256": sha256,
        "role": "embedder",
        "kind": IMPORTED_KIND,
        "rank": _RANK,
        "evaluation_only": False,
        "restricts_use": False,
        "source": "the operator",
        "weights": weights,
        "training_data": training_data,
        "mean": [_MIDDLE] * _CHANNELS,
        "std": [_MIDDLE] * _CHANNELS,
        "mirror_average": mirror,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(["schema = 3", "", "[[model]]", *lines]) + "\n"


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
        folder = models_folder()
        known = known_packs(packs)
        needing = [pack.name for pack in known if needs_acceptance(pack, folder)]
        for pack in known:
            if pack.name in needing or not inspect_pack(pack, folder).complete:
                say(terms_text(pack))
        asked = [] if accept else needing
        if asked:
            folders = os.environ.get("FACEGATE_MODELS_DIR")
            again = command_line(
                *("facegate", "models", "pull", *packs, "--accept"), mirror=mirror, models_dir=folders
            )
            _ask(asked, again=again)
        try:
            for pack in known:
                with TerminalProgress(Console(stderr=True)) as progress:
                    report = pull_pack(
                        pack,
                        models_dir=folder,
                        source=mirror,
                        accept=accept or pack.name in asked,
                        progress=progress,
                    )
                typer.echo(_summary(report))
        except KeyboardInterrupt:
            typer.echo("Stopped. Files that arrived whole are kept: pull again to continue.", err=True)
            raise typer.Exit(STOPPED) from None


def _ask(packs: Sequence[str], *, again: str) -> None:
    """Ask at the terminal for acceptance of the terms that were shown."""
    names = ", ".join(packs)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise TermsNotAccepted(
            f"The licence of some models in {names} restricts their use, and this "
            f"session is not interactive. Nothing was fetched. If you accept the terms above: {again}"
        )
    if not typer.confirm(f"The licence of some models in {names} restricts their use. Do you accept it?"):
        raise TermsNotAccepted("The terms were not accepted; nothing was fetched.")


def _summary(report: PullReport) -> str:
    name = report.pack.name
    if not report.fetched:
        state = f"{name} is installed and intact; nothing was fetched."
    else:
        before = f", {len(report.kept)} were present" if report.kept else ""
        state = f"{name} is installed. Files fetched: {len(report.fetched)}{before}."
    left = f" Without {', '.join(file.name for file in report.skipped)}." if report.skipped else ""
    return f"{state}{left} {report.folder}"


DAMAGED = 1

app = typer.Typer(help="Pull, import, show and bundle packs of models.", no_args_is_help=True)
app.command("pull")(pull_command)
app.command("import")(import_command)


@app.command("show")
def show_command(
    pack: Annotated[
        str | None, typer.Argument(help="A pack's name; by default all.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the packs, or show one: its terms in full, and the role, size, SHA-256 and address of every file.

    `installed` is `yes` if a server can use the pack, `partly` if files are missing, and `altered` if a
    file differs from the catalogued one: every byte is hashed. The `embedded` pack comes with the
    extra of that name. Facegate repeats the publishers' statements on weights and training data; it gives no
    legal advice. The exit status is 1 if a pack is altered or installed in part: each file at fault is named,
    and the pull that repairs the pack. For example:

        facegate models show

        facegate models show open

        facegate models show --json --models-dir /srv/models
    """
    console = Console()
    with errors_reported(VisionError):
        folder = models_folder()
        shown, terms = {}, EMBEDDED_USE
        if pack == EMBEDDED:
            packs, shown = [], embedded_json(load_pack(EMBEDDED))
        elif pack is not None:
            packs = [inspect_pack(known_packs([pack])[0], folder)]
            shown, terms = pack_json(packs[0]), terms_and_acceptance(packs[0])
        else:
            packs = [inspect_pack(each, folder) for each in known_packs()]
    if pack is None and as_json:
        typer.echo(json.dumps([*map(list_json, packs), embedded_list_json()], indent=2))
    elif pack is None:
        console.print(list_table(packs))
        say(f"Models folder: {folder}")
    elif as_json:
        typer.echo(json.dumps(shown, indent=2))
    else:
        console.print(pack_text(shown, terms=terms), soft_wrap=True, highlight=False, end="")
    damaged = [each for each in packs if each.state is not PackState.NO and each.damaged]
    for each in damaged:
        for file in each.damaged:
            typer.echo(f"{each.pack.name}: {file.damage}", err=True)
        again = command_line(
            *("facegate", "models", "pull", each.pack.name), models_dir=os.environ.get("FACEGATE_MODELS_DIR")
        )
        typer.echo(f"To repair it: {again}", err=True)
    if damaged:
        raise typer.Exit(DAMAGED)


@app.command("bundle")
def bundle_command(
    packs: Annotated[list[str], typer.Argument(help="Installed packs.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Tar file to write; it must not exist.", show_default=False)],
) -> None:
    """Write installed packs to one tar file, for machines without a network.

    The same packs give the same bytes. On the other machine, compare the printed SHA-256 before the pull:

        facegate models bundle open --out open.tar

        facegate models pull open --mirror open.tar
    """
    with errors_reported(VisionError):
        report = write_bundle(known_packs(packs), models_dir=models_folder(), out=out)
    if report.left_out:
        typer.echo(f"Not installed, so omitted: {', '.join(report.left_out)}", err=True)
    typer.echo(f"{report.path}: {len(report.files)} model files, {size_text(report.size)}")
    typer.echo(f"SHA-256 {report.sha256}")
