"""``facegate models import``: makes a folder pack with an embedder of the operator's own."""

import json
import shutil
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.error_reporting import errors_reported
from cli.errors import FileUnusable, OptionUnusable, OutputUnusable
from cli.models.options import ModelsDirOption, models_folder
from vision.errors import PackNotFound, VisionError
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

__all__ = ["import_command"]

_RANK: Final = 100
_CHANNELS: Final = 3
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
    source: Annotated[str, typer.Option(help="Where the file comes from.")] = "the operator",
    mean: Annotated[float, typer.Option(help="Subtracted from each channel, 0..255.")] = 127.5,
    std: Annotated[float, typer.Option(help="Divisor after the subtraction.", min=0.001)] = 127.5,
    mirror: Annotated[
        bool, typer.Option(help="Add the template of the mirror image, for twice the time.")
    ] = True,
    models_dir: ModelsDirOption = None,
) -> None:
    """Make a folder pack with an embedder of your own.

    Copies the embedder, and the detector, landmarks and PAD networks of an installed pack, into a new folder,
    and writes `models.toml` there, which pins the embedder's SHA-256 and states its preprocessing and terms.
    The embedder takes an aligned square face in RGB and gives one template, as ArcFace and its relatives do.

    For example:

        facegate models import aura.onnx --to aura --weights MIT --training-data "research only"

    No policy is available with it until you calibrate it on your own photos (`facegate calibrate match`),
    unless the embedder is one that Facegate has calibrated. Then name the file when you serve:
    `FACEGATE_CALIBRATION=aura.toml FACEGATE_PACK=open:aura facegate serve`.
    """
    with errors_reported(VisionError, OSError):
        if not (weights.strip() and training_data.strip()):
            raise OptionUnusable("--weights and --training-data state the terms: neither may be empty")
        others = _others(beside, models_folder(models_dir))
        content, sha256 = read_file(embedder)
        _refuse_known(embedder, sha256)
        if to.exists():
            raise OutputUnusable(f"{to} exists: choose a new folder")
        to.mkdir(parents=True)
        try:
            for file in others:
                shutil.copyfile(file.path, to / file.path.name)
            (to / embedder.name).write_bytes(content)
            (to / MODELS_FILE).write_text(
                _entry(
                    name=embedder.name,
                    sha256=sha256,
                    source=source,
                    weights=weights,
                    training_data=training_data,
                    mean=mean,
                    std=std,
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
            "No policy is available with it until it is calibrated on your own photos:\n"
            if known.lowest_bound >= 1
            else f"Facegate knows this embedder: its own calibration ({known.record.provenance}) supports "
            f"bounds on FMR down to {known.lowest_bound:.3g}. To calibrate on your own photos:\n"
        )
        + f"  facegate calibrate match --identities PHOTOS --pack {spec} --out calibration.toml"
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


def _entry(
    *,
    name: str,
    sha256: str,
    source: str,
    weights: str,
    training_data: str,
    mean: float,
    std: float,
    mirror: bool,
) -> str:
    # JSON texts and numbers are TOML ones.
    values = {
        "names": [name],
        "sha256": sha256,
        "role": "embedder",
        "kind": IMPORTED_KIND,
        "rank": _RANK,
        "evaluation_only": False,
        "restricts_use": False,
        "source": source,
        "weights": weights,
        "training_data": training_data,
        "mean": [mean] * _CHANNELS,
        "std": [std] * _CHANNELS,
        "mirror_average": mirror,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(["schema = 3", "", "[[model]]", *lines]) + "\n"
